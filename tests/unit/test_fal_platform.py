import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import FalBusy, FalError, FalNotFound, FalUnauthorized, FalUnavailable
from core.fal.platform import MAX_IDS, MAX_PAGES, Balance, FalPlatform, Price
from core.settings import load
from tests.unit.fal_doubles import ADMIN_KEY, KEY, SETTINGS, Answer, Wire, reply

START, END = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)
EVENT = {
    "request_id": "r-1",
    "endpoint_id": "fal-ai/flux/dev",
    "timestamp": "2026-11-01T00:00:00Z",
    "output_units": 1.0,
    "unit_price": 0.025,
    "cost_total": 0.0225,
    "cost_estimate_nano_usd": 25000000,
}


def platform(*answers: Answer) -> tuple[FalPlatform, Wire]:
    wire = Wire(*answers)
    return FalPlatform(SETTINGS, wire.http), wire


def price(endpoint: str, amount: Any = 0.003, **more: Any) -> dict[str, Any]:
    return {"endpoint_id": endpoint, "unit_price": amount, "unit": "megapixels", "currency": "USD", **more}


def raw(body: str) -> httpx.Response:
    return httpx.Response(200, content=body.encode())


def test_prices_are_read_exactly() -> None:
    fal, wire = platform(reply(200, {"prices": [price("a/b")], "has_more": False, "next_cursor": None}))
    assert fal.pricing(["a/b"]) == (Price("a/b", Decimal("0.003"), "megapixels", "USD"),)
    assert str(wire.requests[0].url) == "https://api.fal.ai/v1/models/pricing?endpoint_id=a%2Fb"
    assert wire.requests[0].headers["authorization"] == f"Key {KEY}"


def test_fifty_at_a_time_each_once() -> None:
    fal, wire = platform(
        lambda request: reply(200, {"prices": [price(e) for e in request.url.params.get_list("endpoint_id")]})
    )
    names = [f"a/{n}" for n in range(MAX_IDS + 1)]
    assert len(fal.pricing([*names, *names])) == MAX_IDS + 1
    assert [len(request.url.params.get_list("endpoint_id")) for request in wire.requests] == [MAX_IDS, 1]
    assert fal.pricing([]) == ()


def test_pages_are_followed() -> None:
    fal, wire = platform(
        reply(200, {"prices": [price("a/1")], "has_more": True, "next_cursor": "c2"}),
        reply(200, {"prices": [price("a/2")], "has_more": False, "next_cursor": None}),
    )
    assert [found.endpoint_id for found in fal.pricing(["a/1", "a/2"])] == ["a/1", "a/2"]
    assert "cursor" not in wire.requests[0].url.params
    assert wire.requests[1].url.params["cursor"] == "c2"


def test_pages_that_never_end_are_given_up() -> None:
    pages = iter(range(1000))
    fal, wire = platform(lambda _request: reply(200, {"prices": [], "has_more": True, "next_cursor": str(next(pages))}))
    with pytest.raises(FalUnavailable):
        fal.pricing(["a/b"])
    assert len(wire.requests) == MAX_PAGES


def test_a_cursor_that_repeats_itself_ends_the_list() -> None:
    fal, wire = platform(reply(200, {"prices": [], "has_more": True, "next_cursor": "same"}))
    assert fal.pricing(["a/b"]) == ()
    assert len(wire.requests) == 2


def test_the_balance_needs_and_uses_the_admin_key() -> None:
    fal, wire = platform(raw('{"username": "team", "credits": {"current_balance": 24.50, "currency": "USD"}}'))
    assert fal.billing() == Balance("team", Decimal("24.50"), "USD")
    assert wire.requests[0].headers["authorization"] == f"Key {ADMIN_KEY}"
    assert wire.requests[0].url.params["expand"] == "credits"


