"""Settings that an admin tries out before anything runs on them: read as a restart would read them, kept nowhere."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from dotenv import dotenv_values

from core import settings as configuration
from core.errors import SettingsError
from core.settings import Settings, get_settings, load

# What may be typed in, by the part whose simulation ends with its first one.
ACCEPTED: Final[dict[str, tuple[str, ...]]] = {
    "fal.ai": ("FAL_KEY", "FAL_ADMIN_KEY", "PUBLIC_URL"),
    "Supabase": ("SUPABASE_URL", "SUPABASE_PUBLISHABLE_KEY", "SUPABASE_SECRET_KEY"),
    "Stripe": (
        "STRIPE_SECRET_KEY",
        "STRIPE_WEBHOOK_SECRET",
        "STRIPE_PRICE_CREDITS_100",
        "STRIPE_PRICE_CREDITS_500",
        "STRIPE_PRICE_CREDITS_1000",
    ),
    "This studio": ("ADMIN_EMAILS",),
}
_PREFIXES: Final = {"fal.ai": ("FAL_", "PUBLIC_URL"), "Supabase": ("SUPABASE_",), "Stripe": ("STRIPE_",)}
_PROJECT: Final = re.compile(r"https://[a-z0-9-]{1,63}\.supabase\.co")

Draft = Mapping[str, str]  # what was typed in, by the name of its setting


@dataclass(frozen=True, slots=True)
class Drafted:
    """`settings` with what was typed in where it can be read; `problems` say what cannot, by setting. `simulated` are
    the parts that would still be simulated, `tried` the names that were read."""

    settings: Settings
    simulated: frozenset[str]
    tried: frozenset[str]
    problems: Mapping[str, str]


def draft(typed: Draft) -> Drafted:
    """The settings of this process, with these in their place. Never raises: see `problems`."""
    now = get_settings()
    in_file = {name: value or "" for name, value in dotenv_values(configuration.ENV_FILE, interpolate=False).items()}
    given = {name: value.strip() for name, value in typed.items() if value.strip()}
    problems = {name: problem for name, value in given.items() if (problem := _problem(name, value, in_file, now))}
    tried = {name: value for name, value in given.items() if name not in problems}
    environment = {**in_file, **os.environ}
    simulated = set(now.simulated)
    for part in now.simulated:
        if ACCEPTED[part][0] in tried:
            simulated.discard(part)
            # What the simulation was told is none of our business any more: a restart reads the file.
            mine = [name for name in configuration.ENVIRONMENT_NAMES if name.startswith(_PREFIXES[part])]
            environment |= {name: in_file.get(name, "") for name in mine}
    return Drafted(_loaded(environment | tried, now), frozenset(simulated), frozenset(tried), problems)


def _loaded(environment: Mapping[str, str], now: Settings) -> Settings:
    """A strict production is for the start; here it would hide what is right behind what is wrong."""
    return replace(load({**environment, "APP_ENV": "local"}), app_env=now.app_env)


def _problem(name: str, value: str, in_file: Mapping[str, str], now: Settings) -> str:
    """Why this is not even tried; empty when it may be."""
    if name not in {known for names in ACCEPTED.values() for known in names}:
        return f"{name} is not set here."
    try:
        load({name: value})
    except SettingsError as error:
        return error.sentence
    if re.search(r"\s", value):
        return f"{name} has a space in it. Copy it again."
    if name == "SUPABASE_URL":
        known = {in_file.get(name, "").rstrip("/"), now.supabase_url}
        if value.rstrip("/") not in known and not _PROJECT.fullmatch(value.rstrip("/")):
            return (
                "Only addresses such as https://<ref>.supabase.co are tried from here. One of your own goes into .env "
                "by hand; it is checked after a restart."
            )
    if name == "PUBLIC_URL":
        parts = urlsplit(value)
        if parts.scheme != "https" or parts.port not in (None, 443):
            return "PUBLIC_URL must begin with https:// and have no port: that is where fal.ai and Stripe call."
    return ""
