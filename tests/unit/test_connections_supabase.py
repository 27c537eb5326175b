"""What is found out about the Supabase project: keys, migrations, mail."""

from typing import Any

import pytest

from core.connections.supabase import known_migrations
from tests.unit.connection_answers import (
    Answers,
    found,
    names_fixture,  # noqa: F401
)

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
