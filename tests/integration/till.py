"""A till for tests: the webhook endpoint, a simulated Stripe of its own, and somebody who buys."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import psycopg
import pytest
import stripe
import uvicorn
from psycopg.rows import dict_row
from starlette.applications import Starlette
from starlette.routing import Route

from core import (
    database,
    offers,
    packs,
    payments,
    settings,
    stripe_api,
)
from core.models import Budget, Person
from core.stripe_webhook import stripe_webhook
from local.ports import HOST, free_port
from tests.conftest import SupabaseStack
from tests.integration.conftest import Somebody
from tests.integration.stripe_stack import KEY, SECRETS, Launcher, StripeSimulator, wait_for

SUCCESS = "http://127.0.0.1:9/credits?paid={CHECKOUT_SESSION_ID}"
CANCEL = "http://127.0.0.1:9/credits"


@pytest.fixture(name="endpoint", scope="module")
def endpoint_fixture() -> Iterator[str]:
    """The webhook endpoint, served; its address."""
    app = Starlette(routes=[Route("/webhooks/stripe", stripe_webhook, methods=["POST"])])
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host=HOST, port=port, log_level="error", lifespan="off"))
    thread = Thread(target=server.run)
    thread.start()
    wait_for(lambda: server.started, "the endpoint")
    yield f"http://{HOST}:{port}/webhooks/stripe"
    server.should_exit = True
    thread.join()


@pytest.fixture(name="shared_sim", scope="module")
def shared_sim_fixture(tmp_path_factory: pytest.TempPathFactory, endpoint: str) -> Iterator[StripeSimulator]:
    folder = tmp_path_factory.mktemp("stripe")
    with httpx.Client(timeout=10) as http:
        launched = Launcher(folder / "data", folder / "stripe.log", http)
        yield launched.start(endpoint)
        launched.stop()


def forget_everything() -> None:
    """The settings, and the connections that were made with them."""
    if database.get_database.made:
        database.get_database().http.close()
    stripe_api.connection_pool().close()
    for made in (settings.get_settings, database.get_database, stripe_api.get_client, stripe_api.connection_pool):
        made.cache_clear()
    packs.forget()
    offers.forget()


@pytest.fixture(name="configure")
def configure_fixture(
    monkeypatch: pytest.MonkeyPatch, shared_sim: StripeSimulator, supabase_stack: SupabaseStack, tmp_path: Path
) -> Iterator[Callable[..., None]]:
    """Makes the settings those of this stack; called again with others, on top."""
    monkeypatch.setattr(settings, "ENV_FILE", tmp_path / "none")
    for name in settings.ENVIRONMENT_NAMES:
        monkeypatch.setenv(name, "")

    def apply(**more: str) -> None:
        for name, value in more.items():
            monkeypatch.setenv(name, value)
        forget_everything()
        database.get_database()  # made before two threads could make it at once

    # The later of two secrets is the one that the simulator's first signature is made with.
    apply(
        SUPABASE_URL=supabase_stack.url,
        SUPABASE_PUBLISHABLE_KEY=supabase_stack.publishable_key,
        SUPABASE_SECRET_KEY=supabase_stack.secret_key,
        STRIPE_API_URL=shared_sim.url,
        STRIPE_SECRET_KEY=KEY,
        STRIPE_WEBHOOK_SECRET=f"whsec_of_another_endpoint,{SECRETS[0]}",
        STRIPE_PRICE_CREDITS_100="price_credits_100",
        STRIPE_PRICE_CREDITS_500="price_credits_500",
        STRIPE_PRICE_CREDITS_1000="price_credits_1000",
    )
    yield apply
    forget_everything()


@dataclass
class Till:
    """Everything a test needs to buy something and to see what came of it."""

    sim: StripeSimulator
    endpoint: str
    http: httpx.Client
    rows: psycopg.Connection[dict[str, Any]]

    def start(self, person: Person, pack: str = "credits_500", **more: Any) -> str:
        """Begin to buy; returns the session."""
        url = payments.start_checkout(person, pack, success_url=SUCCESS, cancel_url=CANCEL, **more)
        assert url.startswith(f"{self.sim.url}/c/pay/")
        return url.rpartition("/")[2]

    def buy(self, person: Person, pack: str = "credits_500") -> str:
        """Buy, and wait until the webhook has done its work; returns the session."""
        session = self.start(person, pack)
        self.sim.pay(session)
        self.told("checkout.session.completed", session)
        return session

    def told(self, event_type: str, about: str) -> None:
        assert self.sim.settled(event_type, about)["state"] == "delivered"

    def payment_of(self, session: str) -> str:
        return str(self.sim.client.v1.checkout.sessions.retrieve(session).payment_intent)

    def all(self, query: str, *values: Any) -> list[dict[str, Any]]:
        return self.rows.execute(query.encode(), values).fetchall()

    def account(self, person: Person) -> tuple[int, int, int]:
        """Available, frozen, owed."""
        found = self.all("select * from credit_accounts where user_id = %s", person.user_id)[0]
        return found["available"], found["frozen"], found["owed"]

    def moves(self, person: Person) -> list[tuple[str, int]]:
        found = self.all("select kind, amount from credit_entries where user_id = %s order by id", person.user_id)
        return [(row["kind"], row["amount"]) for row in found]

    def inbox(self) -> list[dict[str, Any]]:
        return self.all("select * from webhook_events where provider = 'stripe' order by id")

    def post(self, body: bytes, header: str | None) -> int:
        headers = {"Stripe-Signature": header} if header is not None else {}
        return self.http.post(self.endpoint, content=body, headers=headers).status_code

    def post_signed(self, event: dict[str, Any], *, secret: str = SECRETS[0], age: int = 0) -> int:
        body = json.dumps(event)
        header = stripe.WebhookSignature.generate_signature_header(body, secret, int(time.time()) - age)
        return self.post(body.encode(), header)


@pytest.fixture(name="till")
def till_fixture(
    configure: Callable[..., None],  # noqa: ARG001
    shared_sim: StripeSimulator,
    endpoint: str,
    http: httpx.Client,
    supabase_stack: SupabaseStack,
) -> Iterator[Till]:
    shared_sim.reset()
    with psycopg.connect(supabase_stack.database_url, autocommit=True, row_factory=dict_row) as rows:
        yield Till(shared_sim, endpoint, http, rows)
        shared_sim.reset()  # so that no event comes when the settings are gone
        assert rows.execute("select * from private.audit_payments()").fetchall() == []


@pytest.fixture(name="buyer")
def buyer_fixture(till: Till, new_person: Callable[[], Somebody]) -> Callable[..., Person]:
    """Signs up somebody who may buy; `role="admin"` makes an admin."""

    def create(role: str = "user") -> Person:
        somebody = new_person()
        till.rows.execute(
            "update profiles set is_approved = true, approved_at = now(), role = %s where user_id = %s",
            (role, somebody.user_id),
        )
        return Person(
            user_id=somebody.user_id,
            email=somebody.email,
            full_name="Some Body",
            role="admin" if role == "admin" else "user",
            is_approved=True,
            is_unmetered=False,
            is_active=True,
            available=0,
            held=0,
            open_jobs=0,
            budget=Budget(spent=Decimal(0)),
            people_waiting=0,
            fal_lock_reason=None,
            access_token=somebody.access_token,
        )

    return create
