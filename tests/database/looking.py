"""Looking at what a database of ours holds: rows, balances, what happened to a job, and everything there is."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import sql

from tests.database.connections import Connection, Row


@dataclass(repr=False)
class Looking:
    """`owner` (the superuser) sees everything; the audit is asked for as the product asks for it, by `service`."""

    url: str
    owner: Connection
    service: Connection

    def all(self, query: str, *values: Any) -> list[Row]:
        return self.owner.execute(query.encode(), values).fetchall()

    def one(self, query: str, *values: Any) -> Row:
        rows = self.all(query, *values)
        assert len(rows) == 1, rows
        return rows[0]

    def value(self, query: str, *values: Any) -> Any:
        return next(iter(self.one(query, *values).values()))

    def job(self, job: UUID) -> Row:
        return self.one("select * from public.generation_jobs where id = %s", job)

    def stored(self, event_key: str) -> Row:
        """A call in the inbox."""
        return self.one("select * from public.webhook_events where event_key = %s", event_key)

    def balance(self, user: UUID) -> tuple[int, int]:
        """Available and held."""
        row = self.one("select available, held from public.credit_accounts where user_id = %s", user)
        return row["available"], row["held"]

    def moves(self, job: UUID) -> list[str]:
        """The kinds of the entries of a job, in order."""
        return [row["kind"] for row in self.all("select kind from credit_entries where job_id = %s order by id", job)]

    def history(self, job: UUID) -> list[str]:
        return [
            row["event"] for row in self.all("select event from generation_logs where job_id = %s order by id", job)
        ]

    def spent(self, user: UUID) -> Decimal:
        """What the rollup says a person has spent, USD."""
        total: Decimal = self.value("select coalesce(sum(spent_usd), 0) from spend_daily where user_id = %s", user)
        return total

    def audit(self) -> list[Row]:
        return self.service.execute("select * from public.audit_books()").fetchall()

    def contents(self) -> dict[str, list[Any]]:
        """Every row of every table of ours."""
        tables = self.all(
            "select schemaname as schema, tablename as name from pg_tables where schemaname in ('public', 'private')"
        )
        query = sql.SQL("select to_jsonb(t) as row from {} t order by to_jsonb(t)::text")
        return {
            table["name"]: [
                row["row"]
                for row in self.owner.execute(query.format(sql.Identifier(table["schema"], table["name"]))).fetchall()
            ]
            for table in tables
        }

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """The block leaves no trace in any table."""
        before = self.contents()
        yield
        assert self.contents() == before
