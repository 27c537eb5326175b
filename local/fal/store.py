"""SQLite behind the simulator: requests, billing events, the account balance and the settings survive a restart."""

import json
from dataclasses import asdict, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

from local import store_file
from local.fal.records import Charge, QueuedRequest

STARTING_BALANCE = Decimal("50.00")

_SCHEMA = """
create table if not exists requests (request_id text primary key, ordinal integer, inputs text, data text);
create table if not exists charges (
    number integer primary key autoincrement, request_id text, endpoint_id text, charged_at real,
    units text, unit_price text, cost_usd text
);
create index if not exists charges_request on charges (request_id);
create table if not exists settings (name text primary key, value text);
"""


class Store:
    """One connection, used from the event loop only; every method is a short transaction."""

    def __init__(self, path: Path) -> None:
        self._connection = store_file.opened(path, _SCHEMA)

    def close(self) -> None:
        self._connection.close()

    # Requests

    def add(self, request: QueuedRequest) -> None:
        self._connection.execute(
            "insert into requests values (?, ?, ?, ?)",
            (request.request_id, request.ordinal, json.dumps(request.inputs), _dump(request)),
        )

    def save(self, request: QueuedRequest) -> None:
        self._connection.execute(
            "update requests set data = ? where request_id = ?", (_dump(request), request.request_id)
        )

    def settle(self, request: QueuedRequest, unit_price: Decimal) -> None:
        """Save a finished request and, when it is billed, charge the account: both or neither."""
        with self._connection:
            self._connection.execute("begin")
            self.save(request)
            if request.cost_usd is None or request.units is None:
                return
            self._connection.execute(
                "insert into charges (request_id, endpoint_id, charged_at, units, unit_price, cost_usd)"
                " values (?, ?, ?, ?, ?, ?)",
                (
                    request.request_id,
                    request.endpoint_id,
                    request.ended_at,
                    request.units,
                    str(unit_price),
                    request.cost_usd,
                ),
            )
            self.set_balance(self.balance() - Decimal(request.cost_usd))

    def load(self) -> list[QueuedRequest]:
        """Every request, in the order of submission."""
        known = {item.name for item in fields(QueuedRequest)}
        rows = self._connection.execute("select inputs, data from requests order by ordinal").fetchall()
        loaded = []
        for inputs, data in rows:
            values = {name: value for name, value in json.loads(data).items() if name in known}
            loaded.append(QueuedRequest(**values, inputs=json.loads(inputs)))
        return loaded

    # Money

    def charges(self, request_ids: list[str] | None = None) -> list[Charge]:
        """Billing events, oldest first; all of them, or those of some requests."""
        statement = "select number, request_id, endpoint_id, charged_at, units, unit_price, cost_usd from charges"
        if request_ids is not None:
            statement += f" where request_id in ({','.join('?' * len(request_ids))})"
        rows = self._connection.execute(statement + " order by number", request_ids or []).fetchall()
        return [
            Charge(number, request_id, endpoint_id, at, Decimal(units), Decimal(price), Decimal(cost))
            for number, request_id, endpoint_id, at, units, price, cost in rows
        ]

    def balance(self) -> Decimal:
        return Decimal(self.setting("balance") or str(STARTING_BALANCE))

    def set_balance(self, amount: Decimal) -> None:
        self.set_setting("balance", str(amount))

    # Settings

    def setting(self, name: str) -> str | None:
        row = self._connection.execute("select value from settings where name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_setting(self, name: str, value: str) -> None:
        self._connection.execute("insert or replace into settings values (?, ?)", (name, value))

    def clear(self) -> None:
        """Forget every request, charge and setting."""
        with self._connection:
            self._connection.execute("begin")
            for table in ("requests", "charges", "settings"):
                self._connection.execute(f"delete from {table}")


def _dump(request: QueuedRequest) -> str:
    values: dict[str, Any] = asdict(request)
    del values["inputs"]  # kept in its own column: it can be large and never changes
    return json.dumps(values)
