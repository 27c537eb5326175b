"""Signatures of Stripe's events, and what is no event."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stripe import WebhookSignature

from core.errors import WebhookRefused
from core.stripe_events import parse, verify

SECRET, EARLIER = "whsec_current", "whsec_earlier"
EVENT = {
    "id": "evt_1",
    "object": "event",
    "type": "checkout.session.completed",
    "created": 1_795_262_400,
    "data": {"object": {"id": "cs_1"}},
}
BODY = json.dumps(EVENT).encode()


def signed(body: bytes = BODY, secret: str = SECRET, age: int = 0) -> str:
    header: str = WebhookSignature.generate_signature_header(body.decode(), secret, int(time.time()) - age)
    return header


def reason(body: bytes, header: str | None, secrets: tuple[str, ...] = (SECRET,)) -> str:
    with pytest.raises(WebhookRefused) as refused:
        verify(body, header, secrets)
    return refused.value.reason


def answer(header: str) -> str:
    try:
        verify(BODY, header, (SECRET,))
    except WebhookRefused as refused:
        return refused.reason
    return "good"


def test_a_good_signature_vouches_for_its_time() -> None:
    assert abs(verify(BODY, signed(age=10), (SECRET,)) - (time.time() - 10)) < 5


@pytest.mark.parametrize("secrets", [(SECRET, EARLIER), (EARLIER, SECRET)])
def test_while_a_secret_is_replaced_both_are_good(secrets: tuple[str, ...]) -> None:
    for secret in (SECRET, EARLIER):
        assert verify(BODY, signed(secret=secret), secrets)


def test_what_is_not_stripes_is_refused() -> None:
    assert reason(BODY, signed(), ()) == "no_secret"
    assert reason(BODY, None) == "no_signature"
    assert reason(BODY, "") == "no_signature"
    assert reason(BODY + b" ", signed()) == "signature"
    assert reason(BODY, signed(secret="whsec_other")) == "signature"
    assert reason(BODY, signed(), ("",)) == "signature"
    assert reason(b"\xff", signed(b"x")) == "signature"


@pytest.mark.parametrize("age", [301, 100_000, -301])
def test_what_is_not_of_now_is_refused(age: int) -> None:
    assert reason(BODY, signed(age=age)) == "stale"


@pytest.mark.parametrize("age", [290, -290])
def test_five_minutes_are_allowed(age: int) -> None:
    assert verify(BODY, signed(age=age), (SECRET,))


@given(st.text(max_size=80))
def test_no_header_breaks_it(header: str) -> None:
    assert answer(header) in ("signature", "no_signature")


@given(st.text(st.characters(codec="ascii"), max_size=40))
def test_nothing_beside_a_good_signature_breaks_it(more: str) -> None:
    """Whatever else stands in the header, the answer is a time or a refusal."""
    assert answer(f"{signed()},{more}") in ("good", "signature", "stale")
    assert answer(f"{more},{signed()}") in ("good", "signature", "stale")


def test_an_event_is_what_was_sent() -> None:
    assert parse(BODY) == EVENT


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"evt_1"',
        b"\xff",
        b'{"object": "event", "id": NaN}',
        *(
            json.dumps(EVENT | wrong).encode()
            for wrong in (
                {"object": "v2.core.event"},
                {"id": None},
                {"id": "evt_1; drop"},
                {"type": None},
                {"created": "now"},
                {"created": True},
                {"data": []},
                {"data": {"object": "cs_1"}},
            )
        ),
    ],
)
def test_what_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(WebhookRefused) as refused:
        parse(body)
    assert refused.value.reason == "not_an_event"
