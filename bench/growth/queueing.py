"""A simulation of one PostgreSQL under many processes: connections, cores, commits, and the lock of the team's budget.

Discrete events, first come first served. A call holds a connection from its first byte to its commit; creating a job
holds the team's lock as well, from when it has it until its commit. Time is in seconds; nothing here is measured.
"""

import heapq
import random
from collections import defaultdict, deque
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field

from bench.report import quantile


@dataclass(frozen=True, slots=True)
class Call:
    """One call to the database: its processor time on average, and whether it writes and takes the team's lock."""

    processor: float
    commits: bool = False
    team_lock: bool = False


@dataclass(frozen=True, slots=True)
class Site:
    """One PostgreSQL. `trip` is what a call spends on the network while it holds its connection, `commit` what the disk
    takes to make a transaction durable."""

    cores: int
    connections: int
    trip: float = 0.001
    commit: float = 0.003


@dataclass(frozen=True, slots=True)
class Load:
    """What comes in: calls one after the other, `rate` times a second on average, at independent moments."""

    rate: float
    calls: Sequence[Call]


@dataclass(frozen=True, slots=True)
class Outcome:
    """p95 in seconds by kind of load, and the share of time that each resource was in use."""

    p95: Mapping[str, float]
    busy: Mapping[str, float]


class _Resource:
    def __init__(self, places: int) -> None:
        self.places = self.free = places
        self.waiting: deque[_Process] = deque()
        self.used = 0.0


@dataclass(frozen=True, slots=True)
class _Take:
    resource: _Resource


@dataclass(frozen=True, slots=True)
class _Give:
    resource: _Resource


_Process = Generator[float | _Take | _Give, None, None]


@dataclass
class _Clock:
    """Runs the processes: a float waits so many seconds, taking waits for a place."""

    now: float = 0.0
    order: int = 0
    events: list[tuple[float, int, _Process]] = field(default_factory=list)

    def at(self, when: float, process: _Process) -> None:
        self.order += 1
        heapq.heappush(self.events, (when, self.order, process))

    def run(self, until: float) -> None:
        while self.events and self.events[0][0] <= until:
            self.now, _, process = heapq.heappop(self.events)
            self._go_on(process)

    def _go_on(self, process: _Process) -> None:
        for step in process:
            if isinstance(step, float):
                self.at(self.now + step, process)
                return
            resource = step.resource
            if isinstance(step, _Give):
                if resource.waiting:
                    self.at(self.now, resource.waiting.popleft())  # the place passes on
                else:
                    resource.free += 1
            elif resource.free:
                resource.free -= 1
            else:
                resource.waiting.append(process)
                return


def simulate(loads: Mapping[str, Load], site: Site, *, seconds: float = 60.0, seed: int = 1) -> Outcome:
    """Let it run; the first tenth is not counted. What has not ended by then counts with the time it has waited."""
    chance = random.Random(seed)
    clock = _Clock()
    cores, connections, lock = _Resource(site.cores), _Resource(site.connections), _Resource(1)
    took: defaultdict[str, list[float]] = defaultdict(list)
    open_since: dict[int, tuple[str, float]] = {}

    def held(resource: _Resource, since: float) -> None:
        resource.used += clock.now - since

    def call(one: Call) -> _Process:
        yield _Take(connections)
        connected = clock.now
        locked = 0.0
        if one.team_lock:
            yield _Take(lock)
            locked = clock.now
        yield _Take(cores)
        working = clock.now
        yield chance.expovariate(1 / one.processor) if one.processor else 0.0  # too little to be measured
        held(cores, working)
        yield _Give(cores)
        yield site.trip + (site.commit if one.commits else 0.0)
        if one.team_lock:
            held(lock, locked)
            yield _Give(lock)
        held(connections, connected)
        yield _Give(connections)

    def request(kind: str, number: int, calls: Sequence[Call]) -> _Process:
        started = clock.now
        open_since[number] = kind, started
        for one in calls:
            yield from call(one)
        del open_since[number]
        if started > seconds / 10:
            took[kind].append(clock.now - started)

    def arrivals(kind: str, load: Load) -> _Process:
        while True:
            yield chance.expovariate(load.rate)
            clock.at(clock.now, request(kind, clock.order, load.calls))

    for kind, load in loads.items():
        clock.at(0.0, arrivals(kind, load))
    clock.run(seconds)
    for kind, started in open_since.values():
        if started > seconds / 10:
            took[kind].append(seconds - started)
    resources = {"cores": cores, "connections": connections, "team lock": lock}
    return Outcome(
        {kind: quantile(times, 0.95) for kind, times in took.items()},
        {name: each.used / each.places / seconds for name, each in resources.items()},
    )
