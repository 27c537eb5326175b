"""What a test does by hand beside the Atelier: jobs that were never sent, a worker turn, calls at the same instant."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from core import database, jobs
from core.errors import DatabaseUnavailable
from core.models import Job, Person
from core.worker import THREADS, Worker
from tests.integration.atelier import SCHNELL


def created(person: Person, prompt: str) -> Job:
    """A job that is in the database and was never sent: the page died right after it was made."""
    job = uuid4()
    database.get_database().call(
        "create_job",
        p_job=job,
        p_user=person.user_id,
        p_generation_type=SCHNELL,
        p_input_params={"prompt": prompt},
        p_prompt=prompt,
        p_quantity=1,
        p_expected_credits=1,
        p_units="2",
        p_unit_price_usd="0.003",
        p_longest_seconds=900,
    )
    return jobs.get(person, job)


def without(monkeypatch: pytest.MonkeyPatch, gone: str) -> None:
    """The database cannot be reached from this process whenever this function is to be called."""
    real = database.Database.call

    def call(self: database.Database, function: str, **parameters: object) -> object:
        if function == gone:
            raise DatabaseUnavailable("Atelier cannot reach its database at the moment.")
        return real(self, function, **parameters)

    monkeypatch.setattr(database.Database, "call", call)


class Hands:
    """The worker of a test: does one turn when it is told to, in this process, and nothing in between."""

    def __init__(self) -> None:
        self._worker = Worker()

    def look(self) -> None:
        """Look at every job that is due, once, and read the costs that are due."""
        with ThreadPoolExecutor(THREADS) as pool:
            while self._worker.look(pool):
                pass

    def copy(self) -> None:
        """Copy or remove every file that is due, once."""
        with ThreadPoolExecutor(THREADS) as pool:
            while self._worker.copy(pool):
                pass


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """The results of calls that start at the same instant, each in a thread of its own; an error is a result."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(run, call) for call in calls]
        return [future.exception() or future.result() for future in futures]
