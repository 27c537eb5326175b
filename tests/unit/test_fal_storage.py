import json
from typing import Any

import httpx
import pytest

from core.errors import FalError, FalLocked, FalUnauthorized, FalUnavailable, InvalidInput
from core.fal import storage
from core.fal.storage import upload
from core.settings import load
from tests.unit.fal_doubles import KEY, SETTINGS, Answer, Wire, reply

PLACE = {"upload_url": "https://upload.fal.media/put?signature=1", "file_url": "https://v3.fal.media/files/a.png"}


def send(*answers: Answer) -> tuple[str, Wire]:
    wire = Wire(*answers)
    return upload(SETTINGS, b"bytes", "a.png", "image/png", http=wire.http), wire


def test_a_file_is_announced_and_put_where_fal_says_without_the_key() -> None:
    url, wire = send(reply(200, PLACE), reply(200))
    assert url == PLACE["file_url"]
    asked, put = wire.requests
    assert str(asked.url) == "https://rest.fal.ai/storage/upload/initiate?storage_type=fal-cdn-v3"
    assert json.loads(asked.content) == {"file_name": "a.png", "content_type": "image/png"}
    assert asked.headers["authorization"] == f"Key {KEY}"
    assert (put.method, str(put.url), put.content) == ("PUT", PLACE["upload_url"], b"bytes")
    assert put.headers["content-type"] == "image/png"
    assert "authorization" not in put.headers


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([reply(401)], FalUnauthorized),
        ([reply(403, {"detail": "User is locked. Reason: x"})], FalLocked),
        ([reply(500)], FalUnavailable),
        ([httpx.ConnectError("x")], FalUnavailable),
        ([reply(200, {})], FalUnavailable),
        ([reply(200, {**PLACE, "upload_url": "http://upload.fal.media/put"})], FalUnavailable),
        ([reply(200, {**PLACE, "file_url": 5})], FalUnavailable),
        ([reply(200, PLACE), reply(403)], FalUnavailable),
        ([reply(200, PLACE), httpx.WriteError("x")], FalUnavailable),
    ],
)
def test_a_failed_upload_is_an_error(answers: list[Any], expected: type[FalError]) -> None:
    with pytest.raises(expected):
        send(*answers)


def test_a_simulator_may_do_without_tls() -> None:
    local = load({"FAL_KEY": KEY, "FAL_REST_URL": "http://127.0.0.1:9"})
    place = {"upload_url": "http://127.0.0.1:9/put", "file_url": "http://127.0.0.1:9/a.png"}
    wire = Wire(reply(200, place), reply(200))
    assert upload(local, b"x", "a.png", "image/png", http=wire.http) == place["file_url"]


def test_a_file_that_is_too_large_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "MAX_BYTES", 5)
    wire = Wire(reply(200, PLACE))
    with pytest.raises(InvalidInput):
        upload(SETTINGS, b"bytes", "a.png", "image/png", http=wire.http)
    assert not wire.requests


def test_without_a_client_it_brings_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(reply(200, PLACE), reply(200))
    monkeypatch.setattr(storage, "new_http", lambda: wire.http)
    assert upload(SETTINGS, b"bytes", "a.png", "image/png") == PLACE["file_url"]
    assert wire.http.is_closed
