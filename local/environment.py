"""One place that decides what every part of the stack is told: the environment and `.env` first, the rest simulated."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from local.errors import LocalError
from local.paths import ENV_FILE, state_directory
from local.people import ADMIN
from local.ports import HOST
from local.secrets import Secrets

PORT_SETTINGS = {
    "APP_PORT": 8501,
    "COMPANION_PORT": 8600,
    "LOCAL_SUPABASE_PORT": 8610,
    "LOCAL_FAL_PORT": 8620,
    "LOCAL_STRIPE_PORT": 8630,
    "LOCAL_POSTGRES_PORT": 8640,
}
PACKS = (100, 500, 1000)


@dataclass(frozen=True)
class Stack:
    """What runs, where, and the environment of every part; `simulated` in the words people know: ("fal.ai", …)."""

    environment: dict[str, str]
    ports: dict[str, int]  # by setting; only those that this stack uses
    simulated: tuple[str, ...]

    def url(self, setting: str) -> str:
        return f"http://{HOST}:{self.ports[setting]}"


def configured(file: Path = ENV_FILE) -> dict[str, str]:
    """What somebody set: `.env`, overridden by the environment."""
    merged = {**dotenv_values(file, interpolate=False), **os.environ}
    return {name: value or "" for name, value in merged.items()} | {"LOCAL_DIR": str(state_directory())}


def compose(settings: Mapping[str, str], secrets: Secrets) -> Stack:
    """Add to `settings` what is not set; an empty value counts as not set.

    Raises `LocalError` for a port that is none and for half a configuration.
    """
    ports = {name: _port(name, settings.get(name) or str(default)) for name, default in PORT_SETTINGS.items()}
    environment = dict(settings)

    def provide(values: Mapping[str, str]) -> None:
        environment.update({name: value for name, value in values.items() if not environment.get(name)})

    provide({name: str(ports[name]) for name in ("APP_PORT", "COMPANION_PORT")})
    provide({"APP_ENV": "local", "APP_SECRET": secrets.app_secret, "ADMIN_EMAILS": ADMIN.email})
    simulated = []
    if settings.get("SUPABASE_URL"):
        _require(settings, "SUPABASE_URL", "SUPABASE_PUBLISHABLE_KEY", "SUPABASE_SECRET_KEY")
        del ports["LOCAL_SUPABASE_PORT"], ports["LOCAL_POSTGRES_PORT"]
    else:
        if settings.get("OIDC_METADATA_URL"):  # Supabase Lite takes no id token
            _require(settings, "OIDC_METADATA_URL", "SUPABASE_URL")
        simulated.append("Supabase")
        provide(supabase_settings(f"http://{HOST}:{ports['LOCAL_SUPABASE_PORT']}", secrets))
    if settings.get("FAL_KEY"):
        del ports["LOCAL_FAL_PORT"]
    else:
        simulated.append("fal.ai")
        provide(fal_settings(ports["LOCAL_FAL_PORT"], secrets))
        provide({"PUBLIC_URL": f"http://{HOST}:{ports['COMPANION_PORT']}"})
    if settings.get("STRIPE_SECRET_KEY"):
        del ports["LOCAL_STRIPE_PORT"]
    else:
        simulated.append("Stripe")
        provide(stripe_settings(ports["LOCAL_STRIPE_PORT"], secrets))
    environment["ATELIER_SIMULATED"] = ",".join(simulated)
    return Stack(environment, ports, tuple(simulated))


def supabase_settings(url: str, secrets: Secrets) -> dict[str, str]:
    return {
        "SUPABASE_URL": url,
        "SUPABASE_PUBLISHABLE_KEY": secrets.publishable_key,
        "SUPABASE_SECRET_KEY": secrets.secret_key,
    }


def fal_settings(port: int, secrets: Secrets) -> dict[str, str]:
    """The simulated fal.ai serves queue, platform API, storage, keys and files from one port."""
    url = f"http://{HOST}:{port}"
    return {
        "FAL_KEY": secrets.fal_key,
        "FAL_ADMIN_KEY": secrets.fal_admin_key,
        "FAL_QUEUE_URL": url,
        "FAL_API_URL": f"{url}/v1",
        "FAL_REST_URL": url,
        "FAL_JWKS_URL": f"{url}/.well-known/jwks.json",
        "FAL_MEDIA_HOSTS": f"{HOST}:{port}",
    }


def stripe_settings(port: int, secrets: Secrets) -> dict[str, str]:
    return {
        "STRIPE_API_URL": f"http://{HOST}:{port}",
        "STRIPE_SECRET_KEY": secrets.stripe_secret_key,
        "STRIPE_WEBHOOK_SECRET": secrets.stripe_webhook_secret,
        **{f"STRIPE_PRICE_CREDITS_{pack}": f"price_credits_{pack}" for pack in PACKS},
    }


def _port(setting: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise LocalError(f"{setting} must be a port from 1 to 65535, not {text!r}.")
    return int(text)


def _require(settings: Mapping[str, str], because: str, *names: str) -> None:
    for name in names:
        if not settings.get(name):
            raise LocalError(f"{because} is set, so {name} has to be set too.")
