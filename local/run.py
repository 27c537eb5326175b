"""`make run`: everything on this machine, until Ctrl-C."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from local import lock, secrets, status
from local.environment import Stack, compose, configured
from local.parts import log_file, plan
from local.paths import ROOT
from local.people import ADMIN, EMAILS, MARKETER
from local.ports import require_free
from local.processes import Child, close_guardian, shared_guardian, tail
from local.secrets import Secrets
from local.supervisor import Supervisor

SEEDED = "seeded"  # a file that says that the demo data is there


def run(state: Path, *, with_parent: bool = False) -> None:
    """Start, supervise and stop the stack whose data is in `state`. Raises `LocalError` with what went wrong."""
    os.umask(0o077)  # data, logs and files are for whoever runs this
    with lock.exclusive(state) as descriptor:
        kept = secrets.load(state / secrets.FILE_NAME, EMAILS)
        stack = compose(configured(), kept)
        require_free(stack.ports)
        shared_guardian(keep_open=[descriptor])
        _start_new_logs(state)
        status.note(state, stack, ready=False)
        supervisor = Supervisor(plan(stack, kept, state, _say), _say, with_parent=with_parent)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda received, _: supervisor.stop(signal.Signals(received).name))
        first_start = FirstStart(stack, kept, state)
        try:
            supervisor.run(when_well=first_start.begin)
        finally:
            first_start.stop()
            close_guardian()
            (state / status.RUNNING_FILE).unlink(missing_ok=True)
        _say("Everything is stopped.")


class FirstStart:
    """The demo data, made beside the supervision when there is none yet; then the banner."""

    def __init__(self, stack: Stack, kept: Secrets, state: Path) -> None:
        self._stack = stack
        self._kept = kept
        self._state = state
        self._child = Child(
            name="Demo data",
            command=[sys.executable, "-m", "local.demo"],
            log=log_file(state, "demo"),
            environment={**stack.environment, "PYTHONUNBUFFERED": "1"},
            directory=ROOT,
        )
        self._stopped = threading.Event()

    def begin(self) -> None:
        """Starts the work in the thread of the supervisor and waits for it in another."""
        # With a real fal.ai the demo jobs would cost money, and in somebody's Supabase the people would be strangers.
        if (self._state / SEEDED).exists() or not {"Supabase", "fal.ai"} <= set(self._stack.simulated):
            self._ready()
            return
        _say("Making the demo data (first start only)")
        self._child.start()
        assert self._child.process is not None
        threading.Thread(target=self._finish, args=(self._child.process,), daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        self._child.stop()

    def _finish(self, process: "subprocess.Popen[bytes]") -> None:
        while process.poll() is None:
            if self._stopped.wait(0.1):
                return
        if self._stopped.is_set():
            return
        if process.returncode == 0:
            (self._state / SEEDED).touch()
        else:
            _say(f"The demo data is not complete; the next start tries again. The end of {self._child.log}:")
            _say(tail(self._child.log))
        self._ready()

    def _ready(self) -> None:
        status.note(self._state, self._stack, ready=True)
        _say(banner(self._stack, self._kept, self._state))


def banner(stack: Stack, kept: Secrets, state: Path) -> str:
    """Where it is, how to get in, what is simulated."""
    lines = ["", f"  Atelier is ready: {stack.url('APP_PORT')}", ""]
    if {"Supabase", "fal.ai"} <= set(stack.simulated):
        for label, person in (("admin", ADMIN), ("marketer", MARKETER)):
            lines.append(f"  {label:<10} {person.email:<24} {kept.demo_passwords[person.email]}")
    else:
        lines.append(f"  admin      whoever signs up as {stack.environment['ADMIN_EMAILS']}")
    lines.append(f"  simulated  {', '.join(stack.simulated) or 'nothing'}")
    lines.append(f"  logs       {state / 'logs'}")
    return "\n".join([*lines, "", "  Ctrl-C stops everything", ""])


def _start_new_logs(state: Path) -> None:
    """Keep the logs of this run and of the one before."""
    for log in (state / "logs").glob("*.log"):
        log.replace(log.with_suffix(".log.1"))


def _say(text: str) -> None:
    print(text, flush=True)
