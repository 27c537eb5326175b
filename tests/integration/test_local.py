"""`python -m local run` starts, refuses what cannot work, survives what happens to processes, leaves nothing behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import pytest

from core.settings import ENVIRONMENT_NAMES
from local.environment import PORT_SETTINGS
from local.paths import ROOT
from local.people import PEOPLE
from local.ports import HOST, free_port
from local.run import SEEDED

SECONDS = 60.0


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@dataclass
class Machine:
    """One folder of data with its ports, and the command line on it."""

    state: Path
    environment: dict[str, str]
    output: Path
    process: "subprocess.Popen[bytes] | None" = None

    def local(self, *arguments: str, **changes: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "local", *arguments],
            cwd=ROOT,
            env=self.environment | changes,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def status(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.local("status", "--json").stdout)
        return found

    def run(self) -> None:
        """Start the stack and wait until it says that it is ready."""
        before = self.said().count("Atelier is ready")
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "local", "run"],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        process = self.process
        until(lambda: process.poll() is not None or self.said().count("Atelier is ready") > before, "not ready")
        assert process.poll() is None, self.said()

    def said(self) -> str:
        return self.output.read_text() if self.output.exists() else ""

    def processes(self) -> list[psutil.Process]:
        """The supervisor and everything below it."""
        assert self.process is not None
        supervisor = psutil.Process(self.process.pid)
        return [supervisor, *supervisor.children(recursive=True)]

    def end(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(SECONDS)

    def database(self) -> psycopg.Connection:
        return psycopg.connect(str(self.status()["database_url"]), autocommit=True)


NewMachine = Callable[[str], Machine]


@pytest.fixture(scope="module")
def new_machine(stack_directory: Path) -> Iterator[NewMachine]:
    machines: list[Machine] = []

    def create(name: str) -> Machine:
        # a folder with a space in its name: clones live in such places
        state = stack_directory / f"machine {name}"
        state.mkdir()
        (state / SEEDED).touch()  # the demo data has tests of its own
        environment = {**os.environ, **dict.fromkeys(ENVIRONMENT_NAMES, ""), "LOCAL_DIR": str(state)}
        environment |= {setting: str(free_port()) for setting in PORT_SETTINGS}
        machines.append(Machine(state, environment, state / "output.txt"))
        return machines[-1]

    yield create
    for machine in machines:
        if machine.process and machine.process.poll() is None:
            machine.end(signal.SIGTERM)


@pytest.fixture(scope="module")
def running(new_machine: NewMachine) -> Machine:
    machine = new_machine("running")
    machine.run()
    return machine


def gone(processes: list[psutil.Process]) -> bool:
    return not [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


class TestStatus:
    def test_tells_programs_where_everything_is(self, running: Machine) -> None:
        found = running.status()
        assert set(found) == {
            *("app", "companion", "supabase_url", "publishable_key", "database_url"),
            *("people", "simulated", "running", "ready", "healthy"),
        }
        assert found["app"] == f"http://{HOST}:{running.environment['APP_PORT']}"
        assert found["companion"] == f"http://{HOST}:{running.environment['COMPANION_PORT']}"
        assert (found["running"], found["ready"]) == (True, True)
        assert found["simulated"] == ["Supabase", "fal.ai", "Stripe"]
        people = found["people"]
        assert isinstance(people, list)
        assert [(one["email"], one["role"]) for one in people] == [(person.email, person.role) for person in PEOPLE]
        assert all(len(one["password"]) >= 12 for one in people)

    def test_every_part_is_well(self, running: Machine) -> None:
        answer = running.local("status")
        assert answer.returncode == 0, answer.stdout
        healthy = running.status()["healthy"]
        assert isinstance(healthy, dict)
        assert set(healthy) == {"postgres", "supabase", "fal", "stripe", "companion", "app"}
        assert all(healthy.values())

    def test_needs_no_environment_to_find_a_run(self, running: Machine) -> None:
        elsewhere = running.local("status", "--json", APP_PORT="", COMPANION_PORT="", LOCAL_POSTGRES_PORT="")
        assert json.loads(elsewhere.stdout) == running.status()

    def test_fails_when_nothing_runs(self, new_machine: NewMachine) -> None:
        answer = new_machine("idle").local("status", "--json")
        assert answer.returncode == 1
        assert json.loads(answer.stdout)["running"] is False


class TestRefusals:
    def test_a_taken_port_is_named_with_its_setting_before_anything_starts(self, new_machine: NewMachine) -> None:
        machine = new_machine("taken")
        with socket.socket() as taken:
            taken.bind((HOST, 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            answer = machine.local("run", LOCAL_FAL_PORT=port)
        assert answer.returncode == 1
        assert answer.stdout == ""
        assert len(answer.stderr.splitlines()) == 1
        assert port in answer.stderr
        assert "LOCAL_FAL_PORT" in answer.stderr
        assert not (machine.state / "postgres").exists()

    @pytest.mark.parametrize(
        ("settings", "complaint"),
        [
            ({"APP_PORT": "eighty"}, "APP_PORT must be a port"),
            ({"APP_PORT": "20001", "COMPANION_PORT": "20001"}, "APP_PORT and COMPANION_PORT are both 20001"),
            ({"SUPABASE_URL": "https://x.supabase.co"}, "SUPABASE_PUBLISHABLE_KEY has to be set too"),
        ],
    )
    def test_settings_that_cannot_work(
        self, new_machine: NewMachine, settings: Mapping[str, str], complaint: str
    ) -> None:
        answer = new_machine(f"with {next(iter(settings))} {len(settings)}").local("run", **settings)
        assert answer.returncode == 1
        assert complaint in answer.stderr

    def test_a_second_supervisor_on_the_same_data(self, running: Machine) -> None:
        assert running.process is not None
        answer = running.local("run", **{setting: str(free_port()) for setting in PORT_SETTINGS})
        assert answer.returncode == 1
        assert f"already runs on {running.state} (process {running.process.pid})" in answer.stderr

    def test_a_reset_while_it_runs(self, running: Machine) -> None:
        answer = running.local("reset")
        assert answer.returncode == 1
        assert "already runs" in answer.stderr
        assert (running.state / "postgres").exists()


class TestProcesses:
    def test_a_part_that_dies_is_started_again_and_said(self, running: Machine) -> None:
        companion = next(one for one in running.processes() if "core.companion:create_app" in one.cmdline())
        companion.kill()
        until(lambda: "ended with status -9, starting again" in running.said(), "nothing was said")
        until(lambda: running.local("status").returncode == 0, "it is not well again")

    def test_postgres_is_started_again_and_nothing_is_lost(self, running: Machine) -> None:
        with running.database() as connection:
            connection.execute("create table public.kept as select 7 as number")
        postmaster = next(one for one in running.processes() if "-D" in one.cmdline())
        postmaster.kill()
        until(lambda: gone([postmaster]), "still there")
        until(lambda: running.local("status").returncode == 0, "it is not well again")
        with running.database() as connection:
            assert connection.execute("select number from public.kept").fetchone() == (7,)

    def test_stopping_leaves_nothing_behind_and_a_reset_forgets_the_data(self, new_machine: NewMachine) -> None:
        machine = new_machine("stopped")
        machine.run()
        people = machine.status()["people"]
        processes = machine.processes()
        assert len(processes) >= 8  # the supervisor, its guardian, six parts
        assert machine.end(signal.SIGTERM) == 0
        assert gone(processes)
        assert not (machine.state / "postgres" / "postmaster.pid").exists()
        assert machine.local("status").returncode == 1
        assert machine.local("reset").returncode == 0
        left = {path.name for path in machine.state.iterdir()} - {machine.output.name}
        assert left == {"lock", "secrets.json"}
        assert machine.status()["people"] == people

    def test_with_parent_stops_when_the_caller_is_killed(self, new_machine: NewMachine) -> None:
        """`make run` that is killed leaves nothing behind."""
        machine = new_machine("with parent")
        command = f"'{sys.executable}' -m local run --with-parent; true"  # `true` keeps the shell from becoming it
        with machine.output.open("wb") as output:
            shell = subprocess.Popen(
                ["/bin/sh", "-c", command], cwd=ROOT, env=machine.environment, stdout=output, stderr=output
            )
        machine.process = shell
        until(lambda: "Atelier is ready" in machine.said(), "not ready")
        processes = machine.processes()
        machine.end(signal.SIGKILL)
        until(lambda: gone(processes), "something is left")
        assert "the process that started it has ended" in machine.said()

    def test_killing_takes_everything_with_it_and_the_next_start_goes_on(self, new_machine: NewMachine) -> None:
        machine = new_machine("killed")
        machine.run()
        with machine.database() as connection:
            connection.execute("create table public.kept as select 7 as number")
        processes = machine.processes()
        machine.end(signal.SIGKILL)
        machine.run()  # at once: it waits for what is left of the last run
        assert gone(processes)
        for process in machine.processes():  # as a machine that loses its power
            with suppress(psutil.NoSuchProcess):  # the first ones take others with them
                process.kill()
        assert machine.process is not None
        machine.process.wait(SECONDS)
        assert (machine.state / "postgres" / "postmaster.pid").exists()
        machine.run()
        with machine.database() as connection:
            assert connection.execute("select number from public.kept").fetchone() == (7,)
        assert machine.end(signal.SIGINT) == 0


class TestData:
    def test_secrets_are_private_and_stay(self, running: Machine) -> None:
        file = running.state / "secrets.json"
        assert file.stat().st_mode & 0o777 == 0o600
        kept = json.loads(file.read_text())
        assert kept["publishable_key"] == running.status()["publishable_key"]
        assert len(kept["jwt_secret"]) >= 32
