"""Everything outside as doubles: what fal.ai, Stripe and Supabase answer to a check, and what a check makes of it."""

import json
import socket
from dataclasses import replace
from typing import Any

import httpx
import pytest

from core.connections import checking, outside
from core.connections.checking import CHECKS
from core.connections.context import Context
from core.connections.finding import Finding
from core.connections.supabase import known_migrations
from core.settings import load

KEY = "0f9e8d7c-aaaa-bbbb-cccc-1234567890ab:0123456789abcdef0123a91e"
REAL = {
    "APP_SECRET": "kF3nQ8vZ1pLw7xRb2" + "TsYc5HdJm9GaEuX40",
    "ADMIN_EMAILS": "mara@company.com",
    "PUBLIC_URL": "https://studio.company.com",
    "SUPABASE_URL": "https://abcdefgh.supabase.co",
    "SUPABASE_PUBLISHABLE_KEY": "sb_publishable_Zx81kQpLm3",
    "SUPABASE_SECRET_KEY": "sb_secret_Hq72mWzTr9Yk",
    "FAL_KEY": KEY,
    "FAL_ADMIN_KEY": KEY.replace("a91e", "b22f"),
    "STRIPE_SECRET_KEY": "sk_test_" + "51Kq8ZxWmTnR",
    "STRIPE_WEBHOOK_SECRET": "whsec_" + "8fJkQ2mXzW71",
    "STRIPE_PRICE_CREDITS_100": "price_1",
    "STRIPE_PRICE_CREDITS_500": "price_5",
    "STRIPE_PRICE_CREDITS_1000": "price_10",
}
ABOUT = {(group, check.about.part): check for group, checks in CHECKS.items() for check in checks}
Answers = dict[str, tuple[int, Any] | Exception]
GOOD: Answers = {
    "/v1/models/requests/by-endpoint": (200, {"items": [], "has_more": False}),
    "/v1/account/billing": (200, {"username": "studio", "credits": {"current_balance": 24.5, "currency": "USD"}}),
    "/webhooks/fal": (405, None),
    "/.well-known/jwks.json": (200, {"keys": [{"kty": "OKP"}]}),
    "/auth/v1/settings": (200, {"mailer_autoconfirm": False}),
    "/rest/v1/rpc/applied_migrations": (200, sorted(known_migrations())),
    "/v1/account": (
        200,
        {"id": "acct_1", "charges_enabled": True, "settings": {"dashboard": {"display_name": "Acme"}}},
    ),
    "/v1/prices": (200, {"data": [{"id": "price_1"}, {"id": "price_5"}, {"id": "price_10"}]}),
    "/v1/webhook_endpoints": (
        200,
        {"data": [{"url": "https://studio.company.com/webhooks/stripe", "status": "enabled", "enabled_events": ["*"]}]},
    ),
}


def world(answers: Answers) -> tuple[httpx.Client, list[httpx.Request]]:
    """Everything outside, by path: what it answers or how it fails."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        found = (GOOD | answers)[request.url.path]
        if isinstance(found, Exception):
            raise found
        status, body = found
        headers = {"allow": "POST"} if status == 405 else {}
        return httpx.Response(status, headers=headers, content=b"" if body is None else json.dumps(body).encode())

    return httpx.Client(transport=httpx.MockTransport(answer)), asked


@pytest.fixture(autouse=True, name="names")
def names_fixture(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Where names lead: somewhere public, unless a test says otherwise."""
    known: dict[str, str] = {}

    def found(host: str, *_rest: Any, **_more: Any) -> list[Any]:
        if host not in known and host.endswith(".nowhere"):
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (known.get(host, "93.184.216.34"), 0))]

    monkeypatch.setattr(outside.socket, "getaddrinfo", found)
    return known


def found(
    group: str, part: str, answers: Answers | None = None, *, tried: tuple[str, ...] = (), **changes: Any
) -> Finding:
    """What one check says of the real settings with these changes; nothing that it says holds a whole key."""
    production = changes.pop("app_env", "local")
    context_changes = {name: changes.pop(name) for name in ("fal_lock_reason", "stripe_calls") if name in changes}
    settings = replace(load(REAL | {name.upper(): value for name, value in changes.items()}), app_env=production)
    http, _asked = world(answers or {})
    with http:
        context = Context(settings, http, tried=frozenset(tried), **context_changes)
        finding = checking._run(ABOUT[group, part], context)  # type: ignore[index]
    said = f"{finding.sentence} {finding.todo} {finding.asked}"
    assert not [secret for secret in settings.secrets if secret in said]
    assert not finding.sentence[0].islower() or finding.sentence.startswith(("fal.ai", "https://"))
    assert finding.sentence.endswith(".")
    assert finding.todo == "" or finding.todo.endswith((".", "…"))
    return finding
