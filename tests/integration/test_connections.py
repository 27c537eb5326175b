"""The checks of the Connections page against the real Supabase API and the simulated fal.ai and Stripe."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from core import connections
from core.connections import Finding, Group
from core.database import get_database
from core.models import Person
from core.settings import get_settings
from local import migrations
from local.secrets import api_key
from tests.integration.admin_desk import admin  # noqa: F401
from tests.integration.stripe_stack import KEY, SECRETS, Launcher, StripeSimulator
from tests.integration.studio import Studio, studio  # noqa: F401

WEBHOOKS = "http://127.0.0.1:9/webhooks/stripe"


@pytest.fixture(scope="module")
def till(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StripeSimulator]:
    folder = tmp_path_factory.mktemp("stripe")
    with httpx.Client(timeout=10) as http:
        launched = Launcher(folder / "data", folder / "stripe.log", http)
        yield launched.start(WEBHOOKS)
        launched.stop()


Ask = Callable[..., dict[tuple[str, str], Finding]]


@pytest.fixture
def ask(
    studio: Studio,  # noqa: F811
    admin: Person,  # noqa: F811
    till: StripeSimulator,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Ask]:
    """What is found with these settings, tried by an admin in a studio that simulates nothing: by group and part."""
    assert studio.fal
    monkeypatch.setattr("core.settings.ENV_FILE", tmp_path / "none")
    for name, value in {
        "ATELIER_SIMULATED": "",
        "STRIPE_API_URL": till.url,
        "STRIPE_SECRET_KEY": KEY,
        "STRIPE_WEBHOOK_SECRET": SECRETS[0],
        "PUBLIC_URL": "http://127.0.0.1:9",
        **{f"STRIPE_PRICE_CREDITS_{pack}": f"price_credits_{pack}" for pack in (100, 500, 1000)},
    }.items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()

    def found(group: Group, **tried: str) -> dict[tuple[str, str], Finding]:
        drafted = connections.draft({name.upper(): value for name, value in tried.items()})
        assert drafted.problems == {}
        report = connections.check(admin, drafted, (group,))
        return {(finding.part, finding.state): finding for finding in report.findings[group]}

    yield found
    get_settings.cache_clear()


def one(findings: dict[tuple[str, str], Finding], part: str) -> tuple[str, str]:
    finding = next(finding for (name, _state), finding in findings.items() if name == part)
    return finding.state, finding.sentence


def test_fal_takes_its_keys_and_refuses_others(ask: Ask, studio: Studio) -> None:  # noqa: F811
    good = ask("fal.ai")
    assert (
        one(good, "Key for jobs")[0] == one(good, "Admin key")[0] == one(good, "Signatures of webhooks")[0] == "works"
    )
    assert one(good, "Address for webhooks") == ("unreachable", "Nothing listens at 127.0.0.1 on this port.")
    wrong = ask("fal.ai", fal_key="somebody:else", fal_admin_key=get_settings().fal_key)
    assert one(wrong, "Key for jobs") == (
        "refused",
        "fal.ai does not know the key …else: it is mistyped, or was revoked.",
    )
    assert "it is an ordinary key" in one(wrong, "Admin key")[1]
    try:
        studio.fal.control("behaviour", {"balance": "-1.5"})
        assert "Its account has nothing left (−$1.50)" in one(ask("fal.ai"), "Admin key")[1]
        studio.fal.control("behaviour", {"outage": True})
        assert one(ask("fal.ai"), "Key for jobs") == (
            "unreachable",
            "fal.ai is in trouble (HTTP 503), so nobody knows about this key.",
        )
    finally:
        studio.fal.control("behaviour", {"balance": "50", "outage": False})


def test_stripe_takes_its_key_and_refuses_others(ask: Ask, till: StripeSimulator) -> None:
    good = ask("Stripe")
    assert one(good, "Secret key")[1].endswith("of Simulated studio, in test mode.")
    assert one(good, "Prices of the packs")[0] == one(good, "Webhook endpoint")[0] == "works"
    wrong = ask("Stripe", stripe_secret_key="sk_test_" + "of_somebody_else", stripe_price_credits_500="price_other")
    assert "does not know the key …else" in one(wrong, "Secret key")[1]
    lost = ask("Stripe", stripe_price_credits_500="price_other")
    assert "no active price with the id in STRIPE_PRICE_CREDITS_500." in one(lost, "Prices of the packs")[1]
    assert one(ask("Stripe", stripe_secret_key="sk_live_" + "of_somebody_else"), "Secret key")[0] == "refused"
    assert one(ask("Stripe", public_url="https://studio.example"), "Webhook endpoint")[0] == "missing"
    try:
        till.behave(api_down=True)
        assert one(ask("Stripe"), "Secret key")[0] == "unreachable"
    finally:
        till.behave(api_down=False)


def test_a_signing_secret_that_matches_no_call_is_noticed(ask: Ask, studio: Studio) -> None:  # noqa: F811
    def counted(**calls: int) -> Any:
        rows = [{"provider": "stripe", "outcome": outcome, "calls": number} for outcome, number in calls.items()]
        get_database().call("add_webhook_counts", p_counts=rows)

    studio.sql.execute("delete from private.webhook_counters where provider = 'stripe'")
    assert one(ask("Stripe"), "Signing secret")[0] == "unproved"
    counted(refused=3)
    assert one(ask("Stripe"), "Signing secret")[0] == "refused"
    counted(accepted=1)
    assert one(ask("Stripe"), "Signing secret")[0] == "works"


def test_supabase_takes_its_keys_and_refuses_others(ask: Ask) -> None:
    good = ask("Supabase")
    assert one(good, "Project")[0] == one(good, "Secret key")[0] == "works"
    number = len(migrations.find())
    assert one(good, "Migrations") == ("works", f"All {number} migrations of this release are applied.")
    assert one(good, "Mail")[0] == "warns", "on one machine no mail is sent"
    wrong = ask("Supabase", supabase_publishable_key=api_key("publishable"), supabase_secret_key=api_key("secret"))
    for part in ("Project", "Secret key"):
        assert one(wrong, part)[0] == "refused"
        assert "does not know the key" in one(wrong, part)[1]
    swapped = ask("Supabase", supabase_secret_key=get_settings().supabase_publishable_key)
    assert "This is the publishable key" in one(swapped, "Secret key")[1]


def test_what_is_written_is_in_the_trail_by_name(
    ask: Ask,
    admin: Person,  # noqa: F811
    studio: Studio,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    assert ask
    monkeypatch.setattr("core.settings.ENV_FILE", tmp_path / ".env")
    connections.write(admin, {"FAL_KEY": "new:key", "ADMIN_EMAILS": "a@b.example"}, ("FAL_KEY", "ADMIN_EMAILS"))
    line = studio.one("select action, target, before, after from public.admin_actions order by id desc limit 1")
    assert line == {
        "action": "write_settings",
        "target": ".env",
        "before": None,
        "after": {"settings": "ADMIN_EMAILS, FAL_KEY"},
    }
