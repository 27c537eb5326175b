"""The simulated queue over plain HTTP: what the documents say of every answer."""

from typing import Any

import httpx
import pytest
from PIL import Image

from local.fal import paint
from local.fal.serving import RunningFal, running
from tests.integration.simulated_fal import (
    SCHNELL,
    http_fixture,  # noqa: F401
    server_fixture,  # noqa: F401
    simulator_fixture,  # noqa: F401
    wait_until,
)


def submit(http: httpx.Client, prompt: str = "a vase", endpoint: str = SCHNELL, **options: Any) -> dict[str, Any]:
    answer = http.post(f"/{endpoint}", json={"prompt": prompt, **options.pop("inputs", {})}, **options)
    answer.raise_for_status()
    content: dict[str, Any] = answer.json()
    return content


def completed(http: httpx.Client, submitted: dict[str, Any]) -> dict[str, Any]:
    """The final status."""

    def done() -> Any:
        answer = http.get(submitted["status_url"], params={"logs": "1"})
        return answer if answer.status_code == 200 else None

    content: dict[str, Any] = wait_until(done).json()
    return content


def test_submit_answers_with_urls_of_owner_and_app_only(simulator: RunningFal, http: httpx.Client) -> None:
    answer = http.post(f"/{SCHNELL}", json={"prompt": "a"})
    content = answer.json()
    base = f"{simulator.url}/fal-ai/flux/requests/{content['request_id']}"
    assert content.items() >= {
        "status": "IN_QUEUE", "gateway_request_id": content["request_id"], "queue_position": 0,
        "response_url": base, "status_url": f"{base}/status", "cancel_url": f"{base}/cancel",
    }.items()  # fmt: skip
    assert answer.headers["x-fal-request-id"] == content["request_id"]


def test_a_result_replays_status_body_and_billable_units(http: httpx.Client) -> None:
    submitted = submit(http, inputs={"num_images": 3, "image_size": {"width": 1500, "height": 1000}})
    completed(http, submitted)
    first, second = (http.get(submitted["response_url"]) for _ in range(2))
    assert first.content == second.content
    assert first.headers["X-Fal-Billable-Units"] == "6"
    assert first.headers["x-fal-request-id"] == submitted["request_id"]


@pytest.mark.parametrize("suffix", ["", "/", "/response", "/response/"])
@pytest.mark.parametrize("app", ["fal-ai/flux", SCHNELL])
def test_aliases_of_the_result_url(http: httpx.Client, app: str, suffix: str) -> None:
    submitted = submit(http)
    completed(http, submitted)
    assert http.get(f"/{app}/requests/{submitted['request_id']}{suffix}").status_code == 200
    assert http.get(f"/{app}/requests/{submitted['request_id']}/status/").status_code == 200


def test_what_does_not_exist_is_404(http: httpx.Client) -> None:
    submitted = submit(http)
    assert http.post("/fal-ai/no-such-model", json={}).status_code == 404
    assert http.get("/fal-ai/flux/requests/nothing").status_code == 404
    assert http.get("/fal-ai/flux/requests/nothing/status").status_code == 404
    unknown = http.put("/fal-ai/flux/requests/nothing/cancel")
    assert (unknown.status_code, unknown.json()) == (404, {"status": "NOT_FOUND"})
    assert http.get(f"/fal-ai/veo3.1/requests/{submitted['request_id']}").status_code == 404


@pytest.mark.parametrize("body", [b"not json", b'["a list"]'])
def test_a_body_that_is_no_object_is_refused(http: httpx.Client, body: bytes) -> None:
    assert http.post(f"/{SCHNELL}", content=body).status_code in (400, 422)


def test_waiting_requests_count_down_and_low_priority_waits_longest(simulator: RunningFal, http: httpx.Client) -> None:
    simulator.control("behaviour", {"concurrency": 1})
    first = submit(http, "a [sim:slow=60]")
    wait_until(lambda: http.get(first["status_url"]).json()["status"] == "IN_PROGRESS")
    low = submit(http, headers={"X-Fal-Queue-Priority": "low"})
    waiting = [submit(http, "a [sim:slow=60]") for _ in range(3)]

    def positions() -> list[int | None]:
        return [http.get(item["status_url"]).json()["queue_position"] for item in (*waiting, low)]

    assert positions() == [0, 1, 2, 3]
    assert http.post(f"/{SCHNELL}?fal_max_queue_length=4", json={"prompt": "a"}).status_code == 429
    assert http.post(f"/{SCHNELL}?fal_max_queue_length=5", json={"prompt": "a"}).status_code == 200
    assert http.put(first["cancel_url"]).status_code == 202
    wait_until(lambda: positions() == [None, 0, 1, 3])
    assert simulator.state()["counts"]["IN_PROGRESS"] == 1


