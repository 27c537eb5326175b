import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import WebhookRefused
from core.fal.outputs import OutputFile, read_outputs, small_data
from core.fal.queue import Result, Status
from core.fal.reasons import INFRASTRUCTURE
from core.fal.verdict import Verdict, verdict_of_poll, verdict_of_webhook

PICTURE = {"url": "https://v3.fal.media/files/a/b.png", "width": 992, "height": 992, "content_type": "image/png"}
DONE = Status("completed", None, None, None, "", "", "COMPLETED")


def told(body: dict[str, Any]) -> Verdict:
    verdict = verdict_of_webhook({"request_id": "r", **body})
    assert verdict is not None
    return verdict


def ok(payload: Any, **more: Any) -> Verdict:
    return told({"status": "OK", "payload": payload, **more})


def error(payload: Any, message: str = "", **more: Any) -> Verdict:
    return told({"status": "ERROR", "payload": payload, "error": message, **more})


def detail(kind: str, message: str = "Refused") -> dict[str, Any]:
    return {"detail": [{"loc": ["body", "prompt"], "msg": message, "type": kind}]}


def failed_status(message: str = "", kind: str = "") -> Status:
    return Status("completed", None, None, None, message, kind, "COMPLETED")


# Outputs


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"images": [PICTURE, {"url": "https://x.test/c.webp"}]}, [("image/png", 992), ("image/webp", None)]),
        ({"image": {"url": "https://x.test/a.jpg", "content_type": "image/jpeg; q=1"}}, [("image/jpeg", None)]),
        ({"video": {"url": "https://x.test/a", "file_size": 5, "file_name": "out.mp4"}}, [("video/mp4", None)]),
        (
            {"audio": {"url": "https://x.test/a.mp3?x=1", "content_type": "application/octet-stream"}},
            [("audio/mpeg", None)],
        ),
        ({"audio_file": {"url": "https://x.test/a"}}, [("audio/wav", None)]),
        (
            {"model_mesh": {"url": "https://x.test/a.glb", "content_type": "application/octet-stream"}},
            [("model/gltf-binary", None)],
        ),
        ({"audio": "https://x.test/a.wav"}, [("audio/wav", None)]),
        ({"images": [PICTURE, PICTURE]}, [("image/png", 992)]),
        ({"image": {"url": "data:image/png;base64,AAAA"}}, []),
        ({"image": {"url": "javascript:alert(1)"}}, []),
        ({"image": {"url": "https://[::1"}}, [("image/png", None)]),
        ({"image": {"url": None}, "images": None, "video": 5}, []),
        ([], []),
        (None, []),
    ],
)
def test_files_are_found_in_every_documented_shape(payload: Any, expected: list[tuple[str, int | None]]) -> None:
    assert [(output.media_type, output.width) for output in read_outputs(payload)] == expected


def test_facts_of_a_file() -> None:
    facts = {"url": "https://x.test/v.mp4", "file_size": 1234, "file_name": "v.mp4", "duration": 3.008, "height": 720.0}
    assert read_outputs({"video": facts}) == (
        OutputFile("https://x.test/v.mp4", "video/mp4", None, 720, Decimal("3.008"), 1234, "v.mp4"),
    )


@pytest.mark.parametrize("odd", [-1, 0, True, "5", 2**31, None, 1.5, float("inf")])
def test_facts_that_make_no_sense_are_unknown(odd: Any) -> None:
    (output,) = read_outputs({"image": {"url": "https://x.test/a.png", "width": odd, "duration": None}})
    assert output.width is None


def test_the_small_rest_is_kept_without_files_and_data_uris() -> None:
    payload = {
        "images": [PICTURE],
        "seed": 7,
        "timings": {"inference": 1.2},
        "has_nsfw_concepts": [False],
        "preview": "data:image/png;base64,AAAA",
        "nested": {"deep": ["DATA:x", "kept"]},
    }
    assert small_data(payload) == {"seed": 7, "has_nsfw_concepts": [False], "nested": {"deep": ["kept"]}}
    assert small_data({"images": [PICTURE]}) is None


# Webhooks


def test_a_webhook_with_pictures() -> None:
    verdict = ok({"images": [PICTURE], "seed": 7})
    assert (verdict.outcome, len(verdict.outputs), verdict.result_data) == ("completed", 1, {"seed": 7})
    assert verdict.billable
    assert verdict.billable_units is None


def test_a_transcript_has_no_file_and_silence_is_a_transcript() -> None:
    spoken = ok({"text": "Hello", "chunks": [{"timestamp": [0.0, 1.5], "text": "Hello"}]})
    assert spoken.outcome == "completed"
    assert spoken.result_data == {"text": "Hello", "chunks": [{"timestamp": [0.0, 1.5], "text": "Hello"}]}
    assert ok({"text": "", "chunks": []}).outcome == "completed"


@pytest.mark.parametrize("payload", [{}, {"description": "no"}, {"images": []}, None, [], "text"])
def test_ok_with_nothing_in_it_failed_and_may_be_billed(payload: Any) -> None:
    verdict = ok(payload)
    assert (verdict.outcome, verdict.error_type, verdict.billable) == ("failed", "no_media_generated", True)


@pytest.mark.parametrize("payload", [None, {}])
def test_a_payload_that_could_not_be_written_is_no_verdict(payload: Any) -> None:
    body = {"status": "OK", "payload": payload, "payload_error": "Response payload is not JSON serializable"}
    assert verdict_of_webhook(body) is None


