"""Doing deeds for real: one at a time, several at once on connections of their own, or dying in the middle."""

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Barrier
from typing import Any

import psycopg

from tests.database.books import LONGEST_WAIT, Connection, call, connect
from tests.database.model.cast import Deed

CRASHED = "crashed"


@dataclass
class Hands:
    """`owner` may end connections of others, as a crash of the server or of the network does."""

    url: str
    owner: Connection
    threads: ThreadPoolExecutor
    connections: list[Connection] = field(default_factory=list)

    def close(self) -> None:
        for connection in self.connections:
            connection.close()

    def take(self, count: int) -> list[Connection]:
        """Living connections of the service."""
        self.connections = [connection for connection in self.connections if not connection.closed]
        while len(self.connections) < count:
            self.connections.append(connect(self.url, "service_role"))
        return self.connections[:count]

    def do(self, deed: Deed) -> str:
        return deed.outcome(_result(self.take(1)[0], deed))

    def at_once(self, deeds: Sequence[Deed], victim: int | None = None) -> list[str]:
        """All at the same moment; `victim` is the one whose connection is cut somewhere on the way."""
        connections = self.take(len(deeds))
        barrier = Barrier(len(deeds) + 1, timeout=LONGEST_WAIT)

        def run(connection: Connection, deed: Deed) -> str:
            barrier.wait()
            try:
                return deed.outcome(_result(connection, deed))
            except psycopg.OperationalError:
                if victim is None or connection is not connections[victim]:
                    raise
                return CRASHED

        running = [self.threads.submit(run, *each) for each in zip(connections, deeds, strict=True)]
        barrier.wait()
        if victim is not None:
            self.owner.execute("select pg_terminate_backend(%s)", (connections[victim].info.backend_pid,))
        outcomes = [each.result(LONGEST_WAIT) for each in running]
        if victim is not None:
            connections[victim].close()
        return outcomes

    def die(self, deed: Deed, waiting: Deed, *, by_rollback: bool) -> str:
        """Do a deed in a transaction that never commits; meanwhile another one may have to wait for its locks.

        Returns the outcome of the other one.
        """
        doomed = connect(self.url, "service_role")
        with suppress(psycopg.OperationalError), doomed.transaction(force_rollback=True):
            with suppress(psycopg.Error):  # a refusal dies with its transaction all the same
                call(doomed, deed.function, **deed.arguments)
            other = self._start(waiting)
            if not by_rollback:
                self.owner.execute("select pg_terminate_backend(%s)", (doomed.info.backend_pid,))
        doomed.close()
        return waiting.outcome(other.result(LONGEST_WAIT))

    def _start(self, deed: Deed) -> "Future[Any]":
        """Begin it in the background, and give it the time to end or to meet a lock."""
        connection = self.take(1)[0]
        other = self.threads.submit(_result, connection, deed)
        query = "select wait_event_type = 'Lock' as blocked from pg_stat_activity where pid = %s"
        deadline = time.monotonic() + LONGEST_WAIT
        while not other.done():
            row = self.owner.execute(query, (connection.info.backend_pid,)).fetchone()
            if row and row["blocked"]:
                break
            if time.monotonic() > deadline:
                raise TimeoutError(f"{deed.name} neither ends nor waits")
        return other


def _result(connection: Connection, deed: Deed) -> Any:
    """What the function returns, or the refusal that it ends in; any other error is one."""
    try:
        return call(connection, deed.function, **deed.arguments)
    except psycopg.Error as error:
        if not (error.sqlstate or "").startswith("PT"):
            raise
        return error
