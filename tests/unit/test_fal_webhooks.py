import base64
import hashlib
import json
import threading
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from core.errors import WebhookRefused
from core.fal.bodies import MAX_BODY_BYTES
from core.fal.webhooks import KEYS_MAX_AGE_S, REFETCH_PAUSE_S, TOLERANCE_S, VerifiedCall, WebhookVerifier, parse_call
from tests.unit.fal_doubles import SETTINGS, Answer, Wire, reply

NOW = 1_800_000_000
BODY = b'{"request_id": "r-1", "status": "OK", "payload": {}}'
FIRST, SECOND, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2, 3))


class Clock:
    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


def jwk(key: Ed25519PrivateKey, padded: bool = True) -> dict[str, str]:
    x = base64.urlsafe_b64encode(key.public_key().public_bytes_raw()).decode()
    return {"kty": "OKP", "crv": "Ed25519", "x": x if padded else x.rstrip("="), "kid": "k"}


def jwks(*keys: Ed25519PrivateKey, **options: Any) -> httpx.Response:
    return reply(200, {"keys": [jwk(key, **options) for key in keys]})


def signed(
    key: Ed25519PrivateKey = FIRST, body: bytes = BODY, at: int = NOW, request_id: str = "r-1", user_id: str = "u-1"
) -> dict[str, str]:
    message = "\n".join((request_id, user_id, str(at), hashlib.sha256(body).hexdigest())).encode()
    return {
        "X-Fal-Webhook-Request-Id": request_id,
        "X-Fal-Webhook-User-Id": user_id,
        "X-Fal-Webhook-Timestamp": str(at),
        "X-Fal-Webhook-Signature": key.sign(message).hex(),
        "Content-Type": "application/json",
    }


def verifier(*answers: Answer) -> tuple[WebhookVerifier, Wire, Clock]:
    wire, clock = Wire(*answers), Clock()
    return WebhookVerifier(SETTINGS, wire.http, clock), wire, clock


def reason(checker: WebhookVerifier, headers: Any, body: bytes = BODY) -> str:
    with pytest.raises(WebhookRefused) as caught:
        checker.verify(body, headers)
    return caught.value.reason


def test_a_call_of_fal_is_accepted_and_the_keys_are_fetched_once_without_our_key() -> None:
    checker, wire, _ = verifier(jwks(FIRST))
    assert checker.verify(BODY, signed()) == VerifiedCall("r-1", "u-1", NOW)
    assert checker.verify(BODY, signed(request_id="r-2")).request_id == "r-2"
    (request,) = wire.requests
    assert str(request.url) == "https://rest.fal.ai/.well-known/jwks.json"
    assert "authorization" not in request.headers


@pytest.mark.parametrize("padded", [True, False])
def test_keys_may_be_padded_or_not(padded: bool) -> None:
    checker, _, _ = verifier(jwks(FIRST, padded=padded))
    checker.verify(BODY, signed())


def test_every_key_is_tried_and_unusable_ones_are_passed_over() -> None:
    rubbish: list[Any] = [
        5,
        {"kty": "RSA"},
        {"kty": "OKP", "crv": "X25519", "x": "A" * 43},
        {"kty": "OKP", "crv": "Ed25519", "x": "short"},
        {"kty": "OKP", "crv": "Ed25519", "x": None},
    ]
    checker, wire, _ = verifier(reply(200, {"keys": [*rubbish, jwk(SECOND), jwk(FIRST)]}))
    checker.verify(BODY, signed(FIRST))
    checker.verify(BODY, signed(SECOND))
    assert len(wire.requests) == 1


def test_headers_may_come_as_pairs_of_text_or_bytes_in_any_case() -> None:
    checker, _, _ = verifier(jwks(FIRST))
    checker.verify(BODY, list(signed().items()))
    checker.verify(BODY, [(name.lower().encode(), value.encode()) for name, value in signed().items()])
    checker.verify(BODY, httpx.Headers(signed()))


