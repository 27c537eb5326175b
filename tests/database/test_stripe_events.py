"""The inbox for Stripe: stored once, applied in the same transaction, and what happens when that fails."""

import pytest

from tests.database.books import call, connect, refused
from tests.database.payments import Order, Shop, event, new_id, paid, shop_fixture  # noqa: F401


def test_every_event_is_kept_once(shop: Shop) -> None:
    order = shop.order(shop.person())
    told = paid(order)
    for _ in range(3):
        shop.deliver(told)
    kept = shop.books.one("select * from webhook_events")
    assert (kept["event_key"], kept["provider"], kept["event_type"]) == (f"stripe:{told['id']}", "stripe", told["type"])
    assert (kept["status"], kept["result"], kept["attempts"], kept["repeats"]) == ("processed", "granted", 1, 2)
    assert (kept["payload"], kept["purchase_id"]) == (told, order.id)


def test_a_batch_is_applied_one_by_one(shop: Shop) -> None:
    first, second = shop.order(shop.person()), shop.order(shop.person())
    good, broken, other = paid(first), event("refund.created", second.refund(-5)), paid(second)
    assert shop.deliver(good, broken, other) == {good["id"]: "granted", broken["id"]: "failed", other["id"]: "granted"}


@pytest.mark.parametrize("event_type", ["customer.created", "payment_intent.succeeded", "checkout.session.renamed"])
def test_what_is_not_needed_is_kept_and_ignored(shop: Shop, event_type: str) -> None:
    order = shop.order(shop.person())
    assert shop.deliver(event(event_type, order.session())) == "not_needed"
    assert shop.books.value("select status from webhook_events") == "ignored"
    assert shop.moves(order.user) == []


def test_a_session_of_somebody_else_is_kept_for_an_admin(shop: Shop) -> None:
    order = Order(shop.person())
    assert shop.deliver(paid(order)) == "not_ours"
    kept = shop.books.one("select * from webhook_events")
    problem = f"We made no checkout session {order.session_id}. €19 was paid for it."
    assert (kept["status"], kept["error"]) == ("ignored", problem)
    assert shop.books.value("select count(*) from credit_purchases") == 0
    assert shop.deliver(event("refund.created", order.refund())) == "unknown_payment"
    assert shop.deliver(event("charge.dispute.created", order.dispute(payment_intent=None))) == "not_ours"


def test_a_failing_effect_is_recorded_and_undone(shop: Shop) -> None:
    order = shop.order(shop.person())
    told = paid(order)
    shop.books.owner.execute(
        "create function public.stumble() returns trigger language plpgsql as $$ begin raise 'No room.'; end $$"
    )
    shop.books.owner.execute(
        "create trigger stumble before insert on public.credit_entries for each row execute function public.stumble()"
    )
    results = [shop.deliver(told, max_attempts=3) for _ in range(4)]
    assert results == ["failed", "failed", "dead", "dead"]
    kept = shop.books.one("select * from webhook_events")
    assert (kept["status"], kept["attempts"], kept["error"], kept["repeats"]) == ("dead", 3, "No room.", 1)
    assert shop.purchase(order)["status"] == "open"  # the fact is undone with its effect
    replay = {"p_actor": shop.books.admin, "p_event": kept["id"]}
    with refused(403, "NOT_ALLOWED"):
        shop.books.call("replay_stripe_event", **(replay | {"p_actor": order.user}))
    again = shop.books.call("replay_stripe_event", **replay)
    assert (again["status"], again["error"], again["attempts"]) == ("dead", "No room.", 4)
    assert (shop.purchase(order)["status"], shop.moves(order.user)) == ("open", [])
    shop.books.owner.execute("drop trigger stumble on public.credit_entries")
    done = shop.books.call("replay_stripe_event", **replay)
    assert (done["status"], done["result"], done["error"], done["attempts"]) == ("processed", "granted", None, 5)
    with refused(409, "ALREADY_PROCESSED"):
        shop.books.call("replay_stripe_event", **replay)
    assert shop.moves(order.user) == [("purchase", 100)]
    assert shop.purchase(order)["paid_through"] == "admin"
    with refused(404, "NOT_FOUND"):
        shop.books.call("replay_stripe_event", **(replay | {"p_event": kept["id"] + 1}))
    trail = shop.books.all("select * from admin_actions where action = 'replay_event' order by id")
    assert [(line["target"], line["before"]["attempts"], line["after"]["status"]) for line in trail] == [
        (str(kept["id"]), 3, "dead"),
        (str(kept["id"]), 4, "processed"),
    ]


