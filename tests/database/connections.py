"""Connections to the database of a test: as the owner, as a role of the API, as a person; and what it refuses."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

Row = dict[str, Any]
Connection = psycopg.Connection[Row]

Row = dict[str, Any]
Connection = psycopg.Connection[Row]


def connect(url: str, role: str | None = None) -> Connection:
    """A connection in autocommit; `role` is what PostgREST would switch to, None the superuser."""
    connection = psycopg.connect(url, autocommit=True, row_factory=dict_row)
    if role:
        connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
    return connection


def call(connection: Connection, function: str, **arguments: Any) -> Any:
    """Call a function of schema public by the names of its arguments."""
    query = sql.SQL("select public.{}({}) as result").format(
        sql.Identifier(function),
        sql.SQL(", ").join(sql.SQL("{} => {}").format(sql.Identifier(name), sql.Placeholder()) for name in arguments),
    )
    values = [Jsonb(value) if isinstance(value, dict | list) else value for value in arguments.values()]
    row = connection.execute(query, values).fetchone()
    assert row is not None
    return row["result"]


@dataclass
class Refusal:
    """What a rule said when it said no."""

    sentence: str = ""
    detail: Row = field(default_factory=dict)


@contextmanager
def refused(http: int, code: str) -> Iterator[Refusal]:
    """The block ends in this refusal; its sentence and facts are there afterwards."""
    refusal = Refusal()
    with pytest.raises(psycopg.Error) as caught:
        yield refusal
    told = caught.value.diag
    assert (told.sqlstate, told.message_hint) == (f"PT{http}", code), caught.value
    refusal.sentence = told.message_primary or ""
    refusal.detail = json.loads(told.message_detail or "{}")
    assert refusal.sentence.endswith((".", "!")), "a refusal is a sentence"


def code_of(result: Any) -> str | None:
    """The code of a refusal that came back from a race; None when the call went through."""
    return result.diag.message_hint if isinstance(result, psycopg.Error) else None


@contextmanager
def as_person(url: str, user: UUID | None, role: str = "authenticated") -> Iterator[Connection]:
    """A transaction as PostgREST opens it for a token."""
    with psycopg.connect(url, row_factory=dict_row) as connection:
        become(connection, user, role)
        yield connection
        connection.rollback()


def become(connection: Connection, user: UUID | None, role: str = "authenticated") -> None:
    """Be this person until the transaction ends. Both forms of the claims are set; `auth.uid()` reads either."""
    claims = {"role": role} | ({"sub": str(user)} if user else {})
    connection.execute(
        "select set_config('request.jwt.claim.sub', %s, true), set_config('request.jwt.claims', %s, true)",
        (str(user or ""), json.dumps(claims)),
    )
    connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))


def rules(violations: Sequence[Row]) -> set[str]:
    return {row["rule"] for row in violations}
