"""History is never edited: not by the service, not by the superuser, not by a truncate that cascades."""

import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from tests.database.books import Books, completed

TABLES = ("admin_actions", "budget_snapshots", "credit_entries", "generation_logs")


def filled(books: Books) -> Books:
    """Books with something in every append-only table."""
    books.settle(books.submitted(books.person()), completed())
    books.call("set_team_balance", p_actor=books.admin, p_amount=50)
    return books


def append_only_tables(books: Books) -> set[str]:
    """The tables that say of themselves that they are append-only."""
    rows = books.all(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"
        " and obj_description(oid, 'pg_class') like 'Append-only%%'"
    )
    return {row["relname"] for row in rows}


def test_these_tables_are_append_only(books: Books) -> None:
    assert append_only_tables(books) >= set(TABLES)


def test_what_says_that_it_is_append_only_has_its_triggers(books: Books) -> None:
    rows = books.all(
        "select tgrelid::regclass::text as table, bit_or(tgtype) as events from pg_trigger"
        " where tgfoid = 'private.forbid_change'::regproc and tgenabled = 'O' group by tgrelid"
    )
    update, delete, truncate = 16, 8, 32
    guarded = {row["table"] for row in rows if row["events"] & (update | delete | truncate) == 56}
    assert guarded >= append_only_tables(books)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    "statement",
    [
        "update {} set created_at = now()",
        "delete from {}",
        "truncate {} cascade",
        "merge into {0} using {0} as other on {0}.id = other.id when matched then delete",
    ],
)
def test_history_is_never_edited(books: Books, table: str, statement: str) -> None:
    filled(books)
    for connection in (books.owner, books.service):
        with books.unchanged(), pytest.raises(InsufficientPrivilege):
            connection.execute(sql.SQL(statement).format(sql.Identifier(table)))


@pytest.mark.parametrize("table", ["generation_jobs", "profiles", "credit_accounts"])
def test_emptying_what_history_hangs_on_is_refused_too(books: Books, table: str) -> None:
    filled(books)
    with books.unchanged(), pytest.raises(InsufficientPrivilege, match="append-only"):
        books.owner.execute(sql.SQL("truncate {} cascade").format(sql.Identifier(table)))


def test_an_upsert_is_an_edit(books: Books) -> None:
    filled(books)
    with books.unchanged(), pytest.raises(InsufficientPrivilege, match="append-only"):
        books.owner.execute(
            "insert into credit_entries (user_id, kind, amount, available_change, held_change, available_after,"
            " held_after, version, idempotency_key) select user_id, kind, amount, available_change, held_change,"
            " available_after, held_after, version + 1, idempotency_key from credit_entries where kind = 'welcome'"
            " on conflict (idempotency_key) do update set amount = 1"
        )
