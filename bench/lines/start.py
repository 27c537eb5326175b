"""`make run`: how soon a second start is ready, and what the whole stack takes while nobody is there.

The very command that people type, on a folder of its own. Before it is idle, somebody signs in and opens every page
once, so that all code that a page needs is in memory. Memory is the proportional set size: a page that several
processes share, as those of PostgreSQL share its buffers, counts once in the sum, divided among them.
"""

import asyncio
import os
import shutil
import time
from collections import defaultdict
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]

from bench.processor import processor_of, tree
from bench.report import Result
from bench.studio import Machine
from bench.visitor import Visitor
from core.sessions import COOKIE_NAME
from core.settings import ENVIRONMENT_NAMES
from local import secrets
from local.environment import PORT_SETTINGS
from local.paths import ROOT
from local.people import ADMIN
from local.ports import HOST, free_port
from local.processes import Child, tail

FIRST_SECONDS = 300.0
SETTLE = 20.0  # what a start leaves to do is done by then
IDLE = 60.0
READY = "Atelier is ready"
PAGES = ("generate", "jobs", "campaigns", "budget", "credits", "admin")
PARTS = {  # by what is in the command line
    "PostgreSQL": "postgres",
    "Supabase Lite": "lite.mjs",
    "simulated fal.ai": "local.fal",
    "simulated Stripe": "local.stripe",
    "companion": "core.companion",
    "pages": "streamlit",
    "supervisor": "local",
}


def measure(machine: Machine, _: int) -> list[Result]:
    state = machine.state / "start"
    shutil.rmtree(state, ignore_errors=True)
    took = []
    for number in (1, 2):
        stack, seconds, app = _start(state)
        try:
            took.append(seconds)
            if number == 2:
                asyncio.run(_look_around(app, state))
                time.sleep(SETTLE)
                before = _processor(stack)
                begun = time.monotonic()
                time.sleep(IDLE)
                lasted = time.monotonic() - begun
                after = _processor(stack)
                memory = _memory(stack)
        finally:
            stack.stop(60.0)
    used = {part: (after[part] - before.get(part, 0.0)) / lasted * 100 for part in after}
    facts = {
        "seconds": took,
        "proportional_mb": {part: shared for part, (shared, _) in memory.items()},
        "resident_mb": {part: resident for part, (_, resident) in memory.items()},
        "percent_of_a_core": used,
    }
    shared, resident = (sum(each[place] for each in memory.values()) for place in (0, 1))
    most = sorted(memory, key=lambda part: -memory[part][0])[:4]
    busy = sorted(used, key=lambda part: -used[part])[:4]
    return [
        Result(
            "start",
            "second `make run` until ready",
            took[1],
            10,
            "s",
            f"the first, with database and demo data, {took[0]:.1f} s",
            facts=facts,
        ),
        Result(
            "start",
            "whole stack idle, proportional set size",
            shared,
            900,
            "MB",
            ", ".join(f"{part} {memory[part][0]:.0f}" for part in most) + f"; plain sum of RSS {resident:.0f}",
            facts=facts,
        ),
        Result(
            "start",
            "whole stack idle, processor",
            sum(used.values()),
            3,
            "% of a core",
            ", ".join(f"{part} {used[part]:.1f}" for part in busy) + f", in {lasted:.0f} s",
            facts=facts,
        ),
    ]


def _start(state: Path) -> tuple[Child, float, str]:
    """`make run` on this folder, simulated throughout whatever `.env` says: its seconds until it says that it is ready,
    and the address of the pages."""
    state.mkdir(exist_ok=True)
    log = state / "make-run.log"
    log.unlink(missing_ok=True)
    ports = {setting: str(free_port()) for setting in PORT_SETTINGS}
    settings = dict.fromkeys(ENVIRONMENT_NAMES, "") | ports | {"LOCAL_DIR": str(state)}
    stack = Child("make run", ["make", "run"], log, {**os.environ, **settings}, ROOT)
    started = time.monotonic()
    stack.start()
    try:
        stack.wait_until(lambda: READY in tail(log, 200), FIRST_SECONDS)
    except BaseException:
        stack.stop(60.0)
        raise
    return stack, time.monotonic() - started, f"http://{HOST}:{ports['APP_PORT']}"


async def _look_around(app: str, state: Path) -> None:
    password = secrets.load(state / secrets.FILE_NAME).demo_passwords[ADMIN.email]
    form = {"email": ADMIN.email, "password": password}
    async with httpx.AsyncClient(headers={"Origin": app}, timeout=20) as browser:
        await browser.post(f"{app}/session/login", data=form)
        cookie = browser.cookies[COOKIE_NAME]
    for page in PAGES:
        visitor = Visitor(app, cookie, page)
        await visitor.arrive()
        await visitor.leave()


def _part(process: psutil.Process) -> str:
    command = " ".join(process.cmdline()) or process.name()
    return next((part for part, sign in PARTS.items() if sign in command), "supervisor")


def _processor(stack: Child) -> dict[str, float]:
    """Seconds of processor by part since the start."""
    used: defaultdict[str, float] = defaultdict(float)
    for process in tree(stack):
        used[_part(process)] += processor_of(process)
    return dict(used)


def _memory(stack: Child) -> dict[str, tuple[float, float]]:
    """Megabytes by part: proportional and resident set size."""
    found: defaultdict[str, tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
    for process in tree(stack):
        part, full = _part(process), process.memory_full_info()
        shared, resident = found[part]
        proportional = getattr(full, "pss", full.uss)  # only Linux tells the proportional one
        found[part] = shared + proportional / 1_048_576, resident + full.rss / 1_048_576
    return dict(found)
