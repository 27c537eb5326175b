"""What `APP_SECRET` protects: sealed bytes at rest and the token in a webhook's address.

Each use has a key of its own, derived from the secret with HKDF-SHA256 (RFC 5869) and the name of the purpose, so that
what was made for one purpose is worthless for another. `APP_SECRET` may hold several secrets, comma separated: the
first one makes, all of them open, which is how a secret is replaced without ending sessions or losing webhooks.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from functools import lru_cache
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.settings import get_settings


def _derive(secret: str, purpose: str) -> bytes:
    """32 bytes for one purpose."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"atelier/{purpose}".encode()).derive(secret.encode())


class Keyring:
    """The current secret and the earlier ones."""

    def __init__(self, secrets: Sequence[str]) -> None:
        if not secrets:
            raise ValueError("A keyring needs at least one secret.")
        self._secrets = tuple(secrets)
        self._token_keys = tuple(_derive(secret, "webhook-token") for secret in self._secrets)

    def _box(self, purpose: str) -> MultiFernet:
        return MultiFernet([Fernet(urlsafe_b64encode(_derive(secret, f"seal/{purpose}"))) for secret in self._secrets])

    def seal(self, data: bytes, purpose: str) -> str:
        """Encrypted and authenticated (Fernet), as ASCII text."""
        return self._box(purpose).encrypt(data).decode("ascii")

    def unseal(self, sealed: str, purpose: str) -> bytes | None:
        """What was sealed for this purpose; None for what is damaged, of another purpose or secret."""
        try:
            return self._box(purpose).decrypt(sealed.encode("utf-8", "replace"))
        except InvalidToken:
            return None

    def token_for(self, job_id: UUID | str) -> str:
        """HMAC-SHA256 of the job's id, 64 hex digits: proves that we made the webhook address which carries it."""
        return _sign(self._token_keys[0], job_id)

    def token_matches(self, job_id: UUID | str, token: str) -> bool:
        """Whether one of the secrets made this token; takes the same time whichever it is."""
        given = token.encode("utf-8", "replace")
        matches = [hmac.compare_digest(_sign(key, job_id).encode(), given) for key in self._token_keys]
        return any(matches)


def _sign(key: bytes, job_id: UUID | str) -> str:
    return hmac.new(key, str(job_id).lower().encode("utf-8", "replace"), hashlib.sha256).hexdigest()


@lru_cache(maxsize=4)
def _keyring(secrets: tuple[str, ...]) -> Keyring:
    return Keyring(secrets)


def keyring() -> Keyring:
    """The keyring of this process's settings."""
    return _keyring(get_settings().app_secrets)


def seal(data: bytes, purpose: str) -> str:
    """`Keyring.seal` with the keyring of this process."""
    return keyring().seal(data, purpose)


def unseal(sealed: str, purpose: str) -> bytes | None:
    """`Keyring.unseal` with the keyring of this process."""
    return keyring().unseal(sealed, purpose)


def token_for(job_id: UUID | str) -> str:
    """`Keyring.token_for` with the keyring of this process."""
    return keyring().token_for(job_id)


def token_matches(job_id: UUID | str, token: str) -> bool:
    """`Keyring.token_matches` with the keyring of this process."""
    return keyring().token_matches(job_id, token)


def hash_cookie(value: str) -> str:
    """SHA-256 of a session cookie, 64 hex digits: what the database keeps in its place.

    A cookie is 256 random bits, so a plain hash cannot be reversed by guessing, and it survives a change of secret.
    """
    return hashlib.sha256(b"atelier/session-cookie\0" + value.encode("utf-8", "replace")).hexdigest()
