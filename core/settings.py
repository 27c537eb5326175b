"""One frozen object for everything that is configured, read from the environment and `.env`.

The real environment wins over `.env`; an empty value counts as not set. Every setting is documented in `.env.example`,
and a test compares the two through `ENVIRONMENT_NAMES`. With `APP_ENV=production` a missing, default or short secret
stops the start with one line that names it.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, Literal, cast
from urllib.parse import urlsplit

from dotenv import dotenv_values

from core.errors import SettingsError

ENV_FILE: Final = Path(__file__).resolve().parent.parent / ".env"
LOCAL_APP_SECRET: Final = "local-development-only-never-use-this-in-production"
# What a command says that is run where the settings of the two processes are not.
WITHOUT_DATABASE: Final = "SUPABASE_URL and SUPABASE_SECRET_KEY are not set here."
MINIMUM_APP_SECRET: Final = 32  # characters
MINIMUM_SECRET: Final = 16  # characters, for the keys that others issue
_PLACEHOLDER = re.compile(r"change.?me|placeholder|example|local-development|your[-_ ]|^<.*>$", re.IGNORECASE)
_SINGLE_SIGN_ON = ("oidc_metadata_url", "oidc_client_id", "oidc_client_secret", "oidc_provider")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def _text(_name: str, raw: str) -> str:
    return raw


def _secret(name: str, raw: str) -> str:
    """Keys travel in HTTP headers: a character that cannot is a slip of copy and paste."""
    if not raw.isascii() or not raw.isprintable():
        raise SettingsError(f"{name} holds a character that cannot be part of a key. Copy it again.")
    return raw


def _environment(name: str, raw: str) -> str:
    if raw not in ("local", "production"):
        raise SettingsError(f"{name} must be local or production, not {raw!r}.")
    return raw


def _port(name: str, raw: str) -> int:
    return _integer(name, raw, 1, 65535)


def _count(name: str, raw: str) -> int:
    return _integer(name, raw, 0, 1_000_000)


def _integer(name: str, raw: str, minimum: int, maximum: int) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", raw) or not minimum <= int(raw) <= maximum:
        raise SettingsError(f"{name} must be a whole number from {minimum} to {maximum}, not {raw!r}.")
    return int(raw)


def _url(name: str, raw: str) -> str:
    """An http(s) address without a trailing slash. The value itself is not repeated: it may hold a secret."""
    try:
        parts = urlsplit(raw)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or parts.username or parts.password or parts.fragment or re.search(r"\s", raw):
        raise SettingsError(f"{name} must be an address such as https://host.example/path.")
    return raw.rstrip("/")


def _list(_name: str, raw: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in raw.split(",") if part.strip())


def _provider(name: str, raw: str) -> str:
    if raw and not re.fullmatch(r"[a-z][a-z0-9_]*|custom:[a-z0-9:-]+", raw):
        raise SettingsError(
            f"{name} must be Supabase's name of the provider, such as azure or custom:acme, not {raw!r}."
        )
    return raw


def _lower_list(name: str, raw: str) -> tuple[str, ...]:
    return tuple(part.lower() for part in _list(name, raw))


def _setting(
    default: str = "",
    read: Callable[[str, str], Any] = _text,
    *,
    env: str = "",
    secret: bool = False,
    needed: bool = False,
) -> Any:
    """One setting: its default as it would stand in `.env`, how it is read, and whether production needs it."""
    return field(metadata={"default": default, "read": read, "env": env, "needed": needed}, repr=not secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Attributes are the environment names in lower case. Optional texts are empty when not set; addresses have no
    trailing slash. `repr` shows no secret."""

    app_env: Literal["local", "production"] = _setting("local", _environment)
    app_secret: str = _setting(
        "", _secret, secret=True, needed=True
    )  # comma separated: the first seals, all of them open
    app_port: int = _setting("8501", _port)
    companion_port: int = _setting("8600", _port)
    public_url: str = _setting("", _url)
    admin_emails: tuple[str, ...] = _setting("", _lower_list)
    welcome_credits: int = _setting("20", _count)
    simulated: tuple[str, ...] = _setting("", _list, env="ATELIER_SIMULATED")

    supabase_url: str = _setting("", _url, needed=True)
    supabase_publishable_key: str = _setting("", _secret, secret=True, needed=True)
    supabase_secret_key: str = _setting("", _secret, secret=True, needed=True)

    fal_key: str = _setting("", _secret, secret=True, needed=True)
    fal_admin_key: str = _setting("", _secret, secret=True)
    fal_queue_url: str = _setting("https://queue.fal.run", _url)
    fal_api_url: str = _setting("https://api.fal.ai/v1", _url)
    fal_rest_url: str = _setting("https://rest.fal.ai", _url)
    fal_jwks_url: str = _setting("https://rest.fal.ai/.well-known/jwks.json", _url)
    fal_media_hosts: tuple[str, ...] = _setting("v3b.fal.media,v3.fal.media,fal.media", _lower_list)

    stripe_secret_key: str = _setting("", _secret, secret=True, needed=True)
    stripe_webhook_secret: str = _setting(
        "", _secret, secret=True, needed=True
    )  # comma separated while one is being replaced
    stripe_api_url: str = _setting("https://api.stripe.com", _url)
    stripe_price_credits_100: str = _setting()
    stripe_price_credits_500: str = _setting()
    stripe_price_credits_1000: str = _setting()

    # Single sign-on: the first four together, or none of them.
    oidc_metadata_url: str = _setting("", _url)
    oidc_client_id: str = _setting()
    oidc_client_secret: str = _setting("", _secret, secret=True)
    oidc_provider: str = _setting("", _provider)
    oidc_label: str = _setting("your company account")

    # A Slack-compatible address carries its own key in the path, so it is a secret too.
    alert_webhook_url: str = _setting("", _url, secret=True)
    metrics_token: str = _setting("", _secret, secret=True)  # comma separated while one is being replaced

    @property
    def app_secrets(self) -> tuple[str, ...]:
        return _list("APP_SECRET", self.app_secret)

    @property
    def metrics_tokens(self) -> tuple[str, ...]:
        """Every token that may read /metrics."""
        return _list("METRICS_TOKEN", self.metrics_token)

    @property
    def stripe_webhook_secrets(self) -> tuple[str, ...]:
        return _list("STRIPE_WEBHOOK_SECRET", self.stripe_webhook_secret)

    @property
    def has_single_sign_on(self) -> bool:
        return bool(self.oidc_metadata_url)

    @property
    def is_production(self) -> bool:
        return self.app_env == "production"

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret value that is set: what a log line must never contain."""
        values = (getattr(self, setting.name) for setting in fields(self) if not setting.repr)
        return tuple(part for value in values for part in _list("", value))


def _environment_name(setting: Any) -> str:
    return cast(str, setting.metadata["env"]) or cast(str, setting.name).upper()


ENVIRONMENT_NAMES: Final[tuple[str, ...]] = tuple(_environment_name(setting) for setting in fields(Settings))


def load(environ: Mapping[str, str | None]) -> Settings:
    """Settings from these variables alone. Raises SettingsError with one line that says which setting is wrong."""
    values: dict[str, Any] = {}
    for setting in fields(Settings):
        name = _environment_name(setting)
        raw = (environ.get(name) or "").strip() or setting.metadata["default"]
        values[setting.name] = (
            setting.metadata["read"](name, raw) if raw or setting.metadata["read"] is not _url else ""
        )
    _refuse_half(values)
    if values["app_env"] == "production":
        _refuse_weak(values)
    elif not values["app_secret"].strip(", "):
        values["app_secret"] = LOCAL_APP_SECRET
    return Settings(**values)


def _refuse_half(values: Mapping[str, Any]) -> None:
    """Single sign-on with a part missing would show a button that leads nowhere."""
    missing = [name.upper() for name in _SINGLE_SIGN_ON if not values[name]]
    if 0 < len(missing) < len(_SINGLE_SIGN_ON):
        raise SettingsError(
            f"Single sign-on is half set up, this is missing: {', '.join(missing)}. "
            f"Set all of {', '.join(map(str.upper, _SINGLE_SIGN_ON))}, or none of them."
        )


def _refuse_weak(values: Mapping[str, Any]) -> None:
    """Production: names everything that is missing, a default, short, or would send a key in the clear, in one line."""
    complaints = []
    for setting in fields(Settings):
        name, value, is_secret = _environment_name(setting), values[setting.name], not setting.repr
        if setting.metadata["needed"] and not value.strip(", "):
            complaints.append(f"{name} is missing")
        elif is_secret and setting.metadata["read"] is not _url:
            complaints += [f"{name} {found}" for part in _list(name, value) if (found := flaw(name, part))][:1]
        elif setting.metadata["read"] is _url and value.startswith("http://") and not _is_near(name, value):
            complaints.append(f"{name} must begin with https://")
    if complaints:
        raise SettingsError(f"Not starting with APP_ENV=production: {'; '.join(complaints)}.")


def _is_near(name: str, address: str) -> bool:
    """Whether plain http stays within this machine; for a Supabase of one's own also within its private network."""
    host = urlsplit(address).hostname or ""
    if host in _LOOPBACK or name != "SUPABASE_URL":
        return host in _LOOPBACK
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host  # the name of a container


def flaw(name: str, secret: str) -> str:
    """What is wrong with the value of a secret, as it follows its name: "is too short, …"; empty when nothing is."""
    minimum = MINIMUM_APP_SECRET if name == "APP_SECRET" else MINIMUM_SECRET
    if secret == LOCAL_APP_SECRET or _PLACEHOLDER.search(secret):
        return "still has a default value"
    if len(secret) < minimum:
        return f"is too short, {minimum} characters at least"
    if len(set(secret)) < 8:
        return "is too simple"
    return ""


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once."""
    return load({**dotenv_values(ENV_FILE, interpolate=False), **os.environ})


def settings_or_exit() -> Settings:
    """The settings, for the start of a process: a wrong one ends it with its line on stderr, without a traceback."""
    try:
        return get_settings()
    except SettingsError as error:
        raise SystemExit(error.sentence) from None
