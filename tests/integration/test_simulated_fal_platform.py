"""The simulated platform API: prices, balance, exact costs, usage, history; and the storage API."""

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from local.fal import paint
from local.fal.endpoints import ENDPOINTS
from local.fal.serving import RunningFal
from tests.integration.simulated_fal import (
    SCHNELL,
    VEO,
    client,
    http_fixture,  # noqa: F401
    server_fixture,  # noqa: F401
    simulator_fixture,  # noqa: F401
)

DEV = "fal-ai/flux/dev"


@pytest.fixture
def admin(simulator: RunningFal) -> Iterator[httpx.Client]:
    with client(simulator, simulator.admin_key) as privileged:
        yield privileged


def run(http: httpx.Client, endpoint: str = SCHNELL, **inputs: Any) -> str:
    """A request that has run; its id."""
    submitted = http.post(f"/{endpoint}", json={"prompt": "a vase", **inputs}).json()
    deadline = time.monotonic() + 20
    while http.get(submitted["status_url"]).status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return str(submitted["request_id"])


def test_prices_of_every_endpoint(http: httpx.Client) -> None:
    answer = http.get("/v1/models/pricing", params={"endpoint_id": list(ENDPOINTS)}).json()
    assert (answer["next_cursor"], answer["has_more"]) == (None, False)
    prices = {price["endpoint_id"]: price for price in answer["prices"]}
    assert prices.keys() == ENDPOINTS.keys()
    assert prices[SCHNELL] == {"endpoint_id": SCHNELL, "unit_price": 0.003, "unit": "megapixels", "currency": "USD"}
    assert Decimal(str(prices["resemble-ai/chatterboxhd/speech-to-speech"]["unit_price"])) == Decimal("0.00125")
    both = http.get("/v1/models/pricing", params={"endpoint_id": f"{SCHNELL},{DEV}"}).json()["prices"]
    assert [price["endpoint_id"] for price in both] == [SCHNELL, DEV]


@pytest.mark.parametrize(
    ("query", "status", "error_type"),
    [
        ({}, 400, "validation_error"),
        ({"endpoint_id": "no/such"}, 404, "not_found"),
        ({"endpoint_id": [SCHNELL] * 51}, 400, "validation_error"),
        ({"endpoint_id": SCHNELL, "limit": "many"}, 400, "validation_error"),
        ({"endpoint_id": SCHNELL, "cursor": "?"}, 400, "validation_error"),
    ],
)
def test_wrong_questions(http: httpx.Client, query: dict[str, Any], status: int, error_type: str) -> None:
    answer = http.get("/v1/models/pricing", params=query)
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, error_type)
    assert answer.json()["error"]["message"]


def test_estimates(http: httpx.Client) -> None:
    run(http, num_images=3)
    for kind, name, expected in (
        ("unit_price", "unit_quantity", 0.006),
        ("historical_api_price", "call_quantity", 0.018),
    ):
        asked = {"estimate_type": kind, "endpoints": {SCHNELL: {name: 2}}}
        answer = http.post("/v1/models/pricing/estimate", json=asked).json()
        assert answer == {"estimate_type": kind, "total_cost": expected, "currency": "USD"}
    wrong = http.post("/v1/models/pricing/estimate", json={"estimate_type": "guess", "endpoints": {}})
    assert (wrong.status_code, wrong.json()["error"]["type"]) == (400, "validation_error")


@pytest.mark.parametrize("path", ["account/billing?expand=credits", "models/billing-events", "models/usage"])
def test_admin_calls_need_the_admin_key(
    simulator: RunningFal, http: httpx.Client, admin: httpx.Client, path: str
) -> None:
    assert admin.get(f"/v1/{path}").status_code == 200
    refused = http.get(f"/v1/{path}")
    assert (refused.status_code, refused.json()["error"]["type"]) == (403, "authorization_error")
    with client(simulator, "") as nobody:
        assert nobody.get(f"/v1/{path}").status_code == 401


