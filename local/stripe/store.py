"""SQLite behind the simulator: every object, every event and what is still to be delivered survive a restart."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import store_file

Thing = dict[str, Any]  # an object of Stripe's API; keys that begin with "_" are ours and never shown

_SCHEMA = """
create table if not exists things (
    number integer primary key autoincrement, object text, id text, data text, unique (object, id)
);
create table if not exists deliveries (
    event_id text primary key, number integer, due_at real, attempts integer default 0,
    status integer, delivered_at real, gave_up integer default 0
);
create table if not exists answers (
    key text primary key, request text, status integer, body text, request_id text, at real
);
create table if not exists settings (name text primary key, value text);
"""


@dataclass(frozen=True)
class Delivery:
    """An event on its way. `status` is the HTTP status of the last try, None when there was no answer."""

    event_id: str
    number: int
    due_at: float
    attempts: int
    status: int | None
    delivered_at: float | None
    gave_up: int  # 1 when nobody tries any more


@dataclass(frozen=True)
class Answer:
    """What an idempotency key was answered the first time. `request` is method, path and parameters."""

    request: str
    status: int
    body: str
    request_id: str


class Store:
    """One connection, used from the event loop only."""

    def __init__(self, path: Path) -> None:
        self._connection = store_file.opened(path, _SCHEMA)

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or nothing; inside another one it is part of that."""
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("begin")
        try:
            yield
        except BaseException:
            self._connection.execute("rollback")
            raise
        self._connection.execute("commit")

    # Things

    def save(self, thing: Thing) -> Thing:
        self._connection.execute(
            "insert into things (object, id, data) values (?, ?, ?)"
            " on conflict (object, id) do update set data = excluded.data",
            (thing["object"], thing["id"], json.dumps(thing)),
        )
        return thing

    def find(self, kind: str, thing_id: str) -> Thing | None:
        row = self._connection.execute(
            "select data from things where object = ? and id = ?", (kind, thing_id)
        ).fetchone()
        return None if row is None else dict(json.loads(row[0]))

    def all(self, kind: str, limit: int = -1, **equal: Any) -> list[Thing]:
        """Things of a kind, newest first; `equal` are fields that must have these values."""
        where = "".join(f" and json_extract(data, '$.{name}') = ?" for name in equal)
        rows = self._connection.execute(
            f"select data from things where object = ?{where} order by number desc limit ?",
            (kind, *equal.values(), limit),
        )
        return [json.loads(data) for (data,) in rows.fetchall()]

    # Deliveries

    def owe(self, event_id: str, due_at: float) -> None:
        """An event is to be delivered, also one that was before."""
        self._connection.execute(
            "insert into deliveries (event_id, number, due_at) values (?, (select number from things where id = ?), ?)"
            " on conflict (event_id) do update"
            " set due_at = excluded.due_at, delivered_at = null, gave_up = 0, attempts = 0",
            (event_id, event_id, due_at),
        )

    def due(self, now: float) -> list[Delivery]:
        """What is to be sent now, oldest event first."""
        return self._deliveries("where delivered_at is null and not gave_up and due_at <= ? order by number", now)

    def deliveries(self) -> dict[str, Delivery]:
        return {delivery.event_id: delivery for delivery in self._deliveries("order by number")}

    def _deliveries(self, rest: str, *values: float) -> list[Delivery]:
        columns = "event_id, number, due_at, attempts, status, delivered_at, gave_up"
        rows = self._connection.execute(f"select {columns} from deliveries {rest}", values).fetchall()
        return [Delivery(*row) for row in rows]

    def record_try(self, event_id: str, status: int | None, now: float, next_at: float | None) -> None:
        """One try is over: delivered on 2xx, else due again at `next_at`, or given up."""
        done = status is not None and 200 <= status < 300
        self._connection.execute(
            "update deliveries set attempts = attempts + 1, status = ?, delivered_at = ?, gave_up = ?,"
            " due_at = coalesce(?, due_at) where event_id = ?",
            (status, now if done else None, not done and next_at is None, next_at, event_id),
        )

    # Idempotency

    def answered(self, key: str) -> Answer | None:
        row = self._connection.execute(
            "select request, status, body, request_id from answers where key = ?", (key,)
        ).fetchone()
        return None if row is None else Answer(*row)

    def remember(self, key: str, answer: Answer, now: float) -> None:
        self._connection.execute("delete from answers where at < ?", (now - 24 * 3600,))
        self._connection.execute(
            "insert or replace into answers values (?, ?, ?, ?, ?, ?)",
            (key, answer.request, answer.status, answer.body, answer.request_id, now),
        )

    # Settings

    def setting(self, name: str) -> str | None:
        row = self._connection.execute("select value from settings where name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_setting(self, name: str, value: str) -> None:
        self._connection.execute("insert or replace into settings values (?, ?)", (name, value))
