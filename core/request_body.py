"""Reading the raw body of a webhook: signatures are over these bytes, so nothing may parse them first."""

import asyncio

from starlette.requests import Request

LARGEST_BODY = 8 * 1024 * 1024
BODY_SECONDS = 20.0


class BodyRefused(Exception):
    """Too large or too slow; `status` is the HTTP status that says so."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status = status


async def read_body(request: Request) -> bytes:
    """The raw body, at most LARGEST_BODY bytes within BODY_SECONDS. Raises BodyRefused."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > LARGEST_BODY:
        raise BodyRefused("too large", 413)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST_BODY:
                    raise BodyRefused("too large", 413)
    except TimeoutError as error:
        raise BodyRefused("too slow", 408) from error
    return bytes(body)
