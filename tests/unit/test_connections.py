"""What each part says to the keys that are tried, told apart sentence by sentence; the parts are doubles here."""

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from core import connections
from core.admin import system
from core.connections import ACCEPTED, checking, outside
from core.connections.asking import Unanswered, ask
from core.connections.checking import CHECKS
from core.connections.context import Calls, Context
from core.connections.finding import About, Finding, ending
from core.connections.supabase import known_migrations
from core.errors import NotAllowed
from core.settings import Settings, get_settings, load
from core.single_sign_on import NEEDED
from core.stripe_events import EVENT_TYPES
from tests.unit.ui import doubles

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


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
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


@pytest.mark.parametrize(
    ("group", "part"), [pair for pair in ABOUT if pair[1] not in ("Environment", "Alerts", "Mail", "Single sign-on")]
)
def test_what_is_set_and_right_works(group: str, part: str) -> None:
    finding = found(group, part, stripe_calls=Calls(3, 0))
    assert (finding.state, finding.todo) == ("works", "")


SINGLE_SIGN_ON = {
    "oidc_metadata_url": "https://acme.company.com/discovery",
    "oidc_client_id": "atelier",
    "oidc_client_secret": "Gx81kQpLm3Zw92rT",
    "oidc_provider": "azure",
}
DISCOVERED = {name: f"https://acme.company.com/{name}" for name in NEEDED}


@pytest.mark.parametrize(
    ("discovery", "external", "named", "state", "says"),
    [
        ((200, DISCOVERED), {"azure": True}, "azure", "unproved", "/issuer is there"),
        ((200, DISCOVERED), {"azure": False}, "azure", "refused", "has azure switched off"),
        ((200, DISCOVERED), {"azure": True}, "acme", "refused", "no provider named acme"),
        ((200, DISCOVERED), {"azure": False}, "custom:acme", "unproved", "Only a sign-in proves"),
        ((200, {"issuer": "x"}), {"azure": True}, "azure", "refused", "no provider of OpenID Connect"),
        ((404, None), {"azure": True}, "azure", "refused", "no provider of OpenID Connect"),
        ((503, None), {"azure": True}, "azure", "unreachable", "passwords still work"),
        (httpx.ConnectTimeout("slow"), {"azure": True}, "azure", "unreachable", "acme.company.com"),
    ],
)
def test_single_sign_on(discovery: Any, external: dict[str, bool], named: str, state: str, says: str) -> None:
    assert found("This studio", "Single sign-on").state == "optional"
    answers = {"/discovery": discovery, "/auth/v1/settings": (200, {"external": external})}
    finding = found("This studio", "Single sign-on", answers, **(SINGLE_SIGN_ON | {"oidc_provider": named}))
    assert finding.state == state
    assert says in finding.sentence


AUTH_401 = (401, {"error": {"type": "authorization_error", "message": "Authentication required"}})
ORDINARY = (403, {"error": {"type": "authorization_error", "message": "This operation requires ADMIN scope"}})
LOCKED = (403, {"detail": "User is locked. Reason: Exhausted balance. Top up your balance."})
OWN, BILLING = "/v1/models/requests/by-endpoint", "/v1/account/billing"


