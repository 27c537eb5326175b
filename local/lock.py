"""One supervisor per folder of data: an advisory lock on a file, released by the kernel however its holder ends."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from local.errors import LocalError

CLEAN_UP_SECONDS = 20.0


@contextmanager
def exclusive(directory: Path) -> Iterator[int]:
    """Hold the lock of `directory`; yields its file descriptor. Raises `LocalError` when a live process holds it.

    When the holder was killed, its guardian keeps the lock until the rest of that run has ended: waited for.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + CLEAN_UP_SECONDS
        while not _try(descriptor):
            holder = _holder(descriptor)
            if holder is not None or time.monotonic() > deadline:
                who = f"process {holder}" if holder else "the rest of an earlier run"
                raise LocalError(
                    f"Atelier already runs on {directory} ({who}): stop it first, with Ctrl-C in its window."
                )
            time.sleep(0.1)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        try:
            yield descriptor
        finally:
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def is_held(directory: Path) -> bool:
    """Whether a supervisor runs on `directory`, or what is left of one."""
    try:
        descriptor = os.open(directory / "lock", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return not _try(descriptor)
    finally:
        os.close(descriptor)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> int | None:
    """The process that wrote itself into the lock, while it lives."""
    text = os.pread(descriptor, 20, 0).decode()
    if not text.isdigit() or not psutil.pid_exists(int(text)):
        return None
    if psutil.Process(int(text)).status() == psutil.STATUS_ZOMBIE:
        return None
    return int(text)
