"""Runs a program of ours and writes down every HTTP request: `python -m bench.counted LOG module [argument …]`.

One JSON line a request: when it was sent and how long its answer took (seconds, the clock that all processes of the
machine share), method, address, and the thread. What is counted is what really leaves through httpx, not a guess.
"""

import json
import os
import runpy
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request of a counted program. Times in seconds of time.monotonic."""

    at: float
    took: float
    method: str
    url: str
    thread: str

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def name(self) -> str:
        """`rpc/create_job`, `generation_jobs`, `storage/object/sign`: without ids and filters."""
        path = self.path
        if "/rest/v1/" in path:
            return path.partition("/rest/v1/")[2]
        if "/storage/v1/" in path:
            return "storage/" + "/".join(path.partition("/storage/v1/")[2].split("/")[:2])
        return path


class Log:
    """The calls in a log, as they come."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def calls(self, since: float = 0.0, until: float = float("inf")) -> list[Call]:
        found = [Call(**json.loads(line)) for line in self.path.read_text().splitlines()]
        return [call for call in found if since <= call.at <= until]


@contextmanager
def counting(note: Callable[[Call], None]) -> Iterator[None]:
    """Every request that this process makes through httpx is told to `note`, once its answer has begun."""
    send, send_async = httpx.HTTPTransport.handle_request, httpx.AsyncHTTPTransport.handle_async_request

    def done(started: float, request: httpx.Request) -> None:
        took = time.monotonic() - started
        note(Call(started, took, request.method, str(request.url), threading.current_thread().name))

    def handle(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        started = time.monotonic()
        try:
            return send(self, request)
        finally:
            done(started, request)

    async def handle_async(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        started = time.monotonic()
        try:
            return await send_async(self, request)
        finally:
            done(started, request)

    transports: Any = httpx
    transports.HTTPTransport.handle_request = handle
    transports.AsyncHTTPTransport.handle_async_request = handle_async
    try:
        yield
    finally:
        transports.HTTPTransport.handle_request = send
        transports.AsyncHTTPTransport.handle_async_request = send_async


def main() -> None:
    log, module, *arguments = sys.argv[1:]
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    sys.argv = [module, *arguments]
    sys.path.insert(0, os.getcwd())
    with counting(lambda call: write(descriptor, call)):
        runpy.run_module(module, run_name="__main__", alter_sys=True)


def write(descriptor: int, call: Call) -> None:
    os.write(descriptor, (json.dumps(asdict(call)) + "\n").encode())


if __name__ == "__main__":
    main()
