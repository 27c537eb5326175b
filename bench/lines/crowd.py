"""A hundred people with Jobs open, twenty of them with a running job: refreshes, questions, and memory of a session."""

import asyncio
import time
from collections import Counter
from statistics import median

import psutil  # type: ignore[import-untyped]

from bench.counted import Call
from bench.inside import acting, sign_in
from bench.openings import MARKETERS, end_all, open_jobs
from bench.report import Result, quantile
from bench.studio import Machine
from bench.visitor import Run, Visitor
from ui import live, shell

PEOPLE = len(MARKETERS)
LIVE = 20
WATCHED = 40.0  # seconds
ENDING = 12.0  # everybody has seen that their job has ended
QUIET = 25.0
ARRIVING = 5  # at once
JOB_QUESTIONS = ("generation_jobs", "job_outputs")


def measure(machine: Machine, size: int) -> list[Result]:
    studio = machine.studio(size)
    child, log = studio.start_app()
    process = psutil.Process(child.process.pid if child.process else 0)
    with acting(studio):
        cookies = [sign_in(email) for email in MARKETERS[:PEOPLE]]
    open_jobs(studio, LIVE, emails=MARKETERS[:LIVE])
    runs: list[tuple[bool, Run]] = []
    idle: list[Call] = []
    memory: list[float] = []

    async def everybody() -> tuple[float, float]:
        visitors = [Visitor(studio.url("APP_PORT"), cookie, "jobs") for cookie in cookies]
        await visitors[0].arrive()
        await visitors[0].rerun()
        memory.append(_resident_mb(process))
        arriving = asyncio.Semaphore(ARRIVING)

        async def arrive(visitor: Visitor) -> None:
            async with arriving:
                await visitor.arrive()

        await asyncio.gather(*(arrive(visitor) for visitor in visitors[1:]))
        memory.append(_resident_mb(process))
        expected = Counter(timer.seconds for visitor in visitors for timer in visitor.timers.values())
        assert expected == {shell.REFRESH_SECONDS: PEOPLE, live.SECONDS: LIVE}, expected
        begun = time.monotonic()

        async def stay(visitor: Visitor) -> None:
            def note(fragment: str, run: Run) -> None:
                runs.append(
                    (visitor.timers[fragment].seconds == live.SECONDS if fragment in visitor.timers else False, run)
                )

            await visitor.stay(begun + WATCHED, note, underway=True)

        await asyncio.gather(*(stay(visitor) for visitor in visitors))
        watched = time.monotonic()
        end_all(studio)
        # Everybody sees that their job has ended; then nothing is live any more.
        await asyncio.gather(*(visitor.stay(watched + ENDING) for visitor in visitors))
        quiet = time.monotonic()
        await asyncio.gather(*(visitor.stay(quiet + QUIET) for visitor in visitors))
        idle.extend(log.calls(quiet, quiet + QUIET))
        await asyncio.gather(*(visitor.leave() for visitor in visitors))
        return begun, watched

    try:
        begun, watched = asyncio.run(everybody())
    finally:
        end_all(studio)
        studio.stop_app()
    ours = studio.environment["SUPABASE_URL"]
    asked = [call for call in log.calls(begun, watched) if call.url.startswith(ours)]
    took = [run.took for _, run in runs]
    ticks = sum(live for live, _ in runs)
    about_jobs = [call for call in idle if call.name in JOB_QUESTIONS]
    facts = {
        "refresh_ms": {"p50": median(took) * 1000, "p95": quantile(took, 0.95) * 1000, "n": len(took)},
        "ticks_of_jobs": ticks,
        "questions": dict(Counter(call.name for call in asked)),
        "questions_when_nothing_is_live": dict(Counter(call.name for call in idle)),
        "resident_mb": memory,
    }
    each = (memory[1] - memory[0]) / (PEOPLE - 1)
    late = f"{len(took)} refreshes of {PEOPLE} people in {WATCHED:.0f} s, {ticks} of them of running jobs"
    return [
        Result(
            "crowd",
            f"refresh with {PEOPLE} people, {LIVE} live, p95",
            quantile(took, 0.95) * 1000,
            300,
            "ms",
            late,
            facts=facts,
        ),
        Result(
            "crowd",
            "database questions per refresh",
            len(asked) / len(runs),
            1,
            "",
            f"{len(asked)} questions",
            facts=facts,
        ),
        Result(
            "crowd",
            "questions about jobs when nothing is live",
            len(about_jobs),
            0,
            "",
            f"in {QUIET:.0f} s",
            facts=facts,
        ),
        Result(
            "memory",
            "each session beyond the first",
            each,
            5,
            "MB",
            f"{memory[0]:.0f} MB with 1, {memory[1]:.0f} MB with {PEOPLE}",
            facts=facts,
        ),
    ]


def _resident_mb(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 1_048_576
