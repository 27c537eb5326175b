"""Orders: who may start one, what is fixed about it, and that a paid session grants once."""

from uuid import uuid4

import pytest
from psycopg.errors import CheckViolation, InsufficientPrivilege, UniqueViolation

from tests.database.books import as_person, refused
from tests.database.payments import NOON, Order, Shop, event, paid, shop_fixture  # noqa: F401


def test_the_packs_on_sale(shop: Shop) -> None:
    packs = shop.books.call("credit_terms")["packs"]
    assert [(pack["pack"], pack["credits"], pack["amount_cents"], pack["is_best_value"]) for pack in packs] == [
        ("credits_100", 100, 1900, False),
        ("credits_500", 500, 7900, True),
        ("credits_1000", 1000, 13900, False),
    ]


@pytest.mark.parametrize("wrong", ["credits = 0", "amount_cents = -1", "currency = 'usd'", "pack = 'No Good'"])
def test_a_pack_cannot_be_nonsense(shop: Shop, wrong: str) -> None:
    with pytest.raises(CheckViolation):
        shop.books.owner.execute(f"update credit_packs set {wrong} where pack = 'credits_100'".encode())


def test_asking_twice_is_one_order(shop: Shop) -> None:
    user, order = shop.person(), uuid4()
    arguments = {"p_order": order, "p_user": user, "p_pack": "credits_100"}
    results = shop.books.race(*[("start_purchase", arguments)] * 6)
    assert {row["id"] for row in results} == {str(order)}
    assert shop.books.value("select count(*) from product_events where event = 'checkout_started'") == 1
    with refused(404, "NOT_FOUND"):
        shop.books.call("start_purchase", **(arguments | {"p_user": shop.person()}))


@pytest.mark.parametrize(
    ("change", "http", "code"),
    [
        ("update profiles set is_approved = false where role = 'user'", 403, "NOT_APPROVED"),
        ("update profiles set is_active = false", 403, "NOT_ACTIVE"),
        ("update credit_packs set enabled = false", 409, "PACK_DISABLED"),
        ("update credit_packs set amount_cents = amount_cents + 100", 409, "PRICE_CHANGED"),
    ],
)
def test_an_order_is_refused_and_leaves_nothing(shop: Shop, change: str, http: int, code: str) -> None:
    user = shop.person()
    shop.books.owner.execute(change.encode())
    with shop.books.unchanged(), refused(http, code):
        shop.order(user)


def test_too_many_open_orders_are_refused(shop: Shop) -> None:
    user = shop.person()
    for _ in range(20):
        shop.order(user)
    with refused(429, "TOO_MANY_CHECKOUTS"):
        shop.order(user)
    shop.order(shop.person())


def test_an_order_has_one_session(shop: Shop) -> None:
    order = shop.order(shop.person())
    assert shop.attach(order)["stripe_session_id"] == order.session_id
    with refused(409, "ORDER_IN_USE"):
        shop.books.call("attach_session", p_order=order.id, p_session="cs_other", p_expires_at=None)
    with refused(404, "NOT_FOUND"):
        shop.books.call("attach_session", p_order=uuid4(), p_session="cs_other", p_expires_at=None)


def test_a_paid_session_grants_once(shop: Shop) -> None:
    user = shop.person(5)
    order = shop.order(user, "credits_500")
    told = paid(order)
    assert [shop.deliver(told), shop.deliver(told), shop.deliver(paid(order))] == [
        "granted",
        "repeat",
        "already_granted",
    ]
    assert shop.fulfil(order)["result"] == "already_granted"
    assert shop.account(user) == (505, 0, 0, 0)
    entry = shop.books.one("select * from credit_entries where kind = 'purchase'")
    assert (entry["purchase_id"], entry["idempotency_key"]) == (order.id, f"purchase:{order.session_id}")
    assert entry["reason"] == "500 credits for €79"
    shop.bought(user, "credits_1000")
    assert shop.books.value("select max(reason) from credit_entries where amount = 1000") == "1,000 credits for €139"
    bought = shop.purchase(order)
    assert (bought["status"], bought["paid_through"], bought["next_check_at"]) == ("paid", "webhook", None)
    assert bought["payment_intent_id"] == order.intent_id


def test_a_session_whose_note_was_lost_finds_its_order(shop: Shop) -> None:
    user = shop.person()
    order = shop.order(user, attach=False)
    assert shop.deliver(paid(order)) == "granted"
    assert shop.purchase(order)["stripe_session_id"] == order.session_id
    second = Order(user, id=order.id)
    assert shop.deliver(paid(second)) == "not_ours"
    assert shop.account(user)[0] == 100


