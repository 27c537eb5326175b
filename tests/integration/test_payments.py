"""Buying credits through everything that is real but Stripe itself: page functions, the endpoint, the database."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
import stripe
import uvicorn
from psycopg.rows import dict_row
from starlette.applications import Starlette
from starlette.routing import Route

from core import (
    credits,
    database,
    flagged_payments,
    margins,
    offers,
    open_purchases,
    operations,
    packs,
    payments,
    purchases,
    revenue,
    settings,
    stripe_api,
    stripe_setup,
)
from core.errors import (
    DatabaseError,
    InvalidInput,
    NotAllowed,
    NotFound,
    PaymentsRefused,
    PaymentsUnavailable,
    PriceChanged,
    Refused,
)
from core.models import Budget, Person
from core.open_purchases import reconcile_open_purchases
from core.stripe_webhook import stripe_webhook
from local.ports import HOST, free_port
from tests.conftest import SupabaseStack
from tests.integration.conftest import Somebody
from tests.integration.stripe_stack import KEY, SECRETS, Launcher, StripeSimulator, wait_for

SUCCESS = "http://127.0.0.1:9/credits?paid={CHECKOUT_SESSION_ID}"
CANCEL = "http://127.0.0.1:9/credits"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
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


@pytest.fixture(scope="module")
def shared_sim(tmp_path_factory: pytest.TempPathFactory, endpoint: str) -> Iterator[StripeSimulator]:
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


@pytest.fixture
def configure(
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


@pytest.fixture
def till(
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


@pytest.fixture
def buyer(till: Till, new_person: Callable[[], Somebody]) -> Callable[..., Person]:
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


def test_a_pack_is_bought_and_the_webhook_grants_it(till: Till, buyer: Callable[..., Person]) -> None:
    person = buyer()
    session = till.buy(person)
    assert till.account(person) == (500, 0, 0)
    known = purchases.by_session(person, session)
    assert (known.status, known.paid_through, known.euros) == ("paid", "webhook", Decimal(79))
    done = payments.fulfil(person, session)
    assert (done.result, done.is_paid, done.available) == ("already_granted", True, 500)
    assert till.moves(person) == [("purchase", 500)]
    assert [known.id for known in purchases.own(person)] == [known.id]


def test_a_person_reads_their_lines_and_takes_every_entry(
    till: Till, buyer: Callable[..., Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    person = buyer()
    session = till.buy(person, "credits_100")
    refund = till.sim.act("refund", till.payment_of(session), 950)["refunds"][0]
    till.told("refund.created", refund["id"])
    till.buy(buyer())  # somebody else
    (back,), older = credits.lines(person, page_size=1)
    assert (back.kind, back.change, back.balance, older) == ("refund", -50, 50, back.id)
    (bought,), oldest = credits.lines(person, group="purchases", before=older, page_size=1)
    assert (bought.kind, bought.has_receipt, oldest) == ("purchase", True, None)
    assert bought.purchase_id == purchases.by_session(person, session).id
    assert credits.lines(person, group="jobs") == ((), None)
    assert credits.lines(person, since=datetime.now(UTC) + timedelta(minutes=1)) == ((), None)
    for page in (1, 500):
        monkeypatch.setattr(credits, "_FILE_PAGE", page)
        assert [(entry.kind, entry.available_after) for entry in credits.entries(person)] == [
            ("refund", 50),
            ("purchase", 100),
        ]


def test_the_success_page_grants_when_the_webhook_does_not_come(till: Till, buyer: Callable[..., Person]) -> None:
    person = buyer()
    till.sim.behave(lose=True)
    session = till.start(person, "credits_100")
    assert payments.fulfil(person, session).result == "open"
    till.sim.pay(session)
    done = payments.fulfil(person, session)
    assert (done.result, done.available, done.purchase.paid_through) == ("granted", 100, "page")
    lost = till.sim.settled("checkout.session.completed", session)
    till.sim.behave(lose=False)
    till.sim.act("send_again", lost["id"])
    till.told("checkout.session.completed", session)
    assert till.moves(person) == [("purchase", 100)]


def test_webhook_and_success_page_at_once_grant_once(till: Till, buyer: Callable[..., Person]) -> None:
    person = buyer()
    till.sim.behave(repeat=3, reorder=True)
    session = till.start(person)
    till.sim.pay(session)
    with ThreadPoolExecutor(6) as threads:
        done = list(threads.map(lambda _: payments.fulfil(person, session), range(6)))
    till.told("checkout.session.completed", session)
    assert {each.available for each in done} == {500}
    assert till.moves(person) == [("purchase", 500)]


def test_the_same_order_is_the_same_pay_page(till: Till, buyer: Callable[..., Person]) -> None:
    person, order = buyer(), uuid4()
    session = till.start(person, order_id=order)
    assert till.start(person, order_id=order) == session
    with pytest.raises(NotFound):
        till.start(buyer(), order_id=order)
    till.sim.pay(session, "later")
    payments.fulfil(person, session)
    refusals = [refusal(till, person, order)]
    till.sim.act("arrive", till.payment_of(session))
    payments.fulfil(person, session)
    assert [*refusals, refusal(till, person, order)] == ["ORDER_PROCESSING", "ALREADY_PAID"]


def refusal(till: Till, person: Person, order: UUID) -> str:
    """Why an order cannot be gone on with."""
    with pytest.raises(Refused) as refused:
        till.start(person, order_id=order)
    return refused.value.code


def test_an_old_order_is_not_gone_on_with(till: Till, buyer: Callable[..., Person]) -> None:
    person, order, unsent = buyer(), uuid4(), uuid4()
    till.start(person, order_id=order)
    database.get_database().call("start_purchase", p_order=unsent, p_user=person.user_id, p_pack="credits_100")
    till.rows.execute(
        "update credit_purchases set created_at = created_at - interval '100 minutes' where user_id = %s",
        (person.user_id,),
    )
    assert refusal(till, person, unsent) == "ORDER_CLOSED"  # no page could be open for half an hour
    till.rows.execute(
        "update credit_purchases set created_at = created_at - interval '20 minutes' where user_id = %s",
        (person.user_id,),
    )
    assert refusal(till, person, order) == "ORDER_CLOSED"


def test_an_order_is_refused_before_stripe_is_asked(till: Till, buyer: Callable[..., Person]) -> None:
    person = buyer()
    with pytest.raises(PriceChanged, match="€79"):
        till.start(person, expected_cents=7800)
    till.rows.execute("update profiles set is_approved = false where user_id = %s", (person.user_id,))
    with pytest.raises(NotAllowed):
        till.start(person)
    assert purchases.every(person) == ((), None)


def test_an_abandoned_checkout_changes_nothing(till: Till, buyer: Callable[..., Person]) -> None:
    person = buyer()
    session = till.start(person)
    till.sim.pay(session, "decline")
    assert payments.fulfil(person, session).result == "open"
    till.sim.act("expire", session)
    till.told("checkout.session.expired", session)
    assert purchases.by_session(person, session).status == "expired"
    assert (till.moves(person), purchases.own(person)) == ([], ())


def test_another_persons_session_is_refused(till: Till, buyer: Callable[..., Person]) -> None:
    person, stranger = buyer(), buyer("admin")
    session = till.start(person)
    till.sim.behave(lose=True)
    till.sim.pay(session)
    for wrong in (session, "cs_test_unknown", "cs_test/../../x", ""):
        with pytest.raises(NotFound):
            payments.fulfil(stranger, wrong)
    with pytest.raises(NotFound):
        payments.look_up(session, source="page", user_id=stranger.user_id)
    assert (till.moves(person), till.moves(stranger)) == ([], [])
    assert payments.fulfil(person, session).result == "granted"


@pytest.mark.parametrize(
    ("button", "ending", "result", "status", "moves"),
    [
        ("later", "async_payment_succeeded", "already_granted", "paid", [("purchase", 500)]),
        ("later-fails", "async_payment_failed", "payment_failed", "failed", []),
    ],
)
def test_a_delayed_payment(
    till: Till,
    buyer: Callable[..., Person],
    button: str,
    ending: str,
    result: str,
    status: str,
    moves: list[tuple[str, int]],
) -> None:
    person = buyer()
    session = till.start(person)
    till.sim.pay(session, button)
    assert payments.fulfil(person, session).result == "processing"
    assert till.moves(person) == []
    till.sim.act("arrive" if button == "later" else "bounce", till.payment_of(session))
    till.told(f"checkout.session.{ending}", session)
    assert purchases.by_session(person, session).status == status
    assert till.moves(person) == moves
    assert payments.fulfil(person, session).result == result


def test_refunds_take_back_in_proportion(till: Till, buyer: Callable[..., Person]) -> None:
    person = buyer()
    session = till.buy(person, "credits_100")
    payment = till.payment_of(session)
    refund = till.sim.act("refund", payment, 950)["refunds"][0]
    till.told("refund.created", refund["id"])
    assert till.account(person) == (50, 0, 0)
    till.sim.act("fail_refund", refund["id"])
    till.told("refund.failed", refund["id"])
    assert till.account(person) == (100, 0, 0)
    refund = till.sim.act("refund", payment)["refunds"][0]
    till.told("refund.created", refund["id"])
    assert till.account(person) == (0, 0, 0)
    assert purchases.by_session(person, session).status == "refunded"
    assert till.moves(person) == [("purchase", 100), ("refund", 50), ("reversal", 50), ("refund", 100)]


@pytest.mark.parametrize(("action", "left", "status"), [("win", 100, "paid"), ("lose", 0, "dispute_lost")])
def test_disputes_freeze_until_they_are_decided(
    till: Till, buyer: Callable[..., Person], action: str, left: int, status: str
) -> None:
    person = buyer()
    session = till.buy(person, "credits_100")
    dispute = till.sim.act("dispute", till.payment_of(session))["disputes"][0]
    till.told("charge.dispute.created", dispute["id"])
    assert till.account(person) == (0, 100, 0)
    till.sim.act(action, dispute["id"])
    till.told("charge.dispute.closed", dispute["id"])
    assert till.account(person) == (left, 0, 0)
    assert purchases.by_session(person, session).status == status


def test_the_receipt_is_stripes(till: Till, buyer: Callable[..., Person]) -> None:
    person = buyer()
    session = till.buy(person)
    known = purchases.by_session(person, session)
    url = payments.receipt_url(person, known.id)
    assert url.startswith(f"{till.sim.url}/receipts/ch_")
    with pytest.raises(NotFound):
        payments.receipt_url(buyer(), known.id)
    unpaid = purchases.by_session(person, till.start(person))
    with pytest.raises(NotFound):
        payments.receipt_url(person, unpaid.id)


# What must not get in


def completed_event(till: Till, session: str, **tampered: Any) -> dict[str, Any]:
    """The event that Stripe would send when this session is paid."""
    about = till.http.get(f"{till.sim.url}/_sim/state").json()["sessions"]
    known = next(each for each in about if each["id"] == session)
    paid = {"status": "complete", "payment_status": "paid", "payment_intent": f"pi_{uuid4().hex}"}
    return {
        "id": f"evt_{uuid4().hex}",
        "object": "event",
        "type": "checkout.session.completed",
        "created": int(time.time()),
        "data": {"object": known | paid | tampered},
    }


def test_a_call_that_is_not_stripes_leaves_no_row(till: Till, buyer: Callable[..., Person]) -> None:
    person = buyer()
    event = completed_event(till, till.start(person))
    body = json.dumps(event).encode()
    before = till.inbox()
    sign = stripe.WebhookSignature.generate_signature_header
    now = int(time.time())
    assert till.post(body, None) == 401
    assert till.post(body, "nonsense") == 401
    assert till.post(body, f"t={now},v1={'0' * 64}") == 401
    assert till.post_signed(event, secret="whsec_of_somebody_else") == 401
    assert till.post_signed(event, age=301) == 401
    assert till.post_signed(event, age=-400) == 401
    assert till.post(body.replace(b"500", b"501"), sign(body.decode(), SECRETS[0])) == 401
    assert till.post(body, sign(body.decode(), SECRETS[0]).replace("v1=", "v0=")) == 401
    assert till.post(b"\xff\xfe", f"t={now},v1={'0' * 64}") == 401
    for broken in ("{", "[]", '{"object": "event"}', json.dumps(event | {"data": {"object": None}})):
        assert till.post(broken.encode(), sign(broken, SECRETS[0])) == 400
    assert till.inbox() == before
    assert till.moves(person) == []
    assert till.post_signed(event, age=240) == 200
    assert till.moves(person) == [("purchase", 500)]


def test_without_a_secret_nothing_is_taken(
    till: Till, buyer: Callable[..., Person], configure: Callable[..., None]
) -> None:
    event = completed_event(till, till.start(buyer()))
    configure(STRIPE_WEBHOOK_SECRET="")
    assert till.post_signed(event) == 401
    assert till.post_signed(event, secret="") == 401


@pytest.mark.parametrize(
    "tampered",
    [
        {"amount_total": 79},
        {"currency": "usd"},
        {"metadata": {"pack": "credits_1000"}},
        {"client_reference_id": str(uuid4())},
        {"mode": "setup"},
    ],
)
def test_a_payment_that_is_not_what_was_ordered_grants_nothing(
    till: Till, buyer: Callable[..., Person], tampered: dict[str, Any]
) -> None:
    person, admin = buyer(), buyer("admin")
    session = till.start(person)
    event = completed_event(till, session, **tampered)
    assert till.post_signed(event) == 200
    assert till.moves(person) == []
    flagged = purchases.by_session(person, session)
    assert flagged.status == "flagged"
    assert till.inbox()[-1]["result"] == "flagged"
    waiting = next(known for known in flagged_payments.waiting(admin) if known.order_id == flagged.id)
    assert (waiting.email, waiting.credits, waiting.euros) == (person.email, 500, Decimal(79))
    assert operations.overview(admin).payments_flagged >= 1
    with pytest.raises(InvalidInput):
        flagged_payments.resolve(admin, waiting, " ")
    with pytest.raises(NotAllowed):
        flagged_payments.resolve(person, waiting, "Mine")
    flagged_payments.resolve(admin, waiting, "Refunded at Stripe")
    assert flagged.id not in {known.order_id for known in flagged_payments.waiting(admin)}
    with pytest.raises(NotFound):
        flagged_payments.resolve(admin, waiting, "Again")


def test_a_session_that_we_did_not_make_is_kept_and_grants_nothing(till: Till, buyer: Callable[..., Person]) -> None:
    person, admin = buyer(), buyer("admin")
    event = completed_event(till, till.start(person), id="cs_test_made_elsewhere", client_reference_id=str(uuid4()))
    before = till.moves(person)
    assert till.post_signed(event) == 200
    kept = till.inbox()[-1]
    assert (kept["status"], kept["result"], kept["event_type"]) == ("ignored", "not_ours", event["type"])
    assert "cs_test_made_elsewhere" in kept["error"]
    waiting = next(known for known in flagged_payments.waiting(admin) if known.event_id == kept["id"])
    assert (waiting.problem, waiting.payment_intent_id) == (kept["error"], event["data"]["object"]["payment_intent"])
    flagged_payments.resolve(admin, waiting, "Sold in the other shop")
    assert kept["id"] not in {known.event_id for known in flagged_payments.waiting(admin)}
    assert till.moves(person) == before


def test_a_wrong_price_at_stripe_is_noticed_before_anybody_pays(
    till: Till, buyer: Callable[..., Person], configure: Callable[..., None]
) -> None:
    wrong = till.sim.client.v1.prices.create({"product": "prod_credits_500", "unit_amount": 79, "currency": "eur"})
    configure(STRIPE_PRICE_CREDITS_500=wrong.id)
    person = buyer()
    with pytest.raises(PaymentsRefused, match="not the price of this pack"):
        till.start(person)
    closed = till.sim.state()["sessions"][0]
    assert closed["status"] == "expired"
    till.told("checkout.session.expired", closed["id"])
    configure(STRIPE_PRICE_CREDITS_500="")
    with pytest.raises(PaymentsRefused, match="no price at Stripe") as unset:
        till.start(person)
    assert unset.value.detail == {"setting": "STRIPE_PRICE_CREDITS_500"}


# Trouble


def due_now(till: Till, person: Person) -> None:
    till.rows.execute(
        "update credit_purchases set next_check_at = now() where user_id = %s and next_check_at is not null",
        (person.user_id,),
    )


def test_the_worker_finds_what_no_webhook_told(till: Till, buyer: Callable[..., Person]) -> None:
    person = buyer()
    till.sim.behave(lose=True)
    paid, left = till.start(person), till.start(person, "credits_100")
    till.sim.pay(paid)
    reconcile_open_purchases()  # nothing is due yet
    assert till.moves(person) == []
    due_now(till, person)
    assert reconcile_open_purchases() >= 2
    assert till.moves(person) == [("purchase", 500)]
    assert purchases.by_session(person, paid).paid_through == "worker"
    assert purchases.by_session(person, left).status == "open"
    till.sim.act("expire", left)
    due_now(till, person)
    reconcile_open_purchases()
    assert purchases.by_session(person, left).status == "expired"


def test_the_worker_waits_while_stripe_is_away(till: Till, buyer: Callable[..., Person]) -> None:
    person = buyer()
    till.sim.behave(lose=True)
    session = till.start(person)
    till.sim.pay(session)
    due_now(till, person)
    till.sim.behave(api_down=True)
    assert reconcile_open_purchases(limit=1) == 1
    away = till.all("select * from private.provider_state where provider = 'stripe'")[0]
    assert away["unwell_since"] is not None
    till.sim.behave(api_down=False)
    due_now(till, person)
    reconcile_open_purchases()
    assert till.moves(person) == [("purchase", 500)]
    assert till.all("select unwell_since from private.provider_state where provider = 'stripe'") == [
        {"unwell_since": None}
    ]


def provider(till: Till) -> dict[str, Any]:
    return till.all("select unwell_since, last_error from private.provider_state where provider = 'stripe'")[0]


def test_an_order_whose_session_stripe_does_not_know_stays_open_until_nobody_can_tell_of_it(
    till: Till, buyer: Callable[..., Person]
) -> None:
    """A key of another account by mistake: who pays meanwhile must not lose the credits."""
    person, order = buyer(), uuid4()
    call = database.get_database().call
    call("start_purchase", p_order=order, p_user=person.user_id, p_pack="credits_100")
    attach = {"p_order": order, "p_session": "cs_test_of_another_account"}
    call("attach_session", **attach, p_expires_at=(datetime.now(UTC) - timedelta(days=2)).isoformat())
    due_now(till, person)
    reconcile_open_purchases()
    assert purchases.get(person, order).status == "open"
    assert "another account" in provider(till)["last_error"]
    till.rows.execute("update credit_purchases set expires_at = now() - interval '73 hours' where id = %s", (order,))
    due_now(till, person)
    reconcile_open_purchases()
    assert purchases.get(person, order).status == "expired"
    till.buy(person)
    due_now(till, person)
    session = till.start(person)
    due_now(till, person)
    reconcile_open_purchases()
    assert purchases.by_session(person, session).status == "open"
    assert provider(till)["unwell_since"] is None


def test_one_order_that_cannot_be_applied_keeps_no_other_waiting(
    till: Till, buyer: Callable[..., Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    person = buyer()
    till.sim.behave(lose=True)
    broken, whole = till.start(person), till.start(person, "credits_100")
    for session in (broken, whole):
        till.sim.pay(session)
    due_now(till, person)

    def look_up(session_id: str, **more: Any) -> payments.Fulfilment:
        if session_id == broken:
            raise DatabaseError("Something went wrong in the database.")
        return payments.look_up(session_id, **more)

    with monkeypatch.context() as stumbling:
        stumbling.setattr(open_purchases, "look_up", look_up)
        with pytest.raises(DatabaseError):
            reconcile_open_purchases()
    assert till.moves(person) == [("purchase", 100)]
    due_now(till, person)
    reconcile_open_purchases()
    assert till.moves(person) == [("purchase", 100), ("purchase", 500)]


def test_when_stripe_is_away_nothing_is_charged_and_the_order_can_go_on(
    till: Till, buyer: Callable[..., Person]
) -> None:
    person, order = buyer(), uuid4()
    till.sim.behave(api_down=True)
    with pytest.raises(PaymentsUnavailable):
        till.start(person, order_id=order)
    till.sim.behave(api_down=False)
    till.sim.pay(till.start(person, order_id=order))
    wait_for(lambda: till.moves(person), "the webhook")


def test_an_answer_of_stripe_that_is_lost_makes_no_second_checkout(till: Till, buyer: Callable[..., Person]) -> None:
    """The package asks again with the order's own key, and gets the session that was made."""
    person, order = buyer(), uuid4()
    before = len(till.sim.state()["sessions"])
    till.sim.behave(cut_off=True)
    session = till.start(person, order_id=order)
    till.sim.behave(cut_off=False)
    assert len(till.sim.state()["sessions"]) == before + 1
    assert till.start(person, order_id=order) == session
    till.sim.pay(session)
    assert payments.fulfil(person, session).available == 500