def test_meta_and_models_need_no_key(simulator: RunningFal) -> None:
    with client(simulator, "") as nobody:
        assert nobody.get("/v1/meta").json() == {"webhook_ip_ranges": ["127.0.0.1/32"]}
        models = nobody.get("/v1/models", params={"limit": 5}).json()
        assert (len(models["models"]), models["has_more"]) == (5, True)
        rest = nobody.get("/v1/models", params={"cursor": models["next_cursor"]}).json()
        ids = [model["endpoint_id"] for page in (models, rest) for model in page["models"]]
        assert ids == list(ENDPOINTS)
        found = nobody.get("/v1/models", params={"q": "whisper"}).json()["models"]
        assert [model["metadata"]["status"] for model in found] == ["active"]


def test_the_balance_goes_down_by_what_is_billed(
    simulator: RunningFal, http: httpx.Client, admin: httpx.Client
) -> None:
    def credits() -> Any:
        return admin.get("/v1/account/billing", params={"expand": "credits"}).json()["credits"]

    assert credits() == {"current_balance": 50.0, "currency": "USD"}
    run(http, num_images=2)
    run(http, num_images=9)  # refused: costs nothing
    assert credits()["current_balance"] == 49.994
    simulator.control("foreign", {"endpoint_id": DEV, "count": 2, "quantity": "4"})
    assert credits()["current_balance"] == 49.794
    assert "credits" not in admin.get("/v1/account/billing").json()


def test_billing_events_are_exact_per_request(http: httpx.Client, admin: httpx.Client) -> None:
    picture = paint.encoded(paint.picture("a vase", 1, 64, 64), "png")
    place = http.post("/storage/upload/initiate", json={"file_name": "a.png", "content_type": "image/png"}).json()
    http.put(place["upload_url"], content=picture)
    silent = run(http, VEO, image_url=place["file_url"], duration="8s", generate_audio=False)
    cheap, failed = run(http), run(http, num_images=0)
    answer = admin.get("/v1/models/billing-events", params={"request_id": [silent, cheap, failed]}).json()
    events = {event["request_id"]: event for event in answer["billing_events"]}
    assert events.keys() == {silent, cheap}
    assert events[silent].items() >= {
        "endpoint_id": VEO, "output_units": 5.333333, "unit_price": 0.15, "percent_discount": 0,
        "cost_subtotal": 0.8, "cost_discount": 0, "cost_total": 0.8, "cost_estimate_nano_usd": 800_000_000,
    }.items()  # fmt: skip
    assert events[cheap]["cost_estimate_nano_usd"] == 3_000_000
    metered = http.get(f"/fal-ai/veo3.1/requests/{silent}").headers["x-fal-billable-units"]
    assert Decimal(metered) == Decimal(str(events[silent]["output_units"]))


def test_billing_events_come_in_pages_and_windows(simulator: RunningFal, admin: httpx.Client) -> None:
    recent = simulator.control("foreign", {"count": 5})["request_ids"]
    simulator.control("foreign", {"count": 2, "ago_s": 40 * 86_400})
    seen: list[str] = []
    cursor = None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = admin.get("/v1/models/billing-events", params=query).json()
        seen += [event["request_id"] for event in page["billing_events"]]
        cursor = page["next_cursor"]
        if not page["has_more"]:
            break
    assert sorted(seen) == sorted(recent)
    long_ago = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60 * 86_400))
    everything = admin.get("/v1/models/billing-events", params={"start": long_ago}).json()
    assert len(everything["billing_events"]) == 7
    too_long = admin.get("/v1/models/billing-events", params={"start": "2020-01-01"})
    assert too_long.json()["error"]["type"] == "validation_error"


def test_billing_events_may_lag_behind(simulator: RunningFal, http: httpx.Client, admin: httpx.Client) -> None:
    simulator.control("behaviour", {"billing_lag_s": 60})
    request_id = run(http)
    query = {"request_id": request_id}
    assert admin.get("/v1/models/billing-events", params=query).json()["billing_events"] == []
    simulator.control("behaviour", {"billing_lag_s": 0})
    assert len(admin.get("/v1/models/billing-events", params=query).json()["billing_events"]) == 1


