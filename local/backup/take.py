"""`python -m local backup FILE`: the whole state of this machine's stack in one file, while it runs or not."""

import os
import tempfile
import time
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

MOMENTS = 5
WRITTEN_SECONDS = 20.0  # a file that the database knows may still be on its way to the disk for so long


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
        # In the state folder, because a link does not reach into another file system.
        with _reachable(state) as url, tempfile.TemporaryDirectory(prefix="backup-", dir=state) as folder:
            workshop = Path(folder)
            manifest = _dumped(url, state, workshop)
            for known, size in manifest.objects.items():
                _add_file(writer, known, size, (files_of(state / "supabase") / known, workshop / "files" / known))
            writer.add(DATABASE, workshop / DATABASE)
            writer.add(SECRETS, state / secrets.FILE_NAME)
        writer.close(manifest)
    except BaseException:
        writer.abandon()
        raise
    return manifest


def _dumped(url: str, state: Path, workshop: Path) -> Manifest:
    """The database at a moment of which every file is at hand: a second name is made for each before and right after
    that moment, so that it stays here when it is deleted meanwhile. One that came and went in between asks for another
    moment."""
    files = files_of(state / "supabase")
    for left in reversed(range(MOMENTS)):
        _link_files(files, workshop / "files")
        with snapshot(url) as (connection, name):
            _link_files(files, workshop / "files")
            manifest = describe(connection)
            at_hand = (place.exists() for known in manifest.objects for place in [workshop / "files" / known])
            if not left or all(at_hand):
                dump(url, name, workshop / DATABASE)
                break
    return manifest


def _link_files(folder: Path, target: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            place = target / path.relative_to(folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(path, place)
            except FileExistsError:
                continue  # it has one already
            except FileNotFoundError:
                continue  # deleted a moment ago


def _add_file(writer: Writer, name: str, size: int, places: tuple[Path, Path]) -> None:
    """From the place where it is whole; Storage may still be writing it. Raises LocalError when it is in none."""
    deadline = time.monotonic() + WRITTEN_SECONDS
    while True:
        for path in places:
            try:
                if path.stat().st_size == size:
                    writer.add(f"{STORAGE}{name}", path)
                    return
            except FileNotFoundError:
                continue  # deleted by now: then it has its second name
        if time.monotonic() > deadline:
            raise LocalError(f"The database knows {name} with {size} bytes, and there is no such file in {places[0]}.")
        time.sleep(0.1)


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