@pytest.mark.parametrize(
    ("part", "answers", "state", "says", "todo"),
    [
        ("Key for jobs", {OWN: AUTH_401}, "refused", "does not know the key …a91e", "set FAL_KEY"),
        ("Key for jobs", {OWN: LOCKED}, "refused", "is locked: User is locked. Reason: Exhausted balance", "billing"),
        ("Key for jobs", {OWN: (429, {})}, "unreachable", "asked too often", "in a minute"),
        ("Key for jobs", {OWN: (503, {})}, "unreachable", "in trouble (HTTP 503)", "in a few minutes"),
        ("Key for jobs", {OWN: (404, {})}, "unreachable", "HTTP 404, which says nothing", "FAL_API_URL"),
        ("Key for jobs", {OWN: httpx.ReadTimeout("slow")}, "unreachable", "within 6 seconds", "network"),
        ("Admin key", {BILLING: AUTH_401}, "refused", "does not know the key …b22f", "set FAL_ADMIN_KEY"),
        ("Admin key", {BILLING: ORDINARY}, "refused", "it is an ordinary key", "scope ADMIN"),
        (
            "Admin key",
            {BILLING: (200, {"credits": {"current_balance": -0.25}})},
            "refused",
            "nothing left (−$0.25)",
            "Top up",
        ),
        ("Admin key", {BILLING: (200, {"username": "x"})}, "warns", "told no balance", "billing"),
        ("Address for webhooks", {"/webhooks/fal": (200, "<html>")}, "refused", "most likely the pages", "/webhooks/"),
        (
            "Address for webhooks",
            {"/webhooks/fal": (502, "")},
            "refused",
            "cannot reach the companion",
            "COMPANION_PORT",
        ),
        ("Address for webhooks", {"/webhooks/fal": (301, "")}, "refused", "leads on to another one", "PUBLIC_URL"),
        ("Address for webhooks", {"/webhooks/fal": (404, "")}, "refused", "is not the companion (HTTP 404)", "nginx"),
        ("Signatures of webhooks", {"/.well-known/jwks.json": (404, "")}, "refused", "no keys", "FAL_JWKS_URL"),
    ],
)
def test_what_fal_answers_is_told_apart(part: str, answers: Answers, state: str, says: str, todo: str) -> None:
    finding = found("fal.ai", part, answers)
    assert finding.state == state
    assert says in finding.sentence
    assert todo in finding.todo
    assert finding.asked.startswith("GET https://")


@pytest.mark.parametrize("half", ["0f9e8d7c-aaaa-bbbb", ":0123456789abcdef", "0f9e8d7c:"])
def test_half_a_key_of_fal_is_sent_nowhere(half: str) -> None:
    for part, name in (("Key for jobs", "fal_key"), ("Admin key", "fal_admin_key")):
        finding = found("fal.ai", part, dict.fromkeys(GOOD, RuntimeError("was asked")), **{name: half})
        assert "half of a key" in finding.sentence
        assert finding.asked == ""


def test_a_lock_that_is_known_and_a_balance_that_cannot_be_asked() -> None:
    assert "has locked its account: Exhausted" in found("fal.ai", "Key for jobs", fal_lock_reason="Exhausted.").sentence
    assert "only an admin key may ask" in found("fal.ai", "Key for jobs", fal_admin_key="").sentence
    assert found("fal.ai", "Admin key", fal_admin_key="").state == "optional"
    assert found("fal.ai", "Key for jobs", fal_key="").state == "missing"


def test_an_address_that_only_this_network_knows_is_not_asked(names: dict[str, str]) -> None:
    for private in ("10.0.0.7", "127.0.0.1", "169.254.169.254", "::1"):
        names["studio.company.com"] = private
        finding = found("fal.ai", "Address for webhooks", {"/webhooks/fal": RuntimeError("was asked")})
        assert (finding.state, finding.asked) == ("refused", "")
        assert f"leads to {private}" in finding.sentence
    finding = found("fal.ai", "Address for webhooks", public_url="https://studio.nowhere")
    assert finding.state == "unreachable"
    assert "The name studio.nowhere is not known here" in finding.sentence