def test_a_wrong_key_is_said_plainly(till: Till, buyer: Callable[..., Person], configure: Callable[..., None]) -> None:
    configure(STRIPE_SECRET_KEY="sk_test_wrong")
    with pytest.raises(PaymentsRefused, match="refuses our key"):
        till.start(buyer())


def test_stripe_is_asked_to_call_again_when_the_database_is_away(
    till: Till, buyer: Callable[..., Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    event = completed_event(till, till.start(buyer()))

    def away(*_arguments: Any, **_named: Any) -> Any:
        raise DatabaseError("The database is away.", detail={"error": "gone"})

    with monkeypatch.context() as broken:
        broken.setattr(database.Database, "call", away)
        assert till.post_signed(event) == 503
    assert till.post_signed(event) == 200


# What admins see


def test_admins_see_the_figures_and_others_do_not(till: Till, buyer: Callable[..., Person]) -> None:
    person, admin = buyer(), buyer("admin")
    packs.note_seen(person, "visit-1")
    packs.note_seen(person, "visit-1")
    session = till.buy(person)
    found = revenue.payment_metrics(admin)
    mine = next(each for each in found.people if each.user_id == person.user_id)
    assert (mine.purchases, mine.credits, mine.gross_cents, mine.revenue_cents) == (1, 500, 7900, 7900)
    assert found.purchases <= found.checkouts
    assert found.webhook("stripe").is_on_target
    report = margins.margins(admin)
    schnell = next(each for each in report.types if each.generation_type == "image_flux_schnell")
    assert report.eur_per_credit == Decimal("0.139")
    assert schnell.quoted is not None
    assert schnell.quoted_margin is not None
    assert report.sale(schnell.quoted) == Decimal("0.139")
    saved = margins.save_settings(admin, usd_per_eur=Decimal("1.2345"), low_balance_credits=7)
    assert (saved.usd_per_eur, packs.terms().low_balance_credits) == (Decimal("1.2345"), 7)
    listed, older = purchases.every(admin, show="paid", page_size=100)
    bought = next(known for known in listed if known.stripe_session_id == session)
    assert (older, bought.email) == (None, person.email)
    assert str(bought.payment_intent_id) in str(purchases.payment_link(bought.payment_intent_id))
    for call in (revenue.payment_metrics, margins.margins):
        with pytest.raises(NotAllowed):
            call(person)
    with pytest.raises(NotAllowed):
        margins.save_settings(person, low_balance_credits=0)
    assert {known.user_id for known in purchases.every(person)[0]} == {person.user_id}


def test_what_a_pack_buys(till: Till) -> None:  # noqa: ARG001
    on_sale = packs.packs()
    assert [(pack.credits, pack.euros, pack.is_best_value) for pack in on_sale] == [
        (100, Decimal(19), False),
        (500, Decimal(79), True),
        (1000, Decimal(139), False),
    ]
    assert packs.worth(on_sale[0]) == packs.Worth(batches=100, videos=6)
    assert [packs.smallest_for(missing) for missing in (1, 101, 5000)] == list(on_sale)
    assert packs.get_pack("credits_500").euros_per_credit == Decimal("0.158")
    with pytest.raises(NotFound):
        packs.get_pack("credits_7")


def test_the_setup_prints_the_settings(till: Till, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        stripe_setup.main()
    first, again = capsys.readouterr().out.split("STRIPE_PRICE_CREDITS_100=")[1:]
    assert first == again
    printed = dict(line.split("=") for line in f"STRIPE_PRICE_CREDITS_100={first}".splitlines() if "=" in line)
    assert list(printed) == ["STRIPE_PRICE_CREDITS_100", "STRIPE_PRICE_CREDITS_500", "STRIPE_PRICE_CREDITS_1000"]
    prices = [till.sim.client.v1.prices.retrieve(price).unit_amount for price in printed.values()]
    assert prices == [1900, 7900, 13900]
    assert "checkout.session.completed" in first


def test_owed_credits_are_seen_and_can_be_forgiven(till: Till, buyer: Callable[..., Person]) -> None:
    person, admin = buyer(), buyer("admin")
    session = till.buy(person, "credits_100")
    database.get_database().call(
        "grant_credits",
        p_actor=admin.user_id,
        p_user=person.user_id,
        p_amount=-100,
        p_reason="Spent elsewhere",
        p_key=uuid4().hex,
    )
    refund = till.sim.act("refund", till.payment_of(session))["refunds"][0]
    till.told("refund.created", refund["id"])
    assert credits.standing(person) == credits.Standing(available=0, held=0, owed=100, frozen=0, used_this_month=0)
    key = UUID(int=1).hex + str(person.user_id)
    purchases.waive_owed(admin, person.user_id, 40, "A gift", key)
    purchases.waive_owed(admin, person.user_id, 40, "A gift", key)
    assert credits.standing(person).owed == 60
    assert (person.email, 60) in [(debt.email, debt.owed) for debt in purchases.who_owe(admin)]
    with pytest.raises(InvalidInput):
        purchases.waive_owed(admin, person.user_id, 61, "Too much", uuid4().hex)
