"""The simulator in a thread of this process, on a free port: for tests and measurements.

with running(folder) as fal:
    fal.control("behaviour", {"speed": 0})
    ...  # speak to fal.url
"""

import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from local.fal.app import DEFAULT_ADMIN_KEY, DEFAULT_KEY, create_app

_START_TIMEOUT_S = 15.0
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback never goes through a proxy


@dataclass(frozen=True, slots=True)
class RunningFal:
    """`url` has no trailing slash. Point FAL_QUEUE_URL and FAL_REST_URL at it, FAL_API_URL at `{url}/v1`."""

    url: str
    key: str
    admin_key: str

    def control(self, action: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call the control API: `behaviour`, `foreign`, `deliver`, `reset`. Raises urllib.error.HTTPError."""
        request = urllib.request.Request(
            f"{self.url}/_sim/{action}",
            data=json.dumps(body or {}).encode(),
            headers={"Content-Type": "application/json"},
        )
        return self._read(request)

    def state(self) -> dict[str, Any]:
        """What the simulator has seen so far."""
        return self._read(urllib.request.Request(f"{self.url}/_sim/state"))

    def request(self, request_id: str) -> dict[str, Any]:
        """What it knows about one request."""
        return next(found for found in self.state()["requests"] if found["request_id"] == request_id)

    def _read(self, request: urllib.request.Request) -> dict[str, Any]:
        with _direct.open(request, timeout=30) as answer:
            content: dict[str, Any] = json.load(answer)
        return content


@contextmanager
def running(
    folder: Path, *, port: int = 0, key: str = DEFAULT_KEY, admin_key: str = DEFAULT_ADMIN_KEY
) -> Iterator[RunningFal]:
    """Start, and stop at the end; the state stays in `folder`. Raises TimeoutError when it does not start."""
    config = uvicorn.Config(
        create_app(folder, key=key, admin_key=admin_key),
        port=port,
        log_level="warning",
        ws="none",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="simulated-fal")
    thread.start()
    try:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not server.started:
            if time.monotonic() > deadline or not thread.is_alive():
                raise TimeoutError("the simulated fal.ai did not start")
            time.sleep(0.01)
        bound = server.servers[0].sockets[0].getsockname()[1]
        yield RunningFal(f"http://127.0.0.1:{bound}", key, admin_key)
    finally:
        server.should_exit = True
        thread.join()
