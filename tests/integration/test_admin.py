# ruff: noqa: F811
"""What admins do with people and the catalogue, through the whole product; and that nobody else does it."""

import inspect
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from postgrest import APIError
from supabase_auth.errors import AuthError

from core import budget, chores, jobs, limits, margins, operations, people, prices, sessions
from core.admin import audits, calls, catalogue, replay, system, trail
from core.admin import jobs as admin_jobs
from core.admin.trail import TrailFilter
from core.database import get_database
from core.errors import InvalidInput, NotAllowed, Refused
from core.models import Job, Person
from core.offers import offers
from local.postgres import Postgres
from tests.integration.admin_desk import admin, in_balance, marketer  # noqa: F401
from tests.integration.studio import Studio, studio  # noqa: F401

SCHNELL = "image_flux_schnell"
PASSWORD = "a long password for tests"


def submitted(person: Person, prompt: str = "A hill") -> Job:
    return jobs.submit(person, SCHNELL, {"prompt": prompt})


def signed_in(email: str) -> str:
    return sessions.sign_in(email, PASSWORD, address="192.0.2.7", user_agent="test").cookie_value


# People


def test_people_are_found_approved_and_kept(studio: Studio, admin: Person) -> None:
    mark = uuid4().hex[:8]
    for number in range(3):
        sessions.sign_up(f"{mark}-{number}@example.test", PASSWORD, f"New {mark} {number}")
    page = people.search(admin, mark)
    assert [member.state for member in page.members] == ["waiting"] * 3
    ids = [member.user_id for member in page.members]
    assert people.approve_many(admin, ids[:2]).changed == tuple(sorted(ids[:2], key=str))
    assert people.decline_many(admin, ids).unchanged == tuple(sorted(ids[:2], key=str))
    assert people.set_unmetered(admin, ids[0], True, "Works on the tests").is_unmetered
    assert people.deactivate(admin, ids[1]).state == "off"
    assert people.reactivate(admin, ids[1]).state == "approved"
    assert people.set_role(admin, ids[1], "admin").role == "admin"
    assert people.set_role(admin, ids[1], "user").role == "user"
    with pytest.raises(Refused) as refusal:
        people.set_role(admin, admin.user_id, "user")
    assert refusal.value.code == "OWN_ROLE"
    found = {member.user_id: member for member in people.search(admin, mark).members}
    assert (found[ids[0]].is_unmetered, found[ids[0]].available) == (True, 20)
    assert (found[ids[2]].state, found[ids[2]].cap) == ("declined", None)
    first = people.search(admin, mark, limit=2)
    assert first.counts is not None
    assert first.counts["all"] >= 4
    rest = people.search(admin, mark, after=first.after, limit=2)
    assert ([*first.members, *rest.members], rest.after) == (list(people.search(admin, mark).members), None)
    assert studio.one("select count(*) as n from admin_actions where target = %s", str(ids[1]))["n"] == 5


def test_signing_out_everywhere_ends_sessions_here_and_at_supabase(admin: Person) -> None:
    email = f"{uuid4().hex}@example.test"
    sessions.sign_up(email, PASSWORD, "Two Browsers")
    cookies = [signed_in(email) for _ in range(2)]
    somebody = sessions.current(cookies[0])
    assert somebody is not None
    elsewhere = get_database().auth()
    elsewhere.auth.sign_in_with_password({"email": email, "password": PASSWORD})
    told = people.sign_out_everywhere(admin, somebody.user_id)
    assert (told.sessions, told.at_supabase) == (2, True)
    assert [sessions.current(cookie) for cookie in cookies] == [None, None]
    with pytest.raises(AuthError):
        elsewhere.auth.refresh_session()
    assert people.sign_out_everywhere(admin, somebody.user_id).sessions == 0
    assert sessions.current(signed_in(email)) is not None


# Catalogue


