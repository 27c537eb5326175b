"""Everything else that the simulated fal.ai does wrong on request, and the control API that asks for it."""

import asyncio
import urllib.error
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.fal.app import create_app
from local.fal.serving import RunningFal
from tests.integration.simulated_fal import (
    SCHNELL,
    http_fixture,  # noqa: F401
    server_fixture,  # noqa: F401
    simulator_fixture,  # noqa: F401
    wait_until,
)

LOCKED = "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing."


def post(http: httpx.Client, words: str = "", **options: Any) -> httpx.Response:
    return http.post(f"/{SCHNELL}", json={"prompt": f"a vase {words}"}, **options)


def ended(simulator: RunningFal, request_id: str) -> dict[str, Any]:
    def done() -> Any:
        found = simulator.request(request_id)
        return found if found["status"] == "COMPLETED" else None

    found: dict[str, Any] = wait_until(done)
    return found


def only(simulator: RunningFal) -> dict[str, Any]:
    """The one request that there is."""
    (found,) = simulator.state()["requests"]
    return dict(found)


# Submit


def test_a_locked_account_takes_nothing_new_but_answers_about_the_old(
    simulator: RunningFal, http: httpx.Client
) -> None:
    submitted = post(http).json()
    for behaviour, words in (({}, "[sim:locked]"), ({"locked": True}, "")):
        simulator.control("behaviour", behaviour)
        refused = post(http, words)
        assert (refused.status_code, refused.json()) == (403, {"detail": LOCKED})
    ended(simulator, submitted["request_id"])
    assert http.get(submitted["response_url"]).status_code == 200
    simulator.control("behaviour", {"lock_reason": "User budget is exceeded"})
    assert post(http).json() == {"detail": "User is locked. Reason: User budget is exceeded"}
    counts = simulator.state()["counts"]
    assert (counts["accepted"], counts["refused"]) == (1, {"403": 3})


def test_an_empty_balance_locks_by_itself(simulator: RunningFal, http: httpx.Client) -> None:
    simulator.control("behaviour", {"balance": "0.003"})
    ended(simulator, post(http).json()["request_id"])
    assert simulator.control("behaviour")["balance"] == "0"
    assert post(http).json() == {"detail": LOCKED}


@pytest.mark.parametrize(("words", "status"), [("[sim:429]", 429), ("[sim:submit_500_dropped]", 500)])
def test_refused_and_not_queued(simulator: RunningFal, http: httpx.Client, words: str, status: int) -> None:
    assert post(http, words).status_code == status
    assert simulator.state()["counts"]["accepted"] == 0


def test_accepted_but_answered_with_500(simulator: RunningFal, http: httpx.Client) -> None:
    assert post(http, "[sim:submit_500_accepted]").status_code == 500
    assert ended(simulator, only(simulator)["request_id"])["status_code"] == 200


def test_accepted_but_the_connection_drops(simulator: RunningFal, http: httpx.Client) -> None:
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        post(http, "[sim:submit_reset]")
    assert ended(simulator, only(simulator)["request_id"])["status_code"] == 200
    assert post(http).status_code == 200  # and the server is well


def test_accepted_but_the_answer_does_not_come(simulator: RunningFal, http: httpx.Client) -> None:
    with pytest.raises(httpx.ReadTimeout):
        post(http, "[sim:submit_timeout]", timeout=0.3)
    assert ended(simulator, only(simulator)["request_id"])["status_code"] == 200
    simulator.control("behaviour", {"submit_timeout_s": 0.2})
    assert post(http, "[sim:submit_timeout]").status_code == 200


def test_two_submissions_for_one_job_are_noticed(simulator: RunningFal, http: httpx.Client) -> None:
    for job in (1, 1, 2):
        post(http, params={"fal_webhook": f"http://127.0.0.1:9/?job={job}"})
    assert simulator.state()["counts"]["submitted_twice"] == 1
    assert [request["submissions"] for request in simulator.state()["requests"]] == [2, 2, 1]


