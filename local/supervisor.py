"""Starts the parts as soon as what they need is well, keeps them running, and stops them in reverse order."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from local.errors import LocalError
from local.parts import Part, Report
from local.processes import Child, tail

TICK_SECONDS = 0.1
START_SECONDS = 90.0  # from the launch of a part until it must be well
STEADY_SECONDS = 15.0  # a part that lived so long did not die quickly
QUICK_DEATHS = 5  # in a row: something is wrong that starting again does not mend
LONGEST_PAUSE = 16.0


@dataclass
class _Run:
    """One part and what became of it."""

    part: Part
    child: Child | None = None
    launched: float = 0.0
    not_before: float = 0.0
    well: bool = False
    quick_deaths: int = 0


class Supervisor:
    """Everything happens in the thread that calls `run`; `stop` may be called from a signal handler."""

    def __init__(self, parts: Sequence[Part], report: Report, *, with_parent: bool = False) -> None:
        """`with_parent`: stop when the process that started this one ends."""
        self._parent = os.getppid() if with_parent else None
        self._runs = {part.name: _Run(part) for part in parts}
        self._report = report
        self._stopping = threading.Event()
        self._reason = ""
        self._started = time.monotonic()

    def stop(self, reason: str) -> None:
        self._reason = reason
        self._stopping.set()

    def run(self, when_well: Callable[[], None]) -> None:
        """Return after `stop`, with every part stopped. `when_well` is called once, when all are well at last.

        Raises `LocalError`, again with every part stopped, when a part cannot be kept running.
        """
        announced = False
        try:
            while not self._stopping.is_set():
                for run in self._runs.values():
                    self._attend(run)
                if self._parent is not None and os.getppid() != self._parent:
                    self.stop("the process that started it has ended")
                if not announced and all(run.well for run in self._runs.values()):
                    announced = True
                    when_well()
                self._stopping.wait(TICK_SECONDS)
            self._report(f"Stopping everything ({self._reason})")
        finally:
            self._stop_all()

    def _attend(self, run: _Run) -> None:
        now = time.monotonic()
        if run.child is None:
            if now >= run.not_before and all(self._runs[name].well for name in run.part.needs):
                run.launched = now
                run.child = run.part.launch()
        elif not run.child.alive:
            status = run.child.process.returncode if run.child.process else "unknown"
            self._again(run, f"ended with status {status}")
        elif not run.well:
            if run.part.healthy():
                run.well = True
                seconds = time.monotonic() - (run.launched if run.quick_deaths else self._started)
                self._report(f"{run.part.title:<18} ready  {seconds:4.1f} s")
            elif now - run.launched > START_SECONDS:
                self._again(run, f"did not answer within {START_SECONDS:g} s")

    def _again(self, run: _Run, what: str) -> None:
        """Note a death and plan the next launch; raise `LocalError` after too many in a row."""
        assert run.child is not None
        log = run.child.log
        run.child.stop()
        run.child = None
        run.well = False
        now = time.monotonic()
        run.quick_deaths = run.quick_deaths + 1 if now - run.launched < STEADY_SECONDS else 1
        if run.quick_deaths >= QUICK_DEATHS:
            raise LocalError(
                f"{run.part.title} {what}, {QUICK_DEATHS} times in a row, so everything is stopped. "
                f"The end of {log}:\n{tail(log)}"
            )
        pause = min(LONGEST_PAUSE, 0.5 * 2 ** (run.quick_deaths - 1))
        run.not_before = now + pause
        self._report(f"{run.part.title:<18} {what}, starting again in {pause:g} s (log: {log})")

    def _stop_all(self) -> None:
        for run in reversed(self._runs.values()):
            if run.child is not None:
                run.child.stop()
