"""The budget: what is left of the balance that was read, and the limits that hold back new jobs."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.errors import CheckViolation

from tests.database.books import Books, code_of, completed, creation, failed, refused
from tests.database.budgets import move

ONE_DOLLAR: dict[str, Any] = {"units": Decimal(1), "unit_price_usd": Decimal(1)}


def set_balance(books: Books, amount: str | None) -> Any:
    return books.call("set_team_balance", p_actor=books.admin, p_amount=Decimal(amount) if amount else None)


def state(books: Books, user: UUID) -> Any:
    return books.value("select private.budget_state(%s)", user)


def spend(books: Books, user: UUID, usd: str, **more: Any) -> UUID:
    """An ended job that cost this much."""
    job = books.submitted(user, units=Decimal(usd), unit_price_usd=Decimal(1), **more)
    books.settle(job, completed())
    return job


# The balance


def test_a_balance_less_what_was_spent_since_is_what_remains(books: Books) -> None:
    user = books.person()
    spend(books, user, "1.25")
    assert set_balance(books, "50.00")["remaining"] == "50.000000"
    spend(books, user, "2.5")
    told = state(books, user)
    assert (told["amount"], told["spent"], told["remaining"]) == ("50.000000", "2.500000", "47.500000")


def test_a_cost_corrected_later_counts_only_for_jobs_after_the_balance(books: Books) -> None:
    user = books.person()
    before = spend(books, user, "1")
    set_balance(books, "50")
    after = spend(books, user, "1")
    books.cost(before, "5", "confirmed")
    assert state(books, user)["spent"] == "1.000000"
    books.cost(after, "2", "confirmed")
    assert state(books, user)["spent"] == "2.000000"


def test_the_latest_balance_counts_and_null_clears_it(books: Books) -> None:
    user = books.person()
    spend(books, user, "1")
    set_balance(books, "50")
    set_balance(books, "20.01")
    assert state(books, user)["remaining"] == "20.010000"
    assert set_balance(books, None) == {"spent": "1.000000"}
    rows = books.all("select amount_usd, scope, source, actor, user_id from budget_snapshots order by id")
    assert [row["amount_usd"] for row in rows] == [50, Decimal("20.01"), None]
    assert {(row["scope"], row["source"], row["actor"], row["user_id"]) for row in rows} == {
        ("team", "manual", books.admin, None)
    }


def test_without_a_balance_people_see_their_month_and_admins_the_teams(books: Books) -> None:
    one, two = books.person(), books.person()
    spend(books, one, "1")
    spend(books, two, "2")
    assert state(books, one) == {"spent": "1.000000"}
    assert state(books, two) == {"spent": "2.000000"}
    assert state(books, books.admin) == {"spent": "3.000000"}


def test_what_somebody_unknown_sees_is_nothing(books: Books) -> None:
    spend(books, books.person(), "1")
    assert Decimal(state(books, uuid4())["spent"]) == 0


def test_a_balance_is_on_the_trail(books: Books) -> None:
    set_balance(books, "50")
    line = books.one("select * from admin_actions where action = 'set_team_balance'")
    assert (line["actor"], line["target"], line["after"]) == (books.admin, "team", {"amount": "50"})


@pytest.mark.parametrize("amount", ["-0.01", "1000000", "1.001", "NaN"])
def test_an_amount_that_makes_no_sense_is_refused(books: Books, amount: str) -> None:
    _ = books.admin
    with books.unchanged(), refused(422, "INVALID_INPUT") as refusal:
        set_balance(books, amount)
    assert refusal.detail == {"field": "amount"}


@pytest.mark.parametrize("amount", ["0.00", "0.01", "999999"])
def test_the_ends_of_the_range_are_accepted(books: Books, amount: str) -> None:
    assert Decimal(set_balance(books, amount)["amount"]) == Decimal(amount)


def test_only_admins_set_the_balance(books: Books) -> None:
    for actor in (books.person(), uuid4(), None):
        with books.unchanged(), refused(403, "NOT_ALLOWED"):
            books.call("set_team_balance", p_actor=actor, p_amount=Decimal(1))


@pytest.mark.parametrize(
    ("scope", "amount", "with_person"),
    [("team", "-0.01", False), ("team", "NaN", False), ("team", "1", True), ("person", "1", False), ("us", "1", False)],
)
def test_a_snapshot_that_makes_no_sense_is_impossible(books: Books, scope: str, amount: str, with_person: bool) -> None:
    with pytest.raises(CheckViolation):
        books.owner.execute(
            "insert into budget_snapshots (scope, user_id, amount_usd, source) values (%s, %s, %s, 'manual')",
            (scope, books.admin if with_person else None, amount),
        )


FIRST = datetime(2026, 3, 26, tzinfo=UTC)  # the days around the beginning of summer time
MOMENTS = st.integers(0, 6 * 24 * 60).map(lambda minutes: FIRST + timedelta(minutes=minutes))


@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    billed=st.lists(st.tuples(MOMENTS, st.decimals("-1", "2", places=6)), min_size=1, max_size=12),
    since=st.lists(MOMENTS, min_size=1, max_size=4),
)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Paris", "America/New_York"])
def test_spend_since_any_moment_is_exact(
    books: Books, zone: str, billed: list[tuple[datetime, Decimal]], since: list[datetime]
) -> None:
    books.owner.execute("update private.team_settings set timezone = %s", (zone,))
    user = books.person(1)
    job = books.create(user)
    for moment, usd in billed:
        books.owner.execute(
            "select private.log_job(j, 'cost_metered', p_spent_usd => %s, p_billed_at => %s) from generation_jobs j"
            " where id = %s",
            (usd, moment, job),
        )
    for moment in (*since, *(moment for moment, _ in billed)):
        expected = sum((usd for at, usd in billed if at >= moment), Decimal(0))
        assert books.value("select private.spent_since(%s, %s)", moment, user) == expected
    # Back to balance: these lines were history that no job has behind it.
    total = sum((usd for _, usd in billed), Decimal(0))
    books.owner.execute(
        "select private.log_job(j, 'cost_metered', p_spent_usd => %s, p_billed_at => now()) from generation_jobs j"
        " where id = %s",
        (-total, job),
    )


@pytest.mark.parametrize(
    "zone",
    ["UTC", "Europe/Paris", "America/Santiago", "Atlantic/Azores", "America/Havana", "Africa/Cairo", "Asia/Kathmandu"],
)
def test_a_day_begins_when_the_day_before_ends(books: Books, zone: str) -> None:
    """Also where clocks change at midnight: it then comes twice, or not at all."""
    books.owner.execute("update private.team_settings set timezone = %s", (zone,))
    wrong = books.all(
        "select d::date, private.team_day_start(d::date)"
        " from generate_series(date '2026-01-01', '2027-12-31', '1 day') d"
        " where private.team_day(private.team_day_start(d::date)) <> d::date"
        " or private.team_day(private.team_day_start(d::date) - interval '1 microsecond') <> d::date - 1"
    )
    assert wrong == []


def test_what_is_spent_in_an_hour_that_comes_twice_is_counted_once(books: Books) -> None:
    books.owner.execute("update private.team_settings set timezone = 'Atlantic/Azores'")
    user = books.person()
    job = spend(books, user, "3")
    move(books, job, "2026-10-25 00:30+00")  # half past midnight, for the first time
    since = datetime(2026, 10, 24, 12, tzinfo=UTC)
    assert books.value("select private.spent_since(%s)", since) == 3
    assert books.value("select private.spent_since(%s)", since + timedelta(hours=13)) == 0


# A person's monthly cap


def test_a_cap_counts_what_was_spent_and_what_is_open(books: Books) -> None:
    user = books.person(cap="3")
    spend(books, user, "1")
    books.create(user, units=Decimal(1), unit_price_usd=Decimal(1))
    with books.unchanged(), refused(402, "MONTHLY_CAP") as refusal:
        books.create(user, units=Decimal("1.000001"), unit_price_usd=Decimal(1))
    assert refusal.detail == {"cap": "3.000000", "left": "1.000000"}
    assert refusal.sentence == (
        "This would pass your monthly cap of $3.00. $1.00 is left this month. Nothing was charged. "
        "Ask an admin to raise it."
    )
    books.create(user, units=Decimal(1), unit_price_usd=Decimal(1))


def test_a_cap_is_freed_by_what_costs_nothing(books: Books) -> None:
    user = books.person(cap="1")
    job = books.submitted(user, units=Decimal(1), unit_price_usd=Decimal(1))
    with refused(402, "MONTHLY_CAP"):
        books.create(user)
    books.settle(job, failed())
    books.create(user)


def test_a_cap_knows_nothing_of_last_month_and_of_others(books: Books) -> None:
    user, other = books.person(cap="1"), books.person()
    spend(books, other, "5")
    job = books.create(user)
    last_month = books.value(
        "select private.team_day_start(date_trunc('month', private.team_day(now()))::date) - interval '1 microsecond'"
    )
    for usd, moment in ((5, last_month), (-5, last_month - timedelta(days=40))):
        books.owner.execute(
            "select private.log_job(j, 'cost_metered', p_spent_usd => %s, p_billed_at => %s) from generation_jobs j"
            " where id = %s",
            (usd, moment, job),
        )
    books.create(user, units=Decimal("0.9"), unit_price_usd=Decimal(1))


def test_a_cap_lets_through_what_fits_when_all_come_at_once(books: Books) -> None:
    user = books.person(cap="3.5")
    results = books.race(*[("create_job", creation(user, **ONE_DOLLAR)) for _ in range(8)])
    assert sorted(map(code_of, results), key=str) == ["MONTHLY_CAP"] * 5 + [None] * 3


def test_a_cap_holds_for_unmetered_people_too(books: Books) -> None:
    user = books.person(0, unmetered=True, cap="1")
    with refused(402, "MONTHLY_CAP"):
        books.create(user, units=Decimal(2), unit_price_usd=Decimal(1))


@pytest.mark.parametrize("cap", ["0", "-1", "NaN"])
def test_a_cap_that_makes_no_sense_is_impossible(books: Books, cap: str) -> None:
    with pytest.raises(CheckViolation):
        books.person(cap=cap)


# The team's balance as a limit


def block(books: Books, balance: str | None) -> None:
    books.owner.execute("update private.team_settings set block_at_zero = true")
    set_balance(books, balance)


def test_the_balance_blocks_only_when_told_to(books: Books) -> None:
    user = books.person()
    set_balance(books, "0.00")
    spend(books, user, "1")
    block(books, "0.00")
    with books.unchanged(), refused(402, "TEAM_BUDGET") as refusal:
        books.create(user)
    assert refusal.detail == {"left": "0.000000"}
    set_balance(books, None)
    books.create(user)


def test_the_balance_counts_the_open_jobs_of_everybody(books: Books) -> None:
    one, two = books.person(), books.person()
    block(books, "3")
    spend(books, one, "1")
    books.create(two, units=Decimal(1), unit_price_usd=Decimal(1))
    with refused(402, "TEAM_BUDGET") as refusal:
        books.create(one, units=Decimal("1.01"), unit_price_usd=Decimal(1))
    assert refusal.detail == {"left": "1.000000"}


def test_the_balance_lets_through_what_fits_when_everybody_comes_at_once(books: Books) -> None:
    people = [books.person() for _ in range(8)]
    block(books, "3.5")
    results = books.race(*[("create_job", creation(user, **ONE_DOLLAR)) for user in people])
    assert sorted(map(code_of, results), key=str) == [None] * 3 + ["TEAM_BUDGET"] * 5


def test_the_balance_holds_while_jobs_end(books: Books) -> None:
    people = [books.person() for _ in range(4)]
    block(books, "6")
    jobs = [books.submitted(user, **ONE_DOLLAR) for user in people]
    results = books.race(
        *[("settle_job", {"p_job": job, "p_verdict": completed(), "p_source": "poll"}) for job in jobs],
        *[("create_job", creation(user, **ONE_DOLLAR)) for user in people],
    )
    assert sorted(map(code_of, results[4:]), key=str) == [None] * 2 + ["TEAM_BUDGET"] * 2


# What an admin sees


def test_the_overview_counts(books: Books) -> None:
    user = books.person()
    spend(books, user, "1.5")
    books.settle(books.submitted(user), failed())
    books.create(user)
    running = books.submitted(user)
    books.call("record_progress", p_updates=[{"job": str(running), "state": "running", "check_seconds": 5}])
    books.call("claim_work", p_worker="one", p_jobs=0, p_outputs=0, p_costs=0)
    told = books.call("admin_overview", p_actor=books.admin)
    assert (told["running"], told["in_line"], told["done_today"], told["failed_today"]) == (2, 1, 1, 1)
    assert (told["spent_today"], told["spent_usual"]) == ("1.500000", "0.000000")
    assert told["budget"] == {"spent": "1.500000"}
    assert told["worker_beat_at"] is not None
    assert (told["fal"]["provider"], "account_id" in told["fal"], told["inbox"]) == ("fal", False, {})


def test_the_overview_is_for_admins(books: Books) -> None:
    for actor in (books.person(), uuid4(), None):
        with refused(403, "NOT_ALLOWED"):
            books.call("admin_overview", p_actor=actor)