def test_the_catalogue_is_edited_with_what_the_code_knows(admin: Person) -> None:
    before = next(each for each in catalogue.types(admin) if each.generation_type == SCHNELL)
    assert (before.problem, before.credits) == (None, 1)
    edited = catalogue.edit(admin, SCHNELL, credits=3, default_params={"shape": "wide", "seed": ""}, reason="Dearer")
    assert (edited.credits, edited.default_params) == (3, {"shape": "wide"})
    assert (offers()[SCHNELL].credits, offers()[SCHNELL].defaults()["shape"]) == (3, "wide")
    priced = catalogue.set_price(admin, SCHNELL, "0.004")
    assert (priced.unit_price, priced.price_source) == (Decimal("0.004"), "manual")
    catalogue.set_price(admin, SCHNELL, before.unit_price)
    assert catalogue.set_price(admin, SCHNELL, None).price_source == "documented"
    catalogue.edit(admin, SCHNELL, credits=1, default_params={})
    changes = catalogue.history(admin, SCHNELL)
    assert (changes[-1].action, changes[-1].after["credits"], changes[-1].reason) == (
        "edit_generation_type",
        3,
        "Dearer",
    )
    assert [change.action for change in changes].count("set_unit_price") == 3


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"default_params": {"shape": "round"}}, "shape"),
        ({"default_params": {"colour": "red"}}, "colour"),
        ({"credits": 0}, "credits"),
        ({"label": " "}, "label"),
    ],
)
def test_what_the_form_could_not_take_is_no_default(admin: Person, changes: dict[str, Any], field: str) -> None:
    before = catalogue.types(admin)
    with pytest.raises(InvalidInput) as refusal:
        catalogue.edit(admin, SCHNELL, **changes)
    assert refusal.value.field == field
    assert catalogue.types(admin) == before


def test_a_picture_is_no_default(admin: Person) -> None:
    with pytest.raises(InvalidInput):
        catalogue.edit(admin, "render_highres", default_params={"image_url": "https://example.com/a.png"})


def test_what_cannot_be_offered_is_not_switched_on(studio: Studio, admin: Person) -> None:
    studio.sql.execute(
        "update generation_types set enabled = false, credit_unit = 'second' where generation_type = 'image_hd'"
    )
    assert next(each.problem for each in catalogue.types(admin) if each.generation_type == "image_hd")
    with pytest.raises(InvalidInput, match="cannot be sold by the second"):
        catalogue.edit(admin, "image_hd", enabled=True)
    studio.sql.execute("update generation_types set credit_unit = 'image' where generation_type = 'image_hd'")
    assert catalogue.edit(admin, "image_hd", enabled=True).enabled


# Whoever else


def test_everybody_else_is_refused_and_leaves_a_trace(admin: Person, marketer: Person) -> None:
    job = submitted(marketer, "Mine [sim:queue=60]")
    attempts: dict[str, Callable[[], object]] = {
        "list_people": lambda: people.search(marketer),
        "approve_people": lambda: people.approve_many(marketer, [marketer.user_id]),
        "set_role": lambda: people.set_role(marketer, marketer.user_id, "admin"),
        "set_active": lambda: people.deactivate(marketer, admin.user_id),
        "sign_out_everywhere": lambda: people.sign_out_everywhere(marketer, admin.user_id),
        "grant_credits": lambda: people.grant_credits(marketer, marketer.user_id, 5, "Please", "key"),
        "edit_generation_type": lambda: catalogue.edit(marketer, SCHNELL, credits=1),
        "set_unit_price": lambda: catalogue.set_price(marketer, SCHNELL, "1"),
        "catalogue_history": lambda: catalogue.history(marketer),
        "open_jobs": lambda: admin_jobs.open_jobs(marketer),
        "mark_job_failed": lambda: admin_jobs.mark_failed(marketer, job.id, "Free of charge"),
        "cancel_job": lambda: admin_jobs.cancel(marketer, job.id),
        "inbox_events": lambda: operations.inbox(marketer),
        "inbox_event": lambda: replay.replay(marketer, 1),
        "dead_letters": lambda: replay.replay_dead(marketer),
        "run_audit": lambda: audits.run(marketer),
        "last_audit": lambda: operations.audit(marketer),
        "system_health": lambda: system.health(marketer),
        "webhook_rates": lambda: system.rates(marketer),
        "search_trail": lambda: trail.export(marketer),
        "admin_overview": lambda: operations.overview(marketer),
    }
    for action, attempt in attempts.items():
        with pytest.raises(NotAllowed):
            attempt()
        assert refusals(admin, marketer.user_id)[0] == action
    with pytest.raises(NotAllowed):
        people.search(marketer)
    assert len(refusals(admin, marketer.user_id)) == len(attempts)
    assert jobs.get(marketer, job.id).is_open
    admin_jobs.mark_failed(admin, job.id, "Test")