@pytest.mark.parametrize(
    ("part", "answers", "changes", "state", "says"),
    [
        ("Secret key", {"/v1/account": (401, {"error": {}})}, {}, "refused", "does not know the key …mTnR"),
        ("Secret key", {"/v1/account": (401, {"error": {"code": "api_key_expired"}})}, {}, "refused", "has expired"),
        ("Secret key", {"/v1/account": (403, {"error": {}})}, {}, "works", "restricted key"),
        ("Secret key", {"/v1/account": (429, {})}, {}, "unreachable", "too often"),
        ("Secret key", {"/v1/account": (500, {})}, {}, "unreachable", "in trouble (HTTP 500)"),
        ("Secret key", {}, {"stripe_secret_key": "pk_test_51Kq8ZxW"}, "refused", "publishable key, made for browsers"),
        ("Secret key", {}, {"stripe_secret_key": "0123456789"}, "refused", "no key of Stripe"),
        ("Secret key", {}, {"stripe_secret_key": ""}, "missing", "cannot be bought"),
        ("Secret key", {}, {"stripe_secret_key": "sk_live_" + "51Kq8ZxW"}, "warns", "real cards are charged"),
        ("Secret key", {}, {"app_env": "production"}, "warns", "It is a test key"),
        ("Secret key", {}, {"app_env": "production", "stripe_secret_key": "sk_live_" + "51Kq8Z"}, "works", "live mode"),
        (
            "Secret key",
            {"/v1/account": (200, {"id": "acct_1", "charges_enabled": False})},
            {"stripe_secret_key": "sk_live_" + "51Kq8Z"},
            "refused",
            "may not take payments yet",
        ),
        (
            "Prices of the packs",
            {"/v1/prices": (200, {"data": [{"id": "price_1"}]})},
            {},
            "refused",
            "no active price with the id in STRIPE_PRICE_CREDITS_500 and STRIPE_PRICE_CREDITS_1000",
        ),
        ("Prices of the packs", {}, {"stripe_price_credits_500": ""}, "missing", "STRIPE_PRICE_CREDITS_500 is not set"),
        ("Prices of the packs", {"/v1/prices": (403, {})}, {}, "refused", "may not read prices"),
        ("Webhook endpoint", {"/v1/webhook_endpoints": (200, {"data": []})}, {}, "missing", "has no endpoint at"),
        ("Webhook endpoint", {"/v1/webhook_endpoints": (403, {})}, {}, "unproved", "may not read webhook endpoints"),
        ("Webhook endpoint", {}, {"public_url": ""}, "warns", "purchases are found by asking"),
    ],
)
def test_what_stripe_answers_is_told_apart(
    part: str, answers: Answers, changes: dict[str, Any], state: str, says: str
) -> None:
    finding = found("Stripe", part, answers, **changes)
    assert finding.state == state
    assert says in finding.sentence


def test_an_endpoint_that_is_off_or_sends_too_little_says_what_to_do() -> None:
    endpoint = {"url": "https://studio.company.com/webhooks/stripe/", "enabled_events": list(EVENT_TYPES[1:])}
    off = found(
        "Stripe", "Webhook endpoint", {"/v1/webhook_endpoints": (200, {"data": [{**endpoint, "status": "disabled"}]})}
    )
    assert (off.state, "switched off" in off.sentence) == ("refused", True)
    little = found(
        "Stripe", "Webhook endpoint", {"/v1/webhook_endpoints": (200, {"data": [{**endpoint, "status": "enabled"}]})}
    )
    assert little.state == "warns"
    assert little.sentence.endswith(f"does not send {EVENT_TYPES[0]}.")


@pytest.mark.parametrize(
    ("calls", "state", "says"),
    [
        (Calls(0, 4), "refused", "Of 4 calls of Stripe in the last 24 hours none was signed with …zW71"),
        (Calls(2, 1), "works", "2 calls of Stripe of the last 24 hours proved it; 1 other was not"),
        (Calls(0, 0), "unproved", "No call has come in the last 24 hours"),
    ],
)
def test_the_signing_secret_is_proved_by_the_calls_that_came(calls: Calls, state: str, says: str) -> None:
    finding = found("Stripe", "Signing secret", stripe_calls=calls)
    assert finding.state == state
    assert says in finding.sentence


def test_a_signing_secret_that_is_tried_is_not_called_right() -> None:
    tried = found("Stripe", "Signing secret", stripe_calls=Calls(0, 9), tried=("STRIPE_WEBHOOK_SECRET",))
    assert (tried.state, "Only a call that Stripe signs can prove it" in tried.sentence) == ("unproved", True)
    assert found("Stripe", "Signing secret", stripe_webhook_secret="sk_test_0123456789").state == "refused"
    assert found("Stripe", "Signing secret", stripe_webhook_secret="").state == "missing"


SETTINGS, APPLIED = "/auth/v1/settings", "/rest/v1/rpc/applied_migrations"


