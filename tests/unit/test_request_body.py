"""Bodies of callers that nobody knows yet: how large, how slow, how many at once."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from starlette.requests import Request

from core import request_body
from core.request_body import BodyReader, BodyRefused

LARGEST = 100
Receive = Callable[[], Awaitable[dict[str, object]]]


def request(receive: Receive, **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "headers": raw}, receive)  # type: ignore[arg-type]


def sending(*chunks: bytes, then: Receive | None = None) -> Receive:
    """Sends these pieces; what comes after them is `then`, or the end of the body."""
    waiting = list(chunks)

    async def receive() -> dict[str, object]:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting) or then is not None}
        assert then is not None
        return await then()

    return receive


def refused(reader: BodyReader, asked: Request) -> int:
    with pytest.raises(BodyRefused) as caught:
        asyncio.run(reader.read(asked))
    return caught.value.status


def test_a_body_is_read_as_it_came() -> None:
    assert asyncio.run(BodyReader(LARGEST).read(request(sending(b"\xff{", b"", b"}")))) == b"\xff{}"


@pytest.mark.parametrize("declared", ["application/json", "Application/JSON; charset=utf-8", " application/json"])
def test_json_is_json_however_it_is_written(declared: str) -> None:
    assert asyncio.run(BodyReader(LARGEST).read(request(sending(b"{}"), content_type=declared))) == b"{}"


@pytest.mark.parametrize("declared", ["", "text/plain", "multipart/form-data; boundary=x", "application/jsonp"])
def test_anything_else_is_not_read(declared: str) -> None:
    assert refused(BodyReader(LARGEST), request(sending(b"{}"), content_type=declared)) == 415


@pytest.mark.parametrize("length", ["101", "9" * 40])
def test_what_says_that_it_is_too_large_is_not_read(length: str) -> None:
    async def never() -> dict[str, object]:
        raise AssertionError("It was read.")

    assert refused(BodyReader(LARGEST), request(never, content_length=length)) == 413


def test_what_does_not_say_so_is_read_no_further() -> None:
    assert refused(BodyReader(LARGEST), request(sending(b"x" * 60, b"x" * 60, b"x" * 60), content_length="1")) == 413


def test_a_slow_body_and_one_that_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "BODY_SECONDS", 0.01)

    async def silence() -> dict[str, object]:
        await asyncio.sleep(60)
        raise AssertionError

    async def gone() -> dict[str, object]:
        return {"type": "http.disconnect"}

    reader = BodyReader(LARGEST)
    assert refused(reader, request(sending(b"{", then=silence))) == 408
    assert refused(reader, request(sending(b"{", then=gone))) == 400


def test_bodies_on_their_way_hold_so_much_together_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "BODIES_AT_ONCE", 2)

    async def run() -> None:
        reader, release = BodyReader(LARGEST), asyncio.Event()

        async def waiting() -> dict[str, object]:
            await release.wait()
            return {"type": "http.request", "body": b"", "more_body": False}

        held = [asyncio.create_task(reader.read(request(sending(b"x" * 100, then=waiting)))) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(BodyRefused) as caught:
            await reader.read(request(sending(b"x")))
        assert caught.value.status == 503
        release.set()
        assert [len(body) for body in await asyncio.gather(*held)] == [100, 100]
        assert await reader.read(request(sending(b"x"))) == b"x"  # there is room again

    asyncio.run(run())
