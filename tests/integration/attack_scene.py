"""A scene for attacks on the webhooks: a victim with a job and an order, and keys of the attacker."""

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import psutil  # type: ignore[import-untyped]
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from stripe import WebhookSignature

from core import jobs
from core.models import Person
from local.fal.webhooks import Signer
from local.ports import HOST
from local.processes import Child
from tests.conftest import Serve
from tests.integration.atelier import SCHNELL, Atelier, Row
from tests.integration.test_fal_webhook import Call

Headers = Mapping[str, str] | Sequence[tuple[str, str]]
FOREIGN = ec.generate_private_key(ec.SECP256R1())
SHARED_SECRET = b"a symmetric key that fal.ai's list should never hold"


@dataclass
class KeyHost:
    """fal.ai's key list, with keys of other kinds in it that must never be used; counts how often it is asked."""

    url: str
    asked: int = 0


@contextmanager
def key_host(listed: list[dict[str, Any]]) -> Iterator[KeyHost]:
    host = KeyHost("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host.asked += 1
            body = json.dumps({"keys": listed}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        host.url = f"http://{HOST}:{server.server_port}/.well-known/jwks.json"
        yield host
        server.shutdown()
        thread.join()


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


@pytest.fixture(name="signer", scope="module")
def signer_fixture(stack_directory: Path, fal: object) -> Signer:
    """fal.ai's own signing key."""
    del fal  # has made it
    return Signer(stack_directory / "fal")


@pytest.fixture(name="keys", scope="module")
def keys_fixture(signer: Signer) -> Iterator[KeyHost]:
    point = FOREIGN.public_key().public_numbers()
    foreign = [
        {"kty": "oct", "alg": "HS512", "k": base64url(SHARED_SECRET)},
        {"kty": "EC", "crv": "P-256", "x": base64url(point.x.to_bytes(32)), "y": base64url(point.y.to_bytes(32))},
        {"kty": "OKP", "crv": "X25519", "x": base64url(bytes(32))},
        {"kty": "RSA", "n": base64url(bytes(range(256))), "e": "AQAB"},
    ]
    with key_host([*foreign, *signer.jwks()["keys"]]) as host:
        yield host


@dataclass
class Scene:
    """One job of which fal.ai's word has not come, and the call that would bring it. Nobody's attack brings it."""

    atelier: Atelier
    signer: Signer
    call: Call
    other: Call
    companion: Child
    keys: KeyHost

    @property
    def url(self) -> str:
        return self.call.url

    @property
    def stripe_url(self) -> str:
        return f"{self.atelier.companion_url}/webhooks/stripe"

    @property
    def process(self) -> psutil.Process:
        assert self.companion.process is not None
        return psutil.Process(self.companion.process.pid)

    def signed(self, body: bytes, **how: Any) -> dict[str, str]:
        return self.signer.headers(self.call.request_id, body, **how)

    def post(self, body: bytes | Iterator[bytes], headers: Headers, url: str = "") -> int:
        return self.atelier.http.post(url or self.url, content=body, headers=headers).status_code

    def post_stripe(self, body: bytes, headers: Headers) -> int:
        return self.post(body, headers, self.stripe_url)

    def stripe_signature(self, body: str, *, age: int = 0, secret: str = "") -> str:
        known = self.atelier.environment["STRIPE_WEBHOOK_SECRET"]
        header: str = WebhookSignature.generate_signature_header(body, secret or known, int(time.time()) - age)
        return header

    def everything(self) -> list[Row]:
        """What no attack may change: the inbox, the two jobs, the ledger, orders, the account that was pinned."""
        return [
            self.atelier.one("select count(*) as events, coalesce(sum(repeats), 0) as repeats from webhook_events"),
            self.atelier.row(self.call.job),
            self.atelier.row(self.other.job),
            self.atelier.one("select count(*) as entries, coalesce(max(id), 0) as newest from credit_entries"),
            self.atelier.one("select count(*) as orders, count(paid_at) as paid from credit_purchases"),
            {"account": self.atelier.provider()["account_id"]},
        ]


@pytest.fixture(name="scene", scope="module")
def scene_fixture(atelier: Atelier, signer: Signer, keys: KeyHost, serve: Serve) -> Iterator[Scene]:
    atelier.behaviour()
    port = atelier.environment["COMPANION_PORT"]
    arguments = ["uvicorn", "tests.integration.impatient_companion:create_app", "--factory", "--host", HOST]
    child = serve(
        "impatient-companion",
        [*arguments, "--port", port, "--timeout-graceful-shutdown", "5", "--no-access-log"],
        atelier.environment | {"FAL_JWKS_URL": keys.url},
        f"{atelier.companion_url}/health",
    )
    person = atelier.marketer()
    told = jobs.submit(person, SCHNELL, {"prompt": "Our account is known from here on"})
    atelier.wait(person, told, "completed")
    assert atelier.provider()["account_id"] == atelier.state()["user_id"]
    yield Scene(atelier, signer, _owed(atelier, person, signer), _owed(atelier, person, signer), child, keys)
    child.stop()


def _owed(atelier: Atelier, person: Person, signer: Signer) -> Call:
    job = jobs.submit(person, SCHNELL, {"prompt": "To be told [sim:lose]"})
    # The worker must not bring what the calls here are not to bring; before its first look is due.
    atelier.rows.execute(
        "update generation_jobs set next_check_at = now() + interval '1 hour' where id = %s", (job.id,)
    )
    atelier.finished_request(job.id)
    return Call(atelier, signer, job.id, atelier.request(job.id)["request_id"])


@pytest.fixture(name="changes_nothing", autouse=True)
def changes_nothing_fixture(request: pytest.FixtureRequest) -> Iterator[None]:
    if "genuine" in request.node.name:
        yield  # the one that is to change something
        return
    scene: Scene = request.getfixturevalue("scene")
    before = scene.everything()
    yield
    assert scene.everything() == before


def forged(scene: Scene) -> int:
    return scene.post(scene.call.body, scene.signed(scene.call.body, forged=True))


def unsigned(scene: Scene) -> int:
    return scene.post(scene.call.body, {})


def truncated(scene: Scene) -> int:
    return scene.post(scene.call.body[:-1], scene.signed(scene.call.body))


def replayed(scene: Scene) -> int:
    return scene.post(scene.call.body, scene.signed(scene.call.body, timestamp=int(time.time()) - 302))


def the_token_of_another_job(scene: Scene) -> int:
    stolen = scene.other.url.rpartition("token=")[2]
    return scene.post(scene.call.body, scene.call.headers, scene.atelier.webhook_url(scene.call.job, stolen))


def deep(opening: bytes, closing_: bytes, times: int) -> bytes:
    return opening * times + b"1" + closing_ * times


EVENT = {
    "object": "event",
    "type": "checkout.session.completed",
    "created": 1_795_262_400,
    "data": {"object": {"id": "cs_test_attack", "object": "checkout.session", "payment_status": "paid"}},
}


def stripe_event() -> str:
    return json.dumps(EVENT | {"id": f"evt_{uuid4().hex}"})


def stripe(scene: Scene, *, sent: bytes | None = None, headers: Headers | None = None, **how: Any) -> int:
    """An event as it should be, but for what is named."""
    body = stripe_event()
    known = {"Stripe-Signature": scene.stripe_signature(body, **how), "Content-Type": "application/json"}
    return scene.post_stripe(body.encode() if sent is None else sent, known if headers is None else headers)
