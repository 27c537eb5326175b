"""Should a page ever pass on an id that is not its person's: every function looks whose it is, and changes nothing."""

from typing import Any
from uuid import uuid4

import pytest

from tests.database import campaigns
from tests.database.books import Books, Row, creation, refused
from tests.database.payments import Shop


@pytest.fixture
def foreign(books: Books) -> dict[str, Row]:
    """Calls by a stranger about what belongs to somebody else: {function, and what about: its arguments}."""
    owner, stranger = books.person(), books.person()
    campaign = campaigns.new_campaign(books, owner, clips=1)
    clips = campaigns.clips_of(books, campaign)
    version = campaigns.make(books, owner, clips[0])
    steps = {"p_first_step": "first_frame", "p_last_step": "first_frame", "p_confirmed_credits": 0}
    run = {"p_clips": campaigns.uuids(clips)} | steps
    job, order, running = books.submitted(owner), Shop(books).order(owner), uuid4()
    books.call("start_campaign_run", p_run=running, p_actor=owner, p_campaign=campaign, **run)
    me, clip = {"p_actor": stranger}, {"p_actor": stranger, "p_clip": clips[0]}
    return {
        "add_clip": me | {"p_clip": uuid4(), "p_campaign": campaign},
        "edit_campaign": me | {"p_campaign": campaign, "p_visibility": "team"},
        "edit_clip": clip | {"p_title": "Mine"},
        "move_clip": clip | {"p_position": 1},
        "delete_clip": clip,
        "restore_clip": clip,
        "duplicate_clip": me | {"p_clip": uuid4(), "p_from": clips[0]},
        "create_clip_job": campaigns.clip_job(stranger, clips[0]),
        "make_version_current": me | {"p_version": version["id"]},
        "start_campaign_run": me | {"p_run": uuid4(), "p_campaign": campaign} | run,
        "resume_campaign_run": me | {"p_run": running, "p_confirmed_credits": 1},
        "stop_campaign_run": me | {"p_run": running},
        "campaign_run": me | {"p_run": running},
        "request_cancel": {"p_user": stranger, "p_job": job},
        "delete_media": {"p_user": stranger, "p_job": version["job_id"]},
        "create_job of that id": creation(stranger, job),
        "create_job again from it": creation(stranger, retried_from=job),
        "start_purchase": {"p_order": order.id, "p_user": stranger, "p_pack": order.pack},
        "fulfil_checkout": {"p_session": order.session(), "p_source": "page", "p_user": stranger},
    }


def test_what_belongs_to_somebody_else_is_not_there(books: Books, foreign: dict[str, Row]) -> None:
    with books.unchanged():
        for what, arguments in foreign.items():
            with refused(404, "NOT_FOUND"):
                answer: Any = books.call(what.split()[0], **arguments)
                pytest.fail(f"{what} answers {answer}")
