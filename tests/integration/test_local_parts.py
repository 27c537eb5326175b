"""The parts of `make run`, each alone: supervisor, environment, migrations, bootstrap."""

import sys
import venv
from pathlib import Path

import psycopg
import pytest
from dotenv import dotenv_values

from core.settings import ENVIRONMENT_NAMES
from local import bootstrap, migrations
from local.environment import PORT_SETTINGS, compose
from local.errors import LocalError
from local.parts import Part
from local.paths import ROOT
from local.ports import HOST
from local.processes import Child
from local.secrets import Secrets
from local.supervisor import Supervisor


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
        left = set(ENVIRONMENT_NAMES) - set(stack.environment)
        assert {name for name in left if not name.startswith("OIDC_")} == {
            "WELCOME_CREDITS",
            "ALERT_WEBHOOK_URL",
            "METRICS_TOKEN",
        }

    def test_single_sign_on_needs_a_real_supabase(self) -> None:
        single_sign_on = {"OIDC_METADATA_URL": "https://acme.test/.well-known/openid-configuration"}
        with pytest.raises(LocalError, match="OIDC_METADATA_URL is set, so SUPABASE_URL has to be set too"):
            compose(single_sign_on, self.SECRETS)
        real = {"SUPABASE_URL": "https://x.supabase.co", "SUPABASE_PUBLISHABLE_KEY": "p", "SUPABASE_SECRET_KEY": "s"}
        assert single_sign_on.items() <= compose(single_sign_on | real, self.SECRETS).environment.items()

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
