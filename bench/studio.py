"""The embedded stack on a made history: one PostgreSQL, and per size a database with Supabase in front and its parts.

Histories stay in the state folder and are used again while the migrations and the generator are the same. What is
measured works on a copy, so that every run begins with the same database and not with what the last one left in it.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psycopg
from psycopg.rows import dict_row

from bench import history
from bench.counted import Log
from core.settings import ENVIRONMENT_NAMES
from local import migrations, supabase
from local.environment import PORT_SETTINGS, Stack, compose
from local.health import answers
from local.parts import fal_arguments
from local.paths import ROOT, SUPABASE
from local.ports import HOST, free_port
from local.postgres import Postgres
from local.processes import Child
from local.secrets import Secrets

PASSWORD = "correct horse battery staple"
START_SECONDS = 60.0
BUSIEST, ADMIN = "person0@bench.example", "person1@bench.example"
# The least that a call through Supabase can be: the measure of all others.
NOTHING = """
create or replace function public.bench_nothing() returns int language sql set search_path = '' as 'select 1';
grant execute on function public.bench_nothing() to service_role;
"""

Report = Callable[[str], None]


@dataclass
class Studio:
    """Atelier on one database. Parts start when they are asked for and stop with the machine."""

    name: str
    jobs: int
    database_url: str
    stack: Stack
    secrets: Secrets
    directory: Path
    children: list[Child] = field(default_factory=list)
    lite: supabase.Lite | None = None

    @property
    def environment(self) -> dict[str, str]:
        return self.stack.environment

    def url(self, setting: str) -> str:
        return self.stack.url(setting)

    def sql(self) -> psycopg.Connection[dict[str, Any]]:
        """The database as its superuser, committing by itself."""
        return psycopg.connect(self.database_url, autocommit=True, row_factory=dict_row)

    def start_supabase(self) -> None:
        self.lite = supabase.Lite(
            directory=self.directory / "supabase",
            port=self.stack.ports["LOCAL_SUPABASE_PORT"],
            database_url=self.database_url,
            keys=supabase.Keys(self.secrets.publishable_key, self.secrets.secret_key, self.secrets.jwt_secret),
            log=self.directory / "supabase.log",
            site_url=self.url("APP_PORT"),
        )
        self.lite.start()
        assert self.lite.child is not None
        self.children.append(self.lite.child)
        self._give_passwords()

    def start_fal(self, *, afresh: bool = True) -> Child:
        """`afresh`: without what another line left running there, which would keep its places."""
        if afresh:
            shutil.rmtree(self.directory / "fal", ignore_errors=True)
        return self._start("fal", fal_arguments(self.stack, self.directory), f"{self.url('LOCAL_FAL_PORT')}/v1/meta")

    def start_companion(
        self, factory: str = "core.companion:create_app", port: int | None = None, **changes: str
    ) -> tuple[Child, Log]:
        """With a `port` it is one more beside the one that fal.ai knows."""
        log = self._log("companion" if port is None else f"companion-{port}")
        port = port or self.stack.ports["COMPANION_PORT"]
        arguments = ["uvicorn", factory, "--factory", "--host", HOST, "--port", str(port), "--no-access-log"]
        child = self._start(
            "companion",
            ["bench.counted", str(log.path), *arguments, "--timeout-graceful-shutdown", "5"],
            f"http://{HOST}:{port}/health",
            changes,
        )
        return child, log

    def start_app(self, port: int | None = None) -> tuple[Child, Log]:
        """With a `port` it is one more process of pages."""
        log = self._log("app" if port is None else f"app-{port}")
        port = port or self.stack.ports["APP_PORT"]
        arguments = ["streamlit", "run", "streamlit_app.py", "--server.port", str(port)]
        arguments += ["--server.address", HOST, "--server.headless", "true"]
        child = self._start("app", ["bench.counted", str(log.path), *arguments], f"http://{HOST}:{port}/_stcore/health")
        return child, log

    def stop(self, child: Child) -> None:
        child.stop()
        self.children.remove(child)

    def stop_app(self) -> None:
        for child in [each for each in self.children if each.name.startswith("app ")]:
            self.stop(child)

    def stop_all(self) -> None:
        for child in reversed(self.children):
            child.stop()
        self.children.clear()

    def user_id(self, email: str) -> UUID:
        with self.sql() as sql:
            row = sql.execute("select user_id from public.profiles where email = %s", (email,)).fetchone()
        assert row is not None, email
        found: UUID = row["user_id"]
        return found

    def _log(self, name: str) -> Log:
        path = self.directory / f"{name}-calls.jsonl"
        path.unlink(missing_ok=True)
        return Log(path)

    def _start(self, name: str, arguments: list[str], health: str, changes: dict[str, str] | None = None) -> Child:
        child = Child(
            name=f"{name} ({self.name})",
            command=[sys.executable, "-m", *arguments],
            log=self.directory / f"{name}.log",
            environment={**self.environment, "PYTHONUNBUFFERED": "1", **(changes or {})},
            directory=ROOT,
        )
        child.start()
        self.children.append(child)
        child.wait_until(lambda: answers(health), START_SECONDS)
        return child

    def _give_passwords(self) -> None:
        """Everybody gets the password of somebody who signs up the usual way, so that signing in is the real thing."""
        with self.sql() as sql:
            missing = "select 1 from auth.users where email = %s and encrypted_password is null"
            if sql.execute(missing, (BUSIEST,)).fetchone() is None:
                return
            answer = httpx.post(
                f"{self.environment['SUPABASE_URL']}/auth/v1/signup",
                headers={"apikey": self.secrets.publishable_key},
                json={"email": "newcomer@bench.example", "password": PASSWORD},
                timeout=20,
            )
            answer.raise_for_status()
            sql.execute(
                "update auth.users u set encrypted_password = n.encrypted_password from auth.users n"
                " where n.email = 'newcomer@bench.example' and u.encrypted_password is null"
            )


class Machine:
    """Everything that one run of the benchmarks starts. Close it to stop it all; the histories stay."""

    def __init__(self, state: Path, report: Report) -> None:
        self.state = state
        self._report = report
        self._secrets = Secrets(postgres_password="bench")
        state.mkdir(parents=True, exist_ok=True)
        self.postgres = Postgres(
            data=state / "postgres", port=free_port(), password="bench", log=state / "postgres.log"
        )
        self._studios: dict[str, Studio] = {}

    def start(self) -> None:
        self.postgres.start()

    def close(self) -> None:
        for studio in self._studios.values():
            studio.stop_all()
            self.postgres.drop_database(studio.name)
        self.postgres.stop()

    @property
    def studios(self) -> tuple[Studio, ...]:
        return tuple(self._studios.values())

    def studio(self, jobs: int) -> Studio:
        """Atelier on a history of so many jobs, with Supabase running."""
        name = f"studio_{jobs}"
        if name not in self._studios:
            url = self._copy(name, self._history(jobs))
            directory = self.state / name
            directory.mkdir(exist_ok=True)
            ports = {setting: str(free_port()) for setting in PORT_SETTINGS}
            own = {
                name: value for name, value in os.environ.items() if name not in {*ENVIRONMENT_NAMES, *PORT_SETTINGS}
            }
            stack = compose(own | ports, self._secrets)
            stack = Stack(dict.fromkeys(ENVIRONMENT_NAMES, "") | stack.environment, stack.ports, stack.simulated)
            studio = Studio(name, jobs, url, stack, self._secrets, directory)
            self._studios[name] = studio
            studio.start_supabase()
        return self._studios[name]

    def _copy(self, name: str, history: str) -> str:
        self.postgres.drop_database(name)
        url = self.postgres.create_database(name, template=history)
        with psycopg.connect(url, autocommit=True) as copied:
            copied.execute(NOTHING.encode())
        return url

    def _history(self, jobs: int) -> str:
        """The name of the database that has it; nobody is connected to it."""
        name = f"history_{jobs}"
        url = self.postgres.url(name)
        made_of = _fingerprint()
        with psycopg.connect(self.postgres.url(), autocommit=True) as connection:
            row = connection.execute(
                "select shobj_description(oid, 'pg_database') from pg_database where datname = %s", (name,)
            ).fetchone()
            if row is None or row[0] != made_of:
                self._report(f"Making a history of {jobs:,} jobs")
                self.postgres.drop_database(name)
                self.postgres.create_database(name)
                supabase.prepare(url)
                migrations.apply(url)
                history.fill(url, jobs, report=lambda line: self._report(f"  {line}"))
                connection.execute(f"comment on database {name} is '{made_of}'".encode())
        return name


def _fingerprint() -> str:
    """What a history is made of: other migrations, another generator or another Supabase Lite give another one."""
    files = sorted([*(SUPABASE / "migrations").glob("*.sql"), *Path(history.__file__).parent.iterdir()])
    digest = hashlib.sha256(supabase.lite_version().encode())
    for file in files:
        if file.suffix in {".sql", ".py"}:
            digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def machine(state: Path, report: Report) -> Iterator[Machine]:
    found = Machine(state, report)
    try:
        found.start()
        yield found
    finally:
        found.close()
