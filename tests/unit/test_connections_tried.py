"""What an admin types: what is tried, asked and of whom, and what is written."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core import connections
from core.admin import system
from core.connections import ACCEPTED, checking
from core.connections.finding import Finding
from core.errors import NotAllowed
from core.settings import Settings, get_settings, load
from tests.unit.connection_answers import (
    KEY,
    REAL,
    names_fixture,  # noqa: F401
    world,
)
from tests.unit.ui import doubles


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
    assert {request.method for request in asked if request.url.path != "/rest/v1/rpc/applied_migrations"} == {"GET"}, (
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