@pytest.mark.parametrize("name", [name for name in signed() if name.startswith("X-Fal")])
def test_each_header_is_needed_once_and_in_shape(name: str) -> None:
    checker, wire, _ = verifier(jwks(FIRST))
    headers = signed()
    assert reason(checker, {key: value for key, value in headers.items() if key != name}) == "missing_header"
    assert reason(checker, [*headers.items(), (name.lower(), headers[name])]) == "duplicate_header"
    for odd in (
        "",
        "x" * 201,
        "line\nbreak",
        "caf\u00e9",
        " ",
        f"{headers[name]}\n",
        f"{headers[name]}, {headers[name]}",
    ):
        assert reason(checker, {**headers, name: odd}) == "bad_header"
    assert not wire.requests


@pytest.mark.parametrize(
    "timestamp", ["+1800000000", "-1", "1.8e9", "1800000000.0", "0x6b", "１８００００００００", "1" * 13]
)
def test_a_timestamp_is_plain_digits(timestamp: str) -> None:
    checker, _, _ = verifier(jwks(FIRST))
    assert reason(checker, {**signed(), "X-Fal-Webhook-Timestamp": timestamp}) == "bad_header"


@pytest.mark.parametrize("offset", [-TOLERANCE_S, 0, TOLERANCE_S])
def test_within_five_minutes_is_in_time(offset: int) -> None:
    checker, _, _ = verifier(jwks(FIRST))
    checker.verify(BODY, signed(at=NOW + offset))


@pytest.mark.parametrize("offset", [-TOLERANCE_S - 1, TOLERANCE_S + 1, -NOW])
def test_outside_five_minutes_is_refused_before_any_key_is_fetched(offset: int) -> None:
    checker, wire, _ = verifier(jwks(FIRST))
    assert reason(checker, signed(at=NOW + offset)) == "too_old_or_too_new"
    assert not wire.requests


@pytest.mark.parametrize(
    "changed", ["body", "X-Fal-Webhook-Request-Id", "X-Fal-Webhook-User-Id", "X-Fal-Webhook-Timestamp"]
)
def test_everything_signed_is_protected(changed: str) -> None:
    checker, _, _ = verifier(jwks(FIRST))
    headers, body = signed(), BODY
    if changed == "body":
        body += b" "
    elif changed.endswith("Timestamp"):
        headers[changed] = str(NOW + 1)
    else:
        headers[changed] += "x"
    assert reason(checker, headers, body) == "bad_signature"


def test_a_stranger_is_refused() -> None:
    checker, _, _ = verifier(jwks(FIRST))
    assert reason(checker, signed(STRANGER)) == "bad_signature"


def test_a_body_that_is_too_large_is_refused_unread() -> None:
    checker, wire, _ = verifier(jwks(FIRST))
    assert reason(checker, signed(), bytes(MAX_BODY_BYTES + 1)) == "body_too_large"
    assert not wire.requests


def test_a_new_key_is_fetched_when_it_is_first_used() -> None:
    checker, wire, clock = verifier(jwks(FIRST), jwks(FIRST, SECOND))
    checker.verify(BODY, signed(FIRST))
    clock.now += REFETCH_PAUSE_S
    checker.verify(BODY, signed(SECOND))
    assert len(wire.requests) == 2


def test_forgers_cannot_make_us_fetch_more_than_once_a_minute() -> None:
    checker, wire, clock = verifier(jwks(FIRST))
    for _ in range(20):
        reason(checker, signed(STRANGER))
    assert len(wire.requests) == 1
    clock.now += REFETCH_PAUSE_S
    for _ in range(20):
        reason(checker, signed(STRANGER))
    assert len(wire.requests) == 2


def test_keys_are_fetched_anew_after_a_day() -> None:
    checker, wire, clock = verifier(jwks(FIRST), jwks(SECOND))
    checker.verify(BODY, signed(FIRST))
    clock.now += KEYS_MAX_AGE_S
    assert reason(checker, signed(FIRST, at=int(clock.now))) == "bad_signature"
    checker.verify(BODY, signed(SECOND, at=int(clock.now)))
    assert len(wire.requests) == 2


