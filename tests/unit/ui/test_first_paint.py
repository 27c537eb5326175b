"""Streamlit's empty page comes in our colours; every other answer comes as it is."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import streamlit
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.asgi import ask
from ui.first_paint import FirstPaint

EMPTY = (Path(streamlit.__file__).parent / "static" / "index.html").read_bytes()
BROWSER = {"accept": "text/html,application/xhtml+xml", "accept-encoding": "gzip"}
OTHER = "<title>Streamlit says</title>" + "x" * 2000


def app() -> Starlette:
    async def empty(_request: Request) -> Response:
        return HTMLResponse(EMPTY, headers={"etag": '"1"', "last-modified": "Mon, 30 Nov 2026 00:00:00 GMT"})

    async def in_pieces(_request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            for place in range(0, len(EMPTY), 1000):
                yield EMPTY[place : place + 1000]

        return StreamingResponse(pieces(), media_type="text/html")

    async def other(_request: Request) -> Response:
        return HTMLResponse(OTHER, headers={"etag": '"2"'})

    async def large(_request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(30):
                yield b"y" * 10_000

        return StreamingResponse(pieces(), media_type="text/html")

    async def zipped(_request: Request) -> Response:
        return HTMLResponse(gzip.compress(EMPTY), headers={"content-encoding": "gzip"})

    async def data(_request: Request) -> Response:
        return JSONResponse({"title": "<title>Streamlit</title>"})

    routes = [Route(f"/{each.__name__}", each) for each in (empty, in_pieces, other, large, zipped, data)]
    return Starlette(routes=routes, middleware=[Middleware(FirstPaint), Middleware(GZipMiddleware)])


@pytest.mark.parametrize("path", ["/empty", "/in_pieces"])
def test_the_empty_page_has_our_name_and_ground_in_both_themes(path: str) -> None:
    answer = ask(app(), "GET", path, headers=BROWSER)
    assert "<title>Atelier</title>" in answer.text
    assert "html{background:#FAF7F0}@media(prefers-color-scheme:dark){html{background:#12151F}}" in answer.text
    assert '<meta name="color-scheme" content="light dark" />' in answer.text
    assert "SourceSans" not in answer.text
    assert '<div id="root">' in answer.text
    assert answer.text.endswith(EMPTY.decode()[-200:])
    assert answer.headers.get("etag") is None
    assert answer.headers.get("last-modified") is None


@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        ("/other", BROWSER, OTHER.encode()),
        ("/large", BROWSER, b"y" * 300_000),
        ("/zipped", BROWSER, EMPTY),
        ("/empty", {"accept": "*/*"}, EMPTY),
        ("/data", BROWSER, b'{"title":"<title>Streamlit</title>"}'),
    ],
)
def test_everything_else_is_as_it_was(path: str, headers: dict[str, str], expected: bytes) -> None:
    answer = ask(app(), "GET", path, headers=headers)
    assert answer.content == expected
    if path == "/other":
        assert answer.headers["etag"] == '"2"'
