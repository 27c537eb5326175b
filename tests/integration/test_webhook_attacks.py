"""Everything that somebody could send to the webhook addresses, against a real companion over real HTTP.

Whatever it is: the status says no, the inbox gets no row, no job and no credit moves, and it costs the companion less
than a call that it believes. `impatient_companion` is the companion with seconds instead of minutes of patience.
"""

import gzip
import hashlib
import hmac
import json
import socket
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import httpx
import psutil  # type: ignore[import-untyped]
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from stripe import WebhookSignature

from core import jobs
from core.models import Person
from core.request_body import LARGEST_BODY
from core.stripe_webhook import LARGEST_EVENT
from local.fal.webhooks import Signer
from local.ports import HOST
from local.processes import Child
from tests.conftest import Serve
from tests.integration.atelier import SCHNELL, Atelier, Row
from tests.integration.impatient_companion import REFETCH_PAUSE_S
from tests.integration.test_fal_webhook import Call

Headers = Mapping[str, str] | Sequence[tuple[str, str]]
NAME = "X-Fal-Webhook-"
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


@pytest.fixture(scope="module")
def signer(stack_directory: Path, fal: object) -> Signer:
    """fal.ai's own signing key."""
    del fal  # has made it
    return Signer(stack_directory / "fal")


@pytest.fixture(scope="module")
def keys(signer: Signer) -> Iterator[KeyHost]:
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


@pytest.fixture(scope="module")
def scene(atelier: Atelier, signer: Signer, keys: KeyHost, serve: Serve) -> Iterator[Scene]:
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
    atelier.finished_request(job.id)
    # The worker must not bring what the calls here are not to bring.
    atelier.rows.execute(
        "update generation_jobs set next_check_at = now() + interval '1 hour' where id = %s", (job.id,)
    )
    return Call(atelier, signer, job.id, atelier.request(job.id)["request_id"])


@pytest.fixture(autouse=True)
def _changes_nothing(request: pytest.FixtureRequest) -> Iterator[None]:
    if "genuine" in request.node.name:
        yield  # the one that is to change something
        return
    scene: Scene = request.getfixturevalue("scene")
    before = scene.everything()
    yield
    assert scene.everything() == before


# --- fal.ai ----------------------------------------------------------------------------------------------------------


def forged(scene: Scene) -> int:
    return scene.post(scene.call.body, scene.signed(scene.call.body, forged=True))


def unsigned(scene: Scene) -> int:
    return scene.post(scene.call.body, {})


def truncated(scene: Scene) -> int:
    return scene.post(scene.call.body[:-1], scene.signed(scene.call.body))


def lengthened(scene: Scene) -> int:
    return scene.post(scene.call.body + b" ", scene.signed(scene.call.body))


def replayed(scene: Scene) -> int:
    return scene.post(scene.call.body, scene.signed(scene.call.body, timestamp=int(time.time()) - 302))


def from_the_future(scene: Scene) -> int:
    return scene.post(scene.call.body, scene.signed(scene.call.body, timestamp=int(time.time()) + 310))


def replayed_under_a_new_time(scene: Scene) -> int:
    old = scene.signed(scene.call.body, timestamp=int(time.time()) - 400)
    return scene.post(scene.call.body, old | {f"{NAME}Timestamp": str(int(time.time()))})


def another_account(scene: Scene) -> int:
    return scene.post(scene.call.body, scene.signed(scene.call.body, user_id="google-oauth2|999"))


def another_account_in_the_header_alone(scene: Scene) -> int:
    theirs = scene.signed(scene.call.body, user_id="google-oauth2|999")
    ours = scene.signed(scene.call.body)[f"{NAME}User-Id"]
    return scene.post(scene.call.body, theirs | {f"{NAME}User-Id": ours})


def the_token_of_another_job(scene: Scene) -> int:
    stolen = scene.other.url.rpartition("token=")[2]
    return scene.post(scene.call.body, scene.call.headers, scene.atelier.webhook_url(scene.call.job, stolen))


def two_jobs_in_one_address(scene: Scene) -> int:
    """A right pair, then another job: which of them is checked and which is used?"""
    return scene.post(scene.call.body, scene.call.headers, f"{scene.other.url}&job={scene.call.job}")


def the_request_of_another_job(scene: Scene) -> int:
    return scene.post(scene.other.body, scene.other.signed(scene.other.body))


def another_request_in_the_body(scene: Scene) -> int:
    return scene.post(scene.other.body, scene.signed(scene.other.body))


def wrong_content_type(scene: Scene, declared: str) -> int:
    return scene.post(scene.call.body, scene.call.signed(scene.call.body) | {"Content-Type": declared})


