"""Streamlit's empty page, until Streamlit itself is loaded: in our colours and under our name.

As it comes it is white, also for who has a dark screen, is called "Streamlit", and loads a font that we do not use.
"""

from functools import lru_cache

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NAME = "Atelier"
_TITLE = b"<title>Streamlit</title>"
_LARGEST = 100_000  # bytes; whatever is larger is no empty page


class FirstPaint:
    """ASGI middleware: mends that page on its way out, and no other answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "text/html" not in Headers(scope=scope).get("accept", ""):
            await self.app(scope, receive, send)
            return
        # Compressed it could not be read; it is a few kilobytes.
        plain = [(name, value) for name, value in scope["headers"] if name.lower() != b"accept-encoding"]
        start: Message | None = None
        body = b""

        async def mend(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start" and _is_page(Headers(raw=message["headers"])):
                start = message  # held back: its length is not known yet
                return
            if start is None or message["type"] != "http.response.body":
                await send(message)
                return
            body += message.get("body", b"")
            if message.get("more_body", False) and len(body) <= _LARGEST:
                return
            if _TITLE in body and not message.get("more_body", False):
                body = mended(body)
                headers = MutableHeaders(raw=start["headers"])
                headers["content-length"] = str(len(body))
                for validator in ("etag", "last-modified"):  # of the page as it was
                    del headers[validator]
            await send(start)
            await send({**message, "body": body})
            start = None

        await self.app({**scope, "headers": plain}, receive, mend)


def _is_page(headers: Headers) -> bool:
    return headers.get("content-type", "").startswith("text/html") and "content-encoding" not in headers


@lru_cache(maxsize=4)
def mended(page: bytes) -> bytes:
    """The page with our name and ground, and without the font that no text of ours is set in."""
    light, dark = (st.get_option(f"theme.{theme}.backgroundColor") for theme in ("light", "dark"))
    ours = (
        f'<title>{NAME}</title>\n    <meta name="color-scheme" content="light dark" />\n'
        f"    <style>html{{background:{light}}}@media(prefers-color-scheme:dark){{html{{background:{dark}}}}}</style>"
    )
    head, _, rest = page.partition(b'<link\n      rel="preload"')
    font, closed, after = rest.partition(b"/>")
    if closed and b"SourceSans" in font:
        page = head + after
    return page.replace(_TITLE, ours.encode(), 1)