def test_bad_inputs_can_be_refused_at_submit(simulator: RunningFal, http: httpx.Client) -> None:
    simulator.control("behaviour", {"validate_at_submit": True})
    refused = http.post(f"/{SCHNELL}", json={})
    assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, ["body", "prompt"])
    assert simulator.state()["counts"]["accepted"] == 0


# While it runs, and afterwards


@pytest.mark.parametrize(
    ("words", "status", "billed"),
    [
        ("[sim:fail]", 500, False),
        ("[sim:fail422]", 422, False),
        ("[sim:refuse]", 422, False),
        ("[sim:fail422, billed]", 422, True),
        ("[sim:infra=startup_timeout]", 504, False),
    ],
)
def test_failures_and_what_is_billed(
    simulator: RunningFal, http: httpx.Client, words: str, status: int, billed: bool
) -> None:
    submitted = post(http, words).json()
    found = ended(simulator, submitted["request_id"])
    result = http.get(submitted["response_url"])
    assert (result.status_code, found["status_code"]) == (status, status)
    assert (found["cost_usd"] is not None) == billed
    assert ("x-fal-billable-units" in result.headers) == billed


def test_slow_runs_take_longer_and_cancel_stops_them(simulator: RunningFal, http: httpx.Client) -> None:
    submitted = post(http, "[sim:slow=60]").json()
    wait_until(lambda: only(simulator)["status"] == "IN_PROGRESS")
    answer = http.put(submitted["cancel_url"])
    assert (answer.status_code, answer.json()) == (202, {"status": "CANCELLATION_REQUESTED"})
    found = ended(simulator, submitted["request_id"])
    assert (found["error_type"], found["status_code"], found["cost_usd"]) == ("client_cancelled", 499, None)


def test_a_cancel_that_is_ignored_is_billed(simulator: RunningFal, http: httpx.Client) -> None:
    submitted = post(http, "[sim:slow=60, cancel_ignored]").json()
    wait_until(lambda: only(simulator)["status"] == "IN_PROGRESS")
    assert http.put(submitted["cancel_url"]).status_code == 202
    found = ended(simulator, submitted["request_id"])
    assert (found["cancel_requested"], found["status_code"], found["cost_usd"]) == (True, 200, "0.003")


def test_a_cancel_that_comes_too_late(simulator: RunningFal, http: httpx.Client) -> None:
    submitted = post(http, "[sim:queue=60, slow=60, cancel_too_late]").json()
    answer = http.put(submitted["cancel_url"])
    assert (answer.status_code, answer.json()) == (400, {"status": "ALREADY_COMPLETED"})
    assert only(simulator)["status_code"] == 200


def test_cancel_of_a_waiting_request_may_say_ok(simulator: RunningFal, http: httpx.Client) -> None:
    simulator.control("behaviour", {"cancel_says_ok": True})
    answer = http.put(post(http, "[sim:queue=60]").json()["cancel_url"])
    assert (answer.status_code, answer.json()) == (200, {"status": "OK"})


def test_an_unknown_status_name_comes_and_goes(http: httpx.Client) -> None:
    submitted = post(http, "[sim:paused=2]").json()
    seen = [http.get(submitted["status_url"]) for _ in range(2)]
    assert [(answer.status_code, answer.json()["status"]) for answer in seen] == [(202, "PAUSED")] * 2
    assert wait_until(lambda: http.get(submitted["status_url"]).json()["status"] == "COMPLETED")


def test_status_and_result_can_be_out_of_order_for_a_while(simulator: RunningFal, http: httpx.Client) -> None:
    submitted = post(http, "[sim:outage=2, result_500=2]").json()
    ended(simulator, submitted["request_id"])
    assert [http.get(submitted["status_url"]).status_code for _ in range(3)] == [503, 503, 200]
    results = [http.get(submitted["response_url"]) for _ in range(3)]
    assert [answer.status_code for answer in results] == [500, 500, 200]
    assert results[0].headers["x-fal-error-type"] == "internal_error"


