"""The database into a file and back, with PostgreSQL's own tools, and what it says of itself."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from local.backup.archive import Manifest
from local.errors import LocalError
from local.postgres import binary

_TABLES: LiteralString = """
select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast') order by 1, 2
"""
_OBJECTS: LiteralString = "select bucket_id || '/' || name, (metadata ->> 'size')::bigint from storage.objects"


@contextmanager
def snapshot(url: str) -> Iterator[tuple[psycopg.Connection, str]]:
    """One moment of the database, for as many readers as want to see it: a transaction, and the snapshot's name."""
    with psycopg.connect(url) as connection:
        connection.execute("set transaction isolation level repeatable read, read only")
        row = connection.execute("select pg_export_snapshot()").fetchone()
        assert row is not None
        yield connection, str(row[0])


def describe(connection: psycopg.Connection) -> Manifest:
    """What is in the database at the moment of this transaction."""
    tables = {}
    for schema, name in connection.execute(_TABLES).fetchall():
        query = sql.SQL("select count(*) from {}").format(sql.Identifier(schema, name))
        row = connection.execute(query).fetchone()
        assert row is not None
        tables[f"{schema}.{name}"] = int(row[0])
    objects = {name: int(size) for name, size in connection.execute(_OBJECTS).fetchall()}
    newest = connection.execute("select max(version) from supabase_migrations.schema_migrations").fetchone()
    audit = [": ".join(map(str, row)) for row in connection.execute("select * from public.audit_books()").fetchall()]
    return Manifest(
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        migration=str(newest[0]) if newest else "",
        tables=tables,
        objects=objects,
        audit=audit,
    )


def dump(url: str, snapshot_name: str, target: Path) -> None:
    """Raises LocalError."""
    options = ["--format=custom", f"--snapshot={snapshot_name}", f"--file={target}"]
    _run("pg_dump", url, options, "The database could not be written")


def load(url: str, source: Path) -> None:
    """Into an empty database whose server knows the roles. Raises LocalError."""
    options = ["--exit-on-error", "--single-transaction", f"--dbname={_parts(url)['dbname']}", str(source)]
    _run("pg_restore", url, options, "The database could not be read back", database=False)


def _run(program: str, url: str, options: Sequence[str], failure: str, *, database: bool = True) -> None:
    """The password travels in the environment, where other people's `ps` does not see it."""
    parts = _parts(url)
    command = [str(binary(program)), "--no-password", f"--host={parts['host']}", f"--port={parts['port']}"]
    command += [f"--username={parts['user']}", *options, *([parts["dbname"]] if database else [])]
    environment = {**os.environ, "PGPASSWORD": parts["password"], "LC_ALL": "C"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalError(f"{failure}:\n{done.stderr.strip()}")


def _parts(url: str) -> dict[str, str]:
    return {name: str(value) for name, value in conninfo_to_dict(url).items()}
