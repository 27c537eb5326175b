import json
import threading
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import (
    FalBusy,
    FalError,
    FalInvalidInput,
    FalLocked,
    FalNotFound,
    FalUnauthorized,
    FalUnavailable,
    FalUnclear,
    FalUnsent,
)
from core.fal.queue import FalQueue, Result, Submitted
from core.settings import load
from tests.unit.fal_doubles import KEY, SETTINGS, Answer, Wire, reply

ENDPOINT = "fal-ai/flux/dev/image-to-image"
HOME = "https://queue.fal.run/fal-ai/flux/requests/r-1"
ACCEPTED = {
    "status": "IN_QUEUE",
    "request_id": "r-1",
    "response_url": HOME,
    "status_url": f"{HOME}/status",
    "cancel_url": f"{HOME}/cancel",
    "queue_position": 3,
}
LOCKED = "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing."
TRANSPORT_ERRORS: list[Answer] = [
    httpx.ReadTimeout("slow"),
    httpx.WriteTimeout("slow"),
    httpx.ReadError("reset"),
    httpx.WriteError("reset"),
    httpx.RemoteProtocolError("disconnected"),
    httpx.DecodingError("garbled"),
]
NEVER_SENT: list[Answer] = [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow"), httpx.PoolTimeout("full")]


def queue(*answers: Answer) -> tuple[FalQueue, Wire]:
    wire = Wire(*answers)
    return FalQueue(SETTINGS, wire.http), wire


def submit(*answers: Answer, **changes: Any) -> tuple[Submitted, Wire]:
    fal, wire = queue(*answers)
    options: dict[str, Any] = {"webhook_url": None, "start_timeout_s": None, **changes}
    return fal.submit(ENDPOINT, {"prompt": "a lamp"}, **options), wire


# Submit


def test_a_submit_sends_the_bare_input_with_key_webhook_and_start_deadline() -> None:
    hook = "https://studio.test/webhooks/fal?job=1&token=ab"
    submitted, wire = submit(reply(200, ACCEPTED), webhook_url=hook, start_timeout_s=1800)
    assert submitted == Submitted("r-1", HOME, f"{HOME}/status", f"{HOME}/cancel", 3)
    (request,) = wire.requests
    assert request.method == "POST"
    assert request.url.path == f"/{ENDPOINT}"
    assert request.url.params["fal_webhook"] == hook
    assert json.loads(request.content) == {"prompt": "a lamp"}
    assert request.headers["authorization"] == f"Key {KEY}"
    assert request.headers["x-fal-request-timeout"] == "1800"
    assert request.headers["x-app-fal-disable-fallback"] == "true"


def test_without_webhook_and_deadline_neither_is_sent() -> None:
    _, wire = submit(reply(200, ACCEPTED))
    assert "fal_webhook" not in wire.requests[0].url.params
    assert "x-fal-request-timeout" not in wire.requests[0].headers


@pytest.mark.parametrize("missing", ["response_url", "status_url", "cancel_url"])
@pytest.mark.parametrize(
    "elsewhere",
    [
        None,
        5,
        "https://evil.test/fal-ai/flux/requests/r-1",
        "http://queue.fal.run/fal-ai/flux/requests/r-1",
        "https://queue.fal.run:8443/x",
        "https://queue.fal.run@evil.test/x",
        "https://key:word@queue.fal.run/x",
        "https://queue.fal.run.evil.test/x",
        "//queue.fal.run/x",
        "https://[::1",
        "file:///etc/passwd",
    ],
)
def test_addresses_elsewhere_are_replaced_so_that_the_job_can_be_followed(missing: str, elsewhere: Any) -> None:
    submitted, _ = submit(reply(200, {**ACCEPTED, missing: elsewhere}))
    assert submitted == Submitted("r-1", HOME, f"{HOME}/status", f"{HOME}/cancel", 3)


@pytest.mark.parametrize("position", [None, -1, 1.5, True, "3"])
def test_an_odd_queue_position_is_unknown(position: Any) -> None:
    assert submit(reply(200, {**ACCEPTED, "queue_position": position}))[0].queue_position is None


@pytest.mark.parametrize(
    ("answer", "expected", "sentence"),
    [
        (reply(401, {"detail": "Invalid key"}), FalUnauthorized, "Invalid key"),
        (
            reply(403, {"detail": LOCKED}),
            FalLocked,
            "Exhausted balance. Top up your balance at fal.ai/dashboard/billing.",
        ),
        (reply(403, {"detail": "User budget is exceeded"}), FalLocked, "User budget is exceeded"),
        (reply(403, None), FalLocked, "fal.ai gave no reason"),
        (reply(403, {"error": {"type": "authorization_error", "message": "No"}}), FalUnauthorized, "No"),
        (reply(404, {"detail": "No such app"}), FalNotFound, "No such app"),
        (
            reply(422, {"detail": [{"loc": ["body", "prompt"], "msg": "Field required", "type": "missing"}]}),
            FalInvalidInput,
            "prompt: Field required",
        ),
        (reply(400, {"detail": "bad json"}), FalInvalidInput, "bad json"),
        (httpx.Response(413, text="<html>"), FalInvalidInput, "fal.ai refused this with HTTP 413 and gave no reason."),
        (reply(429, {"detail": "Too many"}), FalBusy, "Too many"),
    ],
)
def test_a_clear_answer_is_a_clear_error(answer: httpx.Response, expected: type[FalError], sentence: str) -> None:
    with pytest.raises(expected) as caught:
        submit(answer)
    assert type(caught.value) is expected
    assert caught.value.sentence == sentence
    assert caught.value.status == answer.status_code


def test_the_type_of_a_refusal_is_kept() -> None:
    with pytest.raises(FalInvalidInput) as caught:
        submit(reply(422, {"detail": [{"loc": ["body"], "msg": "No", "type": "content_policy_violation"}]}))
    assert caught.value.error_type == "content_policy_violation"


@pytest.mark.parametrize("error", NEVER_SENT)
def test_without_a_connection_nothing_was_sent(error: Exception) -> None:
    with pytest.raises(FalUnsent):
        submit(error)


@pytest.mark.parametrize(
    "answer",
    [
        *TRANSPORT_ERRORS,
        *[reply(status, {"detail": "x", "error_type": "internal_error"}) for status in (500, 502, 503, 504)],
        reply(408, {"detail": "x"}),
        reply(499, {"detail": "x"}),
        reply(307, None, {"location": "https://elsewhere.test/"}),
        httpx.Response(200, text="<html>OK</html>"),
        reply(200, []),
        reply(200, {}),
        reply(200, {**ACCEPTED, "request_id": None}),
        reply(200, {**ACCEPTED, "request_id": "../../x"}),
    ],
)
def test_anything_unclear_is_unknown_and_sent_only_once(answer: Answer) -> None:
    fal, wire = queue(answer)
    with pytest.raises(FalUnclear):
        fal.submit(ENDPOINT, {}, webhook_url=None, start_timeout_s=None)
    assert len(wire.requests) == 1


@pytest.mark.parametrize("answer", [*NEVER_SENT, *TRANSPORT_ERRORS, reply(429), reply(500), reply(503), reply(422)])
def test_a_submit_is_never_repeated(answer: Answer) -> None:
    fal, wire = queue(answer)
    with pytest.raises(FalError):
        fal.submit(ENDPOINT, {}, webhook_url=None, start_timeout_s=None)
    assert len(wire.requests) == 1


@pytest.mark.parametrize(
    "endpoint", ["", "flux", "../x/y", "fal-ai/../secret", "fal-ai/flux?x=1", "a/b#c", "//evil.test/x"]
)
def test_only_names_of_models_are_sent(endpoint: str) -> None:
    fal, wire = queue(reply(200, ACCEPTED))
    with pytest.raises(FalInvalidInput):
        fal.submit(endpoint, {}, webhook_url=None, start_timeout_s=None)
    assert not wire.requests


def test_without_a_key_nothing_is_sent() -> None:
    wire = Wire(reply(200, ACCEPTED))
    with pytest.raises(FalUnauthorized, match="FAL_KEY"):
        FalQueue(load({}), wire.http).submit(ENDPOINT, {}, webhook_url=None, start_timeout_s=None)
    assert not wire.requests


def test_no_error_contains_the_key() -> None:
    for answer in (*TRANSPORT_ERRORS, reply(401), reply(403), reply(500), reply(200)):
        with pytest.raises(FalError) as caught:
            submit(answer)
        assert "test-key" not in f"{caught.value} {caught.value.detail}"


# Where the key may go


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test/fal-ai/flux/requests/r-1/status",
        "http://queue.fal.run/x",
        "https://queue.fal.run:444/x",
        "https://a:b@queue.fal.run/x",
        "https://queue.fal.run\\@evil.test/x",
        "https://xn--/x",
        "",
        "status",
    ],
)
def test_the_key_goes_to_the_queue_only(url: str) -> None:
    fal, wire = queue(reply(200, {}))
    for call in (fal.status, fal.result, fal.cancel):
        with pytest.raises(FalUnavailable):
            call(url)
    assert not wire.requests


