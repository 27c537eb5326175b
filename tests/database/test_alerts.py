"""Alerts are raised once and posted under a lease; chores are done once, however many workers run."""

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg.errors import CheckViolation

from tests.database.books import Books, as_person, refused
from tests.database.budgets import read_at_fal, set_balance, spend, violations


def raise_due(books: Books, *, deliver: bool = True) -> list[tuple[str, int]]:
    return [(row["kind"], row["threshold"]) for row in books.call("raise_due_alerts", p_deliver=deliver)]


def claim(books: Books, worker: str = "one", **more: Any) -> list[Any]:
    claimed: list[Any] = books.call("claim_alerts", p_worker=worker, **more)
    return claimed


def balance(threshold: int) -> tuple[str, int]:
    return ("team_balance", threshold)


# Raising


def test_each_threshold_of_the_balance_is_raised_once(books: Books) -> None:
    user = books.person()
    set_balance(books, "10")
    assert raise_due(books) == []
    expected: list[tuple[str, list[int]]] = [
        ("4.99", []),
        ("0.01", [50]),
        ("2.5", [25]),
        ("0.01", []),
        ("1.49", [10]),
        ("1", [0]),
    ]
    for usd, thresholds in expected:
        spend(books, user, usd)
        assert raise_due(books) == [balance(threshold) for threshold in thresholds]
        assert raise_due(books) == []
    assert violations(books) == []


def test_a_fall_past_several_thresholds_raises_each(books: Books) -> None:
    set_balance(books, "10")
    spend(books, books.person(), "9.5")
    assert raise_due(books) == [balance(10), balance(25), balance(50)]


def test_a_new_balance_begins_anew_and_falling_readings_do_not(books: Books) -> None:
    read_at_fal(books, "50")
    read_at_fal(books, "12")
    assert raise_due(books) == [balance(25), balance(50)]
    read_at_fal(books, "10")
    assert raise_due(books) == []
    read_at_fal(books, "100")
    assert raise_due(books) == []
    read_at_fal(books, "50")
    assert raise_due(books) == [balance(50)]


def test_a_balance_of_nothing_is_used_up_and_no_more(books: Books) -> None:
    assert raise_due(books) == []
    set_balance(books, "0.00")
    assert raise_due(books) == [balance(0)]
    set_balance(books, None)
    assert raise_due(books) == []


def test_a_cap_is_told_at_80_and_at_100_once_a_month(books: Books) -> None:
    user, uncapped = books.person(cap="10"), books.person()
    spend(books, user, "7.99")
    spend(books, uncapped, "100")
    assert raise_due(books) == []
    spend(books, user, "0.01")
    assert raise_due(books) == [("monthly_cap", 80)]
    spend(books, user, "2")
    assert raise_due(books) == [("monthly_cap", 100)]
    books.call("set_monthly_cap", p_actor=books.admin, p_user=user, p_cap=Decimal(20))
    spend(books, user, "10")
    assert raise_due(books) == []
    alert = books.one("select * from budget_alerts where threshold = 80")
    assert (alert["user_id"], alert["limit_usd"], alert["value_usd"]) == (user, 10, 8)
    assert alert["month"] == books.value("select date_trunc('month', private.team_day(now()))::date")


def test_an_alert_of_last_month_does_not_keep_this_months_silent(books: Books) -> None:
    user = books.person(cap="10")
    spend(books, user, "8")
    raise_due(books)
    books.owner.execute("update budget_alerts set month = (month - interval '1 month')::date")
    assert raise_due(books) == [("monthly_cap", 80)]


def test_many_workers_raise_an_alert_once(books: Books) -> None:
    user = books.person(cap="10")
    set_balance(books, "10")
    spend(books, user, "9")
    results = books.race(*[("raise_due_alerts", {"p_deliver": True}) for _ in range(8)])
    raised = [(row["kind"], row["threshold"]) for result in results for row in result]
    assert sorted(raised) == [("monthly_cap", 80), balance(10), balance(25), balance(50)]
    assert len(books.all("select 1 from budget_alerts")) == 4