def test_a_failed_event_that_comes_again_is_applied(shop: Shop) -> None:
    order = shop.bought(shop.person())
    broken = event("refund.created", order.refund(status="half done"))
    assert shop.deliver(broken) == "failed"
    mended = broken | {"data": {"object": broken["data"]["object"] | {"status": "succeeded"}}}
    assert shop.deliver(mended) == "applied"
    kept = shop.books.one("select * from webhook_events where event_key = %s", f"stripe:{broken['id']}")
    assert (kept["status"], kept["attempts"], kept["error"]) == ("processed", 2, None)


def test_the_same_event_at_once_is_applied_once(shop: Shop) -> None:
    order = shop.order(shop.person())
    told = {"p_events": [{"payload": paid(order), "headers": {}}]}
    results = shop.books.race(*[("receive_stripe_events", told)] * 8)
    outcomes = sorted(next(iter(result.values())) for result in results)
    assert outcomes == ["granted", *["repeat"] * 7]
    assert shop.moves(order.user) == [("purchase", 100)]


def test_webhooks_and_success_page_at_once_grant_once(shop: Shop) -> None:
    order = shop.order(shop.person(), attach=False)
    page = ("fulfil_checkout", {"p_session": order.session(), "p_source": "worker"})
    hooks = [("receive_stripe_events", {"p_events": [{"payload": paid(order), "headers": {}}]}) for _ in range(4)]
    shop.books.race(page, *hooks, page, page, page)
    assert shop.moves(order.user) == [("purchase", 100)]


def test_a_refund_and_its_payment_at_once_find_each_other(shop: Shop) -> None:
    """Neither sees the other's row while both are under way: the lock on the payment's name makes one wait."""
    for _ in range(8):
        order = shop.order(shop.person())
        told = [paid(order), event("refund.created", order.refund()), event("charge.dispute.created", order.dispute())]
        shop.books.race(*[("receive_stripe_events", {"p_events": [{"payload": each, "headers": {}}]}) for each in told])
        bought = shop.purchase(order)
        assert (bought["status"], bought["taken_credits"]) == ("disputed", 100)
        assert shop.account(order.user) == (0, 0, 0, 0)


def test_a_refund_waits_for_the_payment_it_belongs_to(shop: Shop) -> None:
    """The same, held open in the middle: the refund may not pass while the payment is not committed."""
    order = shop.order(shop.person())
    refund = {"p_events": [{"payload": event("refund.created", order.refund()), "headers": {}}]}
    with connect(shop.books.url, "service_role") as payment, payment.transaction():
        call(payment, "receive_stripe_events", p_events=[{"payload": paid(order), "headers": {}}])
        waiting = shop.books.start("receive_stripe_events", **refund)
        shop.books.wait_until_blocked(1)
    assert list(waiting.result().values()) == ["applied"]
    assert shop.account(order.user) == (0, 0, 0, 0)


def test_batches_in_opposite_orders_do_not_deadlock(shop: Shop) -> None:
    orders = [shop.order(shop.person()) for _ in range(6)]
    calls = [{"payload": paid(order), "headers": {}} for order in orders]
    refunds = [{"payload": event("refund.created", order.refund(950)), "headers": {}} for order in orders]
    batches = [calls, calls[::-1], refunds, refunds[::-1], [*refunds, *calls[::-1]]]
    for result in shop.books.race(*[("receive_stripe_events", {"p_events": batch}) for batch in batches]):
        assert "failed" not in result.values()
    assert [shop.account(order.user) for order in orders] == [(50, 0, 0, 0)] * 6


def test_events_and_jobs_of_the_same_person_do_not_deadlock(shop: Shop) -> None:
    user = shop.person(50)
    orders = [shop.bought(user) for _ in range(2)]
    jobs = [shop.books.submitted(user, quantity=5) for _ in range(4)]
    verdict = {"outcome": "cancelled", "error_type": "cancelled", "error_message": "Stopped.", "billable": False}
    settled = [("settle_job", {"p_job": job, "p_verdict": verdict, "p_source": "poll"}) for job in jobs]
    disputes = [event("charge.dispute.created", order.dispute(id=new_id("dp"))) for order in orders]
    told = [("receive_stripe_events", {"p_events": [{"payload": each, "headers": {}}]}) for each in disputes]
    shop.books.race(*settled, *told)
    assert shop.account(user) == (50, 0, 200, 0)