@given(st.text())
def test_no_address_makes_the_guard_stumble(url: str) -> None:
    fal, wire = queue(reply(202, {"status": "IN_QUEUE"}))
    for candidate in (url, f"https://{url}/x", f"https://queue.fal.run{url}"):
        try:
            fal.status(candidate)
        except FalUnavailable:
            continue
    assert all(request.url.host == "queue.fal.run" for request in wire.requests)
    assert all(request.url.scheme == "https" for request in wire.requests)


def test_a_queue_below_a_path_keeps_the_key_below_it() -> None:
    wire = Wire(reply(202, {"status": "IN_QUEUE"}))
    fal = FalQueue(load({"FAL_KEY": KEY, "FAL_QUEUE_URL": "http://127.0.0.1:9/queue"}), wire.http)
    fal.status("http://127.0.0.1:9/queue/a/b/requests/1/status")
    with pytest.raises(FalUnavailable):
        fal.status("http://127.0.0.1:9/other/a/b/requests/1/status")
    assert len(wire.requests) == 1


# Status


def status(body: Any, code: int = 202) -> Any:
    fal, wire = queue(reply(code, body))
    answer = fal.status(f"{HOME}/status")
    assert wire.requests[0].url.params["logs"] == "1"
    return answer


def test_in_queue() -> None:
    found = status({"status": "IN_QUEUE", "queue_position": 2, "logs": None})
    assert (found.state, found.queue_position, found.message, found.progress) == ("queued", 2, None, None)


