"""Balances entered by hand and read at fal.ai: the team's, and one's own allowance."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg.errors import CheckViolation, InsufficientPrivilege

from tests.database.books import Books, as_person, refused
from tests.database.budgets import header, read_at_fal, set_balance, set_own, spend, violations


def entries(books: Books, user: UUID, scope: str) -> list[Any]:
    found: list[Any] = books.call("balance_entries", p_actor=user, p_scope=scope)
    return found


# One's own allowance


def test_ones_own_allowance_goes_before_the_teams_balance(books: Books) -> None:
    user, other = books.person(), books.person()
    set_balance(books, "50.00")
    spend(books, user, "1")
    told = set_own(books, user, "10.00")
    assert (told["scope"], told["amount"], told["spent"], told["remaining"]) == (
        "person",
        "10.000000",
        "0.000000",
        "10.000000",
    )
    spend(books, user, "2.5")
    spend(books, other, "4")
    assert header(books, user)["remaining"] == "7.500000"
    assert (header(books, other)["scope"], header(books, other)["remaining"]) == ("team", "42.500000")
    assert set_own(books, user, None)["scope"] == "team"
    assert header(books, user)["remaining"] == "42.500000"


def test_an_allowance_can_be_used_up_and_is_no_limit(books: Books) -> None:
    user = books.person()
    set_own(books, user, "1.00")
    spend(books, user, "1.25")
    assert header(books, user)["remaining"] == "-0.250000"
    books.create(user)


def test_previous_entries_are_listed_newest_first(books: Books) -> None:
    user = books.person()
    set_balance(books, "50")
    set_own(books, user, "10")
    set_own(books, user, None)
    assert [(row["amount"], row["source"], row["actor_name"]) for row in entries(books, user, "person")] == [
        (None, "manual", "Somebody"),
        ("10.000000", "manual", "Somebody"),
    ]
    assert [(row["amount"], row["actor_name"]) for row in entries(books, user, "team")] == [("50.000000", "The Admin")]
    assert entries(books, books.person(), "person") == []


@pytest.mark.parametrize("amount", ["-0.01", "1000000", "1.001", "NaN"])
def test_an_allowance_that_makes_no_sense_is_refused(books: Books, amount: str) -> None:
    user = books.person()
    with books.unchanged(), refused(422, "INVALID_INPUT") as refusal:
        set_own(books, user, amount)
    assert refusal.detail == {"field": "amount"}


def test_nobody_who_waits_for_approval_has_an_allowance(books: Books) -> None:
    for actor in (books.sign_up(), uuid4()):
        with books.unchanged(), refused(403, "NOT_APPROVED"):
            set_own(books, actor, "1")
        with refused(403, "NOT_APPROVED"):
            entries(books, actor, "team")


def test_who_waits_for_approval_is_told_nothing_about_the_team(books: Books) -> None:
    set_balance(books, "50")
    stranger = books.sign_up()
    assert header(books, stranger) == {"spent": "0"}
    assert books.call("budget_overview", p_actor=stranger)["team"] is None


def test_the_overview_has_team_allowance_month_and_settings(books: Books) -> None:
    user = books.person(cap="20")
    set_balance(books, "50")
    set_own(books, user, "5")
    spend(books, user, "1.5")
    books.create(user, units=Decimal(2), unit_price_usd=Decimal(1))
    told = books.call("budget_overview", p_actor=user)
    assert (told["header"]["remaining"], told["own"]["remaining"], told["team"]["remaining"]) == (
        "3.500000",
        "3.500000",
        "48.500000",
    )
    assert told["month"] == {"spent": "1.500000", "open": "2.000000", "cap": "20.000000", "left": "16.500000"}
    assert (told["timezone"], told["block_at_zero"]) == ("UTC", False)
    with refused(404, "NOT_FOUND"):
        books.call("budget_overview", p_actor=uuid4())


def test_a_token_reads_its_own_balances_and_writes_none(books: Books) -> None:
    one, two = books.person(), books.person()
    set_own(books, one, "5")
    set_own(books, two, "6")
    query = "select amount_usd from budget_snapshots where scope = 'person'"
    with as_person(books.url, one) as connection:
        assert [row["amount_usd"] for row in connection.execute(query)] == [5]
        with pytest.raises(InsufficientPrivilege):
            connection.execute("select public.set_own_balance(%s, 1)", (two,))


# Readings from fal.ai


def test_a_reading_is_kept_when_it_changed(books: Books) -> None:
    user = books.person()
    assert read_at_fal(books, "43.21")["recorded"] is True
    assert read_at_fal(books, "43.21")["recorded"] is False
    assert read_at_fal(books, "43.20")["recorded"] is True
    told = header(books, user)
    assert (told["amount"], told["spent"], told["remaining"], told["source"]) == (
        "43.210000",
        "0.010000",
        "43.200000",
        "fal",
    )
    assert len(books.all("select 1 from budget_snapshots")) == 2
    assert violations(books) == []


def test_the_hundred_per_cent_of_a_period_stay_while_readings_fall(books: Books) -> None:
    user = books.person()
    read_at_fal(books, "50")
    for amount in ("40", "25.5", "20"):
        read_at_fal(books, amount)
    told = header(books, user)
    assert (told["amount"], told["spent"], told["remaining"]) == ("50.000000", "30.000000", "20.000000")


def test_a_top_up_starts_a_period_and_a_refund_of_cents_does_not(books: Books) -> None:
    user = books.person()
    read_at_fal(books, "50")
    read_at_fal(books, "20")
    read_at_fal(books, "20.99")
    assert header(books, user)["amount"] == "50.000000"
    read_at_fal(books, "40.99")
    told = header(books, user)
    assert (told["amount"], told["spent"]) == ("40.990000", "0.000000")
    assert [row["amount"] for row in entries(books, user, "team")] == ["40.990000", "50.000000"]


def test_a_reading_goes_on_where_an_entry_by_hand_began(books: Books) -> None:
    user = books.person()
    set_balance(books, "50")
    read_at_fal(books, "43")
    told = header(books, user)
    assert (told["amount"], told["remaining"], told["source"]) == ("50.000000", "43.000000", "fal")
    set_balance(books, None)
    assert "amount" not in header(books, user)
    read_at_fal(books, "43")
    assert header(books, user)["amount"] == "43.000000"


def test_spend_since_a_reading_counts_at_once(books: Books) -> None:
    user = books.person()
    read_at_fal(books, "50")
    spend(books, user, "2")
    assert header(books, user)["remaining"] == "48.000000"
    # fal.ai's own books are behind: the same reading again is no news.
    assert read_at_fal(books, "50")["recorded"] is False
    assert header(books, user)["remaining"] == "48.000000"
    # Now it has charged it, which is not counted twice.
    assert read_at_fal(books, "48")["remaining"] == "48.000000"


def test_spend_that_fal_had_charged_before_we_knew_is_not_counted_twice_for_ever(books: Books) -> None:
    user = books.person()
    read_at_fal(books, "48")  # the job's 2 dollars are off already
    job = spend(books, user, "2")
    assert header(books, user)["remaining"] == "46.000000"
    with books.owner.transaction():
        books.owner.execute("set local session_replication_role = replica")
        books.owner.execute("update budget_snapshots set created_at = created_at - interval '12 minutes'")
        books.owner.execute(
            "update generation_logs set billed_at = billed_at - interval '11 minutes' where job_id = %s", (job,)
        )
    books.call("rebuild_spend_daily")  # eleven minutes ago may be yesterday
    assert read_at_fal(books, "48") | {"read_at": None, "taken_at": None, "period": None} == {
        "scope": "team",
        "source": "fal",
        "amount": "48.000000",
        "spent": "0.000000",
        "remaining": "48.000000",
        "recorded": True,
        "read_at": None,
        "taken_at": None,
        "period": None,
    }
    with books.owner.transaction():
        books.owner.execute("set local session_replication_role = replica")
        books.owner.execute(
            "update generation_logs set billed_at = (select billed_at from generation_jobs where id = %s)"
            " where job_id = %s and billed_at is not null",
            (job, job),
        )
    books.call("rebuild_spend_daily")


def test_an_overdrawn_account_is_told_as_it_is(books: Books) -> None:
    user = books.person()
    read_at_fal(books, "1.00")
    read_at_fal(books, "-0.55")
    assert header(books, user)["remaining"] == "-0.550000"
    with pytest.raises(CheckViolation):
        books.owner.execute("insert into budget_snapshots (scope, amount_usd, source) values ('team', -1, 'manual')")


def test_one_change_read_by_many_workers_is_kept_once(books: Books) -> None:
    read_at_fal(books, "50")
    books.race(*[("record_fal_balance", {"p_amount": Decimal("49.5")}) for _ in range(8)])
    assert [row["amount_usd"] for row in books.all("select amount_usd from budget_snapshots order by id")] == [
        50,
        Decimal("49.5"),
    ]


def test_only_a_reading_of_the_team_can_continue_a_period(books: Books) -> None:
    user = books.person()
    for scope, owner, source in (("team", None, "manual"), ("person", user, "fal"), ("person", user, "manual")):
        with pytest.raises(CheckViolation):
            books.owner.execute(
                "insert into budget_snapshots (scope, user_id, amount_usd, source, starts_period)"
                " values (%s, %s, 1, %s, false)",
                (scope, owner, source),
            )


def test_a_balance_entered_counts_from_its_moment_in_every_timezone(books: Books) -> None:
    user = books.person()
    spend(books, user, "3")
    set_balance(books, "50")
    spend(books, user, "1")
    for zone in ("Pacific/Kiritimati", "America/Los_Angeles", "Asia/Kathmandu"):
        books.call("set_team_timezone", p_actor=books.admin, p_timezone=zone)
        assert header(books, user)["remaining"] == "49.000000"
    assert books.value("select max(created_at) - min(created_at) from budget_snapshots") == timedelta(0)
