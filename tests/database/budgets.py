"""What the tests of budget, prices and alerts share on top of `books`: balances, spend, readings, an audit."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from tests.database.books import Books, completed, failed

DOLLAR = {"unit_price_usd": Decimal(1)}


def set_balance(books: Books, amount: str | None) -> Any:
    return books.call("set_team_balance", p_actor=books.admin, p_amount=Decimal(amount) if amount else None)


def set_own(books: Books, user: UUID, amount: str | None) -> Any:
    return books.call("set_own_balance", p_actor=user, p_amount=Decimal(amount) if amount else None)


def read_at_fal(books: Books, amount: str) -> Any:
    """fal.ai has told the balance."""
    return books.call("record_fal_balance", p_amount=Decimal(amount))


def header(books: Books, user: UUID) -> Any:
    return books.value("select private.budget_state(%s)", user)


def spend(books: Books, user: UUID, usd: str, **more: Any) -> UUID:
    """An ended job that cost this much."""
    job = books.submitted(user, units=Decimal(usd), **DOLLAR, **more)
    books.settle(job, completed())
    return job


def waste(books: Books, user: UUID, usd: str) -> UUID:
    """A failed job that fal.ai bills all the same."""
    job = books.submitted(user, units=Decimal(usd), **DOLLAR)
    books.settle(job, failed(billable=True))
    return job


def move(books: Books, job: UUID, moment: str) -> None:
    """Let a job have ended at another moment: history is append-only, so the triggers are off for it, and the rollup is
    rebuilt."""
    with books.owner.transaction():
        books.owner.execute("set local session_replication_role = replica")
        books.owner.execute(
            "update generation_jobs set billed_at = %s, completed_at = %s where id = %s", (moment, moment, job)
        )
        books.owner.execute(
            "update generation_logs set billed_at = %s where job_id = %s and billed_at is not null", (moment, job)
        )
    books.call("rebuild_spend_daily")


def violations(books: Books) -> list[Any]:
    return books.all("select * from private.audit_budget()")
