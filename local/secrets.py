"""The secrets of one machine: made once, kept in `secrets.json` (mode 600), never printed but for the demo sign-ins."""

import base64
import fcntl
import hashlib
import json
import os
import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from local.errors import LocalError

FILE_NAME = "secrets.json"

# What Supabase hashes into the last eight characters of a key, so that a mistyped key is refused without a lookup.
_KEY_PROJECT = "supabase-self-hosted"


def api_key(kind: str) -> str:
    """A Supabase API key: `sb_<kind>_<22 random characters>_<8 of checksum>`; `kind` is `publishable` or `secret`."""
    body = f"sb_{kind}_{secrets.token_urlsafe(17)[:22]}"
    digest = hashlib.sha256(f"{_KEY_PROJECT}|{body}".encode()).digest()
    return f"{body}_{base64.urlsafe_b64encode(digest).decode()[:8]}"


def password() -> str:
    """Sixteen letters and digits: strong, and easy to copy from a terminal with a double click."""
    alphabet = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    return "".join(secrets.choice(alphabet) for _ in range(16))


@dataclass(frozen=True)
class Secrets:
    """Every secret of the local stack. `demo_passwords` maps an email of `local.people` to its password."""

    app_secret: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    postgres_password: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    jwt_secret: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    publishable_key: str = field(default_factory=lambda: api_key("publishable"))
    secret_key: str = field(default_factory=lambda: api_key("secret"))
    fal_key: str = field(default_factory=lambda: f"local-{secrets.token_hex(8)}:{secrets.token_hex(16)}")
    fal_admin_key: str = field(default_factory=lambda: f"local-admin-{secrets.token_hex(8)}:{secrets.token_hex(16)}")
    stripe_secret_key: str = field(default_factory=lambda: f"sk_test_local{secrets.token_hex(16)}")
    stripe_webhook_secret: str = field(default_factory=lambda: f"whsec_{secrets.token_hex(16)}")
    demo_passwords: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return "Secrets(…)"


def load(path: Path, emails: tuple[str, ...] = ()) -> Secrets:
    """Read the secrets, making those that are missing. Raises `LocalError` when the file is not what it should be.

    One process at a time: `status` may ask in the very moment in which the first `run` makes them.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    turn = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(turn, fcntl.LOCK_EX)  # until it is closed
        return _load(path, emails)
    finally:
        os.close(turn)


def _load(path: Path, emails: tuple[str, ...]) -> Secrets:
    stored: dict[str, Any] = {}
    if path.exists():
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            names = {each.name for each in fields(Secrets)}
            known = Secrets(**{name: value for name, value in stored.items() if name in names})
        except (ValueError, TypeError, AttributeError) as error:
            raise LocalError(
                f"{path} is damaged ({error}): put it back, or remove it and run `make db-reset`."
            ) from error
    else:
        known = Secrets()
    passwords = {email: known.demo_passwords.get(email) or password() for email in emails}
    complete = asdict(known) | {"demo_passwords": known.demo_passwords | passwords}
    if complete != stored:
        _write(path, complete)
    return Secrets(**complete)


def _write(path: Path, values: dict[str, object]) -> None:
    """One rename, so that no reader sees half a file; readable by its owner only from its first byte."""
    draft = path.with_suffix(".tmp")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(values, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
