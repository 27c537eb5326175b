"""What goes wrong with the stack as a whole: parts are killed, fal.ai is away or locks the account. All of it ends."""

import random
import time
from collections import Counter
from dataclasses import dataclass, field

from local.chaos.machine import COMPANIONS, Machine
from local.chaos.orders import MANY

KILLED_S = (0.3, 2.0)  # how long a killed part stays away
OUTAGE_S, SHORT_OUTAGE_S = (1.0, 2.5), (0.2, 0.5)
# The simulated fal.ai on a bad day; shares of all requests, by chance. The rest is in the orders.
BAD_DAY = {
    "speed": 0.03,
    "time_factor": 0.01,
    "concurrency": 60,
    "tiny_outputs": True,
    "balance": "100000",
    "fail422": 0.02,
    "busy": 0.04,
}
GOOD_DAY = {"fail422": 0.0, "busy": 0.0, "outage": False, "locked": False}


@dataclass
class Weather:
    """Faults at points of the work that follow from the seed; `tick` is to be called several times a second."""

    machine: Machine
    seed: int
    jobs: int
    happened: "Counter[str]" = field(default_factory=Counter)
    _due: list[tuple[float, str]] = field(default_factory=list)  # (share of the jobs made, what)
    _ends: list[tuple[float, str]] = field(default_factory=list)  # (monotonic time, what)

    def __post_init__(self) -> None:
        self._rng = random.Random(f"weather/{self.seed}")
        faults = [*COMPANIONS, "supabase", "outage"] * max(1, self.jobs // MANY)
        faults += ["people 1", "people 2", "lock"] if self.jobs >= MANY else ["people 1"]
        self._rng.shuffle(faults)
        step = 0.88 / len(faults)
        self._due = [(0.06 + step * (number + self._rng.random()), what) for number, what in enumerate(faults)]
        self.machine.fal("behaviour", BAD_DAY).raise_for_status()

    def tick(self, made: int) -> None:
        """Let happen what is due, and end what has lasted long enough."""
        while self._ends and self._ends[0][0] <= time.monotonic():
            self._end(self._ends.pop(0)[1])
        while self._due and made >= self._due[0][0] * self.jobs:
            self._begin(self._due.pop(0)[1])

    def clear_up(self) -> None:
        """Everything runs again and fal.ai is well."""
        for _, what in self._ends:
            self._end(what)
        self._ends.clear()
        self.machine.fal("behaviour", GOOD_DAY).raise_for_status()
        self.machine.wait_until_well()

    @property
    def over(self) -> bool:
        return not self._due and not self._ends

    def _begin(self, what: str) -> None:
        if what in ("outage", "lock"):
            self.machine.fal("behaviour", {"outage": True} if what == "outage" else {"locked": True}).raise_for_status()
            lasts = self._rng.uniform(*(OUTAGE_S if self.jobs >= MANY else SHORT_OUTAGE_S))
        elif what in self.machine.children and self.machine.children[what].alive:
            self.machine.kill(what)
            lasts = self._rng.uniform(*KILLED_S)
        else:
            return  # away already, or its work is done
        self.happened[what] += 1
        self._ends.append((time.monotonic() + lasts, what))
        self._ends.sort()

    def _end(self, what: str) -> None:
        if what == "outage":
            self.machine.fal("behaviour", {"outage": False}).raise_for_status()
        elif what == "lock":
            self.machine.fal("behaviour", {"locked": False}).raise_for_status()
            # The minutes until a probe may try pass at once.
            self.machine.rows.execute("update private.provider_state set probe_at = now() where locked_at is not null")
        else:
            self.machine.start_again(what)