def test_in_progress_with_logs() -> None:
    found = status(
        {"status": "IN_PROGRESS", "queue_position": None, "logs": [{"message": "Sampling:  42%|####  | 12/28"}]}
    )
    assert (found.state, found.message, found.progress) == ("running", "Sampling", Decimal("0.42"))


def test_completed_with_and_without_error() -> None:
    assert status({"status": "COMPLETED", "logs": []}, 200).error == ""
    failed = status({"status": "COMPLETED", "error": "Startup timed out", "error_type": "startup_timeout"}, 200)
    assert (failed.state, failed.error, failed.error_type) == ("completed", "Startup timed out", "startup_timeout")
    assert status({"status": "COMPLETED", "error": {"odd": 1}}, 200).error == "failed"


def test_an_unknown_status_counts_as_running_and_is_reported() -> None:
    found = status({"status": "THINKING"}, 200)
    assert (found.state, found.raw_status) == ("running", "THINKING")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (reply(401), FalUnauthorized),
        (reply(404, {"detail": "x"}), FalNotFound),
        (reply(429), FalBusy),
        (reply(500), FalUnavailable),
        (reply(302, None, {"location": "https://elsewhere.test"}), FalUnavailable),
        (reply(200, []), FalUnavailable),
        (reply(200, {"state": "x"}), FalUnavailable),
        (httpx.Response(200, text="<html>"), FalUnavailable),
        *[(error, FalUnavailable) for error in (*TRANSPORT_ERRORS, *NEVER_SENT)],
    ],
)
def test_a_status_without_a_usable_answer(answer: Answer, expected: type[FalError]) -> None:
    for call in ("status", "result", "cancel"):
        if call == "result" and isinstance(answer, httpx.Response) and answer.status_code in (200, 404):
            continue
        if call == "cancel" and isinstance(answer, httpx.Response) and answer.status_code in (200, 404):
            continue
        fal, wire = queue(answer)
        with pytest.raises(expected):
            getattr(fal, call)(HOME)
        assert len(wire.requests) == 1


# Result


def result(code: int, body: Any, units: str | None = None) -> Result:
    fal, _ = queue(reply(code, body, {"x-fal-billable-units": units} if units is not None else None))
    return fal.result(HOME)


