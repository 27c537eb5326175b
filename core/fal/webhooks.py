"""Is this call from fal.ai? Ed25519 over the raw bytes, as in fal.ai's documentation, "Webhooks".

The signed message is UTF-8 `request id \\n user id \\n timestamp \\n hex(SHA-256(raw body))`, the keys are a JWKS.
fal.ai has one set of keys for all its customers: a valid signature says "fal.ai sent this", not "for our account".
What ties a call to us is the token in the address, the request id and the user id; the caller checks those.
"""

import hashlib
import re
import threading
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from core.errors import WebhookRefused
from core.fal.bodies import MAX_BODY_BYTES, BadBody, decode
from core.fal.client import new_http
from core.log import get_logger
from core.settings import Settings

TOLERANCE_S: Final = 300
KEYS_MAX_AGE_S: Final = 24 * 3600
REFETCH_PAUSE_S: Final = 60
_MAX_KEYS: Final = 20
_MAX_JWKS_BYTES: Final = 100_000

_REQUEST_ID: Final = "x-fal-webhook-request-id"
_USER_ID: Final = "x-fal-webhook-user-id"
_TIMESTAMP: Final = "x-fal-webhook-timestamp"
_SIGNATURE: Final = "x-fal-webhook-signature"
# No line breaks anywhere: they separate the parts of the signed message.
_SHAPES: Final = {
    _REQUEST_ID: re.compile(r"[\x21-\x7e]{1,200}"),
    _USER_ID: re.compile(r"[\x21-\x7e]{1,200}"),
    _TIMESTAMP: re.compile(r"[0-9]{1,12}"),
    _SIGNATURE: re.compile(r"[0-9a-fA-F]{128}"),
}

Headers = Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]]
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class VerifiedCall:
    """What the signature vouches for. `timestamp` in Unix seconds."""

    request_id: str
    user_id: str
    timestamp: int


class WebhookVerifier:
    """Checks calls against fal.ai's keys; safe to share between threads. `clock` gives Unix seconds."""

    def __init__(
        self, settings: Settings, http: httpx.Client | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self._keys = KeySet(settings.fal_jwks_url, http or new_http(), clock)

    def verify(self, raw_body: bytes, headers: Headers) -> VerifiedCall:
        """Who sent these bytes and when. Raises WebhookRefused. Give headers as pairs, so that repeats are seen."""
        if len(raw_body) > MAX_BODY_BYTES:
            raise WebhookRefused("body_too_large")
        values = _read_headers(headers)
        timestamp = int(values[_TIMESTAMP])
        if abs(self._clock() - timestamp) > TOLERANCE_S:
            raise WebhookRefused("too_old_or_too_new")
        digest = hashlib.sha256(raw_body).hexdigest()
        message = "\n".join((values[_REQUEST_ID], values[_USER_ID], values[_TIMESTAMP], digest)).encode()
        signature = bytes.fromhex(values[_SIGNATURE])
        tried = self._keys.current()
        if not _signed_by_any(tried, signature, message):
            fresh = self._keys.refreshed(tried)
            if not fresh:
                raise WebhookRefused("no_keys")
            if fresh == tried or not _signed_by_any(fresh, signature, message):
                raise WebhookRefused("bad_signature")
        return VerifiedCall(values[_REQUEST_ID], values[_USER_ID], timestamp)


class KeySet:
    """fal.ai's public keys: kept for a day, fetched again at most once a minute, kept longer while the host is down."""

    def __init__(self, url: str, http: httpx.Client, clock: Callable[[], float]) -> None:
        self._url, self._http, self._clock = url, http, clock
        self._lock = threading.Lock()
        self._keys: tuple[bytes, ...] = ()
        self._fetched_at = self._tried_at = float("-inf")

    def current(self) -> tuple[bytes, ...]:
        """The keys we have, fetched first when there are none or they are a day old."""
        if not self._keys or self._clock() - self._fetched_at >= KEYS_MAX_AGE_S:
            self._fetch(wait=not self._keys)
        return self._keys

    def refreshed(self, seen: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """Keys for a signature that those already seen do not fit: newer ones, if there are any."""
        if self._keys == seen:
            self._fetch(wait=True)
        return self._keys

    def _fetch(self, wait: bool) -> None:
        """One thread fetches; the others wait for it, or go on with the keys they have."""
        if not self._lock.acquire(blocking=wait):
            return
        try:
            # Whoever has waited finds the pause running and takes what the other one fetched.
            if self._clock() - self._tried_at >= REFETCH_PAUSE_S:
                self._tried_at = self._clock()
                self._keep(self._http.get(self._url, timeout=5.0, follow_redirects=False))
        except httpx.HTTPError as error:
            log.warning("fal_keys_unreachable", error_class=type(error).__name__, keys_kept=len(self._keys))
        finally:
            self._lock.release()

    def _keep(self, response: httpx.Response) -> None:
        keys = _read_jwks(response.content) if response.status_code == 200 else ()
        if keys:
            self._keys, self._fetched_at = keys, self._clock()
        else:
            log.warning("fal_keys_unusable", status=response.status_code, keys_kept=len(self._keys))


def parse_call(raw: bytes) -> dict[str, Any]:
    """The JSON object in a verified body. Raises WebhookRefused."""
    try:
        body = decode(raw)
    except BadBody as error:
        raise WebhookRefused("body_too_large" if len(raw) > MAX_BODY_BYTES else "bad_body") from error
    if not isinstance(body, dict):
        raise WebhookRefused("bad_body")
    return body


def _read_headers(headers: Headers) -> dict[str, str]:
    """Our four headers, each there once and in shape."""
    found: dict[str, str] = {}
    for raw_name, raw_value in headers.items() if isinstance(headers, Mapping) else headers:
        name = (raw_name.decode("latin-1") if isinstance(raw_name, bytes) else raw_name).lower()
        if name in _SHAPES:
            if name in found:
                raise WebhookRefused("duplicate_header")
            found[name] = raw_value.decode("latin-1") if isinstance(raw_value, bytes) else raw_value
    for name, shape in _SHAPES.items():
        if name not in found:
            raise WebhookRefused("missing_header")
        if not shape.fullmatch(found[name]):
            raise WebhookRefused("bad_header")
    return found


def _signed_by_any(keys: tuple[bytes, ...], signature: bytes, message: bytes) -> bool:
    return any(_signed_by(key, signature, message) for key in keys)


def _signed_by(key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _read_jwks(raw: bytes) -> tuple[bytes, ...]:
    """The Ed25519 keys in a JWKS (RFC 8037): `{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": base64url}]}`.

    Padding is allowed: fal.ai's live key set has it.
    """
    try:
        body = decode(raw, limit=_MAX_JWKS_BYTES)
    except BadBody:
        return ()
    listed = body.get("keys") if isinstance(body, dict) else None
    keys = (_read_jwk(jwk) for jwk in listed[:_MAX_KEYS]) if isinstance(listed, list) else ()
    return tuple(key for key in keys if key)


def _read_jwk(jwk: Any) -> bytes | None:
    if not isinstance(jwk, dict) or jwk.get("kty") != "OKP" or jwk.get("crv") != "Ed25519":
        return None
    x = jwk.get("x")
    if not isinstance(x, str) or not re.fullmatch(r"[A-Za-z0-9_-]{43}=?", x):
        return None
    key = urlsafe_b64decode(x.rstrip("=") + "=")
    return key if len(key) == 32 else None
