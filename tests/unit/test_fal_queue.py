"""fal.ai's queue: the submit, and where the key is sent."""

import json
import threading
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
from core.fal.queue import FalQueue, Submitted
from core.settings import load
from tests.unit.fal_doubles import KEY, Answer, Wire, reply
from tests.unit.fal_queue_doubles import HOME, LOCKED, NEVER_SENT, TRANSPORT_ERRORS, queue

ENDPOINT = "fal-ai/flux/dev/image-to-image"
ACCEPTED = {
    "status": "IN_QUEUE",
    "request_id": "r-1",
    "response_url": HOME,
    "status_url": f"{HOME}/status",
    "cancel_url": f"{HOME}/cancel",
    "queue_position": 3,
}


def submit(*answers: Answer, **changes: Any) -> tuple[Submitted, Wire]:
    fal, wire = queue(*answers)
    options: dict[str, Any] = {"webhook_url": None, "start_timeout_s": None, **changes}
    return fal.submit(ENDPOINT, {"prompt": "a lamp"}, **options), wire


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
