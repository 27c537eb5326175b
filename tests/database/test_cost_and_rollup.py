"""Spend in USD: estimated, metered, confirmed; history and rollup say the same, to the last digit and the right day."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.errors import CheckViolation, RaiseException

from tests.database.books import SCHNELL, VEO, Books, cancelled, completed, failed, refused

MEASURES = ("jobs", "failures", "credits", "estimated_usd", "spent_usd", "seconds")


def video(books: Books, user: UUID) -> UUID:
    """An ended video, estimated at 0.90 USD, not metered yet."""
    job = books.submitted(user, generation_type=VEO, quantity=6, units=Decimal(6), unit_price_usd=Decimal("0.15"))
    books.settle(job, completed())
    return job


def changes(books: Books, job: UUID) -> list[tuple[str, Decimal, str | None]]:
    rows = books.all(
        "select event, spent_usd, cost_source from generation_logs where job_id = %s and billed_at is not null"
        " order by id",
        job,
    )
    return [(row["event"], row["spent_usd"], row["cost_source"]) for row in rows]


def rollup(books: Books) -> dict[tuple[date, UUID, str], tuple[Any, ...]]:
    return {
        (row["day"], row["user_id"], row["generation_type"]): tuple(row[measure] for measure in MEASURES)
        for row in books.all("select * from spend_daily")
    }


def summed_history(books: Books) -> dict[tuple[date, UUID, str], tuple[Any, ...]]:
    """What the rollup must be, added up here from the lines of the history. The team's days are UTC's."""
    sums: dict[tuple[date, UUID, str], list[Any]] = {}
    for row in books.all("select * from generation_logs where billed_at is not null"):
        key = (row["billed_at"].date(), row["user_id"], row["generation_type"])
        line = (
            row["ended"],
            row["failed"],
            row["credits"],
            row["estimated_usd"],
            row["spent_usd"],
            row["seconds"] or 0,
        )
        sums[key] = [total + value for total, value in zip(sums.get(key, [0] * 6), line, strict=True)]
    return {key: tuple(totals) for key, totals in sums.items()}


# Estimated, metered, confirmed


def test_a_better_known_cost_replaces_the_estimate(books: Books) -> None:
    user = books.person()
    job = video(books, user)
    row = books.cost(job, "0.75", "metered", units="5")
    assert (row["cost_source"], row["spent_usd"], row["actual_usd"]) == ("metered", "0.750000", "0.750000")
    assert (books.job(job)["billed_units"], books.job(job)["cost_due_at"]) == (5, None)
    books.cost(job, "0.7321", "confirmed")
    row = books.job(job)
    assert (row["cost_source"], row["spent_usd"], row["actual_usd"]) == (
        "confirmed",
        Decimal("0.7321"),
        Decimal("0.7321"),
    )
    assert row["billed_units"] == 5, "kept when the billing event says nothing of units"
    assert changes(books, job) == [
        ("completed", Decimal("0.9"), "estimated"),
        ("cost_metered", Decimal("-0.15"), "metered"),
        ("cost_confirmed", Decimal("-0.0179"), "confirmed"),
    ]
    assert books.spent(user) == Decimal("0.7321")
    assert row["estimated_usd"] == Decimal("0.9")


def test_the_same_cost_again_changes_nothing(books: Books) -> None:
    job = video(books, books.person())
    for source in ("metered", "confirmed"):
        first = books.cost(job, "0.75", source)
        with books.unchanged():
            assert books.cost(job, "0.75", source) == first


def test_a_confirmed_cost_is_final(books: Books) -> None:
    user = books.person()
    job = video(books, user)
    books.cost(job, "0.75", "confirmed")
    with books.unchanged():
        for source in ("metered", "confirmed"):
            assert books.cost(job, "0.8", source)["spent_usd"] == "0.750000"


def test_a_cost_at_once_counts_once(books: Books) -> None:
    user = books.person()
    job = video(books, user)
    metered = {"p_job": job, "p_usd": Decimal("0.75"), "p_units": None, "p_source": "metered"}
    confirmed = {"p_job": job, "p_usd": Decimal("0.7"), "p_units": None, "p_source": "confirmed"}
    books.race(*[("record_cost", metered)] * 4, *[("record_cost", confirmed)] * 4)
    assert (books.job(job)["cost_source"], books.spent(user)) == ("confirmed", Decimal("0.7"))
    assert [name for name, *_ in changes(books, job)].count("cost_confirmed") == 1


@pytest.mark.parametrize("verdict", [failed(), cancelled()])
def test_a_failure_that_was_billed_after_all_is_counted(books: Books, verdict: dict[str, Any]) -> None:
    user = books.person(1)
    job = books.submitted(user)
    books.settle(job, verdict)
    books.cost(job, "0.002", "confirmed")
    assert (books.spent(user), books.balance(user)) == (Decimal("0.002"), (1, 0))


def test_a_cost_of_nothing_is_a_cost(books: Books) -> None:
    user = books.person()
    job = video(books, user)
    books.cost(job, "0", "confirmed")
    assert books.spent(user) == books.job(job)["actual_usd"] == 0


def test_no_job_has_a_cost_before_its_end(books: Books) -> None:
    for job in (books.submitted(books.person()), uuid4()):
        with books.unchanged(), refused(409, "NOT_ENDED"):
            books.cost(job, "0.1")


@pytest.mark.parametrize(("usd", "source"), [("-0.000001", "metered"), ("1", "estimated"), ("1", "guessed")])
def test_a_cost_that_makes_no_sense_is_refused(books: Books, usd: str, source: str) -> None:
    job = video(books, books.person())
    with books.unchanged(), pytest.raises(RaiseException, match="metered or confirmed"):
        books.cost(job, usd, source)


def test_a_cost_that_is_no_number_is_refused(books: Books) -> None:
    job = video(books, books.person())
    with books.unchanged(), pytest.raises(psycopg.DatabaseError):
        books.cost(job, "NaN")
    with books.unchanged(), pytest.raises(psycopg.DatabaseError):
        books.cost(job, "0.5", units="NaN")


def test_a_cost_can_be_looked_for_later_or_never(books: Books) -> None:
    job = video(books, books.person())
    books.call("postpone_cost", p_job=job, p_check_seconds=60)
    row = books.one("select cost_tries, cost_due_at > now() + interval '50 s' as later from generation_jobs")
    assert (row["cost_tries"], row["later"]) == (1, True)
    books.call("postpone_cost", p_job=job, p_check_seconds=None)
    assert (books.job(job)["cost_tries"], books.job(job)["cost_due_at"]) == (2, None)


# Exact


def test_no_amount_is_a_float(books: Books) -> None:
    floats = books.all(
        "select table_name, column_name from information_schema.columns"
        " where table_schema in ('public', 'private') and data_type in ('real', 'double precision', 'money')"
    )
    assert floats == []


def test_every_amount_in_dollars_has_six_decimals(books: Books) -> None:
    columns = books.all(
        "select table_name, column_name, numeric_precision, numeric_scale from information_schema.columns"
        " where table_schema = 'public' and column_name like %s",
        "%\\_usd",
    )
    assert len(columns) >= 10
    assert {row["numeric_scale"] for row in columns} == {6}
    assert {row["numeric_precision"] for row in columns} <= {12, 14}


def test_a_thousandth_of_a_cent_is_not_lost(books: Books) -> None:
    user = books.person()
    for _ in range(10):
        job = books.submitted(user, units=Decimal("0.1"), unit_price_usd=Decimal("0.00001"))
        books.settle(job, completed())
    assert books.spent(user) == Decimal("0.00001")
    assert str(books.value("select sum(spent_usd) from generation_logs")) == "0.000010"


def test_a_large_cost_is_exact(books: Books) -> None:
    user = books.person()
    job = video(books, user)
    books.cost(job, "999999.999999", "confirmed")
    assert str(books.spent(user)) == "999999.999999"


def test_a_rollup_never_holds_a_cost_that_is_no_number(books: Books) -> None:
    job = video(books, books.person())
    with pytest.raises((psycopg.DataError, CheckViolation)):
        books.cost(job, "1000000", "confirmed")


# Days


def bill(books: Books, job: UUID, moment: str) -> None:
    """One more line of history with this billing moment, as the functions write it."""
    books.owner.execute(
        "select private.log_job(j, 'cost_metered', p_spent_usd => 0.25, p_billed_at => %s) from generation_jobs j"
        " where id = %s",
        (moment, job),
    )


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("UTC", "2026-03-28T23:59:59.999999Z", "2026-03-28"),
        ("UTC", "2026-03-29T00:00:00Z", "2026-03-29"),
        # Winter time: midnight in Paris is 23:00 UTC
        ("Europe/Paris", "2026-01-14T22:59:59.999999Z", "2026-01-14"),
        ("Europe/Paris", "2026-01-14T23:00:00Z", "2026-01-15"),
        # The day on which summer time begins starts at 23:00 UTC and ends at 22:00 UTC
        ("Europe/Paris", "2026-03-28T22:59:59.999999Z", "2026-03-28"),
        ("Europe/Paris", "2026-03-28T23:00:00Z", "2026-03-29"),
        ("Europe/Paris", "2026-03-29T21:59:59.999999Z", "2026-03-29"),
        ("Europe/Paris", "2026-03-29T22:00:00Z", "2026-03-30"),
        # The day on which it ends has 25 hours
        ("Europe/Paris", "2026-10-24T22:00:00Z", "2026-10-25"),
        ("Europe/Paris", "2026-10-25T22:59:59.999999Z", "2026-10-25"),
        ("Europe/Paris", "2026-10-25T23:00:00Z", "2026-10-26"),
        ("Pacific/Kiritimati", "2026-06-30T10:00:00Z", "2026-07-01"),
        ("America/Los_Angeles", "2026-01-01T07:59:59.999999Z", "2025-12-31"),
    ],
)
def test_a_day_begins_at_midnight_of_the_team(books: Books, zone: str, moment: str, day: str) -> None:
    books.owner.execute("update private.team_settings set timezone = %s", (zone,))
    job = books.submitted(books.person())
    books.settle(job, failed())
    bill(books, job, moment)
    books.owner.execute(
        "update generation_jobs set spent_usd = 0.25, actual_usd = 0.25, cost_source = 'metered' where id = %s", (job,)
    )
    assert books.all("select day, spent_usd from spend_daily where spent_usd <> 0") == [
        {"day": date.fromisoformat(day), "spent_usd": Decimal("0.25")}
    ]
    start = books.value("select private.team_day_start(%s::date)", day)
    end = books.value("select private.team_day_start(%s::date + 1)", day)
    assert start <= datetime.fromisoformat(moment) < end


def test_a_cost_known_later_belongs_to_the_day_of_the_job(books: Books) -> None:
    user = books.person()
    job = video(books, user)
    books.owner.execute("update generation_jobs set billed_at = billed_at - interval '40 days' where id = %s", (job,))
    books.cost(job, "0.75")
    today = books.value("select private.team_day(now())")
    assert {row["day"]: row["spent_usd"] for row in books.all("select * from spend_daily")} == {
        today - timedelta(days=40): Decimal("-0.15"),
        today: Decimal("0.9"),
    }


# Any sequence

AMOUNTS = st.decimals("0", "5", places=6)
STEPS = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.one_of(
            st.sampled_from(
                [completed(), completed(units="1.25"), failed(), failed(billable=True), cancelled(billable=True)]
            ),
            st.tuples(st.sampled_from(["metered", "confirmed"]), AMOUNTS),
        ),
    ),
    min_size=4,
    max_size=14,
)


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_after_any_sequence_the_rollup_is_the_sum_of_the_history(books: Books, steps: list[tuple[int, Any]]) -> None:
    people = [books.person(), books.person(0, unmetered=True)]
    jobs = [
        books.submitted(people[number % 2], generation_type=(SCHNELL, VEO)[number % 3 > 0], quantity=1 + number)
        for number in range(6)
    ]
    for number, step in steps:
        if isinstance(step, dict):
            books.settle(jobs[number], step)
        elif books.job(jobs[number])["completed_at"]:
            source, usd = step
            books.cost(jobs[number], str(usd), source)
    assert rollup(books) == summed_history(books)
    for job in jobs:
        history = books.value("select coalesce(sum(spent_usd), 0) from generation_logs where job_id = %s", job)
        assert books.job(job)["spent_usd"] == history
    assert books.audit() == []
