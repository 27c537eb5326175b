"""What the hot queries read of the large tables, on a history that is large enough for the planner to choose.

PostgreSQL itself counts: rows read by sequential scans and entries read in indexes, for every statement that a function
runs, within one transaction. A sequential scan of a large table fails, and so does an index that leads
through everything.
"""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from bench.history import fill

JOBS = 20_000  # of 200 people in two years; person 0 has a tenth of them, person 1 is an admin
LARGE = (
    *("generation_jobs", "generation_logs", "credit_entries", "job_outputs", "webhook_events"),
    *("spend_daily", "clip_versions"),
)
COUNTED = """
select t.relname as name, coalesce(t.seq_tup_read, 0) as scanned,
       coalesce(sum(pg_stat_get_xact_tuples_returned(i.indexrelid)), 0)::int as fetched
from pg_stat_xact_user_tables t join pg_index i on i.indrelid = t.relid where t.relname = any (%s) group by 1, 2
"""
BUSIEST, ADMIN = "md5('person 0')::uuid", "md5('person 1')::uuid"
MONTH = "current_date - 29, current_date"
PAGE = 13  # rows of a list, and one that tells whether there are more
# what is asked, entries it may read in indexes of the large tables
QUERIES: dict[str, tuple[str, int]] = {
    # Jobs
    "gallery": (f"select finished_jobs({BUSIEST}, p_limit => {PAGE})", 5 * PAGE),
    "gallery, far back": (
        f"select finished_jobs({BUSIEST}, '{{}}', now() - interval '600 days', gen_random_uuid(), {PAGE})",
        5 * PAGE,
    ),
    "gallery, failed": (
        f"""select finished_jobs({BUSIEST}, '{{"status": "failed"}}', p_limit => {PAGE})""",
        20 * PAGE,
    ),
    "gallery, late": (f"""select finished_jobs({BUSIEST}, '{{"status": "late"}}', p_limit => {PAGE})""", 6 * PAGE),
    "gallery, favourites": (f"""select finished_jobs({BUSIEST}, '{{"favourites": true}}')""", 5 * PAGE),
    "gallery, a text that is nowhere": (f"""select finished_jobs({BUSIEST}, '{{"text": "nowhere"}}')""", 2_500),
    "gallery, one model": (
        f"""select finished_jobs({BUSIEST}, '{{"generation_type": "video_luma"}}', p_limit => {PAGE})""",
        5 * PAGE,
    ),
    "gallery, one campaign": (
        f"select finished_jobs({BUSIEST}, jsonb_build_object('campaign', md5('campaign 3')::uuid))",
        3_000,  # here two short ways are cheaper than one: the campaign's jobs and the person's
    ),
    "all that failed, to try again": (
        f"""select finished_jobs({BUSIEST}, '{{"status": "failed", "untried": true}}', p_limit => 10)""",
        5 * PAGE,
    ),
    "refresh with running jobs": ("select session_context('{cookie}', 604800, true)", 2_500),
    "recent pictures": (
        f"select * from generation_jobs where user_id = {BUSIEST} and status = 'completed'"
        " order by created_at desc limit 8",
        40,
    ),
    # Generate
    "a visit begins with what was set last": ("select session_context('{cookie}', 604800, false, true)", 2_600),
    "prompts of before": (f"select prompt_history({BUSIEST}, 'image')", 2_500),
    "prompts of before, a text that is nowhere": (f"select prompt_history({BUSIEST}, 'image', 'nowhere')", 2_500),
    "prompts of before, favourites": (f"select prompt_history({BUSIEST}, 'image', '', true)", 10),
    # Credits
    "credits": (f"select credit_history({BUSIEST}, p_limit => 21)", 150),
    "credits, far back": (f"select credit_history({BUSIEST}, p_before => 3000, p_limit => 21)", 150),
    "credits, what is not about jobs": (
        f"""select credit_history({BUSIEST}, '["welcome", "grant", "adjustment", "waiver"]', p_limit => 21)""",
        150,
    ),
    "credits, how they stand": (f"select credit_standing({BUSIEST})", 400),
    # Budget
    "balance": (f"select private.budget_state({BUSIEST})", 2_500),
    "budget": (f"select budget_overview({BUSIEST})", 6_000),
    "spend of a month": (f"select spend_report({ADMIN}, {MONTH}, current_date - 59, current_date - 30)", 10_000),
    "spend of a month, one's own": (
        f"select spend_report({BUSIEST}, {MONTH}, current_date - 59, current_date - 30)",
        1_500,
    ),
    # Campaigns
    "campaigns": (f"select campaign_list({BUSIEST}, p_limit => 25)", 4_000),
    "a campaign": (f"select campaign_page({ADMIN}, md5('campaign 3')::uuid)", 500),
    # Admin
    "open jobs": (f"select open_jobs({ADMIN})", 10),
    "inbox": (f"select inbox_events({ADMIN}, p_limit => 25)", 60),
    "inbox, dead": (f"select inbox_events({ADMIN}, 'dead', p_limit => 25)", 10),
    "inbox, processed": (f"select inbox_events({ADMIN}, 'processed', p_limit => 25)", 60),
    "inbox, Stripe": (f"select inbox_events({ADMIN}, p_provider => 'stripe', p_limit => 25)", 10),
    "inbox, a text that is nowhere": (f"select inbox_events({ADMIN}, p_search => 'nowhere')", 3_000),
    "trail": (f"select search_trail({ADMIN}, p_limit => 50)", 60),
    "failures": (f"select failure_reasons({ADMIN}, 24)", 200),
    "webhook calls": (f"select webhook_rates({ADMIN}, 24)", 10),
    # Behind the pages
    "what is due": ("select claim_work('worker', 50, 10, 10)", 200),
    "a webhook": (
        "select receive_fal_events(jsonb_build_array(jsonb_build_object('event_key', 'fal:x:OK', 'event_type', 'OK',"
        " 'request_id', fal_request_id, 'job', id, 'account_id', 'account', 'payload', '{}'::jsonb, 'verdict',"
        """ '{"outcome": "cancelled", "error_type": "cancelled", "error_message": "Asked."}'::jsonb)))"""
        " from generation_jobs where fal_request_id = md5('request 19000')::uuid::text",
        30,
    ),
}


