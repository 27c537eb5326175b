"""The studio from memory, and the app opened on it."""

from contextlib import nullcontext

import pytest
from streamlit.testing.v1 import AppTest

from core import alerts, credits, jobs, offers, packs, purchases, retrying, sessions, together
from core.credits import Standing
from tests.unit.ui import doubles
from tests.unit.ui.studio import MAIN, Open, Studio
from ui import drafts, low_credits


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch) -> Studio:
    studio = Studio()
    monkeypatch.setattr(sessions, "current", studio.current)
    monkeypatch.setattr("core.admin.calls.get_database", lambda: studio)
    monkeypatch.setattr(together, "reading", lambda _person, *_reads: nullcontext())  # nothing here goes anywhere
    monkeypatch.setattr(offers, "offers", doubles.offers)
    monkeypatch.setattr(jobs, "submit", studio.submit)
    monkeypatch.setattr(jobs, "get", studio.get)
    monkeypatch.setattr(jobs, "recent", studio.recent)
    monkeypatch.setattr(jobs, "list_finished", studio.list_finished)
    monkeypatch.setattr(jobs, "campaign_names", studio.campaign_names)
    monkeypatch.setattr(retrying, "plan_retries", studio.plan_retries)
    monkeypatch.setattr(retrying, "carry_out", studio.carry_out)
    monkeypatch.setattr(jobs, "story", lambda _person, _job: (doubles.event("created", 0),))
    monkeypatch.setattr(credits, "standing", lambda _person: Standing(83, 0, 0, 0, 412))
    monkeypatch.setattr(credits, "lines", lambda _person, **_filter: ((doubles.line(),), None))
    monkeypatch.setattr(packs, "offers", doubles.offers)
    monkeypatch.setattr(packs, "terms", doubles.terms)
    monkeypatch.setattr(packs, "note_seen", lambda _person, visit: studio.calls.append(("packs_seen", visit)))
    monkeypatch.setattr(low_credits, "_reminded_at", {})
    monkeypatch.setattr(drafts, "_drafts", {})
    monkeypatch.setattr(alerts, "current", lambda _person: tuple(studio.alerts))
    monkeypatch.setattr(purchases, "own", lambda _person: tuple(studio.purchases))
    monkeypatch.setattr(purchases, "get", studio.purchase)
    return studio


@pytest.fixture
def open_page(studio: Studio) -> Open:
    """Opens the app at a page as a browser would."""

    def open_page(name: str = "generate", **query: str) -> AppTest:
        assert studio.submitted == []
        app = AppTest.from_file(MAIN, default_timeout=30)
        for key, value in query.items():
            app.query_params[key] = value
        app.run()
        if name != "generate":
            app.switch_page(f"../pages/{name}.py").run()
        assert not app.exception
        return app

    return open_page