@pytest.mark.parametrize(
    ("part", "answers", "changes", "state", "says"),
    [
        ("Project", {SETTINGS: (401, {})}, {}, "refused", "does not know the key …pLm3"),
        ("Project", {SETTINGS: (540, {})}, {}, "unreachable", "is paused"),
        ("Project", {SETTINGS: (404, {})}, {}, "refused", "no Supabase at this address"),
        ("Project", {SETTINGS: (500, {"message": "no pool"})}, {}, "unreachable", "(HTTP 500, no pool)"),
        ("Project", {}, {"supabase_publishable_key": "sb_secret_0123456789"}, "refused", "This is the secret key"),
        ("Project", {}, {"supabase_url": ""}, "missing", "SUPABASE_URL is not set"),
        ("Secret key", {APPLIED: (401, {})}, {}, "refused", "does not know the key …r9Yk"),
        ("Secret key", {APPLIED: (403, {"code": "42501"})}, {}, "refused", "it is not the secret one"),
        ("Secret key", {APPLIED: (404, {"code": "PGRST202"})}, {}, "works", "takes the key"),
        (
            "Secret key",
            {},
            {"supabase_secret_key": "sb_publishable_01234567"},
            "refused",
            "This is the publishable key",
        ),
        ("Migrations", {APPLIED: (404, {"code": "PGRST202"})}, {}, "missing", "none of our tables"),
        ("Migrations", {APPLIED: (401, {})}, {}, "missing", "once the project takes the secret key"),
        ("Migrations", {APPLIED: (200, None)}, {}, "unproved", "not applied by the Supabase CLI"),
        ("Mail", {SETTINGS: (200, {"mailer_autoconfirm": True})}, {}, "warns", "taken without a mail"),
        (
            "Mail",
            {SETTINGS: (200, {"mailer_autoconfirm": True})},
            {"app_env": "production"},
            "refused",
            "nobody an admin",
        ),
        ("Mail", {}, {}, "unproved", "confirm their address by mail"),
    ],
)
def test_what_supabase_answers_is_told_apart(
    part: str, answers: Answers, changes: dict[str, Any], state: str, says: str
) -> None:
    finding = found("Supabase", part, answers, **changes)
    assert finding.state == state
    assert says in finding.sentence


def test_migrations_that_are_lacking_are_named() -> None:
    versions = sorted(known_migrations())
    finding = found("Supabase", "Migrations", {APPLIED: (200, versions[:-2])})
    assert finding.state == "missing"
    assert finding.sentence.startswith("2 migrations of this release are not applied, from ")
    assert known_migrations()[versions[-2]] in finding.sentence


@pytest.mark.parametrize(
    ("part", "changes", "state"),
    [
        ("Secret", {"app_secret": ""}, "warns"),
        ("Secret", {"app_secret": "q9Z"}, "refused"),
        ("Secret", {"app_secret": "ab" * 20}, "refused"),
        ("Admins", {"admin_emails": ""}, "warns"),
        ("Admins", {"admin_emails": "mara"}, "refused"),
        ("Admins", {"admin_emails": "mara@atelier.example"}, "warns"),
        ("Admins", {"admin_emails": "mara@atelier.example", "app_env": "production"}, "refused"),
        ("Environment", {}, "works"),
        ("Environment", {"app_env": "production"}, "works"),
        ("Alerts", {}, "optional"),
        ("Alerts", {"alert_webhook_url": "https://hooks.slack.com/services/T0/B0/abcdefgh"}, "unproved"),
    ],
)
def test_what_is_ours_is_looked_at_too(part: str, changes: dict[str, Any], state: str) -> None:
    assert found("This studio", part, **changes).state == state


@pytest.mark.parametrize(
    ("failure", "says"),
    [
        (httpx.ConnectTimeout(""), "within 6 seconds"),
        (socket.gaierror(-2, "x"), "The name api.fal.ai is not known here"),
        (ssl.SSLCertVerificationError("x"), "certificate of api.fal.ai is not valid"),
        (ConnectionRefusedError(111, "x"), "Nothing listens at api.fal.ai"),
        (ConnectionResetError(104, "x"), "or broke off"),
    ],
)
def test_silence_has_its_reason(failure: Exception, says: str) -> None:
    raised = failure if isinstance(failure, httpx.HTTPError) else httpx.ConnectError("failed")
    if raised is not failure:
        raised.__cause__ = failure
    finding = found("fal.ai", "Key for jobs", {OWN: raised})
    assert finding.state == "unreachable"
    assert says in finding.sentence


def test_an_endless_answer_is_cut() -> None:
    http = httpx.Client(transport=httpx.MockTransport(lambda _request: httpx.Response(200, content=b"x" * 3_000_000)))
    with http, pytest.raises(Unanswered, match="larger than it should be"):
        ask(http, "GET", "https://studio.company.com/webhooks/fal")