@pytest.fixture(scope="module")
def history(shared_database_url: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    fill(shared_database_url, JOBS, seed=1)
    with psycopg.connect(shared_database_url, row_factory=dict_row, autocommit=True) as connection:
        connection.execute(
            "select open_session(%s, md5('person 0')::uuid, 'sealed', 3600, 604800, 2592000, 'test', '', false, 0)",
            (cookie(),),
        )
        yield connection


def cookie() -> str:
    return "c" * 64


def read_by(history: psycopg.Connection[dict[str, Any]], query: str) -> dict[str, tuple[int, int]]:
    """Rows of each large table that a query reads: (by scanning all of it, through indexes)."""
    with history.transaction(force_rollback=True):
        before = {row["name"]: row for row in history.execute(COUNTED, (list(LARGE),)).fetchall()}
        history.execute(query.replace("{cookie}", cookie()).encode())
        after = history.execute(COUNTED, (list(LARGE),)).fetchall()
    return {
        row["name"]: (
            row["scanned"] - before[row["name"]]["scanned"],
            row["fetched"] - before[row["name"]]["fetched"],
        )
        for row in after
    }


@pytest.mark.parametrize("name", QUERIES)
def test_a_hot_query_goes_by_an_index_and_reads_little(history: psycopg.Connection[dict[str, Any]], name: str) -> None:
    query, most = QUERIES[name]
    read = read_by(history, query)
    assert read.keys() == set(LARGE)
    assert not {table: scanned for table, (scanned, _) in read.items() if scanned}, "a large table was scanned"
    fetched = {table: through for table, (_, through) in read.items() if through}
    assert sum(fetched.values()) <= most, fetched


def test_a_scan_and_a_long_way_are_noticed(history: psycopg.Connection[dict[str, Any]]) -> None:
    scan = read_by(history, "select count(*) from generation_jobs where prompt ilike '%nowhere%'")
    assert scan["generation_jobs"] == (JOBS, 0)
    way = read_by(history, f"""select finished_jobs({BUSIEST}, '{{"text": "nowhere"}}')""")
    assert way["generation_jobs"][0] == 0
    assert way["generation_jobs"][1] > 1_000


def test_the_overview_counts_calls_no_further_than_it_says(history: psycopg.Connection[dict[str, Any]]) -> None:
    read = read_by(history, f"select admin_overview({ADMIN})")
    assert read["webhook_events"][0] <= 10_001
    assert {table for table, (scanned, _) in read.items() if scanned} <= {"webhook_events"}
