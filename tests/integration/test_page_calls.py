"""No page needs more than three round trips to Supabase, and none more of them because there is more to show."""

from collections import Counter
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from streamlit.testing.v1 import AppTest

from bench.counted import Call, counting
from core import budget, media, offers, packs
from core.models import Person
from core.settling import settle
from tests.integration.atelier import Atelier
from tests.integration.hands import created
from ui import web

MAIN = Path(__file__).parents[2] / "ui" / "main.py"
MOST = 3
MADE = {
    "outcome": "completed",
    "billable": True,
    "outputs": [{"url": "https://a.test/a.png", "media_type": "image/png"}, {"url": "https://a.test/b.png"}],
}
SECTIONS = ("People", "Catalogue", "Operations", "Money", "Trail")
# page, query, for admins alone
VIEWS = {
    "generate": ("generate", {}, False),
    "jobs": ("jobs", {}, False),
    "failed jobs": ("jobs", {"jobs-status": "failed"}, False),
    "campaigns": ("campaigns", {}, False),
    "a campaign": ("campaigns", {"campaign": ""}, False),
    "budget": ("budget", {}, False),
    "credits": ("credits", {}, False),
    **{f"admin, {name}": ("admin", {"section": name}, True) for name in SECTIONS},
}


def make_work(atelier: Atelier, person: Person, jobs: int, campaigns: int) -> UUID:
    """Ended jobs with their files in Storage, and campaigns made of some; returns a campaign."""
    campaign = uuid4()
    for number in range(jobs):
        job = created(person, f"Work {number}")
        if number < campaigns:
            campaign, clip = uuid4(), uuid4()
            with atelier.rows.transaction():
                atelier.rows.execute(
                    "insert into campaigns (id, owner_id, name) values (%s, %s, 'Work')", (campaign, person.user_id)
                )
                atelier.rows.execute(
                    "insert into campaign_clips (id, campaign_id, position) values (%s, %s, 1)", (clip, campaign)
                )
                atelier.rows.execute(
                    "update generation_jobs set campaign_id = %s, clip_id = %s, clip_step = 'first_frame'"
                    " where id = %s",
                    (campaign, clip, job.id),
                )
        settle(str(job.id), MADE, "poll")
    atelier.rows.execute(
        "update job_outputs set mirrored_at = now(), mirror_due_at = null,"
        " storage_path = format('%%s/%%s/%%s.png', user_id, job_id, position)"
        " where user_id = %s and mirrored_at is null",
        (person.user_id,),
    )
    atelier.rows.execute(
        "insert into storage.objects (id, bucket_id, name) select id, 'media', storage_path from job_outputs"
        " where user_id = %s on conflict do nothing",
        (person.user_id,),
    )
    return campaign


def session_of(atelier: Atelier, person: Person, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """Somebody who has just come in."""
    cookie = atelier.cookies[person.user_id]
    monkeypatch.setattr(web, "session_cookie", lambda _cookies: cookie)
    return AppTest.from_file(MAIN, default_timeout=60).run()


def calls_of(app: AppTest, view: str, campaign: UUID) -> list[str]:
    """What is asked of Supabase to show a view, with none of its pictures signed and nothing kept from before."""
    page, query, _ = VIEWS[view]
    app.query_params.clear()
    for name, value in query.items():
        if name == "campaign":
            app.query_params[name] = str(campaign)
        else:
            app.session_state[name] = value
    media._signed.clear()
    offers.forget(), packs.forget()
    calls: list[Call] = []
    with counting(calls.append):
        app.switch_page(f"../pages/{page}.py").run()
    assert not app.exception, (view, app.exception)
    return [call.name for call in calls]


def test_every_page_takes_three_round_trips_at_most_however_much_there_is(
    atelier: Atelier, monkeypatch: pytest.MonkeyPatch
) -> None:
    atelier.restart(PUBLIC_URL="", FAL_ADMIN_KEY="an-admin-key")
    people = [atelier.new_marketer(), atelier.admin]
    budget.set_balance(atelier.admin, "500")
    found: dict[tuple[str, bool], list[list[str]]] = {}
    for jobs, campaigns in ((1, 1), (15, 6)):
        for person in people:
            campaign = make_work(atelier, person, jobs, campaigns)
            app = session_of(atelier, person, monkeypatch)
            for view, (_, _, for_admins) in VIEWS.items():
                if person.is_admin or not for_admins:
                    found.setdefault((view, person.is_admin), []).append(calls_of(app, view, campaign))
    for (view, is_admin), (few, many) in found.items():
        assert len(few) <= MOST, (view, is_admin, few)
        assert not Counter(many) - Counter(few), (view, is_admin, few, many)
    signed = {view for (view, _), (_, many) in found.items() if "storage/object" in " ".join(many)}
    assert signed == {"generate", "jobs", "campaigns", "a campaign"}, "pictures were shown, and signed"
    assert found["admin, Operations", True][1] == ["rpc/session_context", "rpc/answers"]
    assert "generation_types" in found["admin, Catalogue", True][1], "the sections are what was asked for"
