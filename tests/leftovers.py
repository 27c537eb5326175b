"""Files of tests that run in one process share one Supabase and one simulated fal.ai: nothing goes over to the next."""

import httpx
import psycopg


def park(database_url: str) -> None:
    """Work that an earlier file has left is not due: a worker of this one would do it, and its counts would move.

    Nor is the account at fal.ai that it pinned the one of this file.
    """
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("update private.provider_state set account_id = null")
        connection.execute(
            "update public.generation_jobs set next_check_at = now() + interval '1 day' where completed_at is null"
        )
        connection.execute(
            "update public.generation_jobs set cost_due_at = now() + interval '1 day' where cost_due_at is not null"
        )
        connection.execute(
            "update public.job_outputs set mirror_due_at = now() + interval '1 day' where mirror_due_at is not null"
        )


def calm(fal_url: str) -> None:
    """The simulated fal.ai forgets its requests and how it was to behave."""
    httpx.post(f"{fal_url}/_sim/reset", json={}).raise_for_status()
