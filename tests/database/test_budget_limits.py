"""Caps and the block at zero: set by admins, on the trail, and right while many things happen at once."""

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.database.books import Books, code_of, completed, creation, refused
from tests.database.budgets import DOLLAR, move, read_at_fal, set_balance, spend


def set_cap(books: Books, user: UUID, cap: str | None) -> Any:
    return books.call("set_monthly_cap", p_actor=books.admin, p_user=user, p_cap=Decimal(cap) if cap else None)


def trail(books: Books, action: str) -> list[Any]:
    return books.all("select actor, target, before, after from admin_actions where action = %s order by id", action)


def test_a_cap_is_set_and_lifted_on_the_trail(books: Books) -> None:
    user = books.person()
    spend(books, user, "1.5")
    assert set_cap(books, user, "20.00") == {
        "spent": "1.500000",
        "open": "0",
        "cap": "20.000000",
        "left": "18.500000",
    }
    set_cap(books, user, "20.00")
    assert set_cap(books, user, None)["cap"] is None
    assert [(line["before"]["cap"], line["after"]["cap"]) for line in trail(books, "set_monthly_cap")] == [
        (None, "20.00"),
        ("20.000000", None),
    ]


@pytest.mark.parametrize("cap", ["0", "-1", "1.001", "1000000", "NaN"])
def test_a_cap_that_makes_no_sense_is_refused(books: Books, cap: str) -> None:
    user = books.person()
    with books.unchanged(), refused(422, "INVALID_INPUT"):
        books.call("set_monthly_cap", p_actor=books.admin, p_user=user, p_cap=Decimal(cap))


def test_only_admins_set_limits(books: Books) -> None:
    user = books.person()
    for actor in (user, uuid4(), None):
        with books.unchanged(), refused(403, "NOT_ALLOWED"):
            books.call("set_monthly_cap", p_actor=actor, p_user=user, p_cap=Decimal(1))
        with books.unchanged(), refused(403, "NOT_ALLOWED"):
            books.call("set_block_at_zero", p_actor=actor, p_on=True)
        with books.unchanged(), refused(403, "NOT_ALLOWED"):
            books.call("set_team_timezone", p_actor=actor, p_timezone="Europe/Paris")
    with refused(404, "NOT_FOUND"):
        set_cap(books, uuid4(), "1")


def test_a_refusal_names_fractions_of_a_cent_and_never_more_than_is_left(books: Books) -> None:
    user = books.person(cap="0.01")
    books.create(user)  # $0.003
    books.create(user)
    with refused(402, "MONTHLY_CAP") as refusal:
        books.create(user, units=Decimal(3))
    assert refusal.sentence == (
        "This would pass your monthly cap of $0.010. $0.004 is left this month. Nothing was charged. "
        "Ask an admin to raise it."
    )


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "$0.00"),
        ("0.0999", "$0.099"),
        ("0.1", "$0.10"),
        ("3.009", "$3.00"),
        ("-2.5", "−$2.50"),
        ("1234.5", "$1,234.50"),
    ],
)
def test_an_amount_in_a_sentence(books: Books, amount: str, text: str) -> None:
    assert books.value("select private.usd(%s)", Decimal(amount)) == text


def test_a_cap_lowered_while_jobs_are_created_is_passed_by_none_after_it(books: Books) -> None:
    user = books.person(cap="100")
    lowering = ("set_monthly_cap", {"p_actor": books.admin, "p_user": user, "p_cap": Decimal(3)})
    creating = [("create_job", creation(user, units=Decimal(1), **DOLLAR)) for _ in range(8)]
    results = books.race(*creating[:4], lowering, *creating[4:])
    before = int(Decimal(results[4]["open"]))  # dollars that were on their way when the cap came
    made = sum(code_of(result) is None for number, result in enumerate(results) if number != 4)
    assert made == max(before, 3)


def test_a_cap_holds_while_jobs_end_dearer_than_estimated(books: Books) -> None:
    user = books.person(cap="10")
    jobs = [books.submitted(user, units=Decimal(1), **DOLLAR) for _ in range(4)]
    results = books.race(
        *[("settle_job", {"p_job": job, "p_verdict": completed("2"), "p_source": "poll"}) for job in jobs],
        *[("create_job", creation(user, units=Decimal(2), **DOLLAR)) for _ in range(4)],
    )
    made = sum(code_of(result) is None for result in results[4:])
    assert 1 <= made <= 3, "2 dollars are left when all have ended, 6 before any has"
    assert books.spent(user) == 8


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/Los_Angeles"])
def test_the_month_of_a_cap_begins_at_midnight_of_the_team(books: Books, zone: str) -> None:
    books.call("set_team_timezone", p_actor=books.admin, p_timezone=zone)
    user = books.person(cap="5")
    job = spend(books, user, "5")
    first = books.value("select date_trunc('month', private.team_day(now()))::date")
    move(books, job, books.value("select (private.team_day_start(%s) - interval '1 second')::text", first))
    books.create(user)
    move(books, job, books.value("select private.team_day_start(%s)::text", first))
    with refused(402, "MONTHLY_CAP"):
        books.create(user)
    move(books, job, str(books.value("select now()")))


def test_the_block_is_a_switch_on_the_trail(books: Books) -> None:
    user = books.person()
    set_balance(books, "0.00")
    books.create(user)
    assert books.call("set_block_at_zero", p_actor=books.admin, p_on=True) is True
    books.call("set_block_at_zero", p_actor=books.admin, p_on=True)
    with refused(402, "TEAM_BUDGET"):
        books.create(user)
    books.call("set_block_at_zero", p_actor=books.admin, p_on=False)
    books.create(user)
    assert [line["after"] for line in trail(books, "set_block_at_zero")] == [
        {"block_at_zero": True},
        {"block_at_zero": False},
    ]


def test_the_block_goes_by_the_latest_reading(books: Books) -> None:
    user = books.person()
    set_balance(books, "50")
    read_at_fal(books, "2")
    books.call("set_block_at_zero", p_actor=books.admin, p_on=True)
    with refused(402, "TEAM_BUDGET") as refusal:
        books.create(user, units=Decimal(3), **DOLLAR)
    assert refusal.detail == {"left": "2.000000"}


def test_people_who_come_at_once_with_cap_and_block_pass_neither(books: Books) -> None:
    set_balance(books, "5")
    books.call("set_block_at_zero", p_actor=books.admin, p_on=True)
    people = [books.person(cap="2") for _ in range(3)]
    calls = [("create_job", creation(user, units=Decimal(1), **DOLLAR)) for user in people for _ in range(4)]
    results = books.race(*calls)
    open_usd = books.value("select sum(estimated_usd) from generation_jobs")
    assert open_usd == sum(code_of(result) is None for result in results) == 5
    most = books.value("select max(n) from (select count(*) as n from generation_jobs group by user_id) x")
    assert most <= 2
