"""The burn-down: what was left at the end of each day."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg

from tests.database.books import Books, refused
from tests.database.budgets import move, read_at_fal, set_balance, set_own, spend
from tests.database.spend_days import ago, today


def burn(books: Books, actor: UUID, scope: str = "team", days: int = 5) -> Any:
    last = today(books)
    return books.call("burn_down", p_actor=actor, p_scope=scope, p_from=last - timedelta(days=days - 1), p_to=last)


def lefts(found: Any) -> list[str | None]:
    return [row["left"] for row in found["days"]]


def snapshot_at(books: Books, moment: str) -> None:
    """Let the latest balance have been entered at another moment."""
    with books.owner.transaction():
        books.owner.execute("set local session_replication_role = replica")
        books.owner.execute(
            "update budget_snapshots set created_at = %s where id = (select max(id) from budget_snapshots)", (moment,)
        )


def test_the_burn_down_falls_from_balance_to_balance(books: Books) -> None:
    user = books.person()
    for days, usd in ((4, "7"), (2, "1.5"), (1, "2")):
        move(books, spend(books, user, usd), ago(books, days))
    set_balance(books, "50")
    snapshot_at(books, ago(books, 3))
    set_balance(books, "20")
    spend(books, user, "0.25")
    found = burn(books, books.admin)
    assert lefts(found) == [None, "50.000000", "48.500000", "46.500000", "19.750000"]
    assert [row["spent"] for row in found["days"]] == ["7.000000", "0", "1.500000", "2.000000", "0.250000"]
    assert [row["amount"] for row in found["balances"]] == ["50.000000", "20.000000"]


def test_what_was_spent_before_a_balance_on_its_day_is_not_taken_off(books: Books) -> None:
    user = books.person()
    spend(books, user, "3")
    set_balance(books, "50")
    spend(books, user, "1")
    assert lefts(burn(books, books.admin))[-1] == "49.000000"


def test_readings_correct_the_line_and_only_top_ups_are_marked(books: Books) -> None:
    read_at_fal(books, "50")
    read_at_fal(books, "42")
    found = burn(books, books.admin)
    assert (lefts(found)[-1], [row["amount"] for row in found["balances"]]) == ("42.000000", ["50.000000"])


def test_a_cleared_balance_ends_the_line(books: Books) -> None:
    set_balance(books, "50")
    snapshot_at(books, ago(books, 2))
    set_balance(books, None)
    assert lefts(burn(books, books.admin)) == [None, None, "50.000000", "50.000000", None]


def test_the_line_of_an_allowance_is_its_owners(books: Books) -> None:
    one, two = books.person(), books.person()
    set_balance(books, "50")
    set_own(books, one, "10")
    spend(books, one, "1")
    spend(books, two, "5")
    assert lefts(burn(books, one, "person"))[-1] == "9.000000"
    assert lefts(burn(books, two, "person"))[-1] is None
    assert lefts(burn(books, books.admin))[-1] == "44.000000"
    with refused(403, "NOT_ALLOWED"):
        burn(books, one, "team")
    with refused(422, "INVALID_INPUT"):
        burn(books, one, "everybody")


def test_the_burn_down_looks_at_a_reading_a_day_however_many_there_are(books: Books) -> None:
    """fal.ai's balance is read every minute, for years."""
    admin = books.admin
    looked = "select coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) from pg_stat_xact_user_tables"
    with psycopg.connect(books.url) as connection:
        connection.execute(
            "insert into budget_snapshots (scope, amount_usd, source, starts_period, created_at)"
            " select 'team', 100, 'fal', n = 1, now() - make_interval(mins => 20000 - n)"
            " from generate_series(1, 20000) n"
        )
        connection.execute("analyze budget_snapshots")

        def rows_read() -> int:
            row = connection.execute(f"{looked} where relname = 'budget_snapshots'".encode()).fetchone()
            assert row is not None
            return int(row[0])

        before = rows_read()
        found = connection.execute(
            "select public.burn_down(%s, 'team', current_date - 9, current_date)", (admin,)
        ).fetchone()
        assert found is not None
        assert lefts(found[0]) == ["100.000000"] * 10
        assert rows_read() - before < 100
        connection.rollback()
