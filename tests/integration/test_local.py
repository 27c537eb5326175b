"""`python -m local run` starts, refuses what cannot work, survives what happens to processes, leaves nothing behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import pytest
from dotenv import dotenv_values

from core.settings import ENVIRONMENT_NAMES
from local import bootstrap, migrations
from local.environment import PORT_SETTINGS, compose
from local.errors import LocalError
from local.parts import Part
from local.paths import ROOT
from local.people import EMAILS
from local.ports import HOST, free_port
from local.processes import Child
from local.run import SEEDED
from local.secrets import Secrets
from local.supervisor import Supervisor

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
        assert [(one["email"], one["role"]) for one in people] == list(zip(EMAILS, ("admin", "user"), strict=True))
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


class TestSupervisor:
    def part(self, name: str, program: str, folder: Path, needs: tuple[str, ...] = ()) -> Part:
        """A part that runs a line of Python, and is well when the file with its name is there."""

        def launch() -> Child:
            child = Child(name, [sys.executable, "-S", "-c", program], folder / f"{name}.log", directory=folder)
            child.start()
            return child

        return Part(name, name, launch, (folder / name).exists, needs)

    def test_gives_up_loudly_on_a_part_that_keeps_dying(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("local.supervisor.LONGEST_PAUSE", 0.01)
        lines: list[str] = []
        steady = self.part("steady", "import time; open('steady', 'w'); time.sleep(600)", tmp_path)
        broken = self.part("broken", "print('the reason'); raise SystemExit(3)", tmp_path, needs=("steady",))
        with pytest.raises(LocalError, match=r"broken ended with status 3, 5 times in a row(.|\n)*the reason"):
            Supervisor([steady, broken], lines.append).run(when_well=lambda: None)
        assert len([line for line in lines if "broken" in line and "starting again" in line]) == 4

    def test_starts_what_is_needed_first_and_stops_it_last(self, tmp_path: Path) -> None:
        note = "open('order', 'a').write('{0}-up '); open('{0}', 'w')"
        program = (
            "import signal, time\n"
            "def down(*_):\n    open('order', 'a').write('{0}-down '); raise SystemExit\n"
            "signal.signal(signal.SIGTERM, down)\n" + note + "\ntime.sleep(600)"
        )
        second = self.part("second", program.format("second"), tmp_path, needs=("first",))
        first = self.part("first", program.format("first"), tmp_path)
        supervisor = Supervisor([first, second], print)
        supervisor.run(when_well=lambda: supervisor.stop("done"))
        assert (tmp_path / "order").read_text().split() == ["first-up", "second-up", "second-down", "first-down"]


class TestEnvironment:
    SECRETS = Secrets()

    def test_with_nothing_set_everything_is_simulated(self) -> None:
        stack = compose({}, self.SECRETS)
        assert stack.simulated == ("Supabase", "fal.ai", "Stripe")
        assert stack.environment["ATELIER_SIMULATED"] == "Supabase,fal.ai,Stripe"
        assert stack.environment["PUBLIC_URL"] == f"http://{HOST}:8600"
        assert set(stack.ports) == set(PORT_SETTINGS)
        assert set(ENVIRONMENT_NAMES) - set(stack.environment) == {
            "WELCOME_CREDITS",
            "ALERT_WEBHOOK_URL",
            "METRICS_TOKEN",
        }

    def test_what_is_set_wins_and_empty_is_not_set(self) -> None:
        stack = compose({"APP_PORT": "", "APP_SECRET": "mine", "FAL_QUEUE_URL": "http://127.0.0.1:1"}, self.SECRETS)
        assert stack.ports["APP_PORT"] == 8501
        assert stack.environment["APP_SECRET"] == "mine"
        assert stack.environment["FAL_QUEUE_URL"] == "http://127.0.0.1:1"

    def test_a_real_fal_is_polled_unless_there_is_a_public_address(self) -> None:
        stack = compose({"FAL_KEY": "id:secret"}, self.SECRETS)
        assert "PUBLIC_URL" not in stack.environment
        assert "FAL_QUEUE_URL" not in stack.environment
        assert "LOCAL_FAL_PORT" not in stack.ports
        assert stack.simulated == ("Supabase", "Stripe")

    def test_real_services_need_nothing_of_ours(self) -> None:
        real = {"SUPABASE_URL": "https://x.supabase.co", "SUPABASE_PUBLISHABLE_KEY": "p", "SUPABASE_SECRET_KEY": "s"}
        real |= {"FAL_KEY": "id:secret", "STRIPE_SECRET_KEY": "sk"}
        stack = compose(real, self.SECRETS)
        assert stack.simulated == ()
        assert set(stack.ports) == {"APP_PORT", "COMPANION_PORT"}
        assert real.items() <= stack.environment.items()

    def test_every_setting_of_this_machine_is_documented(self) -> None:
        documented = dotenv_values(ROOT / ".env.example", interpolate=False)
        assert {*ENVIRONMENT_NAMES, *PORT_SETTINGS, "LOCAL_DIR"} == set(documented)
        for setting, port in PORT_SETTINGS.items():
            assert documented[setting] == str(port)


class TestMigrations:
    def test_ours_are_applied_once_and_recorded(self, database_url: str) -> None:
        expected = [(migration.version, migration.name) for migration in migrations.find()]
        assert expected
        again = migrations.apply(database_url)
        assert (again.applied, again.changed) == ((), ())
        with psycopg.connect(database_url) as connection:
            recorded = connection.execute(
                "select version, name from supabase_migrations.schema_migrations order by version"
            ).fetchall()
        assert recorded == expected

    def test_a_broken_one_changes_nothing_and_says_where(self, database_url: str, tmp_path: Path) -> None:
        (tmp_path / "29990101000000_good.sql").write_text("create table public.good ();")
        broken = tmp_path / "29990101000001_broken.sql"
        broken.write_text("create table public.half ();\nselect 1;\nselect nothing;\n")
        with pytest.raises(LocalError, match=r"29990101000001_broken.sql, line 3: column \"nothing\" does not exist"):
            migrations.apply(database_url, tmp_path)
        with psycopg.connect(database_url) as connection:
            row = connection.execute("select to_regclass('public.good'), to_regclass('public.half')").fetchone()
        assert row == ("good", None)
        broken.write_text("create table public.half ();")
        assert migrations.apply(database_url, tmp_path).applied == (broken.name,)

    def test_one_that_was_edited_afterwards_is_named(self, database_url: str, tmp_path: Path) -> None:
        file = tmp_path / "29990101000000_good.sql"
        file.write_text("create table public.good ();")
        migrations.apply(database_url, tmp_path)
        file.write_text("create table public.better ();")
        assert migrations.apply(database_url, tmp_path) == migrations.Outcome((), (file.name,))

    @pytest.mark.parametrize("names", [("1_short.sql",), ("29990101000000_a.sql", "29990101000000_b.sql")])
    def test_names_that_the_supabase_cli_would_refuse(self, tmp_path: Path, names: tuple[str, ...]) -> None:
        for name in names:
            (tmp_path / name).touch()
        with pytest.raises(LocalError, match=names[0]):
            migrations.find(tmp_path)


class TestBootstrap:
    @pytest.fixture
    def commands(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """A clone in which the steps are noted instead of done."""
        done: list[str] = []
        monkeypatch.setattr(bootstrap, "ENVIRONMENT", tmp_path / ".venv")
        monkeypatch.setattr(bootstrap, "PYTHON", tmp_path / ".venv" / "bin" / "python")
        monkeypatch.setattr(bootstrap, "LOCKS", {"run": tmp_path / "local.lock", "dev": tmp_path / "dev.lock"})
        for lock in ("local.lock", "dev.lock"):
            (tmp_path / lock).write_text(lock)

        def make_environment(builder: venv.EnvBuilder, folder: Path) -> None:  # noqa: ARG001
            done.append("venv")
            (folder / "bin").mkdir(parents=True, exist_ok=True)
            (folder / "bin" / "python").touch()

        monkeypatch.setattr(venv.EnvBuilder, "create", make_environment)
        monkeypatch.setattr(bootstrap, "run", lambda command, advice: done.append(Path(command[-1]).name))  # noqa: ARG005
        return done

    def test_what_is_there_is_not_made_again(self, commands: list[str]) -> None:
        bootstrap.python_packages("run")
        assert commands == ["venv", "local.lock"]
        bootstrap.python_packages("run")
        assert len(commands) == 2

    def test_an_environment_for_development_serves_a_run_as_well(self, commands: list[str]) -> None:
        bootstrap.python_packages("run")
        bootstrap.python_packages("dev")
        bootstrap.python_packages("run")
        assert commands == ["venv", "local.lock", "venv", "dev.lock"]

    def test_a_changed_lock_file_is_installed(self, commands: list[str], tmp_path: Path) -> None:
        bootstrap.python_packages("dev")
        (tmp_path / "dev.lock").write_text("newer")
        bootstrap.python_packages("run")
        assert commands == ["venv", "dev.lock"] * 2

    def test_a_step_that_failed_is_done_again(self, commands: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(command: object, advice: str) -> None:  # noqa: ARG001
            raise bootstrap.StepFailed("no network")

        with monkeypatch.context() as broken:
            broken.setattr(bootstrap, "run", fail)
            with pytest.raises(bootstrap.StepFailed):
                bootstrap.python_packages("run")
        bootstrap.python_packages("run")
        assert commands == ["venv", "venv", "local.lock"]

    def test_a_failing_command_is_shown_with_advice(self) -> None:
        with pytest.raises(bootstrap.StepFailed, match=r"the reason\n\nTry again"):
            bootstrap.run([sys.executable, "-c", "raise SystemExit('the reason')"], "Try again")
