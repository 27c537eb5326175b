"""Jobs that are open at fal.ai, made by the functions of the product, and ended again the same way."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

from bench.studio import Studio

_MAKE = Path(__file__).with_name("open_jobs.sql").read_text(encoding="utf-8")
_END = """
select private.settle(id, '{"outcome": "cancelled", "error_type": "cancelled", "error_message": "Measured."}', 'admin')
from public.generation_jobs where status in ('pending', 'submitted', 'in_progress')
"""

AT_ONCE = 500  # jobs in one transaction
MARKETERS = tuple(f"person{number}@bench.example" for number in range(101) if number != 1)  # 1 is the admin


@dataclass(frozen=True, slots=True)
class Opening:
    """One open job and the request that fal.ai would have for it."""

    job: str
    request: str
    email: str

    def picture(self, number: int) -> str:
        """Where fal.ai would have the pictures of this job."""
        return f"https://v3.fal.media/files/b/{self.request}/{number}.jpg"


def open_jobs(
    studio: Studio, count: int, *, emails: Sequence[str] = MARKETERS, check_seconds: int = 3600
) -> list[Opening]:
    """Open jobs of these people, in turn; the worker does not look at them before `check_seconds`."""
    with studio.sql() as sql:
        sql.execute(_MAKE.encode())
        found: list[Opening] = []
        while len(found) < count:
            # A transaction never clears up after itself: with many jobs in one, every step would read all before it.
            batch, now = f"batch-{uuid4().hex[:8]}", min(AT_ONCE, count - len(found))
            rows = sql.execute(
                "select job::text, request, email from pg_temp.open_jobs(%s, %s, %s, %s, %s)",
                (batch, now, list(emails), studio.url("LOCAL_FAL_PORT"), check_seconds),
            ).fetchall()
            found += [Opening(row["job"], row["request"], row["email"]) for row in rows]
        sql.execute("drop function pg_temp.open_jobs")
        sql.execute("analyze public.generation_jobs")
    return found


def give(studio: Studio, user: UUID, credits: int) -> None:
    """Credits for what is to be measured, posted as any other."""
    with studio.sql() as sql:
        sql.execute(
            "select private.post_entry(%s, 'grant', %s, %s, p_reason => 'For a measurement')",
            (user, credits, f"measure:{uuid4()}"),
        )


def end_all(studio: Studio) -> None:
    """No job is open any more; credits that were held are returned."""
    with studio.sql() as sql:
        sql.execute(_END.encode())
        sql.execute("update public.job_outputs set mirror_due_at = null where mirror_due_at is not null")
        sql.execute("update public.generation_jobs set cost_due_at = null where cost_due_at is not null")


def books_agree(studio: Studio) -> None:
    """What was measured left every book in balance; anything else is no measurement."""
    with studio.sql() as sql:
        found = sql.execute("select * from public.audit_books() limit 3").fetchall()
    assert not found, found