MODULES = (people, operations, admin_jobs, audits, catalogue, replay, system, trail)
WHATEVER: dict[str, Any] = {  # by the name of a parameter
    "user_id": uuid4(),
    "user_ids": [uuid4()],
    "job_id": uuid4(),
    "event_id": 1,
    "generation_type": SCHNELL,
    "role": "admin",
    "on": True,
    "amount": 5,
    "price": "1",
    "reason": "Please",
    "key": "key",
}


def for_admins() -> dict[str, Callable[..., object]]:
    """Every public function of these modules that acts as a person, so that a new one is tried too."""
    return {
        f"{module.__name__}.{name}": function
        for module in MODULES
        for name, function in vars(module).items()
        if inspect.isfunction(function)
        and (function.__module__, name[0] != "_") == (module.__name__, True)
        and next(iter(inspect.signature(function).parameters), None) == "person"
    }


@pytest.mark.parametrize("name", for_admins())
def test_no_function_for_admins_forgets_to_ask(admin: Person, marketer: Person, name: str) -> None:
    function = for_admins()[name]
    needed = [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name != "person" and parameter.default is parameter.empty
    ]
    with pytest.raises(NotAllowed):
        function(marketer, **{each: WHATEVER[each] for each in needed})
    assert len(refusals(admin, marketer.user_id)) == 1


def test_a_token_of_ones_own_opens_no_door_and_the_try_is_in_the_log_of_postgresql(
    postgres: Postgres, marketer: Person, admin: Person
) -> None:
    """Nobody but the service may execute these functions, so the refusal comes before any of our code could note it."""
    before = len(postgres.log.read_bytes())
    for person in (marketer, admin):
        door = get_database().rows_of(person.access_token)
        for function in ("set_role", "grant_credits", "mark_job_failed", "admin_overview"):
            with pytest.raises(APIError) as refusal:
                door.rpc(function, {"p_actor": str(admin.user_id)}).execute()
            assert refusal.value.code in ("42501", "PGRST202"), "no such function for them, or not theirs to execute"
        with pytest.raises(APIError) as refusal:
            door.rpc("run_audit", {"p_actor": str(admin.user_id)}).execute()
        assert refusal.value.code == "42501"
    told = postgres.log.read_bytes()[before:].decode()
    assert told.count("permission denied for function run_audit") == 2


def test_who_opens_the_admin_page_without_being_an_admin_is_in_the_trail(admin: Person, marketer: Person) -> None:
    with pytest.raises(NotAllowed):
        calls.only_admins(marketer, "page:admin")
    assert refusals(admin, marketer.user_id) == ["page:admin"]


def test_doors_of_other_themes_leave_the_same_trace(admin: Person, marketer: Person) -> None:
    attempts: dict[str, Callable[[], object]] = {
        "set_block_at_zero": lambda: limits.set_block_at_zero(marketer, True),
        "set_team_balance": lambda: budget.set_balance(marketer, Decimal(5)),
        "margin_figures": lambda: margins.margins(marketer),
        "chore_states": lambda: chores.states(marketer),
        "sync_prices": lambda: prices.sync(marketer),
    }
    for action, attempt in attempts.items():
        with pytest.raises(NotAllowed):
            attempt()
        assert refusals(admin, marketer.user_id)[0] == action


def refusals(admin: Person, user_id: UUID) -> list[str | None]:
    return [line.target for line in trail.search(admin, TrailFilter(by=user_id, action="refused"), limit=100).lines]


def test_a_session_that_still_says_admin_is_judged_by_the_database(studio: Studio, marketer: Person) -> None:
    pretender = replace(marketer, role="admin")
    job = submitted(marketer, "Mine [sim:queue=60]")
    with pytest.raises(NotAllowed):
        admin_jobs.mark_failed(pretender, job.id, "Free of charge")
    assert jobs.get(marketer, job.id).is_open
    jobs.cancel(marketer, job.id)
    studio.finish(marketer, job)
