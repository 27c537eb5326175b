"""fal.ai's billing events against our jobs, and its usage against our sum."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

from tests.database.billing_answers import answer
from tests.database.books import ACCOUNT, Books, cancelled, completed, event, failed, refused
from tests.database.budgets import DOLLAR, header, set_balance, set_own, spend, violations, waste
from tests.database.spend_days import today


def due(books: Books) -> None:
    """The minute that billing events are given is over."""
    books.owner.execute("update generation_jobs set confirm_due_at = now() where confirm_due_at is not null")


def claim(books: Books, limit: int = 50) -> set[UUID]:
    return {UUID(row["job"]) for row in books.call("claim_confirmations", p_limit=limit)}


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
