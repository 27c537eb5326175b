"""Each line of `make bench`, as small as it can be: it runs on the product as it is, and tells what it should."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import openings
from bench.growth import people
from bench.lines import crowd, growth, pages, start, submit, subscribe, visible, webhook, worker
from bench.plan import LINES
from bench.report import Result
from bench.studio import Machine, machine

SMALL, LARGE = 650, 700
TINY: dict[str, dict[Any, dict[str, Any]]] = {
    "submit": {submit: {"PEOPLE": 1, "EACH": 2, "WARM": 1}},
    "webhook": {webhook: {"SAMPLES": 10, "SENDERS": 4, "CALLS": 16, "CLIENTS": (1, 2), "ROUNDS": 1}},
    "pages": {pages: {"SMALL": SMALL, "ARRIVALS": 1, "WARM": 0, "PAGES": (("jobs", "", "person0@bench.example"),)}},
    "worker": {
        worker: {"OPEN": 30, "FINISHING": 2, "AT_ONCE": 2, "MOST_SECONDS": 2.0, "LONGEST_WAIT": 5.0, "LONGEST": 60.0}
    },
    "subscribe": {subscribe: {"JOBS": 2, "RUN_SECONDS": 0}},
    "visible": {visible: {"PEOPLE": 2, "ROUNDS": 1}},
    "start": {start: {"SETTLE": 0.0, "IDLE": 1.0}},
    "crowd": {crowd: {"PEOPLE": 3, "LIVE": 1, "WATCHED": 5.0, "ENDING": 5.0, "QUIET": 1.0}},
    "growth": {
        growth: {
            "REFRESHES": 2,
            "ARRIVALS": 1,
            "JOBS": 2,
            "WEBHOOKS": 16,
            "SENDERS": 4,
            "PEOPLE": 1,
            "ROUNDS": 2,
            "CORES": (1,),
        },
        people: {"SECONDS": 0.5},
    },
}
TOLD = {
    "submit": ["database round trips of a submit", "our own time, without fal.ai's answer, p50"],
    "webhook": ["verify, store, settle, answer, p50 (no worker beside it)", "sustained rate against pgbench"],
    "pages": ["jobs: p95 against 650 jobs", "jobs: round trips"],
    "worker": [
        "longest time between two looks, 30 open, in intervals",
        "looks a second when all are due at once",
        "requests to fal.ai per job beyond submit, with webhooks",
    ],
    "subscribe": [
        "requests to fal.ai for a job of 1.5 s",
        "CPU of ours for a job, cost and files included",
        "from done to known, p50",
    ],
    "visible": ["webhook committed until the result is on an open Jobs page, p95"],
    "start": [
        "second `make run` until ready",
        "whole stack idle, proportional set size",
        "whole stack idle, processor",
    ],
    "crowd": [
        "refresh with 3 people, 1 live, p95",
        "database questions per refresh",
        "questions about jobs when nothing is live",
        "each session beyond the first",
    ],
    "growth": [
        "cost of a refresh",
        "cost of opening Jobs",
        "cost of a submit",
        "cost of a whole job, submit to its stored files",
        "webhooks: two companions against one",
        "refreshes: two processes of pages against one",
        "simulated: people on 1 cores",
    ],
}


@pytest.fixture(scope="module")
def bench() -> Iterator[Machine]:
    state = Path(tempfile.mkdtemp(prefix="atelier-bench-"))
    try:
        with machine(state, lambda _: None) as found:
            yield found
    finally:
        shutil.rmtree(state)


@pytest.mark.parametrize("line", list(LINES))
def test_a_line_measures(line: str, bench: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, constants in TINY[line].items():
        for name, value in constants.items():
            monkeypatch.setattr(module, name, value)
    results: list[Result] = LINES[line].measure(bench, LARGE)
    assert [one.what for one in results] == TOLD[line]
    assert all(one.value >= 0 for one in results)
    assert {one.limit is None for one in results} == {line in {"growth", "subscribe"}}
    for studio in bench.studios:
        openings.books_agree(studio)