def test_an_alert_that_makes_no_sense_is_impossible(books: Books) -> None:
    user = books.person()
    set_balance(books, "1")
    snapshot = books.value("select id from budget_snapshots")
    for kind, threshold, of, whom, month in (
        ("team_balance", 60, snapshot, None, None),
        ("team_balance", 50, None, None, None),
        ("monthly_cap", 50, None, user, "2026-11-01"),
        ("monthly_cap", 80, None, None, "2026-11-01"),
        ("weather", 80, None, user, "2026-11-01"),
    ):
        with pytest.raises(CheckViolation):
            books.owner.execute(
                "insert into budget_alerts"
                " (kind, threshold, snapshot_id, user_id, month, limit_usd, value_usd, delivery)"
                " values (%s, %s, %s, %s, %s, 1, 1, 'none')",
                (kind, threshold, of, whom, month),
            )


# On screen


def current(books: Books, user: UUID) -> list[tuple[str, int]]:
    return [(row["kind"], row["threshold"]) for row in books.call("current_alerts", p_actor=user)]


def test_people_see_alerts_about_themselves_and_the_team_and_admins_all_that_still_matter(books: Books) -> None:
    one, two = books.person(cap="6"), books.person(cap="6")
    set_balance(books, "10")
    spend(books, one, "6")
    raise_due(books)
    assert current(books, one) == [balance(50), ("monthly_cap", 80), ("monthly_cap", 100)]
    assert current(books, two) == [balance(50)]
    assert current(books, uuid4()) == current(books, books.sign_up()) == []
    assert set(current(books, books.admin)) == {balance(50), ("monthly_cap", 80), ("monthly_cap", 100)}
    with as_person(books.url, one) as connection:
        assert len(connection.execute("select * from budget_alerts").fetchall()) == 2
    with as_person(books.url, two) as connection:
        assert connection.execute("select * from budget_alerts").fetchall() == []
    set_balance(books, "20")
    assert balance(50) not in current(books, books.admin)


def test_an_alert_says_how_it_stands_now_and_whether_it_is_so_still(books: Books) -> None:
    user = books.person(cap="10")
    set_balance(books, "100")
    job = spend(books, user, "10")
    spend(books, books.person(), "45")
    raise_due(books)

    def standing() -> dict[int, tuple[bool, str, str]]:
        return {
            row["threshold"]: (row["is_current"], row["value_now"], row["limit_now"])
            for row in books.call("current_alerts", p_actor=user)
        }

    assert standing() == {
        50: (True, "45.000000", "100.000000"),
        80: (True, "10.000000", "10.000000"),
        100: (True, "10.000000", "10.000000"),
    }
    books.call("set_monthly_cap", p_actor=books.admin, p_user=user, p_cap=Decimal("12.50"))
    assert {threshold: row[0] for threshold, row in standing().items()} == {50: True, 80: True, 100: False}
    books.cost(job, "4", "confirmed")
    assert {threshold: row[0] for threshold, row in standing().items()} == {50: False, 80: False, 100: False}
    books.call("set_monthly_cap", p_actor=books.admin, p_user=user, p_cap=None)
    assert standing()[80] == (False, "4.000000", None)


# Posting


@pytest.fixture
def waiting(books: Books) -> int:
    """One alert that waits to be posted."""
    set_balance(books, "10")
    spend(books, books.person(), "5")
    assert raise_due(books) == [balance(50)]
    alert: int = books.value("select id from budget_alerts")
    return alert


def test_an_alert_is_posted_once(books: Books, waiting: int) -> None:
    taken = books.race(*[("claim_alerts", {"p_worker": f"worker {n}"}) for n in range(6)])
    assert [row["id"] for result in taken for row in result] == [waiting]
    worker = books.value("select lease_owner from budget_alerts")
    assert books.call("record_alert_sent", p_alert=waiting, p_worker="somebody else") is False
    assert books.call("record_alert_sent", p_alert=waiting, p_worker=worker) is True
    assert books.call("record_alert_sent", p_alert=waiting, p_worker=worker) is False
    assert claim(books) == []
    row = books.one("select * from budget_alerts")
    assert (row["delivery"], row["attempts"], row["next_try_at"]) == ("sent", 1, None)


