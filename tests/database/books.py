"""Making people, jobs and what fal.ai says about them, through the functions that the product itself calls.

Every test takes the fixture `books`: a database of its own, whose books must be in balance at the end.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.database.connections import (
    Connection,
    Refusal,
    Row,
    as_person,
    become,
    call,
    code_of,
    connect,
    refused,
    rules,
)
from tests.database.looking import Looking
from tests.database.verdicts import ACCOUNT, QUEUE_URL, cancelled, completed, event, failed, request_of

# One place to import from, for the tests.
__all__ = [
    "ACCOUNT",
    "QUEUE_URL",
    "SCHNELL",
    "VEO",
    "Books",
    "Connection",
    "Refusal",
    "Row",
    "acceptance",
    "as_person",
    "become",
    "books_fixture",
    "broken_books_fixture",
    "call",
    "cancelled",
    "code_of",
    "completed",
    "connect",
    "creation",
    "event",
    "failed",
    "opened",
    "refused",
    "request_of",
    "rules",
    "shared_books_fixture",
]

SCHNELL = "image_flux_schnell"  # 1 credit a batch
VEO = "video_veo31_fast"  # 2 credits a second
LONGEST_WAIT = 60.0  # seconds until a test that waits for a lock to be met gives up


@dataclass(repr=False)
class Books(Looking):
    """One database. `service` is what the product is, `owner` (the superuser) looks, and breaks things on purpose."""

    threads: ThreadPoolExecutor

    def call(self, function: str, **arguments: Any) -> Any:
        """Call a function as the product does: as the service role, in a transaction of its own."""
        return call(self.service, function, **arguments)

    # People

    def sign_up(self, *, email: str | None = None, confirmed: bool = True, full_name: str = "Somebody") -> UUID:
        """A person as Supabase makes them: one row in auth.users, the rest is ours."""
        user = uuid4()
        self.owner.execute(
            "insert into auth.users (id, email, email_confirmed_at, raw_user_meta_data)"
            " values (%s, %s, case when %s then now() end, %s)",
            (user, email or f"{user}@example.com", confirmed, Jsonb({"full_name": full_name})),
        )
        return user

    @cached_property
    def admin(self) -> UUID:
        """The first admin, named by the configuration."""
        user = self.sign_up(email="admin@example.com", full_name="The Admin")
        self.open_session(user, is_admin_email=True)
        return user

    def person(self, credits: int = 100, *, unmetered: bool = False, cap: str | None = None) -> UUID:
        """An approved person with this many credits."""
        user = self.sign_up()
        self.call("approve_person", p_actor=self.admin, p_user=user, p_welcome_credits=credits)
        if unmetered or cap:
            self.owner.execute(
                "update public.profiles set is_unmetered = %s, monthly_cap_usd = %s where user_id = %s",
                (unmetered, cap, user),
            )
        return user

    def open_session(self, user: UUID, *, is_admin_email: bool = False, **more: Any) -> str:
        """Sign a person in; returns the hash of the cookie."""
        cookie = uuid4().hex * 2
        arguments: Row = {
            "p_cookie_hash": cookie,
            "p_user": user,
            "p_sealed_tokens": "sealed",
            "p_token_seconds": 3600,
            "p_idle_seconds": 7200,
            "p_absolute_seconds": 86400,
            "p_user_agent": "A browser",
            "p_address": "192.0.2.1",
            "p_is_admin_email": is_admin_email,
            "p_welcome_credits": 0,
        }
        arguments |= more
        self.call("open_session", **arguments)
        return str(arguments["p_cookie_hash"])

    # Jobs

    def create(self, user: UUID, job: UUID | None = None, **more: Any) -> UUID:
        """A pending job of one batch for one credit, unless told otherwise; returns its id."""
        created: Row = self.call("create_job", **creation(user, job, **more))
        return UUID(created["id"])

    def begin(self, job: UUID) -> Row | None:
        right: Row | None = self.call("begin_submit", p_job=job, p_start_seconds=1800)
        return right

    def accept(self, job: UUID, **more: Any) -> Row:
        """fal.ai has accepted the job."""
        row: Row = self.call("record_submitted", **(acceptance(job) | more))
        return row

    def submitted(self, user: UUID, **more: Any) -> UUID:
        """A job that fal.ai has."""
        job = self.create(user, **more)
        assert self.begin(job)
        self.accept(job)
        return job

    def unclear(self, user: UUID, **more: Any) -> UUID:
        """A job that fal.ai may or may not have."""
        job = self.create(user, **more)
        assert self.begin(job)
        self.call("record_unclear", p_job=job, p_message="No clear answer.", p_check_seconds=15)
        return job

    def settle(self, job: UUID, verdict: Row, source: str = "poll") -> Row:
        outcome: Row = self.call("settle_job", p_job=job, p_verdict=verdict, p_source=source)
        return outcome

    def give_up(self, job: UUID) -> Row:
        """Close a job whose submit was never confirmed."""
        return self.settle(job, failed("submit_unconfirmed"), "worker")

    def deliver(self, *events: Row, max_attempts: int = 10) -> Any:
        """Webhooks in one call: {event_key: result}, or the bare result of a single one."""
        results = self.call("receive_fal_events", p_events=list(events), p_max_attempts=max_attempts)
        return results[events[0]["event_key"]] if len(events) == 1 else results

    def cost(self, job: UUID, usd: str, source: str = "metered", units: str | None = None) -> Row:
        row: Row = self.call(
            "record_cost", p_job=job, p_usd=Decimal(usd), p_units=Decimal(units) if units else None, p_source=source
        )
        return row

    # Several at once

    def race(self, *calls: tuple[str, Row]) -> list[Any]:
        """All calls at the same moment, each on a connection of its own. Their results in order; a refusal by a rule
        is the exception itself, any other error ends the test."""
        barrier = Barrier(len(calls), timeout=LONGEST_WAIT)

        def run(function: str, arguments: Row) -> Any:
            with connect(self.url, "service_role") as connection:
                barrier.wait()
                try:
                    return call(connection, function, **arguments)
                except psycopg.Error as error:
                    if not (error.sqlstate or "").startswith("PT"):
                        raise
                    return error

        running = [self.threads.submit(run, *each) for each in calls]
        return [each.result() for each in running]

    def start(self, function: str, **arguments: Any) -> "Future[Any]":
        """Call a function in the background, for tests that need it to wait in the middle."""

        def run() -> Any:
            with connect(self.url, "service_role") as connection:
                return call(connection, function, **arguments)

        return self.threads.submit(run)

    @contextmanager
    def holding(self, query: str, *values: Any) -> Iterator[None]:
        """Hold the locks that a query takes until the block ends."""
        with psycopg.connect(self.url) as connection:
            connection.execute(query.encode(), values)
            yield

    def blocked(self) -> int:
        """How many calls wait for a lock now."""
        count: int = self.value(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        )
        return count

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Return when the condition holds. Raises TimeoutError."""
        deadline = time.monotonic() + LONGEST_WAIT
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError("What the test waits for does not happen.")
            time.sleep(0.002)

    def wait_until_blocked(self, count: int) -> None:
        """Return when this many calls of `start` wait for a lock."""
        self.wait_until(lambda: self.blocked() >= count)


