"""Filling one database, step by step, each step one file of SQL."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
from psycopg import sql

PEOPLE = 200  # number 0 is the busiest person, a marketer with about a tenth of all jobs; number 1 is an admin
STEPS = ("people", "draws", "campaigns", "jobs", "logs", "credits", "files", "calls", "last")
LARGE_TABLES = (
    "public.generation_jobs",
    "public.generation_logs",
    "public.credit_entries",
    "public.job_outputs",
    "public.webhook_events",
    "public.spend_daily",
    "public.clip_versions",
    "storage.objects",
)
_HERE = Path(__file__).parent

# Rebuilding an index of a million rows is much quicker than keeping it up to date row by row.
_INDEXES = """
select format('drop index %%s', i.indexrelid::regclass), pg_get_indexdef(i.indexrelid)
from pg_index i
where i.indrelid = any (%s::regclass[])
  and not exists (select 1 from pg_constraint c where c.conindid = i.indexrelid)
order by i.indrelid::regclass::text, i.indexrelid::regclass::text
"""


def fill(url: str, jobs: int, seed: int = 1, *, report: Callable[[str], None] = lambda _: None) -> None:
    """Fill the migrated database at `url` (superuser) with `jobs` ended jobs; raises ValueError when it has some."""
    started = time.monotonic()
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("select exists (select from public.generation_jobs)").fetchone()
        if row == (True,):
            raise ValueError("This database has jobs already.")
        for setting in ("work_mem = '256MB'", "maintenance_work_mem = '512MB'", "synchronous_commit = off"):
            connection.execute(f"set {setting}".encode())
        _plan(connection, jobs, seed)
        indexes = connection.execute(_INDEXES, (list(LARGE_TABLES),)).fetchall()
        try:
            for step in STEPS:
                if step == "jobs":
                    # What the tables watch row by row holds for all of it together: keys by how the rows are made,
                    # the rest by the audit. CHECK constraints stay on.
                    connection.execute("set session_replication_role = replica")
                    for drop, _ in indexes:
                        connection.execute(drop.encode())
                begun = time.monotonic()
                connection.execute((_HERE / f"{step}.sql").read_bytes())
                report(f"{step}: {time.monotonic() - begun:.1f} s")
        finally:
            begun = time.monotonic()
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda made: _build(url, made), [definition for _, definition in indexes]))
            connection.execute("set session_replication_role = origin")
        report(f"indexes: {time.monotonic() - begun:.1f} s")
        connection.execute("drop schema bench cascade")
        # Visibility maps too: without them an index-only scan reads the table all the same.
        for table in LARGE_TABLES:
            connection.execute(sql.SQL("vacuum (analyze) {}").format(sql.Identifier(*table.split("."))))
        connection.execute("select public.close_days(10000)")  # as a worker has done by then
        connection.execute("analyze")
    report(f"{jobs} jobs: {time.monotonic() - started:.1f} s")


def _plan(connection: psycopg.Connection, jobs: int, seed: int) -> None:
    connection.execute("create schema bench")
    connection.execute("create table bench.plan (jobs int, people int, days int, ends_at timestamptz)")
    connection.execute(
        "insert into bench.plan values (%s, %s, 730, date_trunc('hour', now()) - interval '1 hour')", (jobs, PEOPLE)
    )
    # A number from 0 to 1 that depends on nothing but the seed, the row and what it is drawn for.
    connection.execute(
        sql.SQL(
            "create function bench.draw(p_row bigint, p_what int) returns float8 language sql immutable parallel safe"
            " as $$ select (hashint8extended(p_row, {} * 1000 + p_what) & 4294967295)::float8 / 4294967296 $$"
        ).format(sql.Literal(seed))
    )
    # As private.new_id makes them, the time first; the rest follows from a name: the same seed gives the same ids.
    connection.execute(
        "create function bench.id_at(p_at timestamptz, p_name text) returns uuid language sql immutable parallel safe"
        " as $$ select (lpad(to_hex(floor(extract(epoch from p_at) * 1000)::bigint), 12, '0')"
        " || '7' || substr(md5(p_name), 2, 3) || '8' || substr(md5(p_name), 6, 15))::uuid $$"
    )


def _build(url: str, definition: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set maintenance_work_mem = '512MB'")
        connection.execute("set max_parallel_maintenance_workers = 0")
        connection.execute(definition.replace(" INDEX ", " INDEX IF NOT EXISTS ", 1).encode())
