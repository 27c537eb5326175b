"""How many people one PostgreSQL carries, from what each thing they do costs it."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.growth.queueing import Call, Load, Outcome, Site, simulate
from ui import live, shell

SLOWEST = 0.3  # seconds, p95: what a refresh may take
FULL = 0.8  # of its time a resource may be in use: above it waiting grows without end at the next peak
SECONDS = 10.0  # that are simulated, for each number of people that is tried
CONNECTIONS_A_CORE = 15  # what a pool in front of PostgreSQL is given
WORKER_CALLS = 4  # of a job, after its submit: webhook, cost, file taken up, file stored


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of processor, measured: PostgreSQL's for each thing, and those of our own processes."""

    refresh: float
    page: float
    submit: float  # three calls
    job: float  # everything that PostgreSQL does for a job, its submit included
    app_refresh: float
    app_page: float
    companion_job: float


@dataclass(frozen=True, slots=True)
class Habits:
    """What one signed-in person does in a busy hour."""

    looking: float = 0.5  # have the page in view; a hidden one asks nothing
    watching: float = 0.2  # see a running job of theirs
    page_every: float = 60.0  # seconds between pages that are opened or run again
    jobs_an_hour: float = 12.0

    @property
    def refreshes(self) -> float:
        """A second."""
        return self.looking / shell.REFRESH_SECONDS + self.watching / live.SECONDS

    @property
    def pages(self) -> float:
        return 1 / self.page_every

    @property
    def jobs(self) -> float:
        return self.jobs_an_hour / 3600


@dataclass(frozen=True, slots=True)
class Limit:
    """The most people for whom a refresh stays quick, and what it is that is used up there."""

    people: int
    used_up: str
    busy: Mapping[str, float]
    jobs_a_second: float
    app_processes: int
    companions: int


def loads(people: int, costs: Costs, habits: Habits) -> dict[str, Load]:
    submit, rest = costs.submit / 3, max(costs.job - costs.submit, 1e-6) / WORKER_CALLS
    return {
        "refresh": Load(people * habits.refreshes, [Call(costs.refresh)]),
        "page": Load(people * habits.pages, [Call(costs.page)]),
        "submit": Load(
            people * habits.jobs,
            [Call(submit, commits=True, team_lock=True), Call(submit, commits=True), Call(submit, commits=True)],
        ),
        "end": Load(people * habits.jobs, [Call(rest, commits=True)] * WORKER_CALLS),
    }


def limit(cores: int, costs: Costs, habits: Habits, *, busiest: float = 0.6) -> Limit:
    """Doubled, then halved in between, until people are known to three per cent. `busiest` is the share of a core that
    one of our processes is planned to use, which leaves it quick at peaks."""
    site = Site(cores, CONNECTIONS_A_CORE * cores)

    def tried(people: int) -> Outcome:
        return simulate(loads(people, costs, habits), site, seconds=SECONDS)

    def carries(outcome: Outcome) -> bool:
        return outcome.p95["refresh"] <= SLOWEST and max(outcome.busy.values()) <= FULL

    low, high = 64, 128
    while carries(tried(high)):
        low, high = high, high * 2
    while high - low > low * 0.03:
        middle = (low + high) // 2
        low, high = (middle, high) if carries(tried(middle)) else (low, middle)
    busy = tried(low).busy
    app = low * (habits.refreshes * costs.app_refresh + habits.pages * costs.app_page)
    companion = low * habits.jobs * costs.companion_job
    return Limit(
        low,
        max(busy, key=lambda name: busy[name]),
        busy,
        low * habits.jobs,
        _processes(app, busiest),
        _processes(companion, busiest),
    )


def _processes(processor: float, busiest: float) -> int:
    return max(2, -int(-processor // busiest))  # two, so that one may be restarted
