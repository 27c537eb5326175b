"""The simulation of a larger site, held against what queueing theory says."""

import pytest

from bench.growth.people import Costs, Habits, limit, loads
from bench.growth.queueing import Call, Load, Site, simulate

COSTS = Costs(0.001, 0.004, 0.005, 0.02, 0.02, 0.1, 0.05)


def test_one_core_is_busy_as_long_as_its_work_takes() -> None:
    outcome = simulate({"refresh": Load(200, [Call(0.002)])}, Site(1, 50), seconds=60)
    assert outcome.busy["cores"] == pytest.approx(0.4, rel=0.05)
    # M/M/1: the time in the system is exponential with the mean service / (1 - load), p95 is three times that
    assert outcome.p95["refresh"] == pytest.approx(0.001 + 3.0 * 0.002 / 0.6, rel=0.1)


def test_too_much_work_is_noticed_although_it_never_ends() -> None:
    outcome = simulate({"refresh": Load(1000, [Call(0.002)])}, Site(1, 50), seconds=20)
    assert outcome.busy["cores"] > 0.99
    assert outcome.p95["refresh"] > 1


def test_creating_jobs_waits_for_the_lock_of_the_team_however_many_cores_there_are() -> None:
    create = Load(300, [Call(0.001, commits=True, team_lock=True)])
    outcome = simulate({"submit": create}, Site(64, 900, trip=0.001, commit=0.003), seconds=20)
    assert outcome.busy["team lock"] > 0.99
    assert outcome.busy["cores"] < 0.1
    assert outcome.p95["submit"] > 1


def test_few_connections_are_waited_for() -> None:
    reads = {"refresh": Load(500, [Call(0.001)])}
    assert simulate(reads, Site(64, 1, trip=0.002), seconds=20).p95["refresh"] > 1
    assert simulate(reads, Site(64, 8, trip=0.002), seconds=20).p95["refresh"] < 0.02


def test_the_same_seed_tells_the_same() -> None:
    site = Site(2, 30)
    assert simulate(loads(500, COSTS, Habits()), site, seconds=3) == simulate(
        loads(500, COSTS, Habits()), site, seconds=3
    )


def test_twice_the_cores_carry_about_twice_the_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.growth.people.SECONDS", 2.0)
    two, four = limit(2, COSTS, Habits()), limit(4, COSTS, Habits())
    assert two.used_up == "cores"
    assert 1.6 < four.people / two.people < 2.4
    assert four.app_processes > two.app_processes > 2