def twice(scene: Scene, name: str) -> int:
    headers = scene.call.signed(scene.call.body)
    return scene.post(scene.call.body, [*headers.items(), (f"{NAME}{name}", headers[f"{NAME}{name}"])])


def message_of(headers: Mapping[str, str], body: bytes) -> bytes:
    parts = [headers[f"{NAME}{name}"] for name in ("Request-Id", "User-Id", "Timestamp")]
    return "\n".join([*parts, hashlib.sha256(body).hexdigest()]).encode()


def signed_otherwise(scene: Scene, sign: Callable[[bytes], bytes]) -> int:
    """64 bytes made by another algorithm than Ed25519, as long as one of its signatures."""
    headers = scene.signed(scene.call.body)
    signature = sign(message_of(headers, scene.call.body))
    assert len(signature) == 64
    return scene.post(scene.call.body, headers | {f"{NAME}Signature": signature.hex()})


def by_hmac_with(key: bytes) -> Callable[[bytes], bytes]:
    return lambda message: hmac.new(key, message, hashlib.sha512).digest()


def by_ecdsa(message: bytes) -> bytes:
    r, s = utils.decode_dss_signature(FOREIGN.sign(message, ec.ECDSA(SHA256())))
    return r.to_bytes(32) + s.to_bytes(32)


def with_the_public_key_as_secret(scene: Scene) -> int:
    x = scene.signer.jwks()["keys"][1]["x"]
    return signed_otherwise(scene, by_hmac_with(x.encode()))


def with_an_algorithm_named(scene: Scene) -> int:
    headers = scene.signed(scene.call.body, forged=True)
    return scene.post(scene.call.body, headers | {f"{NAME}Algorithm": "none", "Algorithm": "none"})


def malleable(scene: Scene) -> int:
    """The same signature with its scalar raised by the order of the group (RFC 8032, 5.1.7: must be refused)."""
    order = 2**252 + 27742317777372353535851937790883648493
    headers = scene.signed(scene.call.body)
    raw = bytes.fromhex(headers[f"{NAME}Signature"])
    raised = (int.from_bytes(raw[32:], "little") + order).to_bytes(32, "little")
    return scene.post(scene.call.body, headers | {f"{NAME}Signature": (raw[:32] + raised).hex()})


def signed_by_fal(scene: Scene, body: bytes, **more: str) -> int:
    return scene.post(body, scene.signed(body) | more)


def deep(opening: bytes, closing_: bytes, times: int) -> bytes:
    return opening * times + b"1" + closing_ * times


FAL: dict[str, tuple[int, Callable[[Scene], int]]] = {
    "forged": (401, forged),
    "unsigned": (401, unsigned),
    "truncated": (401, truncated),
    "lengthened": (401, lengthened),
    "replayed after 300 s": (401, replayed),
    "replayed under a new time": (401, replayed_under_a_new_time),
    "future-dated": (401, from_the_future),
    "re-signed for another fal account": (401, another_account),
    "another account, our id in the header": (401, another_account_in_the_header_alone),
    "the token of another job": (401, the_token_of_another_job),
    "two jobs in one address": (401, two_jobs_in_one_address),
    "right token, request of another job": (401, the_request_of_another_job),
    "right token, another request in the body": (401, another_request_in_the_body),
    "plain text": (415, lambda scene: wrong_content_type(scene, "text/plain")),
    "a form": (415, lambda scene: wrong_content_type(scene, "application/x-www-form-urlencoded")),
    "a multipart form": (415, lambda scene: wrong_content_type(scene, "multipart/form-data; boundary=x")),
    "request id twice": (401, lambda scene: twice(scene, "Request-Id")),
    "user id twice": (401, lambda scene: twice(scene, "User-Id")),
    "timestamp twice": (401, lambda scene: twice(scene, "Timestamp")),
    "signature twice": (401, lambda scene: twice(scene, "Signature")),
    "HMAC with a listed symmetric key": (401, lambda scene: signed_otherwise(scene, by_hmac_with(SHARED_SECRET))),
    "HMAC with the public key": (401, with_the_public_key_as_secret),
    "ECDSA with a listed key": (401, lambda scene: signed_otherwise(scene, by_ecdsa)),
    "no signature at all, as bytes": (401, lambda scene: signed_otherwise(scene, lambda _: bytes(64))),
    "an algorithm named in a header": (401, with_an_algorithm_named),
    "a malleable signature": (401, malleable),
    "signed: not UTF-8": (401, lambda scene: signed_by_fal(scene, b'{"status": "OK", "x": "\xff\xfe"}')),
    "signed: a deep list": (401, lambda scene: signed_by_fal(scene, deep(b"[", b"]", 500_000))),
    "signed: a deep object": (401, lambda scene: signed_by_fal(scene, deep(b'{"a":', b"}", 500_000))),
    "signed: not JSON": (401, lambda scene: signed_by_fal(scene, b"status=OK")),
    "signed: a compression bomb": (
        401,
        lambda scene: signed_by_fal(scene, gzip.compress(bytes(200_000_000)), **{"Content-Encoding": "gzip"}),
    ),
}


