"""fal.ai's billing events against our jobs, and its usage against our sum."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.database.books import ACCOUNT, Books, cancelled, completed, event, failed, refused, request_of
from tests.database.budgets import DOLLAR, header, set_balance, set_own, spend, violations, waste

SCHNELL_ENDPOINT = "fal-ai/flux/schnell"


def due(books: Books) -> None:
    """The minute that billing events are given is over."""
    books.owner.execute("update generation_jobs set confirm_due_at = now() where confirm_due_at is not null")


def claim(books: Books, limit: int = 50) -> set[UUID]:
    return {UUID(row["job"]) for row in books.call("claim_confirmations", p_limit=limit)}


def answer(books: Books, *answers: tuple[UUID, str | None, str | None]) -> Any:
    rows = [{"job": str(job), "usd": usd, "units": units} for job, usd, units in answers]
    return books.call("record_billing", p_answers=rows)


# Confirming


def test_every_job_that_fal_had_is_asked_about_once_it_ended(books: Books) -> None:
    user = books.person()
    done, wasted = spend(books, user, "1"), waste(books, user, "1")
    broken, stopped = books.submitted(user), books.submitted(user)
    books.settle(broken, failed("runner_disconnected"))
    books.settle(stopped, cancelled())
    unsent, running = books.create(user), books.submitted(user)
    books.call("request_cancel", p_user=user, p_job=unsent)
    assert claim(books) == set(), "fal.ai's books are given a minute"
    due(books)
    assert claim(books) == {done, wasted, broken, stopped}
    assert claim(books) == set(), "a lease keeps others away"
    assert books.job(running)["confirm_due_at"] is None


def test_workers_share_what_is_due(books: Books) -> None:
    user = books.person()
    jobs = {spend(books, user, "1") for _ in range(12)}
    due(books)
    taken = books.race(*[("claim_confirmations", {"p_limit": 3}) for _ in range(4)])
    ids = [UUID(row["job"]) for result in taken for row in result]
    assert (len(ids), set(ids)) == (12, jobs)


def test_a_confirmed_cost_replaces_the_estimate_and_is_final(books: Books) -> None:
    user = books.person()
    job = spend(books, user, "1")
    assert answer(books, (job, "0.731", "0.75")) == {"confirmed": 1, "waiting": 0}
    row = books.job(job)
    assert (row["cost_source"], row["spent_usd"], row["actual_usd"], row["billed_units"]) == (
        "confirmed",
        Decimal("0.731"),
        Decimal("0.731"),
        Decimal("0.75"),
    )
    assert (row["confirm_due_at"], books.spent(user)) == (None, Decimal("0.731"))
    answer(books, (job, "9", None))
    assert books.spent(user) == Decimal("0.731")
    assert violations(books) == []


def test_a_failure_that_fal_billed_is_counted(books: Books) -> None:
    user = books.person()
    job = books.submitted(user)
    books.settle(job, failed("runner_disconnected"))
    answer(books, (job, "0.003", "1"))
    assert (books.spent(user), books.balance(user)) == (Decimal("0.003"), (100, 0))


def test_a_missing_event_is_waited_for_longer_and_longer_and_then_no_more(books: Books) -> None:
    job = spend(books, books.person(), "1")
    waits = []
    while books.job(job)["confirm_due_at"] is not None:
        assert answer(books, (job, None, None)) == {"confirmed": 0, "waiting": 1}
        wait = books.value(
            "select extract(epoch from confirm_due_at - now())::int from generation_jobs where id = %s", job
        )
        waits.append(wait)
    assert waits.pop() is None
    assert (waits[0] <= 60, waits == sorted(waits), waits[-1] <= 21600) == (True, True, True)
    assert timedelta(days=3) < timedelta(seconds=sum(waits)) < timedelta(days=7)
    assert books.job(job)["cost_source"] == "estimated"


def test_a_job_delivered_late_is_asked_about_again(books: Books) -> None:
    job = books.unclear(books.person())
    books.give_up(job)
    assert books.job(job)["confirm_due_at"] is None, "fal.ai never said that it had it"
    books.accept(job)
    books.settle(job, completed())
    due(books)
    assert claim(books) == {job}


def test_answers_and_ends_at_once_neither_deadlock_nor_lose(books: Books) -> None:
    people = [books.person() for _ in range(3)]
    ended = [spend(books, user, "1") for user in people for _ in range(3)]
    running = [books.submitted(user, units=Decimal(1), **DOLLAR) for user in people for _ in range(3)]
    rows = [{"job": str(job), "usd": "0.5", "units": None} for job in ended]
    books.race(
        ("record_billing", {"p_answers": rows}),
        ("record_billing", {"p_answers": rows[::-1]}),
        *[("settle_job", {"p_job": job, "p_verdict": completed(), "p_source": "poll"}) for job in running],
        *[
            ("record_cost", {"p_job": job, "p_usd": Decimal("0.7"), "p_units": None, "p_source": "metered"})
            for job in ended[:3]
        ],
    )
    assert sum(books.spent(user) for user in people) == Decimal("13.5")
    assert violations(books) == []


# Drift


def today(books: Books) -> date:
    day: date = books.value("select private.team_day(now())")
    return day


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


# The moment of a charge


def test_what_comes_late_is_counted_when_we_had_given_up(books: Books) -> None:
    """fal.ai had to start it long before: its charge is in a balance that was read after we had given up."""
    job = books.unclear(books.person(), units=Decimal(2), **DOLLAR)
    books.give_up(job)
    ended = books.job(job)["completed_at"]
    set_balance(books, "50")
    books.accept(job)
    assert books.settle(job, completed())["result"] == "delivered_late"
    assert (books.job(job)["billed_at"], books.job(job)["spent_usd"]) == (ended, 2)
    assert header(books, books.admin)["remaining"] == "50.000000"


def charged(books: Books, job: UUID, usd: str, at: datetime) -> None:
    rows = [{"job": str(job), "usd": usd, "units": None, "charged_at": at.isoformat()}]
    books.call("record_billing", p_answers=rows)


def days(books: Books) -> dict[date, tuple[int, Decimal, Decimal]]:
    """Jobs, estimate and cost of every day in the rollup."""
    rows = books.all(
        "select day, sum(jobs) as n, sum(estimated_usd) as e, sum(spent_usd) as s from spend_daily group by 1"
    )
    return {row["day"]: (row["n"], row["e"], row["s"]) for row in rows}


def test_what_fal_charged_before_midnight_is_counted_on_the_day_before(books: Books) -> None:
    """As a job that ended at fal.ai while nothing of ours ran, and was found the next day."""
    job = spend(books, books.person(), "1")
    books.owner.execute("update generation_jobs set created_at = created_at - interval '3 days' where id = %s", (job,))
    ended = today(books)
    at = books.value("select private.team_day_start(%s) - interval '1 second'", ended)
    charged(books, job, "0.8", at)
    assert days(books) == {
        ended: (1, Decimal(0), Decimal(0)),
        ended - timedelta(days=1): (0, Decimal(1), Decimal("0.8")),
    }
    assert (books.job(job)["billed_at"], books.job(job)["cost_source"]) == (at, "confirmed")
    charged(books, job, "0.8", at - timedelta(days=1))
    assert books.job(job)["billed_at"] == at - timedelta(days=1), "said again with another time, it moves again"
    assert books.call("rebuild_spend_daily") == []


def test_what_fal_charged_before_a_balance_was_read_is_in_it_already(books: Books) -> None:
    user = books.person()
    job = books.submitted(user, units=Decimal(2), **DOLLAR)
    at = books.value("select clock_timestamp()")
    set_balance(books, "50")
    set_own(books, user, "10")
    books.settle(job, completed())
    assert (header(books, books.admin)["remaining"], header(books, user)["remaining"]) == ("48.000000", "8.000000")
    charged(books, job, "2", at)
    assert (header(books, books.admin)["remaining"], header(books, user)["remaining"]) == ("50.000000", "10.000000")
    assert days(books) == {today(books): (1, Decimal(2), Decimal(2))}


def test_a_charge_that_changes_no_sum_or_cannot_be_moves_nothing(books: Books) -> None:
    job = spend(books, books.person(), "1")
    for moment in (
        books.job(job)["billed_at"] - timedelta(milliseconds=1),
        books.job(job)["created_at"] - timedelta(days=3),
        datetime.now(UTC) + timedelta(days=1),
    ):
        charged(books, job, "1", moment)
    assert "cost_moved" not in books.history(job)


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


# Which account of fal.ai is ours


def test_an_admin_lets_go_of_the_pinned_account_on_the_trail(books: Books) -> None:
    user = books.person()
    first, second = books.submitted(user), books.submitted(user)
    assert books.call("fal_account", p_actor=books.admin) is None
    assert books.deliver(event(first)) == "settled"
    assert books.call("fal_account", p_actor=books.admin) == ACCOUNT
    other = event(second) | {"account_id": "another-account"}
    assert books.deliver(other) == "wrong_account"
    assert books.call("forget_fal_account", p_actor=books.admin, p_account=ACCOUNT) is True
    assert books.deliver(other) == "settled"
    assert books.call("fal_account", p_actor=books.admin) == "another-account"
    assert books.call("forget_fal_account", p_actor=books.admin, p_account=ACCOUNT) is False
    (line,) = books.all("select actor, before, after from admin_actions where action = 'forget_fal_account'")
    assert (line["actor"], line["before"], line["after"]) == (books.admin, {"account": ACCOUNT}, {"account": None})


def test_the_account_is_for_admins(books: Books) -> None:
    for actor in (books.person(), uuid4(), None):
        with refused(403, "NOT_ALLOWED"):
            books.call("fal_account", p_actor=actor)
        with books.unchanged(), refused(403, "NOT_ALLOWED"):
            books.call("forget_fal_account", p_actor=actor, p_account=ACCOUNT)