def test_only_the_buyer_may_fulfil(shop: Shop) -> None:
    order, stranger = shop.order(shop.person()), shop.person()
    with shop.books.unchanged(), refused(404, "NOT_FOUND"):
        shop.fulfil(order, user=stranger)
    assert shop.fulfil(order, user=order.user)["available"] == 100


@pytest.mark.parametrize(
    ("session", "status", "result"),
    [
        ({"status": "open", "payment_status": "unpaid"}, "open", "open"),
        ({"status": "complete", "payment_status": "unpaid"}, "processing", "processing"),
        ({"status": "expired", "payment_status": "unpaid"}, "expired", "expired"),
        (
            {"payment_status": "unpaid", "payment_intent": {"id": "pi_1", "status": "requires_payment_method"}},
            "failed",
            "payment_failed",
        ),
    ],
)
def test_a_look_at_stripe_says_how_far_an_order_is(
    shop: Shop, session: dict[str, str], status: str, result: str
) -> None:
    order = shop.order(shop.person())
    found = shop.fulfil(order, order.session(**session), source="worker")
    assert (found["result"], found["purchase"]["status"], found["available"]) == (result, status, 0)
    looked_at_again = shop.purchase(order)["next_check_at"] is not None
    assert looked_at_again == (status in ("open", "processing"))


@pytest.mark.parametrize(
    ("tampered", "words"),
    [
        ({"amount_total": 1}, "€0.01 was paid, the price is €19."),
        ({"amount_total": None}, "An unknown amount was paid"),
        ({"currency": "usd"}, "USD 1900 (in its smallest unit) was paid"),
        ({"metadata": {"pack": "credits_1000"}}, "It names pack credits_1000, ordered was credits_100."),
        ({"metadata": {}}, "It names pack nothing"),
        ({"client_reference_id": None}, "It names order nothing."),
        ({"mode": "setup"}, "Its mode is setup."),
        ({"payment_status": "no_payment_required", "amount_total": 0}, "€0 was paid"),
    ],
)
def test_what_was_not_ordered_is_flagged_and_grants_nothing(
    shop: Shop, tampered: dict[str, object], words: str
) -> None:
    order = shop.order(shop.person())
    told = paid(order, **tampered)
    assert shop.deliver(told) == "flagged"
    bought = shop.purchase(order)
    assert (bought["status"], bought["granted_credits"], shop.moves(order.user)) == ("flagged", 0, [])
    assert words in bought["flagged_reason"]
    kept = shop.books.one("select * from webhook_events")
    assert (kept["status"], kept["result"], kept["purchase_id"]) == ("processed", "flagged", order.id)
    assert words in kept["error"]


def test_a_right_payment_is_granted_beside_a_wrong_one(shop: Shop) -> None:
    order = shop.order(shop.person())
    wrong, right = paid(order, amount_total=1), paid(order)
    assert [shop.deliver(wrong), shop.deliver(right)] == ["flagged", "granted"]
    bought = shop.purchase(order)
    assert (bought["status"], bought["flagged_reason"] is not None) == ("paid", True)
    flagged = shop.books.call("flagged_payments", p_actor=shop.books.admin)
    assert [(row["purchase_id"], row["event_id"]) for row in flagged] == [(str(order.id), None)]
    resolve = {"p_actor": shop.books.admin, "p_order": order.id, "p_reason": "Refunded"}
    with refused(422, "INVALID_INPUT"):
        shop.books.call("resolve_flag", **(resolve | {"p_reason": " "}))
    with refused(403, "NOT_ALLOWED"):
        shop.books.call("resolve_flag", **(resolve | {"p_actor": order.user}))
    shop.books.call("resolve_flag", **resolve)
    with refused(404, "NOT_FOUND"):
        shop.books.call("resolve_flag", **resolve)
    assert shop.books.value("select reason from admin_actions where action = 'resolve_flag'") == "Refunded"
    shop.deliver(paid(order, amount_total=1))  # the same problem again is decided already
    assert shop.books.call("flagged_payments", p_actor=shop.books.admin) == []
    shop.deliver(paid(order, amount_total=2))  # another one is not
    (again,) = shop.books.call("flagged_payments", p_actor=shop.books.admin)
    assert again["problem"].count("was paid, the price is €19.") == 2


