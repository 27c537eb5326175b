"""A chore of the worker, run now, and what came of it."""

from decimal import Decimal
from uuid import UUID

import pytest

from core import chores
from core.models import Person
from core.periods import Period
from tests.database.books import completed
from tests.integration.billing_stack import Studio
from tests.integration.billing_stack import billing_stack as billing_stack  # fixtures of this file alone
from tests.integration.billing_stack import studio_fixture as studio_fixture

WORKER = "worker"


@pytest.fixture(name="admin")
def admin_fixture(studio: Studio) -> Person:
    return studio.as_person(studio.books.admin)


def run(studio: Studio, *names: str) -> None:
    """These chores are due, and a worker comes by; the others are not."""
    studio.books.owner.execute(
        "insert into private.chores (name) select unnest(%s::text[]) on conflict do nothing", (list(names),)
    )
    others = [chore.name for chore in chores.CHORES if chore.name not in names]
    studio.books.owner.execute(
        "insert into private.chores (name, due_at) select unnest(%s::text[]), now() + interval '1 day'"
        " on conflict (name) do update set due_at = excluded.due_at",
        (others,),
    )
    studio.due_now(*names)
    claimed = chores._claim(WORKER, list(chores.enabled()))
    assert {row["name"] for row in claimed} == set(names)
    for row in claimed:
        chores._do(WORKER, row)


def state(admin: Person, name: str) -> chores.ChoreState:
    return next(state for state in chores.states(admin) if state.name == name)


def today(studio: Studio) -> Period:
    day = studio.books.value("select private.team_day(now())")
    return Period(day, day)


def spend_dollars(studio: Studio, user: UUID, usd: str) -> None:
    job = studio.books.submitted(user, units=Decimal(usd), unit_price_usd=Decimal(1))
    studio.books.settle(job, completed())
