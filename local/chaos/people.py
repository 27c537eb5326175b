"""Some people at their browsers, as a process of its own: python -m local.chaos.people PLAN REPORT

PLAN is a JSON file `{people: [{email, password}], orders: [Order]}`; REPORT is written at the end: what they were told,
counted. Killed and started again it asks for the same jobs by the same ids, as a page does that was reloaded.
"""

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from core import jobs, retrying, sessions
from core.errors import AccountLocked, DatabaseError, DatabaseUnavailable, LimitReached, Refused
from core.models import Job, JobFilter, Person
from local.chaos.orders import Order

LANES = 2  # browser tabs of each person
ROUNDS = 4  # of trying again all that has failed: some of it fails for ever
LONGEST_S = 240.0  # until a person gives up on one wish
_T = TypeVar("_T")


class Desk:
    """One person: signed in, asking for one thing after the other in each tab, and insisting when something is away."""

    def __init__(self, email: str, password: str, told: "Counter[str]") -> None:
        self._told = told
        self._lock = threading.Lock()
        signed_in = self._insist(
            "sign in", lambda: sessions.sign_in(email, password, address="127.0.0.1", user_agent="chaos")
        )
        if signed_in is None:
            raise RuntimeError(f"{email} cannot sign in.")
        self._cookie = signed_in.cookie_value

    def work(self, orders: list[Order]) -> None:
        """Ask for every order; then look at the failed ones, try some again, and then all that are left."""
        for order in orders:
            time.sleep(order.think)
            person = self._person()
            job = self._insist("submit", lambda: self._submit(person, order))  # noqa: B023
            if job is not None and order.cancel_after is not None:
                time.sleep(order.cancel_after)
                self._insist("cancel", lambda: jobs.cancel(person, UUID(order.job_id)))  # noqa: B023
        for order in orders:
            if order.retry_id is not None:
                self._insist("retry", lambda: self._retry(order))  # noqa: B023
        for _ in range(ROUNDS):
            if not self._insist("retry all", self._retry_all):
                break
            time.sleep(1)

    def _submit(self, person: Person, order: Order) -> Job:
        job = jobs.submit(person, order.kind, order.inputs, job_id=UUID(order.job_id))
        self._count(f"told: {'unclear' if job.is_unclear else job.status}")
        return job

    def _retry(self, order: Order) -> None:
        person = self._person()
        if jobs.get(person, UUID(order.job_id)).status == "failed":
            jobs.retry(person, UUID(order.job_id), new_id=UUID(order.retry_id))
            self._count("retried")

    def _retry_all(self) -> bool:
        """Every tab presses it at about the same time. Whether a limit has left some for later."""
        person = self._person()
        outcome = retrying.carry_out(person, retrying.plan_retries(person, JobFilter()))
        self._count("retried all at once", len(outcome.made))
        self._count("retried by the other tab meanwhile", outcome.skipped)
        return bool(outcome.waiting)

    def _person(self) -> Person:
        person = self._insist("who am I", lambda: sessions.current(self._cookie))
        if person is None:
            raise RuntimeError("A session has ended in the middle of the work.")
        return person

    def _insist(self, what: str, call: Callable[[], _T]) -> _T | None:
        """The result of a call; None when a rule refused it for good."""
        deadline = time.monotonic() + LONGEST_S
        while True:
            try:
                return call()
            except DatabaseUnavailable:
                self._count("database away")
            except DatabaseError as error:
                self._count(f"database error at {what}: {error.detail.get('error')}")
            except (LimitReached, AccountLocked) as refusal:
                self._count(f"wait: {refusal.code}")
            except Refused as refusal:
                self._count(f"refused at {what}: {refusal.code}")
                return None
            if time.monotonic() > deadline:
                raise TimeoutError(f"Nothing came of '{what}' within {LONGEST_S:g} s.")
            time.sleep(0.3)

    def _count(self, what: str, times: int = 1) -> None:
        with self._lock:
            self._told[what] += times


def main(plan: Path, report: Path) -> None:
    """Play the plan to its end. Raises what no person could go on after."""
    wanted: dict[str, Any] = json.loads(plan.read_text(encoding="utf-8"))
    told: Counter[str] = Counter()
    with ThreadPoolExecutor(LANES * len(wanted["people"])) as pool:
        lanes = []
        for number, person in enumerate(wanted["people"]):
            desk = Desk(person["email"], person["password"], told)
            own = [Order(**order) for order in wanted["orders"] if order["person"] == number]
            lanes += [pool.submit(desk.work, own[lane::LANES]) for lane in range(LANES)]
        for lane in lanes:
            lane.result()
    report.write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
