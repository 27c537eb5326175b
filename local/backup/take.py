"""`python -m local backup FILE`: the whole state of this machine's stack in one file, while it runs or not."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local import lock, secrets
from local.backup.archive import DATABASE, SECRETS, STORAGE, Manifest, Writer
from local.backup.dump import describe, dump, snapshot
from local.errors import LocalError
from local.parts import database
from local.postgres import Postgres
from local.status import running_stack
from local.supabase import files_of


def backup(state: Path, file: Path, *, overwrite: bool = False) -> Manifest:
    """Write a backup and check it. Raises `LocalError` when there is nothing to back up, or something in the way."""
    if file.exists() and not overwrite:
        raise LocalError(f"{file} is there already: choose another name, or add --overwrite.")
    if not file.parent.is_dir():
        raise LocalError(f"There is no folder {file.parent}.")
    if not (state / "postgres" / "PG_VERSION").exists():
        raise LocalError(f"There is no database in {state}: nothing to back up.")
    writer = Writer(file)
    try:
        with _reachable(state) as url, tempfile.TemporaryDirectory(prefix="atelier-backup-") as workshop:
            # Files before and after the moment of the database: whatever it knows of then is among them, also when it
            # is deleted right after.
            _add_files(writer, state)
            with snapshot(url) as (connection, name):
                manifest = describe(connection)
                dump(url, name, Path(workshop) / DATABASE)
            _add_files(writer, state)
            writer.add(DATABASE, Path(workshop) / DATABASE)
            writer.add(SECRETS, state / secrets.FILE_NAME)
        writer.close(manifest)
    except BaseException:
        writer.abandon()
        raise
    return manifest


def _add_files(writer: Writer, state: Path) -> None:
    folder = files_of(state / "supabase")
    for path in sorted(folder.rglob("*")):
        name = f"{STORAGE}{path.relative_to(folder).as_posix()}"
        if path.is_file() and name not in writer.members:
            try:
                writer.add(name, path)
            except FileNotFoundError:
                continue  # deleted a moment ago


@contextmanager
def _reachable(state: Path) -> Iterator[str]:
    """The superuser's address of the database: of the running stack, else of its PostgreSQL started for this."""
    stack, kept = running_stack(state)
    if "LOCAL_POSTGRES_PORT" not in stack.ports:
        raise LocalError("This stack uses a Supabase of your own: see docs/security.md, Backups.")
    server: Postgres = database(stack, kept, state)
    if lock.is_held(state):
        if not server.healthy():
            raise LocalError("The stack is starting or stopping: try again in a moment.")
        yield server.url()
        return
    with lock.exclusive(state):
        try:
            server.start()
            yield server.url()
        finally:
            server.stop()
