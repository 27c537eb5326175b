"""Asking an ASGI app without a server."""

import asyncio
from typing import Any

import httpx
from starlette.applications import Starlette


def ask(
    app: Starlette, method: str, path: str, *, caller: str = "127.0.0.1", broken: bool = False, **more: Any
) -> httpx.Response:
    """One call from that address; with `broken` an exception in the app becomes the 500 that a server would answer."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, client=(caller, 1234), raise_app_exceptions=not broken)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return await client.request(method, path, **more)

    return asyncio.run(send())