def test_usage_adds_up(simulator: RunningFal, http: httpx.Client, admin: httpx.Client) -> None:
    run(http, num_images=2)
    run(http)
    simulator.control("foreign", {"endpoint_id": DEV, "quantity": "3"})
    usage = admin.get("/v1/models/usage", params={"expand": "time_series,summary", "timeframe": "month"}).json()
    rows = {row["endpoint_id"]: row for row in usage["summary"]}
    assert rows[SCHNELL] == {
        "endpoint_id": SCHNELL, "unit": "megapixels", "quantity": 3.0, "unit_price": 0.003, "cost_total": 0.009,
        "currency": "USD",
    }  # fmt: skip
    assert rows[DEV]["cost_total"] == 0.075
    assert [row for bucket in usage["time_series"] for row in bucket["results"]] == usage["summary"]
    assert admin.get("/v1/models/usage", params={"timeframe": "decade"}).status_code in (200, 400)
    assert (
        admin.get("/v1/models/usage", params={"end": "2020-01-01", "start": "2019-01-01"}).json()["time_series"] == []
    )


def test_own_requests_with_and_without_payloads(simulator: RunningFal, http: httpx.Client) -> None:
    good, bad = run(http, seed=4), run(http, num_images=9)
    run(http, prompt="Kept secret [sim:unlisted]")
    (foreign,) = simulator.control("foreign", {"endpoint_id": SCHNELL})["request_ids"]

    def ask(**query: Any) -> list[dict[str, Any]]:
        answer = http.get("/v1/models/requests/by-endpoint", params={"endpoint_id": SCHNELL, **query})
        return list(answer.json()["items"])

    assert {item["request_id"] for item in ask()} == {good, bad, foreign}
    assert [item["request_id"] for item in ask(status="user_error")] == [bad]
    (item,) = ask(request_id=good, expand="payloads")
    assert (item["status_code"], item["json_input"]["seed"]) == (200, 4)
    assert item["json_output"]["seed"] == 4
    assert item["duration"] >= 0
    assert item["sent_at"] <= item["started_at"] <= item["ended_at"]
    assert "json_input" not in ask(request_id=good)[0]
    assert http.get("/v1/models/requests/by-endpoint").status_code == 400


def test_analytics(http: httpx.Client) -> None:
    run(http)
    run(http, num_images=9)
    wanted = "request_count,success_count,user_error_count,error_count,p50_duration,p90_prepare_duration,summary"
    answer = http.get("/v1/models/analytics", params={"endpoint_id": SCHNELL, "expand": wanted}).json()
    (row,) = answer["summary"]
    counts = [row[name] for name in ("request_count", "success_count", "user_error_count", "error_count")]
    assert counts == [2, 1, 1, 0]
    assert row["p50_duration"] >= 0
    assert "p75_duration" not in row
    assert answer["time_series"][0]["results"] == [row]


# Storage


def test_an_upload_is_initiated_put_once_and_served_in_parts(http: httpx.Client) -> None:
    asked = {"file_name": "../My voice (1)", "content_type": "audio/wav"}
    place = http.post("/storage/upload/initiate?storage_type=fal-cdn-v3", json=asked).json()
    assert place.keys() == {"upload_url", "file_url"}
    assert http.get(place["file_url"]).status_code == 404
    content = bytes(range(256)) * 40
    assert httpx.put(place["upload_url"], content=content, trust_env=False).status_code == 200
    assert httpx.put(place["upload_url"], content=b"other", trust_env=False).status_code == 403
    whole = httpx.get(place["file_url"], trust_env=False)
    assert (whole.content, whole.headers["content-type"]) == (content, "audio/wav")
    assert whole.headers["access-control-allow-origin"] == "*"
    part = httpx.get(place["file_url"], headers={"Range": "bytes=100-199"}, trust_env=False)
    assert (part.status_code, part.content) == (206, content[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(content)}"


@pytest.mark.parametrize(
    "path", ["/media/files/x/y.png", "/media/files/../fal.sqlite3", "/media/files/..%2f..%2ffal.sqlite3"]
)
def test_nothing_else_is_served(http: httpx.Client, path: str) -> None:
    assert http.get(path).status_code == 404


def test_uploads_need_a_key_a_name_and_a_place(simulator: RunningFal, http: httpx.Client) -> None:
    assert http.post("/storage/upload/initiate", json={"file_name": "a.png"}).status_code == 422
    assert http.put("/storage/upload/unknown/a.png", content=b"x").status_code == 403
    with client(simulator, "") as nobody:
        assert nobody.post("/storage/upload/initiate", json={}).status_code == 401