@pytest.mark.parametrize("attack", FAL)
def test_fal_attack(scene: Scene, attack: str) -> None:
    status, attempt = FAL[attack]
    assert attempt(scene) == status


# --- Stripe ----------------------------------------------------------------------------------------------------------

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


def stripe_signed(scene: Scene, body: bytes) -> int:
    secret, now = scene.atelier.environment["STRIPE_WEBHOOK_SECRET"], int(time.time())
    signature = hmac.new(secret.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    return scene.post_stripe(body, {"Stripe-Signature": f"t={now},v1={signature}"})


def stripe_header(scene: Scene, change: Callable[[str], str]) -> int:
    body = stripe_event()
    changed = change(scene.stripe_signature(body)).encode("latin-1")
    return scene.atelier.http.post(
        scene.stripe_url, content=body.encode(), headers=[(b"Stripe-Signature", changed)]
    ).status_code


def stripe_twice(scene: Scene) -> int:
    body = stripe_event()
    header = scene.stripe_signature(body)
    return scene.post_stripe(body.encode(), [("Stripe-Signature", "t=1,v1=0"), ("Stripe-Signature", header)])


def stripe_by_sha512(scene: Scene) -> int:
    body, now = stripe_event(), int(time.time())
    secret = scene.atelier.environment["STRIPE_WEBHOOK_SECRET"].encode()
    signature = hmac.new(secret, f"{now}.{body}".encode(), hashlib.sha512).hexdigest()
    return scene.post_stripe(body.encode(), {"Stripe-Signature": f"t={now},v1={signature}"})


STRIPE: dict[str, tuple[int, Callable[[Scene], int]]] = {
    "forged": (401, lambda scene: stripe(scene, secret="whsec_somebody_elses_0123456789")),
    "signed with an empty secret": (401, lambda scene: stripe(scene, secret=" ")),
    "unsigned": (401, lambda scene: stripe(scene, headers={})),
    "truncated": (401, lambda scene: stripe(scene, sent=stripe_event().encode()[:-1])),
    "replayed after 300 s": (401, lambda scene: stripe(scene, age=302)),
    "future-dated": (401, lambda scene: stripe(scene, age=-310)),
    "replayed under a new time": (
        401,
        lambda scene: stripe_header(scene, lambda known: f"t={int(time.time()) + 1},{known.partition(',')[2]}"),
    ),
    "two times": (401, lambda scene: stripe_header(scene, lambda known: f"t=1,{known}")),
    "an older scheme": (401, lambda scene: stripe_header(scene, lambda known: known.replace("v1=", "v0="))),
    "SHA-512 instead of SHA-256": (401, stripe_by_sha512),
    "a signature that is not ASCII": (401, lambda scene: stripe_header(scene, lambda known: known[:-1] + "\xe9")),
    "header twice": (401, stripe_twice),
    "fal.ai's signature": (
        401,
        lambda scene: scene.post_stripe(stripe_event().encode(), scene.signed(stripe_event().encode())),
    ),
    "signed: not UTF-8": (401, lambda scene: stripe_signed(scene, b'{"object": "event", "x": "\xff"}')),
    "signed: a deep list": (400, lambda scene: stripe_signed(scene, deep(b"[", b"]", 200_000))),
    "signed: an endless number": (400, lambda scene: stripe_signed(scene, b'{"created": ' + b"9" * 9000 + b"}")),
    "signed: not JSON": (400, lambda scene: stripe_signed(scene, b"object=event")),
    "a form": (
        415,
        lambda scene: stripe(scene, headers={"Stripe-Signature": "t=1,v1=0", "Content-Type": "text/plain"}),
    ),
    "a large body": (
        413,
        lambda scene: stripe(scene, sent=bytes(LARGEST_EVENT + 1), headers={"Stripe-Signature": "t=1,v1=0"}),
    ),
}


@pytest.mark.parametrize("attack", STRIPE)
def test_stripe_attack(scene: Scene, attack: str) -> None:
    status, attempt = STRIPE[attack]
    assert attempt(scene) == status


# --- What attacks cost -----------------------------------------------------------------------------------------------


def connect(scene: Scene, path: str, headers: Mapping[str, str], length: int) -> socket.socket:
    """A POST whose head is sent and whose body is still to come."""
    address = httpx.URL(scene.atelier.companion_url)
    known = {"Host": address.netloc.decode(), "Content-Length": str(length), "Content-Type": "application/json"}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in {**known, **headers}.items())]
    opened = socket.create_connection((address.host, address.port or 80), timeout=60)
    opened.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    return opened


