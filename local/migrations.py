"""Applies `supabase/migrations/*.sql` to a local database and records them where the Supabase CLI does."""

import re
from dataclasses import dataclass
from pathlib import Path

import psycopg

from local.errors import LocalError
from local.paths import MIGRATIONS

_FILE_NAME = re.compile(r"(\d{14})_(\w+)\.sql")
_LOCK = 7281103651  # any constant: two runners on one database take turns


@dataclass(frozen=True)
class Migration:
    version: str  # YYYYMMDDHHMMSS
    name: str
    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")


@dataclass(frozen=True)
class Outcome:
    """What a run did: file names applied now, and those whose text differs from what was applied here before."""

    applied: tuple[str, ...]
    changed: tuple[str, ...]


def find(directory: Path = MIGRATIONS) -> tuple[Migration, ...]:
    """The migrations in order. Raises `LocalError` for a file name or a version that the Supabase CLI would refuse."""
    found: dict[str, Migration] = {}
    for path in sorted(directory.glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise LocalError(f"{path}: a migration is named YYYYMMDDHHMMSS_what_it_does.sql.")
        if match[1] in found:
            raise LocalError(f"{path.name} and {found[match[1]].path.name} have the same version: renumber one.")
        found[match[1]] = Migration(match[1], match[2], path)
    return tuple(found.values())


def apply(database_url: str, directory: Path = MIGRATIONS) -> Outcome:
    """Run what is pending, each file in a transaction of its own together with its record.

    The database must have been prepared (`local.supabase.prepare`). Raises `LocalError` with file, line and
    PostgreSQL's message; the files before the failing one stay applied.
    """
    migrations = find(directory)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(%s)", (_LOCK,))
        rows = connection.execute("select version, statements from supabase_migrations.schema_migrations").fetchall()
        recorded: dict[str, list[str]] = dict(rows)
        pending = [migration for migration in migrations if migration.version not in recorded]
        for migration in pending:
            _apply_one(connection, migration)
        changed = (
            migration.path.name
            for migration in migrations
            if migration.version in recorded and recorded[migration.version] != [migration.text]
        )
        return Outcome(tuple(migration.path.name for migration in pending), tuple(changed))


def _apply_one(connection: psycopg.Connection, migration: Migration) -> None:
    text = migration.text
    try:
        with connection.transaction():
            connection.execute(text.encode())
            connection.execute(
                "insert into supabase_migrations.schema_migrations (version, name, statements) values (%s, %s, %s)",
                (migration.version, migration.name, [text]),
            )
            connection.execute("reset all")
    except psycopg.Error as error:
        position = error.diag.statement_position
        line = f", line {text.count(chr(10), 0, int(position)) + 1}" if position else ""
        context = f" ({error.diag.context})" if error.diag.context else ""
        raise LocalError(f"{migration.path.name}{line}: {str(error).strip()}{context}") from error
