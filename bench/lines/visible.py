"""From the answer to a webhook, when its result is committed, to the result on a Jobs page that is open."""

import asyncio
import random
import time
from collections.abc import Sequence
from statistics import median

from bench.inside import acting, sign_in
from bench.lines.webhook import webhooks
from bench.openings import MARKETERS, Opening, end_all, open_jobs
from bench.report import Result, quantile
from bench.sender import send_all
from bench.studio import Machine, Studio
from bench.visitor import Run, Visitor
from ui import live

PEOPLE = 10
ROUNDS = 6
ALLOWED = 0.5  # seconds beyond one interval
PATIENCE = 20.0


def measure(machine: Machine, size: int) -> list[Result]:
    studio = machine.studio(size)
    fal = studio.start_fal()
    companion, _ = studio.start_companion("bench.companion:without_worker")
    studio.start_app()
    people = MARKETERS[:PEOPLE]
    with acting(studio):
        cookies = [sign_in(email) for email in people]
    took: list[float] = []
    try:
        for _ in range(ROUNDS):
            openings = open_jobs(studio, len(people), emails=people)
            took += asyncio.run(_round(studio, dict(zip(people, cookies, strict=True)), openings))
    finally:
        studio.stop_app()
        studio.stop(companion)
        studio.stop(fal)
        end_all(studio)
    late = quantile(took, 0.95)
    made = (
        f"p50 {median(took):.2f} s of {len(took)} results, {len(people)} people; the page asks every {live.SECONDS} s"
    )
    return [
        Result(
            "visible",
            "webhook committed until the result is on an open Jobs page, p95",
            late,
            live.SECONDS + ALLOWED,
            "s",
            made,
            facts={"seconds": sorted(took)},
        )
    ]


async def _round(studio: Studio, cookies: dict[str, str], openings: Sequence[Opening]) -> list[float]:
    """Everybody has one running job on screen; each ends at a moment that has nothing to do with their page's timer."""
    calls = webhooks(studio, openings)

    async def one(number: int, opening: Opening) -> float:
        visitor = Visitor(studio.url("APP_PORT"), cookies[opening.email], "jobs")
        seen: asyncio.Future[float] = asyncio.get_running_loop().create_future()

        def note(_: str, run: Run) -> None:
            if opening.picture(0).encode() in run.text and not seen.done():
                seen.set_result(run.at + run.took)

        await asyncio.sleep(random.uniform(0, 2 * live.SECONDS))  # people do not come all at once
        first = await visitor.arrive()
        assert opening.picture(0).encode() not in first.text
        staying = asyncio.create_task(visitor.stay(time.monotonic() + PATIENCE, note))
        await asyncio.sleep(random.uniform(0, live.SECONDS))
        _, _, statuses = await send_all(studio.url("COMPANION_PORT"), [calls[number]], 1)
        assert statuses == [200], statuses
        committed = time.monotonic()
        visible = await asyncio.wait_for(seen, PATIENCE)
        staying.cancel()
        await visitor.leave()
        return max(0.0, visible - committed)

    return await asyncio.gather(*(one(number, opening) for number, opening in enumerate(openings)))