def test_logs_come_only_when_asked_for_and_show_steps(simulator: RunningFal, http: httpx.Client) -> None:
    simulator.control("behaviour", {"speed": 0.4})
    submitted = submit(http, endpoint="fal-ai/flux/dev")
    wait_until(lambda: http.get(submitted["status_url"]).json()["status"] == "IN_PROGRESS")
    for asked in ("1", "true", "True"):
        assert http.get(submitted["status_url"], params={"logs": asked}).json()["logs"] is not None
    for not_asked in ({}, {"logs": "0"}, {"logs": "false"}):
        assert http.get(submitted["status_url"], params=not_asked).json()["logs"] is None
    messages = [line["message"] for line in completed(http, submitted)["logs"]]
    assert messages[1].startswith("  0%|")
    assert any(message.startswith("100%|##########| 28/28") for message in messages)


def test_unknown_inputs_are_accepted_and_shown(simulator: RunningFal, http: httpx.Client) -> None:
    submitted = submit(http, inputs={"negative_promt": "x", "steps": 3})
    assert completed(http, submitted)["status"] == "COMPLETED"
    assert simulator.request(submitted["request_id"])["extra_fields"] == ["negative_promt", "steps"]


def test_results_without_storage_do_not_stay(http: httpx.Client) -> None:
    kept = submit(http, headers={"X-Fal-Store-IO": "0"})
    completed(http, kept)
    assert http.get(kept["response_url"]).status_code == 200
    gone = submit(http, "a [sim:expired]")
    completed(http, gone)
    assert http.get(gone["response_url"]).status_code == 404


@pytest.mark.parametrize(
    ("url", "error_type"),
    [
        ("http://127.0.0.1:9/nothing.png", "file_download_error"),
        ("no address", "file_download_error"),
        ("data:image/png;base64,!!!", "file_download_error"),
        ("data:image/png;base64,bm8gcGljdHVyZQ==", "image_load_error"),
    ],
)
def test_an_unusable_picture_is_refused(http: httpx.Client, url: str, error_type: str) -> None:
    submitted = submit(http, endpoint="fal-ai/trellis", inputs={"image_url": url})
    completed(http, submitted)
    answer = http.get(submitted["response_url"])
    (entry,) = answer.json()["detail"]
    assert (answer.status_code, entry["type"], entry["loc"]) == (422, error_type, ["body", "image_url"])


def test_a_data_uri_works_and_a_tiny_picture_is_refused(http: httpx.Client) -> None:
    import base64

    for side, status in ((32, 200), (8, 422)):
        content = base64.b64encode(paint.encoded(Image.new("RGB", (side, side), "red"), "png")).decode()
        uri = f"data:image/png;base64,{content}"
        submitted = submit(http, endpoint="fal-ai/trellis", inputs={"image_url": uri})
        completed(http, submitted)
        assert http.get(submitted["response_url"]).status_code == status


def test_equal_parameters_give_equal_files_at_different_urls(simulator: RunningFal, http: httpx.Client) -> None:
    simulator.control("behaviour", {"tiny_outputs": False})
    files = []
    for _ in range(2):
        submitted = submit(http, inputs={"seed": 9, "image_size": "square"})
        completed(http, submitted)
        files.append(http.get(submitted["response_url"]).json()["images"][0]["url"])
    assert files[0] != files[1]
    assert httpx.get(files[0], trust_env=False).content == httpx.get(files[1], trust_env=False).content


def test_hundreds_of_requests_at_once(simulator: RunningFal, http: httpx.Client) -> None:
    simulator.control("behaviour", {"concurrency": 40})
    submitted = [submit(http, f"number {number}") for number in range(200)]
    for item in submitted:
        completed(http, item)
    counts = simulator.state()["counts"]
    assert (counts["accepted"], counts["COMPLETED"], counts["failed"], counts["submitted_twice"]) == (200, 200, 0, 0)
    assert simulator.state()["billed_usd"] == "0.6"


def test_state_survives_a_restart(tmp_path: Any) -> None:
    with running(tmp_path) as before:
        before.control("behaviour", {"speed": 0, "tiny_outputs": True})
        with httpx.Client(base_url=before.url, headers={"Authorization": f"Key {before.key}"}, trust_env=False) as http:
            done, open_still = submit(http), submit(http, "a [sim:slow=60]")
            completed(http, done)
            keys = http.get("/.well-known/jwks.json").json()
            wait_until(lambda: http.get(open_still["status_url"]).json()["status"] == "IN_PROGRESS")
        port = int(before.url.rpartition(":")[2])
    with (
        running(tmp_path, port=port) as after,
        httpx.Client(base_url=after.url, headers={"Authorization": f"Key {after.key}"}, trust_env=False) as http,
    ):
        assert after.control("behaviour")["speed"] == 0
        assert http.get("/.well-known/jwks.json").json() == keys
        result = http.get(done["response_url"])
        assert result.headers["X-Fal-Billable-Units"] == "1"
        assert httpx.get(result.json()["images"][0]["url"], trust_env=False).status_code == 200
        wait_until(lambda: http.get(open_still["status_url"]).json()["status"] == "IN_PROGRESS")
        assert http.put(open_still["cancel_url"]).status_code == 202
        assert completed(http, open_still)["error_type"] == "client_cancelled"
        assert after.control("behaviour")["balance"] == "49.997"
