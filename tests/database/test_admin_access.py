"""Every admin function, tried by everybody who may not: a refusal that changes nothing and leaves a trace."""

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from psycopg.errors import InsufficientPrivilege

from tests.database.admin import second_admin, trail
from tests.database.books import Books, as_person, refused


def admin_functions(books: Books) -> dict[str, list[str]]:
    """Every function that begins with asking for an admin, of whichever theme, with the types of its arguments."""
    rows = books.all(
        "select proname, array(select t::regtype::text from unnest(proargtypes) t) as types"
        " from pg_proc where pronamespace = 'public'::regnamespace and prosrc ~ %s",
        r"begin\s+perform private\.require_admin(_in_turn)?\(p_actor",
    )
    assert len(rows) > 40
    return {row["proname"]: row["types"] for row in rows}


def attempt(books: Books, function: str, types: list[str], actor: UUID | None) -> None:
    """Call it with nothing but an actor: who is refused is refused before anything else is looked at."""
    names = books.value(
        "select proargnames from pg_proc where proname = %s and pronamespace = 'public'::regnamespace", function
    )
    arguments = ", ".join(
        f"{name} => {'%s' if name == 'p_actor' else 'null'}::{kind}" for name, kind in zip(names, types, strict=False)
    )
    books.service.execute(f"select public.{function}({arguments})".encode(), (actor,))


def deactivated_admin(books: Books) -> UUID:
    user = second_admin(books)
    books.call("set_active", p_actor=books.admin, p_user=user, p_on=False)
    return user


def former_admin(books: Books) -> UUID:
    user = second_admin(books)
    books.call("set_role", p_actor=books.admin, p_user=user, p_role="user")
    return user


STRANGERS: dict[str, Callable[[Books], UUID]] = {
    "a marketer": Books.person,
    "somebody unapproved": Books.sign_up,
    "a deactivated admin": deactivated_admin,
    "a former admin": former_admin,
    "nobody": lambda _books: uuid4(),
}


@pytest.mark.parametrize("who", STRANGERS)
def test_everybody_else_is_refused_by_every_function_and_changes_nothing(books: Books, who: str) -> None:
    stranger = STRANGERS[who](books)
    with books.unchanged():
        for function, types in admin_functions(books).items():
            with refused(403, "NOT_ALLOWED") as refusal:
                attempt(books, function, types, stranger)
            assert refusal.detail["action"], function


def test_no_actor_is_nobody(books: Books) -> None:
    with books.unchanged():
        for function, types in admin_functions(books).items():
            with refused(403, "NOT_ALLOWED"):
                attempt(books, function, types, None)


@pytest.mark.parametrize("who", STRANGERS)
def test_what_workers_do_too_is_no_door_for_others(books: Books, who: str) -> None:
    stranger = STRANGERS[who](books)
    with books.unchanged():
        with refused(403, "NOT_ALLOWED"):
            books.call("run_audit", p_actor=stranger)
        with refused(403, "NOT_ALLOWED"):
            books.call("record_prices", p_prices=[], p_actor=stranger)


def test_what_this_file_knows_is_found(books: Books) -> None:
    known = {"list_people", "set_role", "edit_generation_type", "mark_job_failed", "replay_fal_event", "search_trail"}
    assert known | {"grant_credits", "set_team_balance", "replay_stripe_event"} <= set(admin_functions(books))


def test_an_admin_is_not_refused(books: Books) -> None:
    for function in ("list_people", "open_jobs", "inbox_events", "system_health", "search_trail", "admin_overview"):
        assert books.call(function, p_actor=books.admin) is not None


def test_a_token_reaches_no_function_whoever_it_belongs_to(books: Books) -> None:
    for function in ("list_people", "open_jobs", "system_health", "search_trail", "run_audit"):
        with as_person(books.url, books.admin) as connection, pytest.raises(InsufficientPrivilege):
            connection.execute(f"select public.{function}(%s)".encode(), (books.admin,))


# The trace


def test_a_refusal_is_noted_once_in_a_while(books: Books) -> None:
    user, other = books.person(), books.person()
    note = {"p_person": user, "p_action": "set_role"}
    assert [books.call("note_refusal", **note) for _ in range(3)] == [True, False, False]
    assert books.call("note_refusal", **(note | {"p_action": "run_audit"}))
    assert books.call("note_refusal", **(note | {"p_person": other}))
    told = [(line["actor"], line["target"]) for line in trail(books, "refused")]
    assert told == [(user, "set_role"), (user, "run_audit"), (other, "set_role")]


def test_many_refusals_at_once_are_one_line(books: Books) -> None:
    user = books.person()
    noted = books.race(*[("note_refusal", {"p_person": user, "p_action": "set_role"})] * 6)
    assert sorted(noted) == [False] * 5 + [True]
    assert len(trail(books, "refused")) == 1


def test_who_is_nobody_leaves_no_line_and_a_long_name_is_cut(books: Books) -> None:
    assert books.call("note_refusal", p_person=uuid4(), p_action="set_role") is False
    assert books.call("note_refusal", p_person=books.person(), p_action="x" * 500)
    assert [len(line["target"]) for line in trail(books, "refused")] == [80]
