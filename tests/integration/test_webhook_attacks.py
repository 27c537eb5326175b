"""Everything that somebody could send to the webhook addresses, against a real companion over real HTTP.

Whatever it is: the status says no, the inbox gets no row, no job and no credit moves, and it costs the companion less
than a call that it believes. `impatient_companion` is the companion with seconds instead of minutes of patience.
"""

import gzip
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from tests.integration.attack_scene import (
    FOREIGN,
    SHARED_SECRET,
    Scene,
    changes_nothing_fixture,  # noqa: F401
    deep,
    forged,
    keys_fixture,  # noqa: F401
    replayed,
    scene_fixture,  # noqa: F401
    signer_fixture,  # noqa: F401
    the_token_of_another_job,
    truncated,
    unsigned,
)

NAME = "X-Fal-Webhook-"


def lengthened(scene: Scene) -> int:
    return scene.post(scene.call.body + b" ", scene.signed(scene.call.body))


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
