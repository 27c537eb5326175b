"""What a job has cost at fal.ai: units that were counted, and bills."""

from decimal import Decimal

from tests.database.model.cast import Cast, Deed
from tests.database.model.deeds import about
from tests.database.model.world import World

SOURCES = ("metered", "confirmed")


def cost(cast: Cast, world: World, a: int, b: int) -> Deed | None:
    """fal.ai's units or its bill arrive."""
    return _told(cast, world, a, Decimal(b % 9) / 1000, SOURCES[b % 2], again=False)


def cost_again(cast: Cast, world: World, a: int, b: int) -> Deed | None:
    """Another figure for what was counted already: a bill is final, units give way to it."""
    return _told(cast, world, a, Decimal(1 + b % 7) / 500, SOURCES[b // 7 % 2], again=True)


def _told(cast: Cast, world: World, a: int, usd: Decimal, source: str, *, again: bool) -> Deed | None:
    return about(
        cast,
        world,
        a,
        lambda job: job.cost != "estimated" if again else not job.is_open,
        "record_cost",
        lambda w, key: w.record_cost(key, usd, source),
        p_usd=usd,
        p_units=None,
        p_source=source,
    )


COST_DEEDS = {deed.__name__: deed for deed in (cost, cost_again)}
