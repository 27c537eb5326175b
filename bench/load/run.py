"""The run itself: jobs are opened, people come, the webhooks come, what is left is done, and everything is checked."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]

from bench.inside import acting, sign_in
from bench.load.checks import Inquiry
from bench.load.finished import Finished, finish
from bench.load.storm import Storm, Told
from bench.openings import MARKETERS, give, open_jobs
from bench.studio import Machine, Studio, machine
from local.chaos.checks import Check
from local.fal.webhooks import Signer
from local.paths import ROOT
from local.processes import Child

HISTORY = 1000  # jobs
CREDITS = 500  # of each who clicks
CONCURRENCY = 40  # of the simulated fal.ai
PEOPLE_MORE_SECONDS = 120.0  # until the last of them has their answer
_LEFT = """
select (select count(*) from public.generation_jobs
        where status in ('pending', 'submitted', 'in_progress') and created_at >= %(begun)s) as open,
       (select count(*) from public.job_outputs where mirror_due_at is not null) as copies
"""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """How much: webhooks a second for so long, and people who click for so many seconds with a mean `pause` between.

    `drain` is how long the copying of files may take afterwards; what is not copied by then must still be due.
    """

    rate: float = 500.0
    seconds: float = 60.0
    people: int = 50
    clicking: float = 300.0
    pause: float = 5.0
    connections: int = 128
    drain: float = 300.0
    pause_factor: float = 1.0  # on fal.ai's pauses between tries
    seed: int = 1


@dataclass
class Outcome:
    """What was done and found. `took` are the seconds of what people did, by deed."""

    wish: Wish
    told: Told
    took: dict[str, list[float]] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    sentences: dict[str, int] = field(default_factory=dict)
    asked: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    cpu: dict[str, float] = field(default_factory=dict)  # cores that each part used while the webhooks came
    left: dict[str, int] = field(default_factory=dict)
    drained: float = 0.0  # seconds

    @property
    def violations(self) -> list[str]:
        return [f"{check.name}: {violation}" for check in self.checks for violation in check.violations]


@dataclass
class Loaded:
    """A run that is over, on a stack that still runs: what was lost can be asked again."""

    studio: Studio
    begun: datetime
    verdicts: list[Finished]
    outcome: Outcome

    def checks(self) -> list[Check]:
        return Inquiry(self.studio, self.begun, self.verdicts, self.outcome.told).checks()


@contextmanager
def loaded(wish: Wish, say: Say, folder: Path) -> Iterator[Loaded]:
    """Run it on a stack of its own, with everything that it writes in `folder`."""
    with machine(folder, lambda _: None) as found:
        yield _run(found, wish, say)


def _run(found: Machine, wish: Wish, say: Say) -> Loaded:
    studio = found.studio(HISTORY)
    begun = datetime.now(UTC)
    verdicts = _open(studio, wish, say)
    fal = studio.start_fal(afresh=False)  # it already has what was finished
    behaviour = {"tiny_outputs": True, "concurrency": CONCURRENCY}
    httpx.post(f"{studio.url('LOCAL_FAL_PORT')}/_sim/behaviour", json=behaviour).raise_for_status()
    companion, _ = studio.start_companion()
    app, _ = studio.start_app()
    parts = {"companion": companion, "app": app, "simulated fal.ai": fal}
    asyncio.run(_pin(studio, verdicts[:1]))
    people = _start_people(studio, wish)
    started = time.monotonic()
    try:
        say(f"{wish.people} people click for {wish.clicking:g} s")
        time.sleep(max(0.0, (wish.clicking - wish.seconds) / 3))
        say(f"{len(verdicts):,} webhooks at {wish.rate:g} a second")
        outcome = _storm(found, studio, wish, verdicts, parts | {"people": people})
        say(f"  {len(outcome.told.acknowledged):,} acknowledged; the people go on")
        people.wait_until((studio.directory / "report.json").exists, wish.clicking + PEOPLE_MORE_SECONDS)
    finally:
        studio.stop(people)
    say(f"  the people are done after {time.monotonic() - started:.0f} s")
    _read_report(studio.directory / "report.json", outcome)
    say(f"What is left is done, {wish.drain:g} s at most")
    outcome.drained = _drain(studio, begun, wish.drain)
    inquiry = Inquiry(studio, begun, verdicts, outcome.told)
    outcome.checks, outcome.ends = inquiry.checks(), dict(inquiry.ends())
    outcome.left = {"files to copy": inquiry.uncopied, "costs to read": inquiry.costs_to_read}
    return Loaded(studio, begun, verdicts, outcome)


def _open(studio: Studio, wish: Wish, say: Say) -> list[Finished]:
    """The jobs whose webhooks will come; they belong to those of the team who do not click."""
    started = time.monotonic()
    count = round(wish.rate * wish.seconds)
    openings = open_jobs(studio, count, emails=MARKETERS[wish.people :])
    with acting(studio):
        verdicts = finish(studio, openings)
    say(f"{count:,} jobs opened in {time.monotonic() - started:.0f} s")
    return verdicts


async def _pin(studio: Studio, verdicts: list[Finished]) -> None:
    """A first good call tells our account at fal.ai: from then on another one can be told from it."""
    with studio.sql() as sql:
        sql.execute("update private.provider_state set account_id = null where provider = 'fal'")
    told = await Storm(Signer(studio.directory / "fal"), 1, 1, wicked_every=sys.maxsize).send(verdicts)
    assert told.first[200], told.first


def _start_people(studio: Studio, wish: Wish) -> Child:
    clicking = MARKETERS[: wish.people]
    with acting(studio):
        cookies = [sign_in(email) for email in clicking]
    for email in clicking:
        give(studio, studio.user_id(email), CREDITS)
    plan = {"app_url": studio.url("APP_PORT"), "cookies": cookies, "seconds": wish.clicking, "pause": wish.pause}
    file = studio.directory / "people.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(plan | {"seed": wish.seed}), encoding="utf-8")
    child = Child(
        name="people",
        command=[sys.executable, "-m", "bench.load.people", str(file), str(studio.directory / "report.json")],
        log=studio.directory / "people.log",
        environment=studio.environment,
        directory=ROOT,
    )
    child.start()
    studio.children.append(child)
    return child


def _storm(found: Machine, studio: Studio, wish: Wish, verdicts: list[Finished], parts: dict[str, Child]) -> Outcome:
    """The webhooks, all but the first one, and what every part needed of the machine meanwhile."""
    everything = {**parts, "Supabase": studio.lite and studio.lite.child, "PostgreSQL": found.postgres.child}
    watched = {name: child.process.pid for name, child in everything.items() if child and child.process}
    watched["sender"] = os.getpid()
    before, started = {name: _cpu_seconds(pid, name) for name, pid in watched.items()}, time.monotonic()
    storm = Storm(Signer(studio.directory / "fal"), wish.rate, wish.connections, pause_factor=wish.pause_factor)
    told = asyncio.run(storm.send(verdicts[1:]))
    took = time.monotonic() - started
    told.acknowledged.add(verdicts[0].job)
    cpu = {name: (_cpu_seconds(pid, name) - before[name]) / took for name, pid in watched.items()}
    return Outcome(wish, told, cpu=cpu)


def _cpu_seconds(pid: int, name: str) -> float:
    """Of a process and, but for our own, of what it has started."""
    total = 0.0
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for each in [process, *([] if name == "sender" else process.children(recursive=True))]:
            with suppress(psutil.Error):
                times = each.cpu_times()
                total += times.user + times.system
                if each is process and name != "sender":
                    total += times.children_user + times.children_system
    return total


def _read_report(file: Path, outcome: Outcome) -> None:
    report: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    outcome.took, outcome.errors = report["took"], report["errors"]
    outcome.sentences, outcome.asked = report["told"], report["asked"]


def _drain(studio: Studio, begun: datetime, longest: float) -> float:
    """Until no job is open and every file is copied, or the time is over. Returns seconds."""
    started = time.monotonic()
    with studio.sql() as sql:
        while time.monotonic() - started < longest:
            row = sql.execute(_LEFT, {"begun": begun}).fetchone()
            if row is not None and not row["open"] and not row["copies"]:
                break
            time.sleep(0.5)
    return time.monotonic() - started