def test_an_outage_of_everything(simulator: RunningFal, http: httpx.Client) -> None:
    submitted = post(http).json()
    ended(simulator, submitted["request_id"])
    simulator.control("behaviour", {"outage": True})
    for answer in (post(http), http.get(submitted["status_url"]), http.get("/v1/models/pricing")):
        assert answer.status_code == 503
    simulator.control("behaviour", {"outage": False})
    assert http.get(submitted["response_url"]).status_code == 200
    assert simulator.state()["counts"]["accepted"] == 1


def test_the_header_names_quirks_for_endpoints_without_a_prompt(simulator: RunningFal, http: httpx.Client) -> None:
    http.post("/fal-ai/trellis", json={"image_url": "data:,x"}, headers={"X-Sim": "infra=internal_error"})
    assert ended(simulator, only(simulator)["request_id"])["error_type"] == "internal_error"


def test_an_unknown_word_is_refused_loudly(simulator: RunningFal, http: httpx.Client) -> None:
    refused = post(http, "[sim:looose]")
    assert refused.status_code == 400
    assert "knows no 'looose'" in refused.json()["detail"]
    assert simulator.state()["counts"]["accepted"] == 0


# The control API


def test_behaviour_is_updated_in_part_and_shown_whole(simulator: RunningFal) -> None:
    changed = simulator.control("behaviour", {"lose": 0.25, "delay_s": [1, 2]})
    assert (changed["lose"], changed["delay_s"], changed["speed"]) == (0.25, [1.0, 2.0], 0)
    assert simulator.control("behaviour") == changed


@pytest.mark.parametrize(
    "wrong", [{"lose": 2}, {"loose": 0.1}, {"delay_s": [2, 1]}, {"balance": "much"}, {"concurrency": 0}]
)
def test_wrong_behaviour_changes_nothing(simulator: RunningFal, wrong: dict[str, Any]) -> None:
    before = simulator.control("behaviour")
    with pytest.raises(urllib.error.HTTPError) as refused:
        simulator.control("behaviour", {"speed": 3, **wrong})
    assert refused.value.code == 422
    refused.value.close()
    assert simulator.control("behaviour") == before


def test_polls_are_counted(simulator: RunningFal, http: httpx.Client) -> None:
    submitted = post(http).json()
    ended(simulator, submitted["request_id"])
    for _ in range(3):
        http.get(submitted["status_url"])
    http.get(submitted["response_url"])
    http.put(submitted["cancel_url"])
    found = only(simulator)
    assert [found[name] for name in ("status_polls", "result_polls", "cancel_calls")] == [3, 1, 1]


def test_reset_forgets_what_runs(simulator: RunningFal, http: httpx.Client) -> None:
    post(http, "[sim:slow=60]")
    post(http, "[sim:queue=60]")
    assert simulator.control("reset")["balance"] == "50"
    assert simulator.state()["requests"] == []
    simulator.control("behaviour", {"speed": 0, "tiny_outputs": True})
    assert ended(simulator, post(http).json()["request_id"])["ordinal"] == 1


def test_only_this_machine_and_no_web_page_may_control(tmp_path: Path) -> None:
    app = create_app(tmp_path)

    async def ask(address: str, path: str, **options: Any) -> int:
        transport = httpx.ASGITransport(app, client=(address, 4000))
        async with httpx.AsyncClient(transport=transport, base_url="http://fal.test") as caller:
            return (await caller.request("POST" if options else "GET", f"/_sim/{path}", **options)).status_code

    async def script() -> None:
        async with app.router.lifespan_context(app):
            assert await ask("192.0.2.7", "state") == 403
            assert await ask("192.0.2.7", "reset", json={}) == 403
            assert await ask("127.0.0.1", "state") == 200
            assert await ask("127.0.0.1", "reset", content=b"{}", headers={"Content-Type": "text/plain"}) == 415
            assert await ask("127.0.0.1", "reset", json={}) == 200

    asyncio.run(script())


def test_the_page_shows_the_state_and_escapes_it(simulator: RunningFal, http: httpx.Client) -> None:
    post(http, "[sim:lose]")
    simulator.control("behaviour", {"lock_reason": '"><script>x'})
    page = http.get("/_sim/").text
    assert "fal-ai/flux/schnell" in page
    assert "lose" in page
    assert "<script>x" not in page