def test_a_refused_prompt() -> None:
    verdict = error(detail("content_policy_violation"), "Invalid status code: 422")
    assert (verdict.outcome, verdict.error_type) == ("failed", "content_policy_violation")
    assert (verdict.error_message, verdict.billable) == ("prompt: Refused", True)


def test_an_error_with_a_plain_detail() -> None:
    verdict = error({"detail": "Not possible"}, "Invalid status code: 422")
    assert (verdict.error_type, verdict.error_message, verdict.billable) == ("http_422", "Not possible", True)


def test_an_error_with_nothing_but_its_status() -> None:
    verdict = error(None, "Invalid status code: 502")
    assert (verdict.error_type, verdict.error_message) == ("http_502", "Invalid status code: 502")
    assert not verdict.billable
    assert error(None).error_type == "unknown"


@pytest.mark.parametrize(("kind", "status"), INFRASTRUCTURE.items())
def test_server_errors_are_never_billed(kind: str, status: int) -> None:
    verdict = error({"detail": "broken", "error_type": kind})
    assert verdict.error_type == kind
    assert verdict.billable == (400 < status < 500)


def test_a_cancelled_run() -> None:
    for verdict in (
        error({"detail": "cancelled", "error_type": "client_cancelled"}, "Invalid status code: 499"),
        error(None, "Invalid status code: 499"),
        verdict_of_poll(failed_status("Request was cancelled", "client_cancelled"), None),
        verdict_of_poll(DONE, Result(False, 499, None, None, "client_cancelled", "cancelled")),
    ):
        assert (verdict.outcome, verdict.billable) == ("cancelled", True)
    free = verdict_of_poll(DONE, Result(False, 499, None, Decimal(0), "client_cancelled"))
    assert (free.outcome, free.billable) == ("cancelled", False)


@pytest.mark.parametrize("status", [None, "COMPLETED", "IN_PROGRESS", 5])
def test_a_status_we_do_not_know_is_no_verdict(status: Any) -> None:
    with pytest.raises(WebhookRefused):
        verdict_of_webhook({"status": status, "payload": {"images": [PICTURE]}})


# Polls


def test_a_poll_with_a_result() -> None:
    verdict = verdict_of_poll(DONE, Result(True, 200, {"images": [PICTURE]}, Decimal("2")))
    assert (verdict.outcome, verdict.billable_units) == ("completed", Decimal(2))


def test_completed_is_not_success_when_the_status_has_an_error() -> None:
    verdict = verdict_of_poll(failed_status("Startup timed out", "startup_timeout"), None)
    assert (verdict.outcome, verdict.error_type, verdict.error_message) == (
        "failed",
        "startup_timeout",
        "Startup timed out",
    )
    assert not verdict.billable


def test_completed_is_not_success_when_the_result_says_422() -> None:
    verdict = verdict_of_poll(DONE, Result(False, 422, None, None, "image_too_small", "image_url: too small"))
    assert (verdict.outcome, verdict.error_type, verdict.billable) == ("failed", "image_too_small", True)


def test_the_units_decide_whether_a_failure_is_billed() -> None:
    assert not verdict_of_poll(DONE, Result(False, 422, None, Decimal(0), "x")).billable
    assert verdict_of_poll(DONE, Result(False, 422, None, Decimal(1), "x")).billable


def test_the_models_complaint_says_more_than_a_status_code() -> None:
    found = Result(False, 422, None, None, "content_policy_violation", "prompt: Refused")
    verdict = verdict_of_poll(failed_status("Invalid status code: 422"), found)
    assert (verdict.error_type, verdict.error_message, verdict.billable) == (
        "content_policy_violation",
        "prompt: Refused",
        True,
    )


def test_a_result_that_is_gone_has_failed_but_was_made() -> None:
    verdict = verdict_of_poll(DONE, Result(False, 404, None, None, "result_expired", "", expired=True))
    assert (verdict.outcome, verdict.error_type, verdict.billable) == ("failed", "result_expired", True)


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (Status("running", None, None, None, "", "", "IN_PROGRESS"), None),
        (DONE, None),
        (DONE, Result(False, 400, None, None, still_running=True)),
    ],
)
def test_there_is_no_verdict_before_the_end(status: Status, result: Result | None) -> None:
    with pytest.raises(ValueError, match="verdict"):
        verdict_of_poll(status, result)


def test_webhook_and_poll_agree() -> None:
    payload = {"images": [PICTURE], "seed": 1}
    assert ok(payload) == verdict_of_poll(DONE, Result(True, 200, payload, None))
    body = detail("content_policy_violation")
    polled = verdict_of_poll(DONE, Result(False, 422, None, None, "content_policy_violation", "prompt: Refused"))
    assert error(body, "Invalid status code: 422") == polled


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["images", "image", "video", "url", "text", "detail", "type", "msg", "loc", "width", "error"]
            ),
            inner,
        )
    ),
    max_leaves=25,
)


@given(st.sampled_from(["OK", "ERROR"]), JSON, JSON, JSON)
def test_any_body_with_a_known_status_gives_a_verdict(
    status: str, payload: Any, message: Any, payload_error: Any
) -> None:
    body = {"status": status, "payload": payload, "error": message, "payload_error": payload_error}
    verdict = verdict_of_webhook(body)
    if verdict is None:
        assert status == "OK"
        return
    assert (verdict.outcome == "completed") <= (status == "OK")
    assert verdict.outcome == "completed" or verdict.error_type
    json.dumps(verdict.result_data, allow_nan=False)
    assert not any(isinstance(output.duration, float) for output in verdict.outputs)