def answered(opened: socket.socket) -> int:
    """The status that comes back, 0 when the connection just ends."""
    with closing(opened):
        try:
            line = opened.recv(4096).split(b"\r\n")[0]
        except ConnectionResetError:
            return 0
    return int(line.split()[1]) if line else 0


def path_of(scene: Scene) -> str:
    return scene.url.removeprefix(scene.atelier.companion_url)


def test_slow_bodies_are_given_up_and_hold_nobody_up(scene: Scene) -> None:
    fal = [connect(scene, path_of(scene), scene.call.headers, 1000) for _ in range(20)]
    stripe_ones = [connect(scene, "/webhooks/stripe", {"Stripe-Signature": "t=1,v1=0"}, 1000) for _ in range(20)]
    for opened in [*fal, *stripe_ones]:
        opened.sendall(b'{"a"')
    assert forged(scene) == 401  # others are answered meanwhile
    assert [answered(opened) for opened in [*fal, *stripe_ones]] == [408] * 40


def test_a_caller_who_hangs_up_leaves_nothing_behind(scene: Scene) -> None:
    log = scene.companion.log
    start = log.stat().st_size
    for _ in range(5):
        opened = connect(scene, path_of(scene), scene.call.headers, 1000)
        opened.sendall(scene.call.body[:10])
        opened.close()
    deadline = time.monotonic() + 30
    while (told := log.read_bytes()[start:].decode()).count("cut off") < 5:
        assert time.monotonic() < deadline, told
        time.sleep(0.05)
    assert "Traceback" not in told


def test_huge_bodies_are_not_held(scene: Scene) -> None:
    """What is sent altogether is many times what the companion grows by."""
    count, size = 24, LARGEST_BODY
    before = scene.process.memory_info().rss

    def flood(url: str, headers: Mapping[str, str]) -> int:
        def pieces() -> Iterator[bytes]:
            for _ in range(size // 65536 + 2):
                yield bytes(65536)

        try:
            return httpx.post(url, content=pieces(), headers=headers, timeout=60).status_code
        except httpx.TransportError:
            return 0  # it hung up on us before we were through

    with ThreadPoolExecutor(count) as pool:
        no_token = scene.atelier.webhook_url(scene.call.job, "0" * 64)
        kinds: list[tuple[str, Mapping[str, str], set[int]]] = [
            (no_token, scene.call.headers, {401, 0}),
            (scene.url, scene.call.headers, {413, 503, 0}),
            (scene.stripe_url, {"Stripe-Signature": "t=1,v1=0"}, {413, 503, 0}),
        ]
        for url, headers, allowed in kinds:
            assert set(pool.map(lambda _: flood(url, headers), range(count))) <= allowed  # noqa: B023
    grown = scene.process.memory_info().rss - before
    assert grown < 3 * count * size / 4, f"{grown / 2**20:.0f} MB"


def test_a_flood_of_unknown_keys_asks_for_the_keys_once_in_a_while(scene: Scene) -> None:
    asked, started = scene.keys.asked, time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: forged(scene), range(200)))
    assert set(statuses) == {401}
    assert scene.keys.asked - asked <= 1 + (time.monotonic() - started) / REFETCH_PAUSE_S


def test_the_genuine_call_is_believed_all_the_same_and_costs_more(scene: Scene) -> None:
    """Seconds of processor that the companion spends: on calls that it believes, and on as many that it does not."""

    def cost(send: Callable[[], int], expected: int) -> float:
        before = sum(scene.process.cpu_times()[:2])
        assert {send() for _ in range(100)} == {expected}
        spent: float = sum(scene.process.cpu_times()[:2]) - before
        return spent

    def genuine() -> int:
        return scene.post(scene.call.body, scene.call.signed(scene.call.body))

    assert genuine() == 200
    assert scene.atelier.row(scene.call.job)["status"] == "completed"
    assert stripe(scene) == 200  # about a session that is not ours: kept, and nothing is granted for it
    believed = cost(genuine, 200)
    for refused in (forged, replayed, the_token_of_another_job):
        assert cost(lambda: refused(scene), 401) <= believed * 1.5  # noqa: B023