def test_a_result_with_its_billable_units() -> None:
    found = result(200, {"images": [{"url": "https://v3.fal.media/a.png"}], "seed": 7}, "3.008")
    assert found.ok
    assert found.payload == {"images": [{"url": "https://v3.fal.media/a.png"}], "seed": 7}
    assert found.billable_units == Decimal("3.008")


@pytest.mark.parametrize("units", ["", "NaN", "Infinity", "-1", "1_0", "ten", "9" * 40, "1e99999", "٣"])
def test_units_that_make_no_sense_are_unknown(units: str) -> None:
    fal, _ = queue(httpx.Response(200, json={"a": 1}, headers=[(b"x-fal-billable-units", units.encode())]))
    assert fal.result(HOME).billable_units is None


@given(st.decimals(min_value=0, max_value=10**8, places=9))
def test_units_are_exact(units: Decimal) -> None:
    assert result(200, {"a": 1}, f"{units:f}").billable_units == units


def test_a_422_on_the_result_is_the_models_verdict_and_may_be_billed() -> None:
    body = {"detail": [{"loc": ["body", "prompt"], "msg": "Refused", "type": "content_policy_violation"}]}
    found = result(422, body, "1")
    assert (found.ok, found.status_code, found.error_type) == (False, 422, "content_policy_violation")
    assert (found.error_message, found.billable_units) == ("prompt: Refused", Decimal(1))


@pytest.mark.parametrize("code", [401, 403, 404, 429, 500, 504])
def test_a_models_own_answer_is_its_verdict_whatever_the_status(code: int) -> None:
    found = result(code, {"detail": [{"loc": ["body"], "msg": "Too slow", "type": "generation_timeout"}]})
    assert (found.ok, found.expired, found.error_type) == (False, False, "generation_timeout")


@pytest.mark.parametrize("code", [500, 502, 503, 504])
@pytest.mark.parametrize("body", [None, {"detail": "Service unavailable", "error_type": "runner_scheduling_failure"}])
def test_trouble_of_the_platform_is_no_verdict(code: int, body: Any) -> None:
    with pytest.raises(FalUnavailable):
        result(code, body)


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (400, {"detail": "Request is still in progress"}),
        (202, {"status": "IN_PROGRESS"}),
        (200, {"status": "IN_QUEUE"}),
    ],
)
def test_a_result_asked_for_too_early(code: int, body: Any) -> None:
    assert result(code, body).still_running


def test_a_result_that_is_gone() -> None:
    assert result(404, {"detail": "Request not found"}).expired


def test_a_lock_does_not_end_earlier_jobs() -> None:
    with pytest.raises(FalLocked):
        result(403, {"detail": LOCKED})


def test_a_cancelled_request_says_so() -> None:
    found = result(499, {"detail": "Cancelled", "error_type": "client_cancelled"})
    assert (found.ok, found.status_code, found.error_type) == (False, 499, "client_cancelled")


@pytest.mark.parametrize("answer", [httpx.Response(200, text="<html>"), reply(200, [1]), reply(200, "text")])
def test_a_result_that_is_no_object_is_no_verdict(answer: httpx.Response) -> None:
    fal, _ = queue(answer)
    with pytest.raises(FalUnavailable):
        fal.result(HOME)


# Cancel


@pytest.mark.parametrize(
    ("code", "body", "expected"),
    [
        (202, {"status": "CANCELLATION_REQUESTED"}, "requested"),
        (200, {"status": "OK"}, "dropped"),
        (400, {"status": "ALREADY_COMPLETED"}, "already_completed"),
        (404, {"status": "NOT_FOUND"}, "not_found"),
        (404, {"detail": "x"}, "not_found"),
        (202, {"status": "SOMETHING_NEW"}, "requested"),
        (202, None, "requested"),
    ],
)
def test_cancel(code: int, body: Any, expected: str) -> None:
    fal, wire = queue(reply(code, body))
    assert fal.cancel(f"{HOME}/cancel") == expected
    assert wire.requests[0].method == "PUT"


def test_many_threads_share_one_queue() -> None:
    fal, wire = queue(lambda _request: reply(200, ACCEPTED))
    threads = [
        threading.Thread(target=fal.submit, args=(ENDPOINT, {}), kwargs={"webhook_url": None, "start_timeout_s": None})
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wire.requests) == 8
