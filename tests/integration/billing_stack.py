"""A Supabase and a simulated fal.ai for the tests of the money alone, since balances, alerts and chores are the team's.

`studio` makes the product's own modules speak to them; `Receiver` stands where alerts are posted.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import UUID

import httpx
import pytest

from core import alerts, offers
from core.database import get_database
from core.fal_account import get_account
from core.models import Budget, Person
from core.settings import ENVIRONMENT_NAMES, get_settings
from local import supabase
from local.environment import fal_settings, supabase_settings
from local.ports import HOST, free_port
from local.secrets import Secrets
from tests.conftest import Serve
from tests.database.books import Books, completed, creation, opened

ENDPOINT = "fal-ai/flux/schnell"
PATIENCE = 20.0  # seconds


@dataclass(frozen=True)
class BillingStack:
    environment: dict[str, str]
    fal_url: str
    database_url: str


@pytest.fixture(scope="module")
def billing_stack(
    stack_directory: Path, secrets: Secrets, serve: Serve, new_database: Callable[[], str]
) -> Iterator[BillingStack]:
    port = free_port()
    fal_url = f"http://{HOST}:{port}"
    keys = ["--key", secrets.fal_key, "--admin-key", secrets.fal_admin_key]
    data = stack_directory / f"fal-{port}"
    serve("billing-fal", ["local.fal", "--port", str(port), "--data", str(data), *keys], {}, f"{fal_url}/v1/meta")
    server = supabase.Lite(
        directory=stack_directory / f"supabase-{port}",
        port=free_port(),
        database_url=new_database(),
        keys=supabase.Keys(secrets.publishable_key, secrets.secret_key, secrets.jwt_secret),
        log=stack_directory / f"supabase-{port}.log",
    )
    try:
        server.start()
        environment = dict.fromkeys(ENVIRONMENT_NAMES, "")
        environment |= supabase_settings(server.url, secrets) | fal_settings(port, secrets)
        yield BillingStack(environment, fal_url, server.database_url)
    finally:
        server.stop()


@dataclass
class Studio:
    """The product on this stack; `books` looks into its database, `fal` speaks to the simulator as a test may."""

    stack: BillingStack
    books: Books
    fal: httpx.Client
    monkeypatch: pytest.MonkeyPatch

    def configure(self, **settings: str) -> None:
        """Other settings from here on, in the product's own names."""
        for name, value in settings.items():
            self.monkeypatch.setenv(name, value)
        forget()
        # Made here, for threads that come at once would each make one, and close none.
        for cached in (get_database, get_account, alerts.http_client):
            cached()

    def control(self, action: str, **wanted: Any) -> Any:
        answer = self.fal.post(f"/_sim/{action}", json=wanted)
        assert answer.is_success, answer.text
        return answer.json()

    def as_person(self, user: UUID) -> Person:
        row = self.books.one("select * from profiles where user_id = %s", user)
        names = ("email", "full_name", "role", "is_approved", "is_unmetered", "is_active")
        return Person(
            user_id=user,
            available=0,
            held=0,
            open_jobs=0,
            budget=Budget(Decimal(0)),
            people_waiting=0,
            fal_lock_reason=None,
            access_token="unused",
            **{name: row[name] for name in names},
        )

    def run_at_fal(self, user: UUID, **more: Any) -> UUID:
        """A job that fal.ai has really run and billed, at $0.003 a megapixel; its end is known, its cost estimated."""
        job = self.books.create(user, **creation_like(more))
        assert self.books.begin(job)
        key = {"Authorization": f"Key {self.stack.environment['FAL_KEY']}"}
        sent = self.fal.post(f"/{ENDPOINT}", json={"prompt": "A hill", "num_images": 2}, headers=key).json()
        self.books.accept(job, p_request_id=sent["request_id"])
        deadline = time.monotonic() + PATIENCE
        while self.fal.get(sent["status_url"], headers=key).json()["status"] != "COMPLETED":
            assert time.monotonic() < deadline, "the simulated fal.ai has not ended a request"
            time.sleep(0.05)
        self.books.settle(job, completed())
        return job

    def due_now(self, *chores: str) -> None:
        """Whatever was done lately is due again: chores, billing events, alerts."""
        self.books.owner.execute("update private.chores set due_at = now() where name = any(%s)", (list(chores),))
        self.books.owner.execute("update generation_jobs set confirm_due_at = now() where confirm_due_at is not null")
        self.books.owner.execute("update private.fal_usage_reads set read_at = now() - interval '1 hour'")
        self.books.owner.execute("update budget_alerts set next_try_at = now() where delivery = 'waiting'")


def creation_like(more: dict[str, Any]) -> dict[str, Any]:
    """Only what `create_job` knows, so that a test cannot ask for what nobody does."""
    assert {f"p_{name}" for name in more} <= set(creation(UUID(int=0)))
    return {"units": Decimal(2), **more}


def forget() -> None:
    """Close what the product keeps for the life of a process, so that it reads its settings anew."""
    if get_database.made:
        get_database().http.close()
    if get_account.made:
        get_account()._http.close()
    if alerts.http_client.cache_info().currsize:
        alerts.http_client().close()
    for cached in (get_settings, get_database, get_account, alerts.http_client):
        cached.cache_clear()
    offers.forget()


@pytest.fixture(name="studio")
def studio_fixture(billing_stack: BillingStack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    """The product configured for the stack, with a fal.ai that has forgotten the test before."""
    with opened(billing_stack.database_url) as books, httpx.Client(base_url=billing_stack.fal_url) as fal:
        made = Studio(billing_stack, books, fal, monkeypatch)
        made.configure(**billing_stack.environment)
        made.control("reset")
        made.control("behaviour", speed=0, tiny_outputs=True)
        if not books.all("select 1 from profiles where email = 'admin@example.com'"):
            _ = books.admin
        else:
            books.__dict__["admin"] = books.value("select user_id from profiles where email = 'admin@example.com'")
        books.call("set_team_balance", p_actor=books.admin, p_amount=None)
        books.owner.execute(
            "update private.chores set due_at = now() + interval '1 day', failures = 0, last_error = null"
        )
        books.owner.execute("update generation_jobs set confirm_due_at = null")
        yield made
        assert books.audit() == []
        assert books.all("select * from private.audit_budget()") == []
        forget()


@dataclass
class Receiver:
    """The address that alerts go to: keeps every message and answers with the given statuses in turn, then 200."""

    url: str
    messages: list[dict[str, Any]]
    statuses: list[int]


@contextmanager
def receiving() -> Iterator[Receiver]:
    messages: list[dict[str, Any]] = []
    statuses: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(statuses.pop(0) if statuses else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield Receiver(f"http://{HOST}:{server.server_port}/services/T000/secret-part", messages, statuses)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