@pytest.mark.parametrize(
    "broken",
    [
        httpx.ConnectError("down"),
        httpx.ReadTimeout("slow"),
        reply(500),
        reply(302, None, {"location": "https://evil.test"}),
        reply(200, {"keys": []}),
        reply(200, {"keys": "none"}),
        reply(200, []),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, content=b" " * 200_000 + b"{}"),
    ],
)
def test_while_the_key_host_is_down_the_old_keys_serve(broken: Answer) -> None:
    checker, wire, clock = verifier(jwks(FIRST), broken)
    checker.verify(BODY, signed())
    clock.now += KEYS_MAX_AGE_S + 1
    checker.verify(BODY, signed(at=int(clock.now)))
    assert reason(checker, signed(STRANGER, at=int(clock.now))) == "bad_signature"
    assert len(wire.requests) == 2


def test_without_any_key_nothing_is_accepted_until_they_come() -> None:
    checker, wire, clock = verifier(httpx.ConnectError("down"), jwks(FIRST))
    assert reason(checker, signed()) == "no_keys"
    assert reason(checker, signed()) == "no_keys"
    assert len(wire.requests) == 1
    clock.now += REFETCH_PAUSE_S
    checker.verify(BODY, signed(at=int(clock.now)))


def test_many_threads_fetch_the_keys_once() -> None:
    started = threading.Event()

    def slow(_request: httpx.Request) -> httpx.Response:
        started.wait(1)
        return jwks(FIRST)

    checker, wire, _ = verifier(slow)
    results: list[VerifiedCall] = []
    threads = [threading.Thread(target=lambda: results.append(checker.verify(BODY, signed()))) for _ in range(8)]
    for thread in threads:
        thread.start()
    started.set()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert len(wire.requests) == 1


NAMES = st.sampled_from([*signed(), "x-fal-webhook-request-id", "other"])
VALUES = st.text() | st.sampled_from([*signed().values(), str(NOW), "0" * 128, "f" * 128])


@given(st.binary(max_size=200), st.lists(st.tuples(NAMES, VALUES), max_size=8))
def test_no_call_makes_the_check_stumble(body: bytes, headers: list[tuple[str, str]]) -> None:
    checker, _, _ = verifier(jwks(FIRST))
    with pytest.raises(WebhookRefused):
        checker.verify(body, headers)


@given(st.dictionaries(NAMES, VALUES), st.binary(max_size=50))
def test_changing_a_signed_call_never_helps(changes: dict[str, str], suffix: bytes) -> None:
    checker, _, _ = verifier(jwks(FIRST))
    genuine = signed()
    headers = {**{name.lower(): value for name, value in genuine.items()}, **{k.lower(): v for k, v in changes.items()}}
    same = suffix == b"" and all(
        headers[name.lower()] == value for name, value in genuine.items() if name != "Content-Type"
    )
    try:
        call = checker.verify(BODY + suffix, headers)
    except WebhookRefused:
        assert not same
    else:
        assert same
        assert call == VerifiedCall("r-1", "u-1", NOW)


@given(st.binary() | st.text().map(str.encode))
def test_any_body_is_an_object_or_refused(raw: bytes) -> None:
    try:
        body = parse_call(raw)
    except WebhookRefused:
        return
    assert isinstance(body, dict)


@pytest.mark.parametrize("raw", [b"[]", b"null", b"{", b'{"a": NaN}', b'{"a":' * 100 + b"1" + b"}" * 100])
def test_bodies_that_are_no_objects_are_refused(raw: bytes) -> None:
    with pytest.raises(WebhookRefused) as caught:
        parse_call(raw)
    assert caught.value.reason == "bad_body"


def test_a_body_is_parsed() -> None:
    assert parse_call(json.dumps({"status": "OK"}).encode()) == {"status": "OK"}
    with pytest.raises(WebhookRefused) as caught:
        parse_call(bytes(MAX_BODY_BYTES + 1))
    assert caught.value.reason == "body_too_large"
