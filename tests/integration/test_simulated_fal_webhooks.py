"""The webhooks of the simulated fal.ai, as a receiver sees them: verified, repeated, late, lost and forged."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from local.fal.serving import RunningFal, running
from tests.integration.simulated_fal import (
    SCHNELL,
    as_new,
    server_fixture,  # noqa: F401
    wait_until,
)


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.raw)
        return content


@dataclass
class Receiver:
    """Keeps what comes; answers with `answers` in turn, then 200."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)


@pytest.fixture(scope="module")
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.received.append(Received(self.path, {k.lower(): v for k, v in self.headers.items()}, raw))
            status = receiver.answers.pop(0) if receiver.answers else 200
            self.send_response(status)
            if status == 302:
                self.send_header("Location", f"{receiver.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: the test says what went wrong."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    yield receiver
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def receiver(receiving: Receiver) -> Receiver:
    receiving.received.clear()
    receiving.answers.clear()
    return receiving


@pytest.fixture
def simulator(server: RunningFal) -> RunningFal:
    return as_new(server, time_factor=0.0001)


def submit(simulator: RunningFal, receiver: Receiver, words: str = "", **inputs: Any) -> str:
    answer = httpx.post(
        f"{simulator.url}/{SCHNELL}",
        params={"fal_webhook": f"{receiver.url}/webhooks/fal?job=7&token=abc"},
        json={"prompt": f"a vase {words}", **inputs},
        headers={"Authorization": f"Key {simulator.key}"},
        trust_env=False,
    )
    return str(answer.json()["request_id"])


def settled(simulator: RunningFal, request_id: str) -> dict[str, Any]:
    """The request once nothing more will be sent for it."""

    def done() -> Any:
        found = simulator.request(request_id)
        return found if found["status"] == "COMPLETED" and found["webhook_settled"] else None

    found: dict[str, Any] = wait_until(done)
    return found


def keys(simulator: RunningFal) -> list[Ed25519PublicKey]:
    published = httpx.get(f"{simulator.url}/.well-known/jwks.json", trust_env=False).json()["keys"]
    assert len(published) >= 2
    assert all((key["kty"], key["crv"]) == ("OKP", "Ed25519") and key["x"].endswith("=") for key in published)
    return [Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"])) for key in published]


def signers(simulator: RunningFal, call: Received) -> list[int]:
    """Which of the published keys signed it, as fal's documentation says to check."""
    names = ("request-id", "user-id", "timestamp")
    parts = [call.headers[f"x-fal-webhook-{name}"] for name in names]
    message = "\n".join([*parts, hashlib.sha256(call.raw).hexdigest()]).encode()
    good = []
    for number, key in enumerate(keys(simulator)):
        try:
            key.verify(bytes.fromhex(call.headers["x-fal-webhook-signature"]), message)
        except InvalidSignature:
            continue
        good.append(number)
    return good


def test_a_success_is_told_once_signed_and_with_the_output(simulator: RunningFal, receiver: Receiver) -> None:
    request_id = submit(simulator, receiver, num_images=2)
    found = settled(simulator, request_id)
    (call,) = receiver.received
    assert call.path == "/webhooks/fal?job=7&token=abc"
    assert call.body.keys() == {"request_id", "gateway_request_id", "status", "payload"}
    assert call.body["request_id"] == call.body["gateway_request_id"] == request_id
    assert call.body["status"] == "OK"
    assert len(call.body["payload"]["images"]) == 2
    assert call.headers["x-fal-webhook-request-id"] == request_id
    assert call.headers["x-fal-webhook-user-id"] == simulator.state()["user_id"]
    assert abs(int(call.headers["x-fal-webhook-timestamp"]) - time.time()) < 60
    assert "x-fal-billable-units" not in call.headers
    assert signers(simulator, call) == [1]  # not the first key: all must be tried
    assert (found["webhooks_sent"], found["webhooks_acknowledged"]) == (1, 1)


@pytest.mark.parametrize(
    ("words", "inputs", "error", "detail"),
    [
        ("", {"num_images": 9}, "Invalid status code: 422", "less_than_equal"),
        ("[sim:fail422]", {}, "Invalid status code: 422", "content_policy_violation"),
        ("[sim:refuse]", {}, "Invalid status code: 422", "content_policy_violation"),
        ("[sim:fail]", {}, "Invalid status code: 500", "internal_server_error"),
    ],
)
def test_a_failure_of_the_model_is_told(
    simulator: RunningFal, receiver: Receiver, words: str, inputs: dict[str, Any], error: str, detail: str
) -> None:
    settled(simulator, submit(simulator, receiver, words, **inputs))
    (call,) = receiver.received
    assert (call.body["status"], call.body["error"]) == ("ERROR", error)
    assert call.body["payload"]["detail"][0]["type"] == detail
    assert signers(simulator, call) == [1]


def test_an_infrastructure_failure_is_told(simulator: RunningFal, receiver: Receiver) -> None:
    settled(simulator, submit(simulator, receiver, "[sim:infra=runner_connection_timeout]"))
    (call,) = receiver.received
    assert (call.body["status"], call.body["error"]) == ("ERROR", "Invalid status code: 503")
    assert call.body["payload"]["error_type"] == "runner_connection_timeout"


def test_it_is_tried_again_until_acknowledged(simulator: RunningFal, receiver: Receiver) -> None:
    receiver.answers[:] = [500, 401, 404]
    found = settled(simulator, submit(simulator, receiver))
    assert [delivery["status"] for delivery in found["deliveries"]] == [500, 401, 404, 200]
    assert len({call.raw for call in receiver.received}) == 1


def test_it_gives_up_in_the_end(simulator: RunningFal, receiver: Receiver) -> None:
    receiver.answers[:] = [503] * 50
    found = settled(simulator, submit(simulator, receiver))
    assert (found["webhooks_sent"], found["webhooks_acknowledged"]) == (10, 0)


def test_a_redirect_is_a_permanent_failure(simulator: RunningFal, receiver: Receiver) -> None:
    receiver.answers[:] = [302]
    assert settled(simulator, submit(simulator, receiver))["webhooks_sent"] == 1
    assert [call.path for call in receiver.received] == ["/webhooks/fal?job=7&token=abc"]


def test_an_unreachable_receiver_is_tried_again(simulator: RunningFal) -> None:
    found = settled(simulator, submit(simulator, Receiver(url="http://127.0.0.1:9")))
    assert {delivery["status"] for delivery in found["deliveries"]} == {None}
    assert found["webhooks_sent"] == 10


def test_lost(simulator: RunningFal, receiver: Receiver) -> None:
    found = settled(simulator, submit(simulator, receiver, "[sim:lose]"))
    assert (found["webhooks_sent"], receiver.received) == (0, [])


def test_repeated(simulator: RunningFal, receiver: Receiver) -> None:
    assert settled(simulator, submit(simulator, receiver, "[sim:repeat=3]"))["webhooks_sent"] == 3
    assert len({call.raw for call in receiver.received}) == 1
    assert [signers(simulator, call) for call in receiver.received] == [[1], [1], [1]]


def test_overtaken(simulator: RunningFal, receiver: Receiver) -> None:
    first, second = submit(simulator, receiver, "[sim:reorder=0.5]"), submit(simulator, receiver)
    settled(simulator, first)
    assert [call.body["request_id"] for call in receiver.received] == [second, first]


def test_forged_first(simulator: RunningFal, receiver: Receiver) -> None:
    receiver.answers[:] = [401]
    found = settled(simulator, submit(simulator, receiver, "[sim:forge]"))
    assert [signers(simulator, call) for call in receiver.received] == [[], [1]]
    assert [delivery["kind"] for delivery in found["deliveries"]] == ["forged", "try 1"]
    assert found["webhooks_acknowledged"] == 1


def test_retried_by_fal_and_not_serialisable(simulator: RunningFal, receiver: Receiver) -> None:
    request_id = submit(simulator, receiver, "[sim:retried, unserialisable]")
    settled(simulator, request_id)
    (call,) = receiver.received
    assert call.body["request_id"] == request_id != call.body["gateway_request_id"]
    assert (call.body["status"], call.body["payload"]) == ("OK", None)
    assert "not JSON serializable" in call.body["payload_error"]


def test_large(simulator: RunningFal, receiver: Receiver) -> None:
    settled(simulator, submit(simulator, receiver, "[sim:large=1]"))
    assert len(receiver.received[0].raw) > 1_000_000


def test_a_cancelled_request_is_told_as_an_error(simulator: RunningFal, receiver: Receiver) -> None:
    request_id = submit(simulator, receiver, "[sim:queue=60]")
    url = f"{simulator.url}/fal-ai/flux/requests/{request_id}/cancel"
    httpx.put(url, headers={"Authorization": f"Key {simulator.key}"}, trust_env=False)
    settled(simulator, request_id)
    assert receiver.received[0].body["error"] == "Invalid status code: 499"


def test_by_chance_with_a_seed(simulator: RunningFal, receiver: Receiver) -> None:
    chance = {"speed": 0, "tiny_outputs": True, "time_factor": 0.001, "seed": 11, "lose": 0.4, "repeat": 0.3}

    def run() -> list[int]:
        simulator.control("reset")
        simulator.control("behaviour", chance)
        return [settled(simulator, submit(simulator, receiver))["webhooks_sent"] for _ in range(12)]

    first = run()
    assert first == run()
    assert set(first) == {0, 1, 3}


# Sent on demand


def test_deliver_again_elsewhere_at_another_time_for_another_account(simulator: RunningFal, receiver: Receiver) -> None:
    request_id = submit(simulator, receiver)
    settled(simulator, request_id)
    receiver.received.clear()
    for changes in (
        {},
        {"url": f"{receiver.url}/other"},
        {"timestamp": 1_700_000_000},
        {"user_id": "github|stranger"},
        {"forged": True},
        {"count": 2},
    ):
        assert simulator.control("deliver", {"request_id": request_id, **changes})["status_code"] == 200
    calls = receiver.received
    assert len(calls) == 7
    assert calls[1].path == "/other"
    assert calls[2].headers["x-fal-webhook-timestamp"] == "1700000000"
    assert calls[3].headers["x-fal-webhook-user-id"] == "github|stranger"
    assert [signers(simulator, call) for call in calls] == [[1], [1], [1], [1], [], [1], [1]]


def test_what_is_owed_is_delivered_after_a_restart(tmp_path: Path, receiver: Receiver) -> None:
    with running(tmp_path) as before:
        before.control("behaviour", {"speed": 0, "tiny_outputs": True})
        request_id = submit(before, receiver, "[sim:delay=1.5]")
        wait_until(lambda: before.request(request_id)["status"] == "COMPLETED")
    assert receiver.received == []
    with running(tmp_path) as after:
        settled(after, request_id)
        assert [call.body["request_id"] for call in receiver.received] == [request_id]
        assert signers(after, receiver.received[0]) == [1]
