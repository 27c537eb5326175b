"""People at their pages, as a process of its own: python -m bench.load.people PLAN REPORT

PLAN is JSON `{app_url, cookies: [...], seconds, pause, seed}`, REPORT what came of it (`Report`). Everybody does one
thing after the other with a pause in between, in which the page refreshes itself as in a browser. Whoever loses the
connection, or sees a page break, is counted and opens the page anew.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.exceptions import WebSocketException

from bench.hands import Hands, NotThere
from bench.load.deeds import DEEDS, Person
from bench.visitor import PageBroke, Run

BROKE = "Something broke on this page."
AGAIN_SECONDS = 1.0


@dataclass
class Report:
    """`took` seconds of every deed and refresh by name, `errors` what went wrong, `told` the sentences on the pages."""

    took: dict[str, list[float]] = field(default_factory=dict)
    errors: "Counter[str]" = field(default_factory=Counter)
    told: "Counter[str]" = field(default_factory=Counter)
    asked: int = 0

    def note(self, what: str, seconds: float) -> None:
        self.took.setdefault(what, []).append(seconds)


async def work(plan: dict[str, Any]) -> Report:
    """Everybody at work until the time is over."""
    report = Report()
    until = time.monotonic() + plan["seconds"]
    await asyncio.gather(*(_one(plan, number, until, report) for number in range(len(plan["cookies"]))))
    return report


async def _one(plan: dict[str, Any], number: int, until: float, report: Report) -> None:
    chance = random.Random(f"{plan['seed']}/{number}")
    await asyncio.sleep(chance.uniform(0, plan["pause"]))
    while time.monotonic() < until:
        person = Person(Hands(plan["app_url"], plan["cookies"][number], "generate"), chance)
        try:
            report.note("arrive", (await person.hands.arrive()).took)
            await _session(person, until, plan["pause"], report)
        except (PageBroke, WebSocketException, OSError, TimeoutError) as error:
            report.errors[f"{type(error).__name__}: {str(error)[:120]}"] += 1
            await asyncio.sleep(AGAIN_SECONDS)
        finally:
            report.asked += person.asked
            await person.hands.leave()


async def _session(person: Person, until: float, pause: float, report: Report) -> None:
    """One thing after the other; returns at the end of the time."""
    deeds, weights = list(DEEDS), [often for _, often in DEEDS.values()]

    def refreshed(_fragment: str, run: Run) -> None:
        report.note("refresh by itself", run.took)
        _read(person, report)

    while True:
        person.hands.alerts.clear()
        person.hands.toasts.clear()
        rest = time.monotonic() + person.chance.uniform(0.5, 1.5) * pause
        await person.hands.stay(min(rest, until), refreshed)
        if time.monotonic() >= until:
            return
        what = person.chance.choices(deeds, weights)[0]
        started = time.monotonic()
        try:
            await DEEDS[what][0](person)
            report.note(what, time.monotonic() - started)
        except NotThere as missing:
            report.told[f"not there any more when it was to be pressed: {_general(str(missing))}"] += 1
        _read(person, report)


def _read(person: Person, report: Report) -> None:
    """What the page said: a broken page is an error, anything else is told."""
    for sentence in person.hands.alerts:
        (report.errors if BROKE in sentence else report.told)[sentence[:160]] += 1
    for sentence in person.hands.toasts:
        report.told[sentence] += 1
    person.hands.alerts.clear()
    person.hands.toasts.clear()


def _general(key: str) -> str:
    """A key without the id of a job."""
    return "-".join(part for part in key.split("-") if not any(letter.isdigit() for letter in part))


def main(plan: Path, report: Path) -> None:
    done = asyncio.run(work(json.loads(plan.read_text(encoding="utf-8"))))
    part = report.with_suffix(".part")
    part.write_text(json.dumps(vars(done)), encoding="utf-8")
    part.replace(report)  # there is a report, or none


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
