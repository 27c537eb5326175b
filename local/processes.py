"""Child processes: started with a log file, stopped politely, and never left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from local import guardian
from local.errors import LocalError
from local.paths import ROOT

TAIL_LINES = 20


class Guardian:
    """The process that ends our children when we die; see `local.guardian`."""

    def __init__(self, keep_open: Sequence[int] = ()) -> None:
        """`keep_open`: file descriptors that stay open until it has ended everything, such as that of a lock."""
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", guardian.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=keep_open,
        )

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()

    def watch(self, pid: int, stop_signal: signal.Signals) -> None:
        """Raises `LocalError` when somebody has killed the guardian: nothing is started without one."""
        try:
            self._write(f"+{pid} {int(stop_signal)}\n")
        except BrokenPipeError as error:
            raise LocalError("The process that looks after the others was killed: start again.") from error

    def forget(self, pid: int) -> None:
        with suppress(BrokenPipeError):
            self._write(f"-{pid}\n")

    def close(self) -> None:
        """Let it end whatever is still listed, and wait for it."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()


_guardian: Guardian | None = None
_guardian_lock = threading.Lock()


def shared_guardian(keep_open: Sequence[int] = ()) -> Guardian:
    """One per process: it ends by itself when this process does. The first call decides what it keeps open."""
    global _guardian
    with _guardian_lock:
        if _guardian is None:
            _guardian = Guardian(keep_open)
        return _guardian


def tail(path: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log, or a note that there are none."""
    if not path.exists():
        return "(no log)"
    text = path.read_bytes()[-32_768:].decode("utf-8", "replace").strip()
    return "\n".join(text.splitlines()[-lines:]) or "(the log is empty)"


@dataclass
class Child:
    """One child process that leads a session of its own, so that Ctrl-C reaches it only through its supervisor."""

    name: str
    command: Sequence[str | Path]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path = ROOT
    stop_signal: signal.Signals = signal.SIGTERM
    account: tuple[int, int] | None = None  # user and group id to run as; None = ours
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Raises `LocalError` when the program cannot be started at all."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        user, group = self.account or (None, None)
        watcher = shared_guardian()
        with self.log.open("ab") as log:
            try:
                self.process = subprocess.Popen(
                    self.command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=self.directory,
                    env=dict(self.environment),
                    start_new_session=True,
                    user=user,
                    group=group,
                    extra_groups=[] if self.account else None,
                )
            except OSError as error:
                raise LocalError(f"{self.name} could not be started: {error}.") from error
        try:
            watcher.watch(self.process.pid, self.stop_signal)
        except LocalError:
            self.stop()
            raise

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def wait_until(self, healthy: Callable[[], bool], seconds: float) -> None:
        """Return when `healthy()`; raise `LocalError` with the end of the log when it dies or takes too long."""
        deadline = time.monotonic() + seconds
        while not healthy():
            if not self.alive:
                status = self.process.returncode if self.process else "unknown"
                raise LocalError(f"{self.name} ended with status {status}. The end of {self.log}:\n{tail(self.log)}")
            if time.monotonic() > deadline:
                raise LocalError(
                    f"{self.name} did not answer within {seconds:g} s. The end of {self.log}:\n{tail(self.log)}"
                )
            time.sleep(0.05)

    def stop(self, seconds: float = 10.0) -> None:
        """Ask its group to stop, kill what is left after `seconds`. Safe to call again, and when it is already gone."""
        if self.process is None:
            return
        pid = self.process.pid
        if self.process.poll() is None:
            _signal_group(pid, self.stop_signal)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                _signal_group(pid, signal.SIGKILL)
                self.process.wait()
        _signal_group(pid, signal.SIGKILL)  # what the leader of the group left behind
        shared_guardian().forget(pid)
        self.process = None


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return  # the whole group is gone (macOS: only zombies are left)


def close_guardian() -> None:
    """End whatever is still running, and the guardian; a later child gets a new one."""
    global _guardian
    with _guardian_lock:
        if _guardian is not None:
            _guardian.close()
            _guardian = None
