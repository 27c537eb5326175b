"""Many HTTP requests from few bytes of Python: raw keep-alive connections, requests made beforehand.

A sender that costs as much as what it measures would measure itself.
"""

import asyncio
import time
from collections.abc import Sequence
from urllib.parse import urlsplit


def request_bytes(url: str, headers: dict[str, str], body: bytes) -> bytes:
    """A POST, ready to be written to a connection."""
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [f"POST {path} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def send_all(url: str, requests: Sequence[bytes], parallel: int) -> tuple[float, list[float], list[int]]:
    """Send all of them over so many connections, each waiting for its answer before its next request.

    Returns seconds in all, seconds of each request, and the statuses.
    """
    parts = urlsplit(url)
    waiting = list(reversed(requests))
    took: list[float] = []
    statuses: list[int] = []

    async def one_connection() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            while waiting:
                request = waiting.pop()
                started = time.monotonic()
                writer.write(request)
                status = await answer(reader)
                took.append(time.monotonic() - started)
                statuses.append(status)
        finally:
            writer.close()
            await writer.wait_closed()

    started = time.monotonic()
    await asyncio.gather(*(one_connection() for _ in range(min(parallel, len(requests)))))
    return time.monotonic() - started, took, statuses


async def answer(reader: asyncio.StreamReader) -> int:
    """Read one answer to its end and return its status."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head[9:12])
    if b"transfer-encoding: chunked" in head:
        while (size := int(await reader.readline(), 16)) > 0:
            await reader.readexactly(size + 2)
        await reader.readline()
    elif (place := head.find(b"content-length:")) >= 0:
        length = int(head[place + 15 : head.index(b"\r\n", place)])
        await reader.readexactly(length)
    return status