def test_a_redirect_is_not_followed() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.host == "api.fal.ai"
        return httpx.Response(302, headers={"location": "http://169.254.169.254/latest/meta-data"})

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        context = Context(load(REAL), http)
        assert ABOUT["fal.ai", "Key for jobs"].run(context, About("", ("FAL_KEY",))).state == "unreachable"


def test_a_short_secret_shows_nothing_of_itself() -> None:
    assert (ending("0123456789ab"), ending("0123")) == ("…89ab", "…")


# What is tried


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Makes the settings of this process those of a local stack that simulates everything, with changes."""
    monkeypatch.setattr("core.settings.ENV_FILE", tmp_path / ".env")

    def configure(**changes: str) -> None:
        simulated = {
            "ATELIER_SIMULATED": "Supabase,fal.ai,Stripe",
            "FAL_KEY": "local-1:2",
            "FAL_API_URL": "http://127.0.0.1:8620/v1",
            "FAL_QUEUE_URL": "http://127.0.0.1:8620",
            "PUBLIC_URL": "http://127.0.0.1:8600",
            "SUPABASE_URL": "http://127.0.0.1:8610",
            "STRIPE_API_URL": "http://127.0.0.1:8630",
            "STRIPE_SECRET_KEY": "sk_test_local0123456789",
        }
        for name, value in (dict.fromkeys(REAL, "") | simulated | changes).items():
            monkeypatch.setenv(name, value)
        get_settings.cache_clear()

    configure()
    yield configure
    get_settings.cache_clear()


def tried(**values: str) -> connections.Drafted:
    return connections.draft({name.upper(): value for name, value in values.items()})


def test_a_key_that_is_tried_is_asked_of_the_real_thing(configured: Callable[..., None]) -> None:
    now = connections.draft({})
    assert (now.simulated, now.tried) == ({"Supabase", "fal.ai", "Stripe"}, frozenset())
    drafted = tried(fal_key=f" {KEY} ")
    assert drafted.simulated == {"Supabase", "Stripe"}
    assert drafted.settings.fal_key == KEY
    assert drafted.settings.fal_api_url == "https://api.fal.ai/v1"
    assert drafted.settings.public_url == "", "the simulation's own address is not tried on fal.ai"
    assert drafted.settings.stripe_api_url == "http://127.0.0.1:8630", "Stripe stays as it is"
    configured(ATELIER_SIMULATED="", FAL_API_URL="https://fal.company.com/v1")
    assert tried(fal_key=KEY).settings.fal_api_url == "https://fal.company.com/v1", "the configured address"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("supabase_url", "https://evil.example", "Only addresses such as https://<ref>.supabase.co"),
        ("supabase_url", "http://abcdefgh.supabase.co", "Only addresses"),
        ("supabase_url", "https://abcdefgh.supabase.co.evil.example", "Only addresses"),
        ("supabase_url", "https://abcdefgh.supabase.co/path", "Only addresses"),
        ("supabase_url", "http://169.254.169.254", "Only addresses"),
        ("public_url", "http://studio.company.com", "must begin with https://"),
        ("public_url", "https://studio.company.com:8443", "have no port"),
        ("public_url", "studio.company.com", "must be an address"),
        ("fal_key", "id:sec\u200bret", "cannot be part of a key"),
        ("fal_key", "id: secret", "has a space in it"),
        ("app_env", "production", "is not set here"),
        ("fal_api_url", "https://evil.example", "is not set here"),
    ],
)
@pytest.mark.usefixtures("configured")
def test_what_cannot_be_tried_says_so_and_is_sent_nowhere(name: str, value: str, says: str) -> None:
    drafted = tried(**{name: value})
    assert says in drafted.problems[name.upper()]
    assert drafted.tried == frozenset()
    assert drafted.settings == connections.draft({}).settings


@pytest.mark.usefixtures("configured")
def test_an_own_supabase_is_checked_where_it_is_configured(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SUPABASE_URL=https://db.company.com\n")
    assert tried(supabase_url="https://db.company.com/").problems == {}


def test_everything_is_asked_at_once_and_only_for_admins(
    configured: Callable[..., None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    configured(**REAL, ATELIER_SIMULATED="", FAL_API_URL="", FAL_QUEUE_URL="", STRIPE_API_URL="")
    http, asked = world({})
    monkeypatch.setattr(checking.httpx, "Client", lambda **_options: http)
    monkeypatch.setattr(system, "rates", lambda _person: ())
    admin = doubles.person(role="admin")
    with caplog.at_level("INFO"):
        report = connections.check(admin, connections.draft({}))
    assert [len(report.findings[group]) for group in connections.GROUPS] == [4, 4, 4, 5]
    assert {request.method for request in asked if request.url.path != APPLIED} == {"GET"}, (
        "nothing is changed anywhere"
    )
    assert not [value for name, value in REAL.items() if "KEY" in name and value in caplog.text]
    noted: list[Any] = []
    monkeypatch.setattr(
        "core.admin.calls.get_database", lambda: type("", (), {"note_refusal": lambda *a: noted.append(a)})()
    )
    with pytest.raises(NotAllowed):
        connections.check(doubles.person(), connections.draft({}))
    assert len(noted) == 1


@pytest.mark.usefixtures("configured")
def test_nothing_is_asked_of_what_is_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    http, asked = world({})
    monkeypatch.setattr(checking.httpx, "Client", lambda **_options: http)
    report = connections.check(doubles.person(role="admin"), connections.draft({}))
    assert asked == []
    simulated = [report.findings[group] for group in connections.GROUPS[:3]]
    assert {finding.state for findings in simulated for finding in findings} == {"simulated"}


def report_of(*findings: Finding) -> connections.Report:
    return connections.Report({"fal.ai": findings}, doubles.NOON)


@pytest.mark.usefixtures("configured")
def test_only_what_works_is_ready_to_be_written() -> None:
    drafted = tried(fal_key=KEY, fal_admin_key="a:b", public_url="http://x")
    refused = Finding("Admin key", ("FAL_ADMIN_KEY",), "refused", "No.")
    found = connections.ready(drafted, report_of(Finding("Key", ("FAL_KEY",), "works", "Yes."), refused))
    assert found.names == ("FAL_KEY",)
    assert set(found.left_out) == {"FAL_ADMIN_KEY", "PUBLIC_URL"}


@pytest.mark.usefixtures("configured")
def test_a_part_is_written_as_a_whole() -> None:
    assert connections.ready(tried(fal_admin_key="a:b"), report_of()).left_out == {
        "FAL_ADMIN_KEY": "FAL_KEY is needed with it."
    }
    url = REAL["SUPABASE_URL"]
    half = connections.ready(tried(supabase_url=url), report_of())
    assert (half.names, set(half.left_out)) == ((), {"SUPABASE_URL"})
    whole = tried(**{name.lower(): REAL[name] for name in ACCEPTED["Supabase"]})
    assert connections.ready(whole, report_of()).names == tuple(sorted(ACCEPTED["Supabase"]))
    broken = connections.ready(whole, report_of(Finding("Secret key", ("SUPABASE_SECRET_KEY",), "refused", "No.")))
    assert broken.names == ()


@pytest.mark.usefixtures("configured")
def test_settings_are_written_by_admins_of_this_machine_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told: list[Any] = []
    double = type(
        "Told",
        (),
        {
            "call": lambda _self, function, **values: told.append((function, values["p_names"])),
            "note_refusal": lambda *_values: told.append("refused"),
        },
    )()
    monkeypatch.setattr("core.admin.calls.get_database", lambda: double)
    admin = doubles.person(role="admin")
    connections.write(admin, {"FAL_KEY": f" {KEY} ", "STRIPE_SECRET_KEY": "sk_test_1"}, ("FAL_KEY",))
    assert (tmp_path / ".env").read_text() == f"FAL_KEY={KEY}\n"
    assert told == [("note_settings_written", ["FAL_KEY"])], "its name, never its value"
    with pytest.raises(NotAllowed):
        connections.write(doubles.person(), {"FAL_KEY": "x:y"}, ("FAL_KEY",))
    monkeypatch.setattr("core.connections.writing.get_settings", lambda: replace(load(REAL), app_env="production"))
    with pytest.raises(NotAllowed, match="production"):
        connections.write(admin, {"FAL_KEY": "x:y"}, ("FAL_KEY",))
    assert (tmp_path / ".env").read_text() == f"FAL_KEY={KEY}\n"


def test_settings_hold_no_key_in_their_repr() -> None:
    assert isinstance(load(REAL), Settings)
    assert KEY not in repr(connections.Drafted(load(REAL), frozenset(), frozenset(), {}))
