"""The stack under test on free ports: started, killed piece by piece, started again."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, LiteralString

import httpx
import psycopg
from psycopg.rows import DictRow, dict_row

from core.settings import ENVIRONMENT_NAMES
from local.environment import PORT_SETTINGS, Stack, compose
from local.parts import Part, database, plan
from local.ports import HOST, free_port
from local.processes import Child
from local.secrets import Secrets

START_SECONDS = 90.0
COMPANIONS = ("companion 1", "companion 2")


@dataclass
class Machine:
    """`environments` are those of the two halves: each has its own companion, where fal.ai is told to call."""

    state: Path
    stack: Stack
    environments: tuple[dict[str, str], dict[str, str]]
    parts: dict[str, Part]
    database_url: str
    http: httpx.Client
    rows: "psycopg.Connection[DictRow]"
    children: dict[str, Child]

    @property
    def fal_url(self) -> str:
        return self.stack.url("LOCAL_FAL_PORT")

    def start_again(self, name: str) -> None:
        """Start a part that was killed, without waiting for it."""
        self.children[name] = self.parts[name].launch()

    def wait_until_well(self) -> None:
        """Return when every part answers. Raises LocalError when one does not."""
        for name, part in self.parts.items():
            if name in self.children:
                self.children[name].wait_until(part.healthy, START_SECONDS)

    def kill(self, name: str) -> None:
        """SIGKILL: nothing is said and nothing is finished."""
        child = self.children.pop(name)
        assert child.process is not None
        child.process.send_signal(signal.SIGKILL)
        child.process.wait()
        child.stop()

    def worker_pids(self) -> list[int]:
        """The companions that are alive: what others had claimed is nobody's."""
        alive = [self.children[name].process for name in COMPANIONS if name in self.children]
        return [process.pid for process in alive if process is not None]

    def count(self, query: LiteralString) -> int:
        """The `n` of a query's one row."""
        row = self.rows.execute(query).fetchone()
        assert row is not None
        counted: int = row["n"]
        return counted

    def fal(self, action: str, content: dict[str, Any]) -> httpx.Response:
        """Call the simulator's control API."""
        return self.http.post(f"{self.fal_url}/_sim/{action}", json=content)

    def fal_counts(self) -> dict[str, Any]:
        """How much fal.ai has in hand. One request is asked for, as the list of all is long."""
        answer = self.http.get(f"{self.fal_url}/_sim/state", params={"request_id": "none"})
        counts: dict[str, Any] = answer.raise_for_status().json()["counts"]
        return counts


@contextmanager
def running(state: Path, admin_email: str) -> Iterator[Machine]:
    """A whole stack with its data in `state`, and this process's environment set for `core` to use it."""
    kept = Secrets()
    bare = {name: value for name, value in os.environ.items() if name not in {*ENVIRONMENT_NAMES, *PORT_SETTINGS}}
    bare |= {name: str(free_port()) for name in PORT_SETTINGS} | {"ADMIN_EMAILS": admin_email}
    stack = compose(bare, kept)
    stack = replace(stack, environment=dict.fromkeys(ENVIRONMENT_NAMES, "") | stack.environment)
    port = free_port()
    more = {"COMPANION_PORT": str(port), "PUBLIC_URL": f"http://{HOST}:{port}"}
    twin = Stack(stack.environment | more, stack.ports | {"COMPANION_PORT": port}, stack.simulated)
    parts = {part.name: part for part in plan(stack, kept, state, report=lambda _: None)}
    parts[COMPANIONS[0]] = parts.pop("companion")
    parts[COMPANIONS[1]] = next(p for p in plan(twin, kept, state / "second", print) if p.name == "companion")
    os.environ.update(stack.environment)
    children: dict[str, Child] = {}
    try:
        children["postgres"] = _well(parts["postgres"])
        url = database(stack, kept, state).url()
        with httpx.Client(timeout=30) as http, psycopg.connect(url, autocommit=True, row_factory=dict_row) as rows:
            environments = (stack.environment, twin.environment)
            machine = Machine(state, stack, environments, parts, url, http, rows, children)
            for name in ("supabase", "fal", *COMPANIONS):
                children[name] = _well(parts[name])
            yield machine
    finally:
        for child in reversed(children.values()):
            child.stop()


def _well(part: Part) -> Child:
    """The part, started and answering."""
    child = part.launch()
    child.wait_until(part.healthy, START_SECONDS)
    return child
