"""Whose rows people see: their own, admins all, and what they may write: their own name."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from tests.database.books import Books, as_person, completed, event

# The columns that say whose a row is, where it is not user_id.
OWNER = {"campaigns": "owner_id"}


def tables(books: Books) -> set[str]:
    return {row["tablename"] for row in books.all("select tablename from pg_tables where schemaname = 'public'")}


@dataclass
class Crowd:
    """Two people with a job each, an admin, a person who waits, and everything that belongs to them."""

    books: Books
    one: UUID
    two: UUID
    waiting: UUID

    @property
    def admin(self) -> UUID:
        return self.books.admin

    def seen(self, user: UUID | None, table: str) -> list[dict[str, Any]]:
        with as_person(self.books.url, user) as connection:
            return connection.execute(sql.SQL("select * from {}").format(sql.Identifier(table))).fetchall()

    def owned_tables(self) -> dict[str, str]:
        """{table: the column that says whose a row is}."""
        found = {name: OWNER.get(name, "user_id") for name in tables(self.books)}
        columns = self.books.all(
            "select table_name, column_name from information_schema.columns where table_schema = 'public'"
        )
        there = {(row["table_name"], row["column_name"]) for row in columns}
        return {name: column for name, column in found.items() if (name, column) in there}


@pytest.fixture
def crowd(books: Books) -> Crowd:
    crowd = Crowd(books, books.person(), books.person(), books.sign_up())
    for user in (crowd.one, crowd.two, crowd.admin):
        books.call("grant_credits", p_actor=books.admin, p_user=user, p_amount=5, p_reason="A", p_key=str(user))
        books.deliver(event(books.submitted(user)))
        books.owner.execute(
            "insert into budget_snapshots (scope, user_id, amount_usd, source) values ('person', %s, 5, 'manual')",
            (user,),
        )
    books.call("set_team_balance", p_actor=books.admin, p_amount=50)
    return crowd


def test_people_see_their_rows_and_admins_all(crowd: Crowd) -> None:
    owned = crowd.owned_tables()
    assert {
        "profiles",
        "credit_accounts",
        "credit_entries",
        "generation_jobs",
        "job_outputs",
        "generation_logs",
    } <= set(owned)
    for table, column in owned.items():
        everything = crowd.books.all(f"select * from public.{table}")
        assert len(crowd.seen(crowd.admin, table)) == len(everything), table
        for user in (crowd.one, crowd.two, crowd.waiting):
            theirs = [row for row in crowd.seen(user, table) if row[column] is not None]
            assert {row[column] for row in theirs} <= {user}, table
            assert len(theirs) == sum(row[column] == user for row in everything), table


def test_a_token_without_a_person_sees_nothing_of_anybody(crowd: Crowd) -> None:
    for user in (None, uuid4()):
        for table in crowd.owned_tables():
            assert crowd.seen(user, table) == [], table


@pytest.mark.parametrize("table", ["admin_actions", "webhook_events"])
def test_only_admins_see_the_trail_and_the_inbox(crowd: Crowd, table: str) -> None:
    assert crowd.seen(crowd.admin, table)
    for user in (crowd.one, crowd.waiting, None):
        assert crowd.seen(user, table) == []


def test_everybody_signed_in_sees_the_catalogue(crowd: Crowd) -> None:
    assert len(crowd.seen(crowd.waiting, "generation_types")) == 13


def test_the_teams_balance_is_for_approved_people(crowd: Crowd) -> None:
    def team(user: UUID | None) -> int:
        return sum(row["scope"] == "team" for row in crowd.seen(user, "budget_snapshots"))

    assert [team(user) for user in (crowd.one, crowd.admin, crowd.waiting, None)] == [1, 1, 0, 0]
    crowd.books.call("set_active", p_actor=crowd.admin, p_user=crowd.one, p_on=False)
    assert team(crowd.one) == 0


def test_the_teams_money_is_not_told_to_who_waits_or_is_switched_off(crowd: Crowd) -> None:
    books = crowd.books
    former = books.person()
    books.call("set_role", p_actor=crowd.admin, p_user=former, p_role="admin")
    books.call("set_active", p_actor=crowd.admin, p_user=former, p_on=False)
    for balance in (50, None):
        books.call("set_team_balance", p_actor=crowd.admin, p_amount=balance)
        for user in (crowd.waiting, former):
            cookie = books.open_session(user)
            told = books.call("session_context", p_cookie_hash=cookie, p_idle_seconds=60)["budget"]
            assert not {"amount", "remaining"} & set(told or {})
            assert Decimal((told or {}).get("spent", "0")) == 0
            assert books.call("budget_overview", p_actor=user)["team"] is None


def test_prices_are_for_approved_people(crowd: Crowd) -> None:
    crowd.books.owner.execute("update generation_types set unit_price_usd = unit_price_usd + 1")
    seen = [len(crowd.seen(user, "price_changes")) for user in (crowd.one, crowd.admin, crowd.waiting, None)]
    assert seen == [13, 13, 0, 0]


@pytest.mark.parametrize("change", ["is_active = false", "role = 'user'", "role = 'user', is_approved = false"])
def test_who_is_no_longer_an_admin_sees_only_their_own(crowd: Crowd, change: str) -> None:
    crowd.books.owner.execute(f"update profiles set {change} where user_id = %s".encode(), (crowd.admin,))
    assert {row["user_id"] for row in crowd.seen(crowd.admin, "generation_jobs")} == {crowd.admin}
    assert crowd.seen(crowd.admin, "webhook_events") == []


def test_people_edit_their_own_name_and_nothing_else(crowd: Crowd) -> None:
    with as_person(crowd.books.url, crowd.one) as connection:
        changed = connection.execute("update profiles set full_name = 'Ada' returning user_id, full_name").fetchall()
        assert changed == [{"user_id": crowd.one, "full_name": "Ada"}]
    columns = {
        row["column_name"]
        for row in crowd.books.all(
            "select column_name from information_schema.columns"
            " where table_schema = 'public' and table_name = 'profiles'"
        )
    }
    for column in columns - {"full_name"}:
        with as_person(crowd.books.url, crowd.one) as connection, pytest.raises(InsufficientPrivilege):
            connection.execute(sql.SQL("update profiles set {0} = {0}").format(sql.Identifier(column)))


def test_not_even_admins_edit_the_name_of_another(crowd: Crowd) -> None:
    with as_person(crowd.books.url, crowd.admin) as connection:
        query = "update profiles set full_name = 'Ada' where user_id = %s"
        assert connection.execute(query, (crowd.one,)).rowcount == 0


def test_people_write_nowhere_else(crowd: Crowd) -> None:
    for table in tables(crowd.books):
        for statement in ("insert into {} default values", "delete from {}", "truncate {}"):
            with as_person(crowd.books.url, crowd.admin) as connection, pytest.raises(InsufficientPrivilege):
                connection.execute(sql.SQL(statement).format(sql.Identifier(table)))


def test_files_are_seen_by_their_person_and_admins(crowd: Crowd) -> None:
    for user in (crowd.one, crowd.two):
        crowd.books.owner.execute(
            "insert into storage.objects (id, bucket_id, name) values (gen_random_uuid(), 'media', %s)",
            (f"{user}/job/0.png",),
        )
    query = "select split_part(name, '/', 1) as folder from storage.objects where bucket_id = 'media'"
    seen: list[tuple[UUID | None, set[UUID]]] = [
        (crowd.one, {crowd.one}),
        (crowd.waiting, set()),
        (None, set()),
        (crowd.admin, {crowd.one, crowd.two}),
    ]
    for viewer, folders in seen:
        with as_person(crowd.books.url, viewer) as connection:
            assert {UUID(row["folder"]) for row in connection.execute(query).fetchall()} == folders
    with as_person(crowd.books.url, None, "anon") as connection:
        assert connection.execute(query.encode()).fetchall() == []


def test_nobody_signed_in_writes_files(crowd: Crowd) -> None:
    with as_person(crowd.books.url, crowd.one) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute(
            "insert into storage.objects (id, bucket_id, name) values (gen_random_uuid(), 'media', %s)",
            (f"{crowd.one}/x.png",),
        )


def test_a_job_of_somebody_else_is_not_seen_after_it_ended_either(crowd: Crowd) -> None:
    job = crowd.books.submitted(crowd.two)
    crowd.books.settle(job, completed())
    assert job not in {row["id"] for row in crowd.seen(crowd.one, "generation_jobs")}
    assert job in {row["id"] for row in crowd.seen(crowd.two, "generation_jobs")}
