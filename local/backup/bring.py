"""`python -m local restore FILE`: the state of a backup in place of this machine's, which is kept beside it.

Everything is prepared and checked next to the data of now; only then folders are renamed. What has happened since the
backup is not known here: `private.after_restore()` sees to it that nothing is sent to fal.ai a second time.
"""

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from local import lock, secrets
from local.backup.archive import DATABASE, SECRETS, STORAGE, Manifest, Reader
from local.backup.dump import describe, load
from local.environment import compose, configured
from local.errors import LocalError
from local.parts import database
from local.ports import free_port
from local.postgres import Postgres
from local.run import SEEDED
from local.supabase import files_of, make_roles

_REPLACED = ("postgres", "supabase", secrets.FILE_NAME)


def restore(state: Path, file: Path, *, replace_data: bool = False) -> tuple[Manifest, dict[str, Any]]:
    """Returns what the backup says of itself and what `private.after_restore()` did.

    Raises `LocalError`, with everything as it was, when the stack runs, when there is data and `replace_data` was not
    asked for, or when the backup is not sound.
    """
    with lock.exclusive(state), Reader(file) as reader:
        if (state / "postgres").exists() and not replace_data:
            raise LocalError(f"There is a database in {state}: add --replace to put it aside and bring back {file}.")
        reader.verify()
        workshop = state / "restoring"
        shutil.rmtree(workshop, ignore_errors=True)
        workshop.mkdir(mode=0o700)
        try:
            done = _prepare(reader, state, workshop)
            _swap(state, workshop)
        finally:
            shutil.rmtree(workshop, ignore_errors=True)
        (state / SEEDED).touch()
        return reader.manifest, done


def _prepare(reader: Reader, state: Path, workshop: Path) -> dict[str, Any]:
    """Everything in the workshop, checked against the manifest."""
    reader.extract(SECRETS, workshop / secrets.FILE_NAME)
    kept = secrets.load(workshop / secrets.FILE_NAME)
    folder = files_of(workshop / "supabase")
    folder.mkdir(parents=True, mode=0o700)
    for name in reader.files():
        if name.removeprefix(STORAGE) in reader.manifest.objects:  # others were deleted before, or never written down
            reader.extract(name, folder / name.removeprefix(STORAGE))
    reader.extract(DATABASE, workshop / DATABASE)
    stack = compose(configured(), kept)
    if "LOCAL_POSTGRES_PORT" not in stack.ports:
        raise LocalError("This stack uses a Supabase of your own: see docs/security.md, Backups.")
    server: Postgres = replace(database(stack, kept, state), data=workshop / "postgres", port=free_port())
    try:
        server.start()
        with psycopg.connect(server.url(), autocommit=True) as connection:
            make_roles(connection)
        load(server.url(), workshop / DATABASE)
        with psycopg.connect(server.url()) as connection:
            _compare(describe(connection), reader.manifest)
            row = connection.execute("select private.after_restore()").fetchone()
            assert row is not None
            done: dict[str, Any] = row[0]
            _compare_audit(describe(connection).audit, reader.manifest.audit)
            return done
    finally:
        server.stop()


def _compare(found: Manifest, told: Manifest) -> None:
    differing = sorted(name for name in found.tables | told.tables if found.tables.get(name) != told.tables.get(name))
    if differing or found.objects != told.objects:
        raise LocalError(f"The backup did not come back whole: {', '.join(differing) or 'the files differ'}.")
    _compare_audit(found.audit, told.audit)


def _compare_audit(found: list[str], told: list[str]) -> None:
    if new := [finding for finding in found if finding not in told]:
        raise LocalError(f"The books of the backup are not in balance: {'; '.join(new[:5])}")


def _swap(state: Path, workshop: Path) -> None:
    """Put what is there aside, then move what was prepared into its place."""
    aside = state / f"before-restore-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    for name in _REPLACED:
        if (state / name).exists():
            aside.mkdir(mode=0o700, exist_ok=True)
            (state / name).rename(aside / name)
    for name in _REPLACED:
        (workshop / name).rename(state / name)
