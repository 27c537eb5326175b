"""Reading the raw body of a webhook: signatures are over these bytes, so nothing may parse them first.

Nothing is known of the caller yet, so every measure is bounded: how large a body may be, how long it may take, and how
much all the bodies that are still on their way may hold together.
"""

import asyncio

from starlette.requests import ClientDisconnect, Request

LARGEST_BODY = 8 * 1024 * 1024
BODY_SECONDS = 20.0
BODIES_AT_ONCE = 8  # of the largest size, or more smaller ones


class BodyRefused(Exception):
    """Too large, too slow, cut off or not JSON; `status` is the HTTP status that says so."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status = status


class BodyReader:
    """Reads the bodies of one address, each of `largest` bytes at most. Belongs to one event loop."""

    def __init__(self, largest: int = LARGEST_BODY) -> None:
        self._largest = largest
        self._held = 0

    async def read(self, request: Request) -> bytes:
        """The raw body of a JSON call. Raises BodyRefused: 400 cut off, 408, 413, 415, 503 too many at once."""
        declared_type = request.headers.get("content-type", "application/json")
        if declared_type.partition(";")[0].strip().lower() != "application/json":
            raise BodyRefused("not declared as JSON", 415)
        declared = request.headers.get("content-length", "0")
        if declared.isdigit() and (len(declared) > 12 or int(declared) > self._largest):
            raise BodyRefused("too large", 413)
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for chunk in request.stream():
                    self._held += len(chunk)
                    body += chunk
                    if len(body) > self._largest:
                        raise BodyRefused("too large", 413)
                    if self._held > self._largest * BODIES_AT_ONCE:
                        raise BodyRefused("too many at once", 503)
        except TimeoutError as error:
            raise BodyRefused("too slow", 408) from error
        except ClientDisconnect as error:
            raise BodyRefused("cut off", 400) from error
        finally:
            self._held -= len(body)
        return bytes(body)
