"""Days that are added up: the same figures, exact whatever changes afterwards and whoever comes at the same time."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from tests.database.books import VEO, Books, failed
from tests.database.budgets import move, set_balance, spend, waste
from tests.database.spend_days import ago, today
from tests.database.test_budget_spend import report


def old_jobs(books: Books, user: UUID) -> list[UUID]:
    """One on each of five days, the youngest three days ago."""
    jobs = []
    for number, days in enumerate((3, 4, 5, 9, 40)):
        job = spend(books, user, f"0.{number + 1}", generation_type=VEO if number % 2 else "image_flux_schnell")
        move(books, job, ago(books, days))
        jobs.append(job)
    return jobs


def figures(books: Books) -> dict[str, Any]:
    """Everything that is read from closed days."""
    admin = books.admin
    return {
        "report": report(books, admin, days=30),
        "person": report(books, admin, days=30, by="person"),
        "margins": books.call("margin_figures", p_actor=admin)["types"],
        "metrics": {name: books.value("select metrics()")[name] for name in ("jobs", "ended_jobs")},
        "overview": {
            name: books.call("admin_overview", p_actor=admin)[name] for name in ("spent_usual", "spent_month", "budget")
        },
        "burn_down": books.call(
            "burn_down", p_actor=admin, p_scope="team", p_from=today(books) - timedelta(days=45), p_to=today(books)
        ),
        "since": [
            books.value("select private.spent_since(now() - make_interval(days => %s))", days) for days in (1, 4, 50)
        ],
    }


def closed(books: Books) -> int:
    return int(books.value("select count(*) from private.closed_days"))


def test_a_studio_without_any_spend_has_nothing_to_add_up(books: Books) -> None:
    books.owner.execute("set statement_timeout = '30s'")  # once it looked for the first day for ever
    assert books.value("select close_days()") == 0
    assert books.value("select count(*) from private.team_spend('-infinity')") == 0
    assert books.value("select count(*) from private.team_sales('-infinity')") == 0
    assert books.value("select metrics()")["ended_jobs"] == []
    assert figures(books)["report"]["totals"]["jobs"] == 0


def test_closing_changes_no_figure(books: Books) -> None:
    user = books.person(1000)
    set_balance(books, "500")
    old_jobs(books, user)
    move(books, waste(books, user, "0.05"), ago(books, 6))
    spend(books, user, "0.7")
    before = figures(books)
    assert (books.call("close_days"), closed(books)) == (31, 31)  # the newest first
    assert figures(books) == before
    assert books.call("close_days") == 40 - 2 + 1 - 31
    assert books.call("close_days") == 0
    assert figures(books) == before
    assert books.audit() == []
    # They do come from there.
    books.owner.execute("update private.closed_day_spend set spent_usd = spent_usd + 1 where day > current_date - 8")
    assert figures(books)["report"]["totals"] != before["report"]["totals"]
    books.owner.execute("update private.closed_day_spend set spent_usd = spent_usd - 1 where day > current_date - 8")


def test_what_comes_later_opens_the_day_again(books: Books) -> None:
    user = books.person(1000)
    job, *_ = old_jobs(books, user)
    books.call("close_days", p_most=1000)
    before = figures(books)
    books.cost(job, "0.04", "confirmed")
    now = figures(books)
    assert Decimal(now["report"]["totals"]["spent"]) == Decimal(before["report"]["totals"]["spent"]) - Decimal("0.06")
    assert sum(row["confirmed_jobs"] for row in now["margins"]) == 1
    assert books.call("close_days") == 1
    assert figures(books) == now
    assert books.audit() == []


def test_a_cost_that_is_confirmed_as_it_was_opens_the_day_too(books: Books) -> None:
    """The sum is the same, and how much of it is confirmed is not."""
    user = books.person(1000)
    job, *_ = old_jobs(books, user)
    books.call("close_days", p_most=1000)
    books.cost(job, "0.1", "confirmed")
    assert sum(row["confirmed_jobs"] for row in figures(books)["margins"]) == 1
    assert books.audit() == []


def test_today_and_yesterday_are_never_closed(books: Books) -> None:
    user = books.person(1000)
    spend(books, user, "1")
    move(books, spend(books, user, "1"), ago(books, 1))
    assert books.call("close_days") == 0
    assert closed(books) == 0


def test_another_timezone_moves_what_was_added_up(books: Books) -> None:
    user = books.person(1000)
    old_jobs(books, user)
    books.call("close_days", p_most=1000)
    for timezone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        books.call("set_team_timezone", p_actor=books.admin, p_timezone=timezone)
        assert closed(books) == 0, "days begin at another hour"
        assert books.audit() == []
        books.call("close_days", p_most=1000)
        assert books.audit() == []


def test_nothing_is_lost_between_the_sum_and_its_mark(books: Books) -> None:
    """Costs of old jobs become known while the days are being closed, again and again."""
    user = books.person(10_000)
    jobs = [spend(books, user, "0.1") for _ in range(12)]
    for job in jobs:
        with books.owner.transaction():
            books.owner.execute("set local session_replication_role = replica")
            books.owner.execute(
                "update generation_jobs set billed_at = now() - interval '5 days',"
                " completed_at = now() - interval '5 days' where id = %s",
                (job,),
            )
            books.owner.execute(
                "update generation_logs set billed_at = now() - interval '5 days'"
                " where job_id = %s and billed_at is not null",
                (job,),
            )
    books.call("rebuild_spend_daily")
    for round_ in range(4):
        costs = [
            (
                "record_cost",
                {"p_job": job, "p_usd": Decimal(f"0.0{number % 9 + 1}"), "p_units": None, "p_source": source},
            )
            for number, job in enumerate(jobs[round_ * 3 : round_ * 3 + 3])
            for source in ("metered", "confirmed")
        ]
        closings = [("close_days", {"p_most": 31})] * 6
        books.race(*(call for pair in zip(costs, closings, strict=True) for call in pair))
        assert books.audit() == []
    books.call("close_days")
    assert books.audit() == []


def test_who_changes_an_old_day_makes_its_closing_wait(books: Books) -> None:
    user = books.person(1000)
    job, *_ = old_jobs(books, user)
    with books.holding("select record_cost(%s, 0.02, null, 'confirmed')", job):
        assert books.call("close_days") == 0, "the lock cannot be had"
        assert closed(books) == 0
    assert books.call("close_days", p_most=1000) > 0
    assert books.audit() == []


@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        ("update private.closed_day_spend set jobs = jobs + 1", "closed_days_are_sums_of_the_rollup"),
        ("delete from private.closed_day_spend", "closed_days_are_sums_of_the_rollup"),
        ("update private.closed_day_sales set credits = credits + 1", "closed_days_are_sums_of_their_jobs"),
        ("delete from private.closed_day_sales", "closed_days_are_sums_of_their_jobs"),
    ],
)
def test_the_audit_sees_a_sum_that_is_wrong(broken_books: Books, damage: str, rule: str) -> None:
    books = broken_books
    old_jobs(books, books.person(1000))
    books.call("close_days", p_most=1000)
    assert books.audit() == []
    books.owner.execute(damage.encode())
    assert {row["rule"] for row in books.all("select * from audit_books()")} == {rule}


def test_failures_count_in_the_sums(books: Books) -> None:
    user = books.person(1000)
    job = books.submitted(user)
    books.settle(job, failed())
    move(books, job, ago(books, 5))
    before = figures(books)
    books.call("close_days")
    assert figures(books) == before
    assert before["report"]["totals"]["failures"] == 1
