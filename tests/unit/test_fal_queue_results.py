"""fal.ai's queue after the submit: status, result, cancel."""

from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import (
    FalBusy,
    FalError,
    FalLocked,
    FalNotFound,
    FalUnauthorized,
    FalUnavailable,
)
from core.fal.queue import Result
from tests.unit.fal_doubles import Answer, reply
from tests.unit.fal_queue_doubles import HOME, LOCKED, NEVER_SENT, TRANSPORT_ERRORS, queue, status


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