def creation(user: UUID, job: UUID | None = None, **more: Any) -> Row:
    """The arguments of `create_job`."""
    return {
        "p_job": job or uuid4(),
        "p_user": user,
        "p_generation_type": SCHNELL,
        "p_input_params": {"prompt": "A hill"},
        "p_prompt": "A hill",
        "p_quantity": 1,
        "p_expected_credits": None,
        "p_units": Decimal(1),
        "p_unit_price_usd": Decimal("0.003"),
        "p_longest_seconds": 600,
    } | {f"p_{name}": value for name, value in more.items()}


def acceptance(job: UUID) -> Row:
    """The arguments of `record_submitted`."""
    base = f"{QUEUE_URL}/fal-ai/flux/requests/{request_of(job)}"
    return {
        "p_job": job,
        "p_request_id": request_of(job),
        "p_status_url": f"{base}/status",
        "p_response_url": base,
        "p_cancel_url": f"{base}/cancel",
        "p_queue_position": 3,
        "p_check_seconds": 10,
    }


@contextmanager
def opened(url: str) -> Iterator[Books]:
    with connect(url) as owner, connect(url, "service_role") as service, ThreadPoolExecutor(16) as threads:
        yield Books(url, owner, service, threads)


@pytest.fixture(name="books")
def books_fixture(database_url: str) -> Iterator[Books]:
    """Books in a database of their own; whatever the test did to them, they are in balance when it ends."""
    with opened(database_url) as books:
        yield books
        assert books.audit() == []


@pytest.fixture(name="shared_books", scope="module")
def shared_books_fixture(shared_database_url: str) -> Iterator[Books]:
    """Books that the tests of one file share: for what is refused, and so leaves nothing behind."""
    with opened(shared_database_url) as books:
        yield books
        assert books.audit() == []


@pytest.fixture(name="broken_books")
def broken_books_fixture(database_url: str) -> Iterator[Books]:
    """Books that the test breaks on purpose: triggers and foreign keys are off on the owner's connection."""
    with opened(database_url) as books:
        yield books
