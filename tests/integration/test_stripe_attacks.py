"""Calls that pretend to be Stripe's: refused, no row, nothing changes."""

import hashlib
import hmac
import time
from collections.abc import Callable

import pytest

from core.stripe_webhook import LARGEST_EVENT
from tests.integration.attack_scene import (
    Scene,
    changes_nothing_fixture,  # noqa: F401
    deep,
    keys_fixture,  # noqa: F401
    scene_fixture,  # noqa: F401
    signer_fixture,  # noqa: F401
    stripe,
    stripe_event,
)


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
