"""Alive, ready, figures: who may see them, and what is said when the database is away."""

from typing import Any

import pytest
from starlette.applications import Starlette

from core import health, metrics
from core.errors import DatabaseUnavailable
from tests.asgi import ask

TOKEN = "a-token-of-the-monitoring"


class Database:
    """Stands in for the database: answers with the age of a worker's beat, or is away."""

    def __init__(self) -> None:
        self.age: float | None = 1.0
        self.away = False
        self.calls = 0

    def call(self, function: str) -> float | None:
        assert function == "worker_beat_age"
        self.calls += 1
        if self.away:
            raise DatabaseUnavailable("Away.")
        return self.age


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    database = Database()
    monkeypatch.setattr(health, "get_database", lambda: database)
    monkeypatch.setattr(metrics, "text", lambda: "atelier_up 1\n")
    return database


def app(*tokens: str) -> Starlette:
    return Starlette(routes=health.routes(tokens))


def test_alive_needs_nothing(database: Database) -> None:
    database.away = True
    assert ask(app(), "GET", "/health").status_code == 200


@pytest.mark.parametrize(
    ("age", "away", "problem"),
    [
        (1.0, False, None),
        (59.0, False, None),
        (61.0, False, "No worker has been seen for 61 s."),
        (None, False, "No worker has ever run."),
        (1.0, True, "The database cannot be reached."),
    ],
)
def test_ready_is_a_reached_database_and_a_beating_worker(
    database: Database, age: float | None, away: bool, problem: str | None
) -> None:
    database.age, database.away = age, away
    told = ask(app(), "GET", "/ready")
    if problem is None:
        assert (told.status_code, told.json()) == (200, {"status": "ready"})
    else:
        assert (told.status_code, told.json()) == (503, {"status": "not ready", "problems": [problem]})


def test_one_look_serves_all_who_ask_at_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = app()
    for _ in range(5):
        assert ask(asked, "GET", "/ready").status_code == 200
    assert database.calls == 1
    monkeypatch.setattr(health, "FRESH_SECONDS", 0.0)
    database.away = True
    assert ask(asked, "GET", "/ready").status_code == 503


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("caller", "headers", "allowed"),
    [
        ("127.0.0.1", {}, True),
        ("::1", {}, True),
        ("127.8.8.8", {}, True),
        ("10.0.0.7", {}, False),
        ("testclient", {}, False),
        ("127.0.0.1", {"x-forwarded-for": "203.0.113.9"}, False),
        ("127.0.0.1", {"forwarded": "for=203.0.113.9"}, False),
        ("127.0.0.1", {"x-real-ip": "203.0.113.9"}, False),
    ],
)
def test_without_a_token_figures_are_for_this_machine_only(caller: str, headers: dict[str, str], allowed: bool) -> None:
    told = ask(app(), "GET", "/metrics", caller=caller, headers=headers)
    assert told.status_code == (200 if allowed else 401)
    assert ("atelier_up" in told.text) == allowed


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("authorization", "allowed"),
    [
        (f"Bearer {TOKEN}", True),
        (f"bearer {TOKEN}", True),
        ("Bearer the-next-token-of-it", True),
        (f"Bearer {TOKEN}x", False),
        (f"Bearer {TOKEN[:-1]}", False),
        (f"Basic {TOKEN}", False),
        (TOKEN, False),
        ("Bearer ", False),
        ("", False),
        ("Bearer tökén", False),
    ],
)
def test_with_a_token_nothing_else_counts_not_even_the_place(authorization: str, allowed: bool) -> None:
    headers: Any = {"authorization": authorization.encode()}
    asked = app(TOKEN, "the-next-token-of-it")
    assert ask(asked, "GET", "/metrics", headers=headers).status_code == (200 if allowed else 401)
    assert ask(asked, "GET", "/metrics", caller="203.0.113.9", headers=headers).status_code == (200 if allowed else 401)


def test_figures_while_the_database_is_away(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> str:
        raise DatabaseUnavailable("Away.")

    monkeypatch.setattr(metrics, "text", away)
    assert database.calls == 0
    assert ask(app(), "GET", "/metrics").status_code == 503


@pytest.mark.usefixtures("database")
def test_not_ready_while_our_worker_stumbles() -> None:
    """It beats all the same: the beat comes first in its turn."""
    trouble: list[str] = []
    watched = Starlette(routes=health.routes(trouble=lambda: trouble))
    assert ask(watched, "GET", "/ready").status_code == 200
    trouble.append("The worker stumbles at every turn (look): its log says why.")
    stumbling = ask(Starlette(routes=health.routes(trouble=lambda: trouble)), "GET", "/ready")
    assert (stumbling.status_code, stumbling.json()["problems"]) == (503, trouble)
