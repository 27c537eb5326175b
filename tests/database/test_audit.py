"""The audit sees what is wrong: every rule is broken once, past all triggers and checks, and must say so."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import pytest

from tests.database.books import Books, completed, failed, rules


@dataclass
class Case:
    """Healthy books: one completed, one failed and one open job, each for one credit."""

    books: Books
    user: UUID
    other: UUID
    done: UUID
    broken: UUID
    open: UUID

    def alter(self, query: str, *values: object) -> None:
        """Change the books as nobody can: without triggers and foreign keys."""
        changed = self.books.owner.execute(query.encode(), values)
        assert changed.rowcount > 0, "the change found nothing to change"


@pytest.fixture
def case(broken_books: Books) -> Case:
    books = broken_books
    user, other = books.person(10), books.person(10)
    done, broken, still_open = (books.submitted(user) for _ in range(3))
    books.settle(done, completed())
    books.settle(broken, failed(billable=True))
    books.owner.execute("set session_replication_role = replica")
    assert books.audit() == []
    return Case(books, user, other, done, broken, still_open)


def available_moved(case: Case) -> None:
    case.alter("update credit_accounts set available = available + 1 where user_id = %s", case.user)


def entry_lost(case: Case) -> None:
    case.alter("delete from credit_entries where user_id = %s and kind = 'welcome'", case.user)


def version_moved(case: Case) -> None:
    case.alter("update credit_accounts set version = version + 1 where user_id = %s", case.user)


def held_moved(case: Case) -> None:
    case.alter("update credit_accounts set held = held + 1 where user_id = %s", case.user)


def entries_of_one_moment_swapped(case: Case) -> None:
    case.alter(
        "update credit_entries set available_after = available_after + 1 where user_id = %s and kind = 'capture'",
        case.user,
    )


def charged_without_capture(case: Case) -> None:
    case.alter("update generation_jobs set status = 'completed', credits_charged = 1 where id = %s", case.broken)


def completed_but_released(case: Case) -> None:
    case.alter(
        "update credit_entries set kind = 'release', available_change = 1, held_change = -1"
        " where job_id = %s and kind = 'capture'",
        case.done,
    )


def failed_and_still_held(case: Case) -> None:
    case.alter("delete from credit_entries where job_id = %s and kind = 'release'", case.broken)


def held_for_nobody(case: Case) -> None:
    case.alter("delete from credit_entries where job_id = %s and kind = 'hold'", case.open)


def paid_by_somebody_else(case: Case) -> None:
    case.alter("update credit_entries set user_id = %s where job_id = %s", case.other, case.done)
    for user in (case.user, case.other):
        case.books.owner.execute(
            "with sums as (select id, row_number() over w as version, sum(available_change) over w as available,"
            " sum(held_change) over w as held from credit_entries where user_id = %(user)s window w as (order by id))"
            " update credit_entries e set version = 100 + s.version, available_after = s.available,"
            " held_after = s.held from sums s where e.id = s.id",
            {"user": user},
        )
        case.books.owner.execute(
            "update credit_accounts a set (available, held, version) = (select coalesce(sum(available_change), 0),"
            " coalesce(sum(held_change), 0), count(*) from credit_entries where user_id = a.user_id)"
            " where user_id = %s",
            (user,),
        )


def spend_lost_from_history(case: Case) -> None:
    case.alter("delete from generation_logs where job_id = %s and event = 'completed'", case.done)


def spend_moved(case: Case) -> None:
    case.alter("update generation_jobs set spent_usd = spent_usd + 0.000001 where id = %s", case.done)


def ended_twice(case: Case) -> None:
    case.alter("update generation_logs set ended = 1 where job_id = %s and event = 'submitted'", case.done)


def rollup_moved(case: Case) -> None:
    case.alter("update spend_daily set spent_usd = spent_usd + 0.000001 where user_id = %s", case.user)


def rollup_lost(case: Case) -> None:
    case.alter("delete from spend_daily where user_id = %s", case.user)


def rollup_on_another_day(case: Case) -> None:
    case.alter("update spend_daily set day = day - 1 where user_id = %s", case.user)


def output_lost(case: Case) -> None:
    case.alter("delete from job_outputs where job_id = %s", case.done)
    case.alter("update generation_jobs set result_data = null where id = %s", case.done)


def billed_and_not_counted(case: Case) -> None:
    """Completed, no better cost known, and nothing counted anywhere: the books agree with each other, and are wrong."""
    case.alter("update generation_jobs set spent_usd = 0 where id = %s", case.done)
    case.alter("update generation_logs set spent_usd = 0 where job_id = %s", case.done)
    case.alter("update spend_daily set spent_usd = spent_usd - 0.003 where user_id = %s", case.user)


def next_try_is_another_job(case: Case) -> None:
    case.alter("update generation_jobs set retried_as = %s where id = %s", case.open, case.broken)


BREAKAGES: list[tuple[Callable[[Case], None], str]] = [
    (available_moved, "balance_is_sum_of_entries"),
    (entry_lost, "balance_is_sum_of_entries"),
    (version_moved, "balance_is_sum_of_entries"),
    (held_moved, "balance_is_sum_of_entries"),
    (held_moved, "held_is_sum_of_open_jobs"),
    (entry_lost, "entries_follow_each_other"),
    (entries_of_one_moment_swapped, "entries_follow_each_other"),
    (charged_without_capture, "job_agrees_with_ledger"),
    (completed_but_released, "job_agrees_with_ledger"),
    (failed_and_still_held, "job_agrees_with_ledger"),
    (held_for_nobody, "job_agrees_with_ledger"),
    (spend_lost_from_history, "job_agrees_with_history"),
    (spend_moved, "job_agrees_with_history"),
    (ended_twice, "job_agrees_with_history"),
    (rollup_moved, "rollup_is_sum_of_history"),
    (rollup_lost, "rollup_is_sum_of_history"),
    (rollup_on_another_day, "rollup_is_sum_of_history"),
    (output_lost, "completed_has_output"),
    (paid_by_somebody_else, "entry_is_of_the_person_of_its_job"),
    (billed_and_not_counted, "spend_is_the_best_known_cost"),
    (next_try_is_another_job, "next_try_is_of_this_job"),
]


@pytest.mark.parametrize(("breaks", "rule"), BREAKAGES, ids=lambda each: getattr(each, "__name__", each))
def test_what_is_wrong_is_seen(case: Case, breaks: Callable[[Case], None], rule: str) -> None:
    breaks(case)
    found = case.books.audit()
    assert rule in rules(found)
    assert all(row["subject"] and row["problem"] for row in found)


def test_every_rule_of_credits_jobs_and_spend_is_broken_here(books: Books) -> None:
    """Rules that other parts of the product add are broken in the tests of those parts."""
    themes = books.all(
        "select proname, prosrc from pg_proc where pronamespace = 'private'::regnamespace and proname = any(%s)",
        ["audit_credits", "audit_jobs", "audit_spend", "audit_rollup"],
    )
    assert len(themes) == 4
    named = {rule for theme in themes for rule in re.findall(r"select '(\w+)',", theme["prosrc"])}
    assert {rule for _, rule in BREAKAGES} == named


def test_healthy_books_have_no_violation(case: Case) -> None:
    assert case.books.audit() == []


def test_a_file_that_nobody_counted_is_seen(case: Case) -> None:
    case.alter("update job_outputs set storage_path = 'a/b/c.png' where job_id = %s and position = 0", case.done)
    assert "stored_files_are_sum_of_outputs" in rules(case.books.audit())
