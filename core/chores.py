"""What a worker does from time to time beside its jobs: alerts, balance, confirmed costs, drift, prices, the audit.

A lease in the database sees to it that any number of workers do each chore once. How a chore went is kept: an error, in
plain words, is tried again after a while that doubles, and stops nothing else.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core import alerts, billing, prices
from core.admin import audits, system
from core.database import get_database
from core.errors import AtelierError, DatabaseError, FalError
from core.fal_account import ADMIN_KEY, in_plain_words
from core.log import get_logger, log_context
from core.models import Person
from core.open_purchases import reconcile_open_purchases
from core.rows import moment, when
from core.settings import get_settings

log = get_logger(__name__)

TICK_SECONDS = 5.0
LEASE_SECONDS = 120  # a chore that takes longer may be done twice, which changes nothing
FIRST_WAIT = 60  # seconds after a failure; doubled with every one, an hour at most
LONGEST_WAIT = 3600
DAYS_AT_ONCE = 31  # to add up under one lock


@dataclass(frozen=True, slots=True)
class Chore:
    """`run` gets the worker's name and returns what it found, as JSON. `key_name`: the setting it asks fal.ai with."""

    name: str
    label: str
    every: int  # seconds
    run: Callable[[str], dict[str, Any]]
    key_name: str = ""


@dataclass(frozen=True, slots=True)
class ChoreState:
    """How a chore is doing. `last_error` is None once it went well again; `failures` counts them in a row."""

    name: str
    label: str
    every: int
    due_at: datetime
    last_ok_at: datetime | None
    last_error: str | None
    last_error_at: datetime | None
    failures: int
    facts: dict[str, Any]


def _sync_prices(_worker: str) -> dict[str, Any]:
    found = prices.sync()
    return {"changed": list(found.changed), "same": found.same, "problems": list(found.problems)}


def _learn(_worker: str) -> dict[str, Any]:
    return {"learnt": get_database().call("learn_from_history")}


def _close_days(_worker: str) -> dict[str, Any]:
    closed = last = get_database().call("close_days", p_most=DAYS_AT_ONCE)
    while last == DAYS_AT_ONCE:  # fewer were all, or some that had just been opened again: those are for the next time
        last = get_database().call("close_days", p_most=DAYS_AT_ONCE)
        closed += last
    return {"closed": closed}


def _purchases(_worker: str) -> dict[str, Any]:
    return {"looked_at": reconcile_open_purchases()}


CHORES: tuple[Chore, ...] = (
    Chore("alerts", "Alerts", 15, alerts.raise_and_deliver),
    Chore("balance", "Balance at fal.ai", 60, lambda _: billing.read_balance(), ADMIN_KEY),
    Chore("billing", "Confirmed costs", 60, lambda _: billing.confirm_costs(), ADMIN_KEY),
    Chore("usage", "Drift against fal.ai", 900, lambda _: billing.read_usage(), ADMIN_KEY),
    Chore("prices", "Prices of fal.ai", 86400, _sync_prices, "FAL_KEY"),
    Chore("learning", "Usual times and sizes", 3600, _learn),
    Chore("days", "Adding up the days", 3600, _close_days),
    Chore("purchases", "Open purchases", 60, _purchases, "STRIPE_SECRET_KEY"),
    Chore("audit", "Audit of the books", 3600, audits.run_as_worker),
    Chore("house", "Clearing up", 3600, system.keep_house),
)


def enabled() -> dict[str, Chore]:
    """The chores of this configuration: those that need a key that is not set are left out."""
    settings = get_settings()
    keys = {
        "": True,
        ADMIN_KEY: bool(settings.fal_admin_key),
        "FAL_KEY": bool(settings.fal_key),
        "STRIPE_SECRET_KEY": bool(settings.stripe_secret_key),
    }
    return {chore.name: chore for chore in CHORES if keys[chore.key_name]}


def states(person: Person) -> tuple[ChoreState, ...]:
    """How the enabled chores are doing, those that no worker has begun left out. Raises NotAllowed."""
    rows = {row["name"]: row for row in get_database().call("chore_states", p_actor=person.user_id)}
    return tuple(_state(chore, rows[name]) for name, chore in enabled().items() if name in rows)


def hurry(person: Person, name: str) -> bool:
    """Have a chore done at the next tick of a worker. False when no worker has ever run. Raises NotAllowed."""
    return bool(get_database().call("hurry_chore", p_actor=person.user_id, p_name=name))


class Chores:
    """A thread that does what is due, beside the worker's own loop. A slow chore keeps no other one waiting."""

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chores", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        self._stopping.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        running: dict[str, Future[None]] = {}
        with ThreadPoolExecutor(len(CHORES), thread_name_prefix="chore") as pool:
            while not self._stopping.is_set():
                running = {name: future for name, future in running.items() if not future.done()}
                try:
                    for row in _claim(self._worker, [name for name in enabled() if name not in running]):
                        running[row["name"]] = pool.submit(_do, self._worker, row)
                except AtelierError as error:
                    log.warning("chores_wait", error=error.sentence, detail=error.detail)
                except Exception:  # a thread that ends would silence every alert
                    log.exception("chores_stumbled")
                self._stopping.wait(TICK_SECONDS)


def _claim(worker: str, names: list[str]) -> list[dict[str, Any]]:
    claimed: list[dict[str, Any]] = get_database().call(
        "claim_chores", p_worker=worker, p_names=names, p_lease_seconds=LEASE_SECONDS
    )
    return claimed


def _do(worker: str, row: dict[str, Any]) -> None:
    """One claimed chore, and the record of how it went. Raises nothing: without a record the lease runs out."""
    chore = enabled()[row["name"]]
    with log_context(chore=chore.name):
        try:
            facts, problem = chore.run(worker), None
        except DatabaseError as error:
            log.warning("chore_failed", error=error.sentence, detail=error.detail)
            facts, problem = {}, error.sentence
        except FalError as error:
            problem = in_plain_words(error, chore.key_name or ADMIN_KEY)
            log.warning("chore_failed", error=problem, status=error.status)
            facts = {}
        except Exception as error:
            log.exception("chore_failed")
            facts, problem = {}, f"Something unexpected went wrong ({type(error).__name__}); the log says what."
        again = chore.every if problem is None else wait_after(row["failures"] + 1)
        try:
            get_database().call(
                "finish_chore",
                p_worker=worker,
                p_name=chore.name,
                p_next_seconds=again,
                p_error=problem,
                p_facts=facts,
            )
        except AtelierError as error:
            log.warning("chore_not_recorded", error=error.sentence, detail=error.detail)


def wait_after(failures: int) -> int:
    """Seconds until the next try after so many failures in a row."""
    return int(min(FIRST_WAIT * 2 ** (failures - 1), LONGEST_WAIT)) if failures < 10 else LONGEST_WAIT


def _state(chore: Chore, row: dict[str, Any]) -> ChoreState:
    return ChoreState(
        name=chore.name,
        label=chore.label,
        every=chore.every,
        due_at=moment(row["due_at"]),
        last_ok_at=when(row["last_ok_at"]),
        last_error=row["last_error"],
        last_error_at=when(row["last_error_at"]),
        failures=row["failures"],
        facts=row["facts"],
    )
