"""What runs, where, and whether it is well: for people and, as JSON, for programs."""

import json
from dataclasses import dataclass
from pathlib import Path

from local import lock, secrets
from local.environment import Stack, compose, configured
from local.parts import database, plan
from local.people import EMAILS, PEOPLE
from local.secrets import Secrets

RUNNING_FILE = "running.json"
_NOTED = ("SUPABASE_URL", "SUPABASE_PUBLISHABLE_KEY")


@dataclass(frozen=True)
class Status:
    """The shape of `python -m local status --json`."""

    app: str
    companion: str
    supabase_url: str
    publishable_key: str
    database_url: str  # of the superuser; empty with a Supabase of your own
    people: list[dict[str, str]]  # email, password, role; empty with a Supabase of your own
    simulated: list[str]
    running: bool
    ready: bool  # every part was well once, and the work of a first start is done
    healthy: dict[str, bool]  # by part


def note(state: Path, stack: Stack, *, ready: bool) -> None:
    """Leave word of a run, so that its status can be asked without its environment."""
    facts = {
        "environment": {name: stack.environment[name] for name in _NOTED},
        "ports": stack.ports,
        "simulated": stack.simulated,
        "ready": ready,
    }
    draft = state / f"{RUNNING_FILE}.tmp"
    draft.write_text(json.dumps(facts), encoding="utf-8")
    draft.replace(state / RUNNING_FILE)


def running_stack(state: Path) -> tuple[Stack, Secrets]:
    """The stack that runs on `state`, without needing its environment; when none does, the one that `run` would start.
    With it the secrets that are kept there. Raises `LocalError` for settings that do not work."""
    kept = secrets.load(state / secrets.FILE_NAME, EMAILS)
    stack = compose(configured(), kept)
    if lock.is_held(state) and (state / RUNNING_FILE).exists():
        facts = json.loads((state / RUNNING_FILE).read_text(encoding="utf-8"))
        stack = Stack(stack.environment | facts["environment"], facts["ports"], tuple(facts["simulated"]))
    return stack, kept


def read(state: Path) -> Status:
    """Ask every part of the running stack; without one, what `run` would start. Raises `LocalError` for settings that
    do not work."""
    running, ready = lock.is_held(state), False
    stack, kept = running_stack(state)
    if running and (state / RUNNING_FILE).exists():
        ready = json.loads((state / RUNNING_FILE).read_text(encoding="utf-8"))["ready"]
    ours = "LOCAL_POSTGRES_PORT" in stack.ports
    parts = plan(stack, kept, state, report=print)
    return Status(
        app=stack.url("APP_PORT"),
        companion=stack.url("COMPANION_PORT"),
        supabase_url=stack.environment["SUPABASE_URL"],
        publishable_key=stack.environment["SUPABASE_PUBLISHABLE_KEY"],
        database_url=database(stack, kept, state).url() if ours else "",
        people=[
            {"email": person.email, "password": kept.demo_passwords[person.email], "role": person.role}
            for person in PEOPLE
            if ours
        ],
        simulated=list(stack.simulated),
        running=running,
        ready=ready,
        healthy={part.name: running and part.healthy() for part in parts},
    )


def as_text(status: Status) -> str:
    """A few lines for a terminal."""
    state = "runs" if status.ready else "is starting" if status.running else "does not run"
    lines = [f"Atelier {state}: {status.app}"]
    otherwise = "not well" if status.running else "stopped"
    lines += [f"  {name:<10} {'well' if well else otherwise}" for name, well in status.healthy.items()]
    called = {"user": "marketer"}  # as `make run` says it
    lines += [
        f"  {called.get(person['role'], person['role']):<10} {person['email']}  {person['password']}"
        for person in status.people
    ]
    lines.append(f"  simulated  {', '.join(status.simulated) or 'nothing'}")
    return "\n".join(lines)
