"""The Connections section: what is simulated, what is tried, and what is written before the one restart."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core import connections, env_file
from core.connections import Drafted, Finding, Report
from core.settings import get_settings
from tests.unit.ui import doubles
from tests.unit.ui.office import Office, office_fixture, section_fixture  # noqa: F401
from tests.unit.ui.studio import Studio, words_on
from ui import admin_connections, connection_restart

KEY = "0f9e8d7c-aaaa-bbbb:0123456789abcdef0123a91e"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[frozenset[str]]:
    """What was tried each time the outside was asked: a key of fal.ai works unless it ends with bad."""
    asked: list[frozenset[str]] = []

    def check(_person: Any, drafted: Drafted) -> Report:
        asked.append(drafted.tried)
        state: Any = "simulated" if "fal.ai" in drafted.simulated else "works"
        if drafted.settings.fal_key.endswith("bad"):
            state = "refused"
        finding = Finding("Key for jobs", ("FAL_KEY",), state, f"It is {state} *so*.", "Go on.", "GET https://fal")
        return Report(dict.fromkeys(connections.GROUPS, ()) | {"fal.ai": (finding,)}, doubles.NOON)

    monkeypatch.setattr(connections, "check", check)
    monkeypatch.setattr(admin_connections, "_FRESH", doubles.NOON - doubles.NOON.replace(year=1))
    return asked


@pytest.fixture
def on_this_machine(studio: Studio, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """A local stack that simulates everything, with an `.env` of this test; returns where that is."""
    monkeypatch.setattr("core.settings.ENV_FILE", tmp_path / ".env")
    monkeypatch.setattr(
        studio, "call", lambda name, **values: studio.calls.append((name, values["p_names"])), raising=False
    )

    def configure(**changes: str) -> Path:
        for name, value in ({"ATELIER_SIMULATED": "Supabase,fal.ai,Stripe", "FAL_KEY": "local:1"} | changes).items():
            monkeypatch.setenv(name, value)
        get_settings.cache_clear()
        return tmp_path / ".env"

    yield configure
    get_settings.cache_clear()


def test_pages_where_keys_are_made_are_links_and_nothing_else_is() -> None:
    assert admin_connections.linked("Make a key at fal.ai/dashboard/keys.") == (
        r"Make a key at [fal\.ai/dashboard/keys](https://fal.ai/dashboard/keys)\."
    )
    assert "(https://supabase.com)" in admin_connections.linked("Make a project at supabase.com and go on.")
    for said in ("It said: see evil-fal.ai/dashboard", "stripe.com.evil.example", "[dashboard](https://evil.example)"):
        assert "](http" not in admin_connections.linked(said)


def try_key(app: AppTest, value: str) -> AppTest:
    app.text_input(key="connection-FAL_KEY").input(value)
    next(button for button in app.button if button.label == "Check fal.ai").click()
    app.run()
    assert not app.exception
    return app


def test_the_outside_is_asked_once_a_visit_and_again_when_asked_to(
    section: Callable[[str], AppTest], asked: list[frozenset[str]], on_this_machine: Callable[..., Path]
) -> None:
    on_this_machine()
    app = section("Connections")
    assert "Supabase, fal\\.ai and Stripe are simulated" in words_on(app)
    assert r"It is simulated \*so\*\." in words_on(app)
    app.run()
    assert asked == [frozenset()]
    app.button(key="connections-again").click().run()
    assert asked == [frozenset()] * 2
    try_key(app, "only half")
    assert "has a space in it" in words_on(app)
    assert asked[2:] == [frozenset()]


def test_a_key_that_works_is_written_and_a_refused_one_is_left_out(
    section: Callable[[str], AppTest],
    asked: list[frozenset[str]],
    on_this_machine: Callable[..., Path],
    studio: Studio,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = on_this_machine()
    monkeypatch.setattr(connection_restart, "is_this_machine", lambda: True)
    env_file.write(path, {"APP_PORT": "9501"})
    app = try_key(section("Connections"), "0f9e8d7c:0123456789bad")
    assert "Left out: FAL\\_KEY" in words_on(app)
    assert "connections-write" not in [button.key for button in app.button]
    app = try_key(app, KEY)
    assert asked[-1] == {"FAL_KEY"}
    assert [code.value for code in app.code] == ["FAL_KEY=…a91e"]
    assert "1 thing needs you" not in words_on(app)
    app.button(key="connections-write").click().run()
    assert "costs real money" in words_on(app)
    assert path.read_text() == "APP_PORT=9501\n", "nothing before it is confirmed"
    app.button(key="connections-write-now").click().run()
    assert path.read_text() == f"APP_PORT=9501\nFAL_KEY={KEY}\n"
    assert ("note_settings_written", ["FAL_KEY"]) in studio.calls
    assert "Now start again" in app.success[0].value
    said = words_on(app) + "".join(code.value for code in app.code)
    assert KEY not in said


def test_in_production_it_is_listed_and_written_nowhere(
    section: Callable[[str], AppTest],
    asked: list[frozenset[str]],
    on_this_machine: Callable[..., Path],
    monkeypatch: Any,
) -> None:
    path = on_this_machine(ATELIER_SIMULATED="")
    monkeypatch.setattr(connection_restart, "is_this_machine", lambda: False)
    app = section("Connections")
    assert "Settings are not changed from here" in words_on(app)
    assert "Nothing is simulated" in words_on(app)
    app = try_key(app, KEY)
    assert "systemctl restart atelier-companion atelier-pages" in words_on(app)
    assert "connections-write" not in [button.key for button in app.button]
    assert asked[-1] == {"FAL_KEY"}
    assert not path.exists()


@pytest.mark.parametrize(
    ("url", "address", "is_here"),
    [
        ("http://localhost:8501/admin", None, True),
        ("http://127.0.0.1:8501/admin", "127.0.0.1", True),
        ("http://[::1]:8501/admin", "::1", True),
        ("http://127.0.0.1:8501/admin", "10.0.0.9", False),
        ("https://studio.company.com/admin", None, False),
        ("http://localhost.evil.example/admin", None, False),
    ],
)
def test_only_who_sits_at_the_machine_may_write(
    monkeypatch: pytest.MonkeyPatch, on_this_machine: Callable[..., Path], url: str, address: str | None, is_here: bool
) -> None:
    on_this_machine()
    context = type("Context", (), {"url": url, "ip_address": address})
    monkeypatch.setattr(connection_restart.st, "context", context)
    assert connection_restart.is_this_machine() is is_here
    monkeypatch.setattr(connection_restart, "get_settings", lambda: type("", (), {"is_production": True}))
    assert connection_restart.is_this_machine() is False
