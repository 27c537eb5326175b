"""Each page at a million jobs against a thousand: the time of the server, and its round trips to the database.

A visitor opens the page anew each time (a new session over the websocket); the two sizes take turns, so that whatever
else the machine does meets both.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.counted import Call, Log
from bench.inside import acting, sign_in
from bench.report import Result, quantile
from bench.studio import ADMIN, BUSIEST, Machine, Studio
from bench.visitor import Visitor

SMALL = 1000
ARRIVALS = 24
WARM = 3
PAGES: tuple[tuple[str, str, str], ...] = (
    ("generate", "", BUSIEST),
    ("jobs", "", BUSIEST),
    ("campaigns", "", BUSIEST),
    ("budget", "", BUSIEST),
    ("credits", "", BUSIEST),
    ("budget", "", ADMIN),
    *(("admin", f"section={name}", ADMIN) for name in ("People", "Catalogue", "Operations", "Money", "Trail")),
)


@dataclass
class Seen:
    """The arrivals at one page on one size: seconds, and the calls of each to Supabase."""

    took: list[float] = field(default_factory=list)
    calls: list[list[Call]] = field(default_factory=list)


@dataclass(frozen=True)
class House:
    studio: Studio
    log: Log
    cookies: dict[str, str]

    def arrive(self, page: str, query: str, who: str) -> tuple[float, list[Call]]:
        async def once() -> tuple[float, list[Call]]:
            visitor = Visitor(self.studio.url("APP_PORT"), self.cookies[who], page, query)
            run = await visitor.arrive()
            await visitor.leave()
            return run.took, self.log.calls(run.at, run.at + run.took)

        took, calls = asyncio.run(once())
        return took, [call for call in calls if call.url.startswith(self.studio.environment["SUPABASE_URL"])]


def measure(machine: Machine, size: int) -> list[Result]:
    houses = [_open(machine.studio(each)) for each in (SMALL, size)]
    results = []
    for page, query, who in PAGES:
        seen = (Seen(), Seen())
        for turn in range(WARM + ARRIVALS):
            for house, one in zip(houses, seen, strict=True):
                took, calls = house.arrive(page, query, who)
                if turn >= WARM:
                    one.took.append(took)
                    one.calls.append(calls)
        name = page + (f" ({query.partition('=')[2]})" if query else " (admin)" if who == ADMIN else "")
        results += _results(name, seen[0], seen[1])
    for house in houses:
        house.studio.stop_app()
    return results


def _open(studio: Studio) -> House:
    _, log = studio.start_app()
    with acting(studio):
        return House(studio, log, {email: sign_in(email) for email in (BUSIEST, ADMIN)})


def _results(name: str, small: Seen, large: Seen) -> list[Result]:
    ratio = quantile(large.took, 0.95) / quantile(small.took, 0.95)
    trips = max(len(calls) for one in (small, large) for calls in one.calls)
    names = [call.name for call in max(large.calls, key=len)]
    facts = {
        "small_ms": _spread(small.took),
        "large_ms": _spread(large.took),
        "trips": sorted({len(calls) for one in (small, large) for calls in one.calls}),
        "calls": names,
    }
    timed = f"p95 {quantile(large.took, 0.95) * 1000:.0f} ms, small {quantile(small.took, 0.95) * 1000:.0f} ms"
    return [
        Result("pages", f"{name}: p95 against {SMALL:,} jobs", ratio, 1.3, "×", timed, facts=facts),
        Result("pages", f"{name}: round trips", trips, 3, "trips", ", ".join(names), facts=facts),
    ]


def _spread(took: Sequence[float]) -> dict[str, float]:
    return {"p50": median(took) * 1000, "p95": quantile(took, 0.95) * 1000, "n": len(took)}
