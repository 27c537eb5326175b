"""Drift: what fal.ai billed in a day beyond the sum of our jobs."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.database.billing_answers import answer
from tests.database.books import Books, completed, failed, refused, request_of
from tests.database.budgets import spend
from tests.database.spend_days import today

SCHNELL_ENDPOINT = "fal-ai/flux/schnell"


def usage(books: Books, day: date, *rows: tuple[str, str], until: datetime | None = None) -> None:
    """fal.ai has told what a day cost, until its end unless said otherwise."""
    lines = [{"endpoint_id": endpoint, "usd": usd, "quantity": "1", "unit": "images"} for endpoint, usd in rows]
    end = until or books.value("select private.team_day_start(%s)", day + timedelta(days=1))
    books.call("record_usage", p_day=day, p_usage=lines, p_until=end)


def foreign(books: Books, *rows: tuple[str, str], at: datetime | None = None) -> int:
    events = [
        {
            "request_id": request,
            "endpoint_id": SCHNELL_ENDPOINT,
            "charged_at": (at or datetime.now(UTC)).isoformat(),
            "usd": usd,
            "units": "1",
        }
        for request, usd in rows
    ]
    count: int = books.call("record_foreign_charges", p_events=events)
    return count


def drift(books: Books) -> list[Any]:
    found: list[Any] = books.call("fal_drift", p_actor=books.admin, p_from=today(books), p_to=today(books))
    return found


def test_drift_is_what_fal_billed_beyond_our_sum(books: Books) -> None:
    user = books.person()
    job = spend(books, user, "1.5")
    assert drift(books) == [], "nothing is compared before it was read"
    assert foreign(books, (request_of(job), "1.5"), ("elsewhere-1", "0.25"), ("elsewhere-2", "0.5")) == 2
    usage(books, today(books), (SCHNELL_ENDPOINT, "2.25"), ("fal-ai/whisper", "0.1"))
    schnell, whisper = drift(books)
    assert (schnell["ours"], schnell["fal"], schnell["drift"], schnell["foreign"], schnell["foreign_requests"]) == (
        "1.500000",
        "2.250000",
        "0.750000",
        "0.750000",
        2,
    )
    assert (whisper["ours"], whisper["drift"], whisper["foreign_requests"]) == ("0", "0.100000", 0)
    listed = books.call("foreign_charges", p_actor=books.admin, p_from=today(books), p_to=today(books))
    assert {row["request_id"] for row in listed} == {"elsewhere-1", "elsewhere-2"}


def test_a_day_that_is_not_over_is_compared_as_far_as_it_was_read(books: Books) -> None:
    user = books.person()
    spend(books, user, "1")
    until = books.value("select clock_timestamp()")
    job = spend(books, user, "0.5")
    usage(books, today(books), (SCHNELL_ENDPOINT, "1"), until=until)
    (row,) = drift(books)
    assert (row["ours"], row["drift"], datetime.fromisoformat(row["until"])) == ("1.000000", "0.000000", until)
    usage(books, today(books), (SCHNELL_ENDPOINT, "1"))
    (row,) = drift(books)
    assert (row["ours"], row["drift"], row["until"]) == ("1.500000", "-0.500000", None)
    assert {UUID(row["job_id"]) for row in unbilled(books)} > {job}


def unbilled(books: Books) -> list[Any]:
    found: list[Any] = books.call("unbilled_jobs", p_actor=books.admin, p_from=today(books), p_to=today(books))
    return found


def test_of_more_than_are_asked_for_the_newest_days_are_listed(books: Books) -> None:
    """Days are read newest first, until there are enough."""
    user = books.person()
    jobs = [spend(books, user, "1") for _ in range(6)]
    for back, job in enumerate(jobs):
        moved = "update generation_jobs set billed_at = billed_at - make_interval(days => %s) where id = %s"
        books.owner.execute(moved, (back // 2, job))
    for back in (2, 0, 1):
        usage(books, today(books) - timedelta(days=back), (SCHNELL_ENDPOINT, "2"))
    days = {"p_from": today(books) - timedelta(days=2), "p_to": today(books)}
    for limit, expected in ((1, 1), (3, 3), (200, 6)):
        rows: list[Any] = books.call("unbilled_jobs", p_actor=books.admin, p_limit=limit, **days)
        assert len(rows) == expected
        ended = [row["ended_at"] for row in rows]
        assert ended == sorted(ended, reverse=True)
        assert {UUID(row["job_id"]) for row in rows} >= set(jobs[: expected // 2 * 2])


def test_what_is_counted_and_was_not_billed_is_listed(books: Books) -> None:
    user = books.person()
    billed, waiting, given_up = (spend(books, user, usd) for usd in ("1", "2", "3"))
    books.settle(books.submitted(user), failed("runner_disconnected"))  # costs nothing
    assert unbilled(books) == [], "nothing is said about a day that was not read"
    usage(books, today(books), (SCHNELL_ENDPOINT, "1"))
    answer(books, (billed, "1", None))
    books.owner.execute("update generation_jobs set confirm_due_at = null where id = %s", (given_up,))
    assert {(UUID(row["job_id"]), row["usd"], row["is_expected"]) for row in unbilled(books)} == {
        (waiting, "2.000000", True),
        (given_up, "3.000000", False),
    }


def test_reading_a_day_again_replaces_it(books: Books) -> None:
    spend(books, books.person(), "1")
    for usd in ("0.4", "1"):
        usage(books, today(books), (SCHNELL_ENDPOINT, usd))
        foreign(books, ("elsewhere", usd))
    (row,) = drift(books)
    assert (row["fal"], row["drift"], row["foreign"], row["foreign_requests"]) == (
        "1.000000",
        "0.000000",
        "1.000000",
        1,
    )
    usage(books, today(books))
    (row,) = drift(books)
    assert (row["fal"], row["drift"]) == ("0", "-1.000000")


def test_a_job_found_later_is_foreign_no_more(books: Books) -> None:
    job = books.unclear(books.person())
    assert foreign(books, (request_of(job), "0.003")) == 1
    usage(books, today(books), (SCHNELL_ENDPOINT, "0.003"))
    assert drift(books)[0]["foreign_requests"] == 1
    books.accept(job)
    books.settle(job, completed())
    (row,) = drift(books)
    assert (row["drift"], row["foreign_requests"]) == ("0.000000", 0)
    assert books.call("foreign_charges", p_actor=books.admin, p_from=today(books), p_to=today(books)) == []


def test_recent_days_are_read_again_and_older_ones_once(books: Books) -> None:
    assert [row["day"] for row in books.call("usage_days_due")] == [str(today(books))]
    spend(books, books.person(), "1")
    books.owner.execute("update spend_daily set day = day - 9")  # our first day
    assert len(books.call("usage_days_due", p_limit=50)) == 10
    assert [row["day"] for row in books.call("usage_days_due", p_limit=2)] == [
        str(today(books)),
        str(today(books) - timedelta(days=1)),
    ]
    for age in range(10):
        usage(books, today(books) - timedelta(days=age))
    assert books.call("usage_days_due") == []
    books.owner.execute("update private.fal_usage_reads set read_at = now() - interval '1 hour'")
    assert len(books.call("usage_days_due", p_limit=50)) == 3
    books.call("rebuild_spend_daily")


def test_a_day_to_read_begins_and_ends_at_the_teams_midnight(books: Books) -> None:
    books.call("set_team_timezone", p_actor=books.admin, p_timezone="Asia/Kathmandu")
    (row,) = books.call("usage_days_due")
    start, end = (datetime.fromisoformat(row[name]).astimezone(UTC) for name in ("start", "end"))
    assert (start.hour, start.minute, end - start) == (18, 15, timedelta(days=1))


def test_another_timezone_has_usage_read_again(books: Books) -> None:
    usage(books, today(books), (SCHNELL_ENDPOINT, "1"))
    assert books.call("usage_days_due") == []
    books.call("set_team_timezone", p_actor=books.admin, p_timezone="Europe/Paris")
    assert (len(books.call("usage_days_due")), drift(books)) == (1, [])


@pytest.mark.parametrize("function", ["fal_drift", "foreign_charges", "unbilled_jobs"])
def test_drift_is_for_admins(books: Books, function: str) -> None:
    for actor in (books.person(), uuid4(), None):
        with refused(403, "NOT_ALLOWED"):
            books.call(function, p_actor=actor, p_from=today(books), p_to=today(books))
