"""The history that the benchmarks run on: in balance, with every reference kept, and the same for the same seed."""

from collections.abc import Callable

import psycopg
import pytest

from bench.history import fill

JOBS = 1500
_KEYS = """
select conrelid::regclass::text, confrelid::regclass::text, conname,
       (select string_agg(format('a.%I = b.%I', f.attname, t.attname), ' and ' order by o)
        from unnest(conkey, confkey) with ordinality k (x, y, o)
        join pg_attribute f on f.attrelid = conrelid and f.attnum = x
        join pg_attribute t on t.attrelid = confrelid and t.attnum = y),
       (select string_agg(format('a.%I is not null', f.attname), ' and ')
        from unnest(conkey) x join pg_attribute f on f.attrelid = conrelid and f.attnum = x)
from pg_constraint where contype = 'f' and connamespace in ('public'::regnamespace, 'private'::regnamespace)
"""
_SUMMARY = """
select (select md5(string_agg(concat_ws('|', id, user_id, generation_type, status, spent_usd), ',' order by id))
        from public.generation_jobs),
       (select md5(string_agg(concat_ws('|', user_id, kind, amount, available_after), ',' order by user_id, version))
        from public.credit_entries)
"""


@pytest.fixture(scope="module")
def history(shared_database_url: str) -> str:
    fill(shared_database_url, JOBS, seed=1)
    return shared_database_url


def test_the_books_of_a_made_history_agree(history: str) -> None:
    with psycopg.connect(history) as connection:
        assert connection.execute("select * from audit_books()").fetchall() == []
        assert connection.execute(
            "select status, count(*) > 0 from public.generation_jobs group by 1 order by 1"
        ).fetchall() == [
            ("cancelled", True),
            ("completed", True),
            ("failed", True),
        ]


def test_no_reference_leads_nowhere(history: str) -> None:
    with psycopg.connect(history) as connection:
        keys = connection.execute(_KEYS).fetchall()
        assert len(keys) > 30
        for table, target, name, same, given in keys:
            query = f"select count(*) from {table} a where {given} and not exists (select from {target} b where {same})"
            assert connection.execute(query.encode()).fetchone() == (0,), name


def test_filling_leaves_the_schema_as_it_was(history: str, database_url: str) -> None:
    indexes = "select schemaname, indexname, indexdef from pg_indexes order by 1, 2"
    with psycopg.connect(history) as filled, psycopg.connect(database_url) as fresh:
        assert filled.execute(indexes.encode()).fetchall() == fresh.execute(indexes.encode()).fetchall()
        assert filled.execute("select to_regnamespace('bench')").fetchone() == (None,)


def test_the_seed_decides(history: str, new_database: Callable[[], str]) -> None:
    same, other = new_database(), new_database()
    fill(same, JOBS, seed=1)
    fill(other, JOBS, seed=2)
    with psycopg.connect(history) as a, psycopg.connect(same) as b, psycopg.connect(other) as c:
        first = a.execute(_SUMMARY).fetchone()
        assert first == b.execute(_SUMMARY).fetchone()
        assert first != c.execute(_SUMMARY).fetchone()


def test_only_an_empty_database_is_filled(history: str) -> None:
    with pytest.raises(ValueError, match="has jobs already"):
        fill(history, 10)