def test_a_failed_post_waits_and_is_given_up_when_told(books: Books, waiting: int) -> None:
    assert len(claim(books)) == 1
    books.call("record_alert_failed", p_alert=waiting, p_worker="one", p_error="HTTP 500.", p_retry_seconds=30)
    assert claim(books) == []
    assert books.value("select next_try_at > now() + interval '25 seconds' from budget_alerts")
    books.owner.execute("update budget_alerts set next_try_at = now()")
    (again,) = claim(books)
    assert (again["attempts"], again["last_error"]) == (2, "HTTP 500.")
    books.call("record_alert_failed", p_alert=waiting, p_worker="one", p_error="HTTP 500.", p_retry_seconds=None)
    assert books.value("select delivery from budget_alerts") == "failed"
    assert claim(books) == []


def test_a_worker_that_died_leaves_its_alert_to_others(books: Books, waiting: int) -> None:
    assert len(claim(books, "dead")) == 1
    assert claim(books, "alive") == []
    books.owner.execute("update budget_alerts set lease_until = now() - interval '1 second'")
    assert [row["id"] for row in claim(books, "alive")] == [waiting]
    assert books.call("record_alert_sent", p_alert=waiting, p_worker="dead") is False


def test_without_an_address_nothing_waits(books: Books) -> None:
    set_balance(books, "10")
    spend(books, books.person(), "5")
    assert raise_due(books, deliver=False) == [balance(50)]
    assert (claim(books), books.value("select delivery from budget_alerts")) == ([], "none")


# Chores


def chores(books: Books, worker: str, *names: str, lease: int = 60) -> list[str]:
    claimed = books.call("claim_chores", p_worker=worker, p_names=list(names), p_lease_seconds=lease)
    return [row["name"] for row in claimed]


def finish(books: Books, worker: str, name: str, *, error: str | None = None, **facts: Any) -> bool:
    done: bool = books.call(
        "finish_chore", p_worker=worker, p_name=name, p_next_seconds=60, p_error=error, p_facts=facts
    )
    return done


def test_a_chore_is_done_by_one_of_many_workers(books: Books) -> None:
    calls = [("claim_chores", {"p_worker": f"w{n}", "p_names": ["prices", "alerts"]}) for n in range(8)]
    taken = sorted(row["name"] for result in books.race(*calls) for row in result)
    assert taken == ["alerts", "prices"]


def test_a_chore_comes_back_at_its_time(books: Books) -> None:
    assert chores(books, "one", "prices") == ["prices"]
    assert finish(books, "two", "prices") is False
    assert finish(books, "one", "prices", changed=2) is True
    assert chores(books, "one", "prices") == []
    assert books.call("hurry_chore", p_actor=books.admin, p_name="prices") is True
    assert chores(books, "one", "prices") == ["prices"]
    assert books.call("hurry_chore", p_actor=books.admin, p_name="nothing") is False


def test_a_failure_is_kept_until_it_goes_well_and_facts_until_newer_ones(books: Books) -> None:
    for error, failures in ((None, 0), ("fal.ai is away.", 1), ("fal.ai is away.", 2)):
        chores(books, "one", "balance")
        finish(books, "one", "balance", error=error, balance="43.21")
        (state,) = books.call("chore_states", p_actor=books.admin)
        assert (state["last_error"], state["failures"], state["facts"]) == (error, failures, {"balance": "43.21"})
        assert state["last_ok_at"] is not None
        books.call("hurry_chore", p_actor=books.admin, p_name="balance")
    chores(books, "one", "balance")
    finish(books, "one", "balance")
    (state,) = books.call("chore_states", p_actor=books.admin)
    assert (state["last_error"], state["failures"], state["last_error_at"] is not None) == (None, 0, True)


def test_a_chore_whose_worker_died_is_free_again(books: Books) -> None:
    chores(books, "dead", "usage")
    assert chores(books, "alive", "usage") == []
    books.owner.execute("update private.chores set lease_until = now() - interval '1 second'")
    assert chores(books, "alive", "usage") == ["usage"]
    assert finish(books, "dead", "usage") is False


def test_chores_are_for_admins(books: Books) -> None:
    for actor in (books.person(), uuid4(), None):
        with refused(403, "NOT_ALLOWED"):
            books.call("chore_states", p_actor=actor)
        with refused(403, "NOT_ALLOWED"):
            books.call("hurry_chore", p_actor=actor, p_name="prices")