def test_a_payment_for_what_we_did_not_make_waits_for_an_admin(shop: Shop) -> None:
    user = shop.person()
    known, unknown = shop.bought(user), Order(user)
    second = Order(user, id=known.id)
    for each in (unknown, second):
        assert shop.deliver(event("checkout.session.expired", each.session("expired", "unpaid"))) == "not_ours"
    assert shop.books.call("flagged_payments", p_actor=shop.books.admin) == []  # nobody paid
    for each in (unknown, second):
        assert shop.deliver(paid(each)) == "not_ours"
    flagged = shop.books.call("flagged_payments", p_actor=shop.books.admin)
    assert {(row["payment_intent_id"], row["purchase_id"]) for row in flagged} == {
        (unknown.intent_id, None),
        (second.intent_id, str(known.id)),
    }
    assert all("€19 was paid for it." in row["problem"] for row in flagged)
    assert shop.books.call("admin_overview", p_actor=shop.books.admin)["payments_flagged"] == 2
    for row in flagged:
        shop.books.call("resolve_flag", p_actor=shop.books.admin, p_event=row["event_id"], p_reason="Another shop")
    assert shop.books.call("flagged_payments", p_actor=shop.books.admin) == []
    assert shop.account(user) == (100, 0, 0, 0)


def test_what_was_agreed_stays(shop: Shop) -> None:
    order = shop.bought(shop.person())
    for change in (
        "credits = 1",
        "amount_cents = 1",
        "stripe_session_id = 'cs_2'",
        "payment_intent_id = null",
        "paid_at = null",
    ):
        with pytest.raises(CheckViolation):
            shop.books.owner.execute(f"update credit_purchases set {change} where id = %s".encode(), (order.id,))
    with pytest.raises(UniqueViolation):
        shop.books.owner.execute(
            b"select private.post_entry(%s, 'purchase', 100, 'another key', p_purchase => %s)", (order.user, order.id)
        )


def test_people_see_their_own_purchases_and_change_none(shop: Shop) -> None:
    order, stranger = shop.bought(shop.person()), shop.person()
    shop.deliver(event("refund.created", order.refund(100)), event("charge.dispute.created", order.dispute()))
    for user, rows in ((order.user, 1), (stranger, 0), (shop.books.admin, 1)):
        with as_person(shop.books.url, user) as connection:
            for table in ("credit_purchases", "payment_refunds", "payment_disputes"):
                assert len(connection.execute(f"select * from {table}".encode()).fetchall()) == rows
            seen = len(connection.execute("select * from product_events").fetchall())
            assert seen == (1 if user == shop.books.admin else 0)
    for change in ("update credit_purchases set paid_at = now()", "delete from payment_refunds"):
        with as_person(shop.books.url, order.user) as connection, pytest.raises(InsufficientPrivilege):
            connection.execute(change.encode())


def test_an_unfinished_order_is_claimed_by_one_worker(shop: Shop) -> None:
    user = shop.person()
    order, done, lost = shop.order(user), shop.bought(user), shop.order(user, attach=False)
    assert shop.books.call("claim_purchases", p_limit=10) == []
    shop.books.owner.execute("update credit_purchases set next_check_at = now() where next_check_at is not null")
    claims = shop.books.race(*[("claim_purchases", {"p_limit": 10})] * 4)
    assert [row["id"] for claim in claims for row in claim] == [str(order.id)]
    assert (shop.purchase(done)["status"], shop.purchase(lost)["status"]) == ("paid", "expired")
    assert shop.deliver(paid(lost)) == "granted"  # a session was made for it after all


def test_seeing_the_packs_counts_once_a_visit(shop: Shop) -> None:
    user = shop.person()
    for visit in ("one", "one", "two"):
        shop.books.call("note_product_event", p_user=user, p_event="packs_seen", p_key=visit)
    assert shop.books.value("select count(*) from product_events") == 2
    with pytest.raises(CheckViolation):
        shop.books.call("note_product_event", p_user=user, p_event="something_else", p_key="one")


def test_an_unmetered_person_and_one_who_is_switched_off_still_get_what_they_paid(shop: Shop) -> None:
    order = shop.order(shop.person())
    shop.books.owner.execute("update profiles set is_active = false where user_id = %s", (order.user,))
    assert shop.deliver(paid(order)) == "granted"
    assert shop.account(order.user)[0] == 100


def test_times_of_stripe_are_kept(shop: Shop) -> None:
    order = shop.order(shop.person(), attach=False)
    shop.deliver(paid(order))
    assert shop.purchase(order)["expires_at"].timestamp() == NOON + 3600