def test_without_an_admin_key_nothing_is_asked() -> None:
    wire = Wire(reply(200, {}))
    fal = FalPlatform(load({"FAL_KEY": KEY}), wire.http)
    for call in (fal.billing, lambda: fal.billing_events(["r"]), lambda: fal.usage(START, END)):
        with pytest.raises(FalUnauthorized, match="FAL_ADMIN_KEY"):
            call()
    assert not wire.requests


def test_an_ordinary_key_in_the_place_of_an_admin_key_is_no_lock() -> None:
    fal, _ = platform(reply(403, {"error": {"type": "authorization_error", "message": "Admin access required"}}))
    with pytest.raises(FalUnauthorized, match="FAL_ADMIN_KEY"):
        fal.billing()


def test_an_overdrawn_account_is_negative() -> None:
    fal, _ = platform(raw('{"username": "team", "credits": {"current_balance": -0.013, "currency": "USD"}}'))
    assert fal.billing().amount == Decimal("-0.013")


def test_billing_events_are_exact_and_prefer_the_total_after_discounts() -> None:
    nano = {key: value for key, value in EVENT.items() if key != "cost_total"}
    fal, _ = platform(reply(200, {"billing_events": [EVENT, {**nano, "request_id": "r-2"}]}))
    first, second = fal.billing_events(["r-1", "r-2"])
    assert (first.cost_total, first.unit_price, first.output_units) == (
        Decimal("0.0225"),
        Decimal("0.025"),
        Decimal("1.0"),
    )
    assert second.cost_total == Decimal("0.025")
    assert first.charged_at == START


def test_billing_events_are_looked_for_in_all_the_time_that_fal_tells() -> None:
    """Without a start fal.ai looks at the last 24 hours, and a job may be asked about for days."""
    fal, wire = platform(reply(200, {"billing_events": []}))
    assert fal.billing_events(["r-1"]) == ()
    start = datetime.fromisoformat(wire.requests[0].url.params["start"])
    assert timedelta(days=88) < datetime.now(UTC) - start < timedelta(days=90)


def test_everything_billed_in_a_time_is_read_page_by_page() -> None:
    fal, wire = platform(
        reply(200, {"billing_events": [EVENT], "has_more": True, "next_cursor": "2"}),
        reply(200, {"billing_events": [{**EVENT, "request_id": "r-2"}], "has_more": False}),
    )
    assert [event.request_id for event in fal.billed_between(START, END)] == ["r-1", "r-2"]
    asked = wire.requests[1].url.params
    assert (asked["start"], asked["end"], asked["cursor"]) == (
        "2026-11-01T00:00:00+00:00",
        "2026-11-02T00:00:00+00:00",
        "2",
    )


@pytest.mark.parametrize("wrong", [{"timestamp": "yesterday"}, {"timestamp": None}, {"request_id": None}])
def test_an_event_without_what_identifies_it_is_no_answer(wrong: dict[str, Any]) -> None:
    fal, _ = platform(reply(200, {"billing_events": [EVENT | wrong]}))
    with pytest.raises(FalUnavailable):
        fal.billing_events(["r-1"])


def test_usage_by_bucket() -> None:
    row = {
        "endpoint_id": "a/b",
        "unit": "images",
        "quantity": 4,
        "unit_price": 0.15,
        "cost_total": 0.6,
        "currency": "USD",
    }
    fal, wire = platform(
        reply(200, {"time_series": [{"bucket": "2026-11-01", "results": [row, row]}, {"bucket": "x", "results": []}]})
    )
    lines = fal.usage(START, END)
    assert [(line.bucket, line.quantity, line.cost_total) for line in lines] == [
        ("2026-11-01", Decimal(4), Decimal("0.6"))
    ] * 2
    asked = wire.requests[0].url.params
    assert asked["start"] == "2026-11-01T00:00:00+00:00"
    assert asked["bound_to_timeframe"] == "false", "else fal.ai moves the bounds to its own hours"


def test_usage_is_read_in_its_older_words_too() -> None:
    row = {"endpoint_id": "a/b", "unit": "images", "quantity": 4, "unit_price": 0.15, "cost": 0.6, "currency": "USD"}
    fal, _ = platform(reply(200, {"time_series": [{"bucket": "b", "results": [row]}]}))
    assert fal.usage(START, END)[0].cost_total == Decimal("0.6")


