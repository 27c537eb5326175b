"""What every part says when it is well, and what is found out about the studio's own settings."""

from typing import Any

import httpx
import pytest

from core.connections.context import Calls
from core.connections.finding import ending
from core.single_sign_on import NEEDED
from tests.unit.connection_answers import (
    ABOUT,
    found,
    names_fixture,  # noqa: F401
)


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


def test_a_short_secret_shows_nothing_of_itself() -> None:
    assert (ending("0123456789ab"), ending("0123")) == ("…89ab", "…")
