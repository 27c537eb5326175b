"""Webhooks as fal sends them: signed, retried, and here also lost, repeated, late or forged on request.

Protocol: fal's "Webhooks" page. The signature is Ed25519 over `request id \\n user id \\n timestamp \\n
hex(sha256(body))`; the public keys are a JWKS. Unlike fal, loopback and private targets are allowed.
"""

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from local.fal.behaviour import Behaviour
from local.fal.records import QueuedRequest
from local.fal.store import Store

ACCOUNT_USER_ID = "google-oauth2|104729000000000000001"
MAX_TRIES = 10
FIRST_WAIT_S = 15.0
LONGEST_WAIT_S = 1800.0
REPEAT_GAP_S = 2.0
_TIMEOUT_FIRST_S, _TIMEOUT_LATER_S = 15.0, 120.0
_KEPT_DELIVERIES = 40
_NOT_SERIALISABLE = (
    "Response payload is not JSON serializable. Either return a JSON serializable object or use the queue endpoint to"
    " retrieve the response."
)


class Signer:
    """Holds fal's signing key, made once and kept in `folder`, and a decoy that signs nothing."""

    def __init__(self, folder: Path) -> None:
        self._key = _kept_key(folder / "signing_key.pem")
        self._decoy = _kept_key(folder / "decoy_key.pem")
        self._stranger = Ed25519PrivateKey.generate()

    def jwks(self) -> dict[str, Any]:
        """The decoy comes first: who tries only the first key fails."""
        keys = (self._decoy.public_key(), self._key.public_key())
        return {"keys": [_jwk(key, f"fal-webhook-{number}") for number, key in enumerate(keys, 1)]}

    def headers(
        self,
        request_id: str,
        body: bytes,
        *,
        user_id: str = ACCOUNT_USER_ID,
        timestamp: int | None = None,
        forged: bool = False,
    ) -> dict[str, str]:
        """The four headers; `forged` signs with a key that is not in the JWKS."""
        sent_at = str(int(time.time()) if timestamp is None else timestamp)
        message = "\n".join((request_id, user_id, sent_at, hashlib.sha256(body).hexdigest())).encode()
        key = self._stranger if forged else self._key
        return {
            "X-Fal-Webhook-Request-Id": request_id,
            "X-Fal-Webhook-User-Id": user_id,
            "X-Fal-Webhook-Timestamp": sent_at,
            "X-Fal-Webhook-Signature": key.sign(message).hex(),
        }


def webhook_body(request: QueuedRequest) -> bytes:
    """The JSON that tells how a completed request ended."""
    content: dict[str, Any] = {
        "request_id": request.request_id,
        "gateway_request_id": request.gateway_request_id,
        "status": "OK",
        "payload": request.body,
    }
    if request.status_code != 200:
        content |= {"status": "ERROR", "error": f"Invalid status code: {request.status_code}"}
    elif "unserialisable" in request.quirks:
        content |= {"payload": None, "payload_error": _NOT_SERIALISABLE}
    return json.dumps(content).encode()


class Courier:
    """Delivers webhooks, one task for each request that is owed one."""

    def __init__(self, signer: Signer, store: Store, behaviour: Callable[[], Behaviour]) -> None:
        self._signer = signer
        self._store = store
        self._behaviour = behaviour
        self._client = httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_connections=50))
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def close(self) -> None:
        """Stop; what is still owed is delivered after the next start."""
        self.forget()
        await self._client.aclose()

    def forget(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()

    @property
    def open_deliveries(self) -> int:
        return len(self._tasks)

    def deliver(self, request: QueuedRequest) -> None:
        """Begin to deliver the verdict of a completed request to the URL that it was submitted with."""
        task = asyncio.create_task(self._deliver(request))
        self._tasks[request.request_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(request.request_id, None))

    async def _deliver(self, request: QueuedRequest) -> None:
        quirks = request.quirks
        if "lose" in quirks:
            self._note(request, "lost", None)
        else:
            await asyncio.sleep(float(quirks.get("delay", 0)))
            if "forge" in quirks:
                await self.send(request, kind="forged", forged=True)
            if await self._send_until_acknowledged(request):
                for _ in range(int(float(quirks.get("repeat", 1))) - 1):
                    await asyncio.sleep(REPEAT_GAP_S * self._behaviour().time_factor)
                    await self.send(request, kind="repeat")
        request.webhook_settled = True
        self._store.save(request)

    async def _send_until_acknowledged(self, request: QueuedRequest) -> bool:
        wait = FIRST_WAIT_S
        for attempt in range(1, MAX_TRIES + 1):
            timeout = _TIMEOUT_FIRST_S if attempt == 1 else _TIMEOUT_LATER_S
            status = await self.send(request, kind=f"try {attempt}", timeout=timeout)
            if status is not None and 200 <= status < 300:
                return True
            if status is not None and 300 <= status < 400:
                return False  # fal takes a redirect for a permanent failure
            await asyncio.sleep(wait * self._behaviour().time_factor)
            wait = min(wait * 2, LONGEST_WAIT_S)
        return False

    async def send(
        self,
        request: QueuedRequest,
        *,
        kind: str,
        url: str | None = None,
        user_id: str = ACCOUNT_USER_ID,
        timestamp: int | None = None,
        forged: bool = False,
        timeout: float = _TIMEOUT_FIRST_S,
    ) -> int | None:
        """Send it once. Returns the status of the answer, or None when there was no answer."""
        body = webhook_body(request)
        headers = self._signer.headers(
            request.request_id, body, user_id=user_id, timestamp=timestamp, forged=forged
        ) | {"Content-Type": "application/json"}
        request.webhooks_sent += 1
        try:
            answer = await self._client.post(
                url or request.webhook_url or "", content=body, headers=headers, timeout=timeout
            )
            status: int | None = answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL):
            status = None  # noted below; the next try is the remedy
        if status is not None and 200 <= status < 300 and not forged:
            request.webhooks_acknowledged += 1
        self._note(request, kind, status)
        return status

    def _note(self, request: QueuedRequest, kind: str, status: int | None) -> None:
        request.deliveries.append({"at": time.time(), "kind": kind, "status": status})
        del request.deliveries[:-_KEPT_DELIVERIES]
        self._store.save(request)


def _kept_key(path: Path) -> Ed25519PrivateKey:
    if path.exists():
        kept = serialization.load_pem_private_key(path.read_bytes(), password=None)
        assert isinstance(kept, Ed25519PrivateKey)
        return kept
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.touch(mode=0o600)
    path.write_bytes(pem)
    return key


def _jwk(key: Ed25519PublicKey, name: str) -> dict[str, str]:
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    # RFC 8037 wants no padding; fal's live document has it, so readers must cope.
    return {"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": name, "x": base64.urlsafe_b64encode(raw).decode()}