def test_a_span_needs_time_zones() -> None:
    fal, _ = platform(reply(200, {"time_series": []}))
    with pytest.raises(ValueError, match="time zones"):
        fal.usage(datetime(2026, 11, 1), END)  # noqa: DTZ001


def test_analytics_keep_what_is_told() -> None:
    row = {"endpoint_id": "a/b", "request_count": 10, "p50_duration": 4.25, "p90_duration": None}
    fal, wire = platform(reply(200, {"time_series": [{"bucket": "b", "results": [row]}]}))
    (line,) = fal.analytics(["a/b"], START, END)
    assert line.metrics == {"request_count": Decimal(10), "p50_duration": Decimal("4.25")}
    assert "p50_duration" in wire.requests[0].url.params.get_list("expand")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (reply(401, {"error": {"type": "authorization_error", "message": "x"}}), FalUnauthorized),
        (reply(404, {"error": {"type": "not_found", "message": "x"}}), FalNotFound),
        (reply(429, {"error": {"type": "rate_limited", "message": "x"}}), FalBusy),
        (reply(500), FalUnavailable),
        (httpx.ConnectError("x"), FalUnavailable),
        (httpx.ReadTimeout("x"), FalUnavailable),
        (httpx.Response(200, text="<html>"), FalUnavailable),
        (reply(200, []), FalUnavailable),
        (reply(200, {"prices": {}}), FalUnavailable),
        (reply(200, {"prices": [5]}), FalUnavailable),
        (reply(200, {"prices": [price("a/b", "0.003")]}), FalUnavailable),
        (reply(200, {"prices": [price("a/b", True)]}), FalUnavailable),
        (reply(200, {"prices": [price("a/b", None)]}), FalUnavailable),
        (reply(200, {"prices": [price("a/b", 10**20)]}), FalUnavailable),
        (reply(200, {"prices": [{"unit_price": 1, "unit": "x"}]}), FalUnavailable),
        (raw('{"prices": [{"endpoint_id": "a", "unit_price": NaN, "unit": "x"}]}'), FalUnavailable),
    ],
)
def test_what_is_not_usable_is_an_error(answer: Answer, expected: type[FalError]) -> None:
    fal, _ = platform(answer)
    with pytest.raises(expected):
        fal.pricing(["a/b"])


@given(st.decimals(min_value=Decimal("0.000001"), max_value=10**6, places=6))
def test_prices_never_become_floats(amount: Decimal) -> None:
    body = json.dumps({"prices": [price("a/b", "@")]}).replace('"@"', f"{amount:f}")
    fal, _ = platform(raw(body))
    (found,) = fal.pricing(["a/b"])
    assert type(found.unit_price) is Decimal
    assert found.unit_price == amount


def test_own_requests_with_what_was_sent() -> None:
    item = {"request_id": "r-1", "sent_at": "2026-11-01T10:00:00", "json_input": {"guidance_scale": 3.5}}
    bare = {"request_id": "r-2", "sent_at": "2026-11-01T10:00:00.5Z"}
    fal, wire = platform(reply(200, {"items": [item, bare], "has_more": False}))
    found = list(fal.requests("a/b", START, END))
    assert [request.request_id for request in found] == ["r-1", "r-2"]
    assert [request.inputs for request in found] == [{"guidance_scale": Decimal("3.5")}, None]
    assert found[0].sent_at == datetime(2026, 11, 1, 10, tzinfo=UTC)
    assert dict(wire.requests[0].url.params) == {
        "endpoint_id": "a/b",
        "expand": "payloads",
        "limit": "100",
        "start": START.isoformat(),
        "end": END.isoformat(),
    }
    fal, _ = platform(reply(200, {"items": [{"request_id": "r-1", "sent_at": "yesterday"}]}))
    with pytest.raises(FalUnavailable):
        list(fal.requests("a/b", START, END))
