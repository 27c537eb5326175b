"""The worker: claims what is due under a lease and does it. Any number of workers may run on one database.

Three loops, so that a large file on its way never keeps a verdict waiting: one looks at jobs and reads costs, one
copies files, one carries on the runs of campaigns. What is done now and then (balance, prices, alerts, audit) is in
`core.chores`, in a thread of its own.

While there is nothing to do only the first loop asks, once a second: its answer says whether the other two have work.
"""

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from core.campaigns import chain
from core.chores import Chores
from core.database import get_database
from core.errors import AtelierError
from core.log import get_logger, log_context
from core.mirror import mirror
from core.reconcile import look_at, read_cost

log = get_logger(__name__)

THREADS = 12
BATCH = 48
LOOK_LEASE_SECONDS = 180  # longer than a batch can take when every answer times out
COPY_LEASE_SECONDS = 900
IDLE_SECONDS = 1.0
UNCALLED_SECONDS = 10.0  # those who wait to be called look by themselves: the loop that calls may be held up
TROUBLE_SECONDS = 5.0
STUMBLES = 3  # in a row: this does not pass by itself
GIVES_WAY_SECONDS = 30.0  # at most, then files are copied all the same


def _never() -> bool:
    return False


class Worker:
    """The loops, each in a thread of its own. `start`, then `stop`, which lets what is under way end.

    `is_pressed` says that verdicts pile up in this process: copying files, which can wait, then gives way for a while.
    """

    def __init__(self, is_pressed: Callable[[], bool] = _never) -> None:
        self._is_pressed = is_pressed
        self._copied_at = time.monotonic()
        self.name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self._stopping = threading.Event()
        self._stumbles: dict[str, int] = {}
        self._called = {"copy": threading.Event(), "carry_on": threading.Event()}
        self._threads = [
            threading.Thread(target=self._run, args=(turn,), name=f"worker-{turn.__name__}", daemon=True)
            for turn in (self.look, self.copy, self.carry_on)
        ]
        self._chores = Chores(self.name)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()
        self._chores.start()

    def stop(self, timeout: float = 10.0) -> None:
        self._stopping.set()
        for called in self._called.values():
            called.set()
        for thread in self._threads:
            thread.join(timeout)
        self._chores.stop()

    def trouble(self) -> list[str]:
        """What this worker cannot do any more, in words; it may beat all the same."""
        return [
            f"The worker stumbles at every turn ({turn.replace('_', ' ')}): its log says why."
            for turn, times in self._stumbles.items()
            if times >= STUMBLES
        ]

    def _run(self, turn: Callable[[ThreadPoolExecutor], bool]) -> None:
        with ThreadPoolExecutor(THREADS, thread_name_prefix="work") as pool:
            while not self._stopping.is_set():
                try:
                    busy = turn(pool)
                except AtelierError as error:
                    log.warning("worker_waits", error=error.sentence, detail=error.detail)
                    self._stopping.wait(TROUBLE_SECONDS)
                except Exception:  # a loop that ends would strand every open job
                    self._stumbles[turn.__name__] = self._stumbles.get(turn.__name__, 0) + 1
                    log.exception("worker_stumbled", turn=turn.__name__, times=self._stumbles[turn.__name__])
                    self._stopping.wait(TROUBLE_SECONDS)
                else:
                    self._stumbles.pop(turn.__name__, None)
                    if not busy:
                        self._rest(turn.__name__)

    def _rest(self, turn: str) -> None:
        """Until there may be something to do."""
        called = self._called.get(turn)
        if called is None:
            self._stopping.wait(IDLE_SECONDS)
            return
        called.wait(UNCALLED_SECONDS)
        if not self._stopping.is_set():
            called.clear()

    def look(self, pool: ThreadPoolExecutor) -> bool:
        """Claim open jobs and unread costs once and look at all of them; True when more may be waiting."""
        work = self._claim(p_jobs=BATCH, p_costs=THREADS, p_outputs=0, p_lease_seconds=LOOK_LEASE_SECONDS)
        for turn, kind in (("copy", "outputs"), ("carry_on", "runs")):
            if work["waiting"][kind]:
                self._called[turn].set()
        looks = [pool.submit(_guarded, look_at, job, job["id"]) for job in work["jobs"]]
        costs = [pool.submit(_guarded, read_cost, job, job["id"]) for job in work["costs"]]
        updates = [update for update in map(Future.result, looks) if update]
        if updates:
            get_database().call("record_progress", p_updates=updates)
        for cost in costs:
            cost.result()
        return len(work["jobs"]) == BATCH or len(work["costs"]) == THREADS

    def copy(self, pool: ThreadPoolExecutor) -> bool:
        """Claim outputs once and copy (or remove) all of them; True when more may be waiting."""
        if self._is_pressed() and time.monotonic() - self._copied_at < GIVES_WAY_SECONDS:
            return False
        self._copied_at = time.monotonic()
        work = self._claim(p_jobs=0, p_costs=0, p_outputs=THREADS, p_lease_seconds=COPY_LEASE_SECONDS)
        for copied in [pool.submit(_guarded, mirror, output, output["job_id"]) for output in work["outputs"]]:
            copied.result()
        return len(work["outputs"]) == THREADS

    def carry_on(self, _pool: ThreadPoolExecutor) -> bool:
        """Create the next jobs of campaign runs; True when more may be waiting."""
        return chain.carry_on() > 0

    def _claim(self, **limits: int) -> dict[str, Any]:
        work: dict[str, Any] = get_database().call("claim_work", p_worker=self.name, **limits)
        return work


def _guarded(task: Callable[[dict[str, Any]], Any], row: dict[str, Any], job_id: str) -> Any:
    """One task; a failure is logged and left to its lease, so that it is tried again and stops nobody else."""
    with log_context(job_id=job_id):
        try:
            return task(row)
        except AtelierError as error:
            log.warning("task_postponed", task=task.__name__, error=error.sentence, detail=error.detail)
        except Exception:
            log.exception("task_failed", task=task.__name__)
        return None
