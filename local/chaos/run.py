"""The run itself: people work, the weather is bad, somebody forges calls; then the storm is over and all is checked."""

import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from uuid import uuid4

from core import jobs, people, sessions
from core.models import Person
from local.chaos.checks import Check, Inquiry
from local.chaos.drain import Drain
from local.chaos.forger import Forger
from local.chaos.machine import Machine, running
from local.chaos.orders import MANY, Order, orders
from local.chaos.weather import Weather
from local.errors import LocalError
from local.parts import Part
from local.processes import Child, tail

PASSWORD = "a password for people who do not exist"
CREDITS = 200_000
PEOPLE = 8
WORKERS = ("people 1", "people 2")  # processes; each has a companion of its own
PACE_S, SHORT_PACE_S = 0.5, 3.0  # seconds between two wishes of one person at most
TICK_S = 0.2
FORGE_EVERY = 2  # ticks
LONGEST_STORM_S = 1500.0

Say = Callable[[str], None]
Tally = dict[str, int]


@dataclass
class Outcome:
    """What was done, what became of it, and how long it took (seconds)."""

    seed: int
    done: "Counter[str]" = field(default_factory=Counter)
    found: "Counter[str]" = field(default_factory=Counter)
    checks: list[Check] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def violations(self) -> list[str]:
        return [f"{check.name}: {violation}" for check in self.checks for violation in check.violations]

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.seconds[what] = time.monotonic() - started


def run(job_count: int, seed: int, say: Say) -> Outcome:
    """So many jobs under this seed. What was written is removed when all is well. Raises LocalError when the stack
    itself cannot be started, or the people cannot go on."""
    outcome = Outcome(seed)
    folder = Path(tempfile.mkdtemp(prefix="atelier-chaos-"))
    admin_email = f"admin-{uuid4().hex}@example.test"
    started = time.monotonic()
    with running(folder, admin_email) as machine:
        outcome.seconds["start"] = time.monotonic() - started
        with outcome.timed("people"):
            marketers, first_frame = _people(admin_email)
        wanted = orders(seed, job_count, PEOPLE, first_frame, pace=PACE_S if job_count >= MANY else SHORT_PACE_S)
        _play(machine, marketers, wanted, outcome, say)
    if outcome.violations:
        say(f"Everything that was written is kept in {folder}")
    else:
        shutil.rmtree(folder)
    return outcome


def _play(machine: Machine, marketers: list[dict[str, str]], wanted: list[Order], outcome: Outcome, say: Say) -> None:
    weather, forger, drain = (
        Weather(machine, outcome.seed, len(wanted)),
        Forger(machine, outcome.seed),
        Drain(machine, say),
    )
    with outcome.timed("storm"):
        _storm(machine, marketers, wanted, weather, forger, say)
        weather.clear_up()
    say("  the storm is over")
    with outcome.timed("drain"):
        drain.run()
    with outcome.timed("checks"):
        inquiry = Inquiry(machine, wanted, forger)
        outcome.checks = [Check("it comes to an end", 1, tuple(drain.left)), *inquiry.checks()]
    outcome.done.update(f"order: {quirk}" for order in wanted for quirk in order.quirks)
    outcome.done["order: cancel"] = sum(order.cancel_after is not None for order in wanted)
    outcome.done.update({f"fault: {what}": count for what, count in weather.happened.items()})
    outcome.done.update({f"forged: {what}": count for what, count in forger.sent.items()})
    outcome.found.update(_reports(machine))
    outcome.found.update(
        {f"fal.ai: {what}": count for what, count in machine.fal_counts().items() if what != "refused"}
    )
    outcome.found.update({f"jobs {what}": count for what, count in drain.happened.items()})
    outcome.found.update(inquiry.ends())


def _storm(
    machine: Machine,
    marketers: list[dict[str, str]],
    wanted: list[Order],
    weather: Weather,
    forger: Forger,
    say: Say,
) -> None:
    """Until everybody has asked for everything, and every fault has come and gone."""
    for half, name in enumerate(WORKERS):
        machine.parts[name] = _worker(machine, half, name, marketers, wanted)
        machine.start_again(name)
    deadline, tick, said = time.monotonic() + LONGEST_STORM_S, 0, 0
    while _working(machine) or not weather.over:
        made = machine.count("select count(*) as n from public.generation_jobs")
        weather.tick(made)
        tick += 1
        if tick % FORGE_EVERY == 0:
            forger.tick()
        if made >= said + max(100, len(wanted) // 10):
            said = made
            say(f"  {made} jobs made; faults so far: {dict(weather.happened)}")
        if time.monotonic() > deadline:
            raise LocalError(f"Not at an end within {LONGEST_STORM_S:g} s. What was written is in {machine.state}.")
        time.sleep(TICK_S)


def _worker(machine: Machine, half: int, name: str, marketers: list[dict[str, str]], wanted: list[Order]) -> Part:
    """A process for every other person, told by its environment that its companion is the one of its half."""
    own = [number for number in range(len(marketers)) if number % len(WORKERS) == half]
    mine = [asdict(order) | {"person": own.index(order.person)} for order in wanted if order.person in own]
    plan = machine.state / f"{name}.json"
    plan.write_text(json.dumps({"people": [marketers[number] for number in own], "orders": mine}), encoding="utf-8")
    command = [sys.executable, "-m", "local.chaos.people", str(plan), str(_report(machine, name))]

    def launch() -> Child:
        log, environment = machine.state / "logs" / f"{name}.log", machine.environments[half]
        child = Child(name=name, command=command, log=log, environment={**environment, "PYTHONUNBUFFERED": "1"})
        child.start()
        return child

    return Part(name, name, launch, healthy=lambda: True)


def _working(machine: Machine) -> bool:
    """Whether somebody still works, or is away and will be back. Raises LocalError when somebody could not go on."""
    for name in WORKERS:
        child = machine.children.get(name)
        if child is not None and child.process is not None and child.process.poll():
            raise LocalError(f"{name} could not go on (what was written is in {machine.state}):\n{tail(child.log)}")
    return any(name not in machine.children or machine.children[name].alive for name in WORKERS)


def _report(machine: Machine, name: str) -> Path:
    return machine.state / f"{name} report.json"


def _reports(machine: Machine) -> "Counter[str]":
    """What the people were told, as far as their last process has counted."""
    told: Counter[str] = Counter()
    for name in WORKERS:
        told.update(json.loads(_report(machine, name).read_text(encoding="utf-8")))
    return Counter({f"people: {what}": count for what, count in told.items()})


def _people(admin_email: str) -> tuple[list[dict[str, str]], str]:
    """The marketers, with credits; and the address of a picture at fal.ai."""
    admin = _signed_up(admin_email)
    marketers = [{"email": f"{uuid4().hex}@example.test", "password": PASSWORD} for _ in range(PEOPLE)]
    for marketer in marketers:
        person = _signed_up(marketer["email"])
        people.approve(admin, person.user_id)
        people.grant_credits(admin, person.user_id, CREDITS, "For the storm", f"chaos:{person.user_id}")
    people.grant_credits(admin, admin.user_id, 10, "For one picture", f"chaos:{admin.user_id}")
    job = jobs.submit(admin, "image_flux_schnell", {"prompt": "First frame"})
    while (now := jobs.get(admin, job.id)).is_open:
        time.sleep(0.1)
    source = now.outputs[0].source_url
    assert source is not None
    return marketers, source


def _signed_up(email: str) -> Person:
    sessions.sign_up(email, PASSWORD, "Somebody")
    signed_in = sessions.sign_in(email, PASSWORD, address="127.0.0.1", user_agent="chaos")
    person = sessions.current(signed_in.cookie_value)
    assert person is not None
    return person
