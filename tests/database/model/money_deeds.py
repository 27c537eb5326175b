"""Deeds about money: buying, paying, refunds, disputes; grants, limits and switches of the admins."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from tests.database.books import Row
from tests.database.model.cast import PEOPLE, Cast, Deed, person, pick
from tests.database.model.cost_deeds import COST_DEEDS
from tests.database.model.deeds import JOB_DEEDS
from tests.database.model.payments import PACKS, Back, Purchase
from tests.database.model.world import DONE, World
from tests.database.payments import NOON, Order, event

MOST_PURCHASES = 8
CAPS = (None, Decimal("0.01"), Decimal("0.01"), Decimal("0.1"), Decimal("0.2"))
# How a checkout can look: (event, status of the session, of the payment, what it means)
CHECKOUTS = (
    ("completed", "complete", "paid", "paid"),
    ("async_payment_succeeded", "complete", "paid", "paid"),
    ("completed", "complete", "unpaid", "processing"),
    ("expired", "expired", "unpaid", "expired"),
    ("async_payment_failed", "complete", "unpaid", "failed"),
    ("completed", "complete", "paid", "wrong"),
)
REFUNDS = ("pending", "succeeded", "succeeded", "failed", "canceled")
DISPUTES = (
    ("needs_response", "open"),
    ("under_review", "open"),
    ("won", "returned"),
    ("lost", "lost"),
    ("appeal_under_review", "lost"),
    ("warning_closed", "returned"),
)


# Buying


def order(cast: Cast, world: World, a: int, b: int) -> Deed | None:
    """Somebody starts to buy; b odd: the same order once more, perhaps by somebody else."""
    purchases = world.payments.purchases
    if b % 3 == 1 and cast.orders:
        key = pick(cast.orders, a)
        buyer = next(name for name, user in cast.people.items() if user == cast.orders[key].user)
        return _start(cast, key, PEOPLE[b % 2] if key in purchases else buyer)
    if len(purchases) >= MOST_PURCHASES:
        return None
    key, number = f"order {len(cast.orders) + 1}", len(cast.orders) + 1
    pack = sorted(PACKS)[b % 2]
    cast.orders[key] = Order(cast.people[person(a)], pack, cast.new_id(), f"cs_{number:02}", f"pi_{number:02}")
    return _start(cast, key, person(a))


def pick_purchase(world: World, number: int) -> str:
    """Mostly one whose payment is known, now and then any."""
    purchases = world.payments.purchases
    paid = {key: purchase for key, purchase in purchases.items() if purchase.has_intent}
    return pick(paid if paid and number % 6 else purchases, number // 6 if number % 6 == 0 else number)


def _start(cast: Cast, key: str, name: str) -> Deed:
    def expect(world: World) -> str:
        purchases = world.payments.purchases
        if key in purchases:
            return DONE if purchases[key].person == name else "NOT_FOUND"
        if not world.people[name].is_active:
            return "NOT_ACTIVE"
        purchases[key] = Purchase(name, pack, len(purchases))
        return DONE

    pack = cast.orders[key].pack
    arguments = {"p_order": cast.orders[key].id, "p_user": cast.people[name], "p_pack": pack}
    return Deed(f"{name} starts {key}", "start_purchase", arguments, expect)


def attach(cast: Cast, world: World, a: int, _b: int) -> Deed | None:
    def expect(w: World) -> str:
        w.payments.purchases[key].is_attached = True
        return DONE

    if not world.payments.purchases:
        return None
    key = pick(world.payments.purchases, a)
    bought = cast.orders[key]
    arguments = {"p_order": bought.id, "p_session": bought.session_id, "p_expires_at": "2099-01-01T00:00:00Z"}
    return Deed(f"{key} gets its session", "attach_session", arguments, expect)


def _session(bought: Order, look: tuple[str, str, str, str]) -> Row:
    _, status, payment_status, meaning = look
    return bought.session(status, payment_status, amount_total=bought.cents - (meaning == "wrong"))


def _pay(world: World, key: str, meaning: str) -> str:
    account = world.people[world.payments.purchases[key].person].account
    is_right = meaning != "wrong"
    return world.payments.pay(key, account, meaning if is_right else "paid", is_right=is_right)


def checkout(cast: Cast, world: World, a: int, b: int) -> Deed | None:
    """Stripe calls about a checkout."""
    if not world.payments.purchases:
        return None
    key, look = pick(world.payments.purchases, a // 6), CHECKOUTS[b % len(CHECKOUTS)]
    told = event(f"checkout.session.{look[0]}", _session(cast.orders[key], look))
    return _told(key, f"{look[0]} {look[3]}", told, lambda w: _pay(w, key, look[3]))


def look_at_checkout(cast: Cast, world: World, a: int, b: int) -> Deed | None:
    """The success page (of the buyer, or of somebody else) or the worker asks Stripe."""
    if not world.payments.purchases:
        return None
    key, look = pick(world.payments.purchases, a // 6), CHECKOUTS[(0, 2, 3)[b % 3]]
    visitor = (None, world.payments.purchases[key].person, PEOPLE[b % 2])[b // 3 % 3]

    def expect(w: World) -> str:
        purchase = w.payments.purchases[key]
        if visitor is not None and not (purchase.is_attached and purchase.person == visitor):
            return "NOT_FOUND"
        return _pay(w, key, look[3])

    arguments = {
        "p_session": _session(cast.orders[key], look),
        "p_source": "page" if visitor else "worker",
        "p_user": cast.people[visitor] if visitor else None,
    }
    return Deed(
        f"{visitor or 'the worker'} looks at {key}: {look[3]}",
        "fulfil_checkout",
        arguments,
        expect,
        lambda result: str(result["result"]),
    )


def refund(cast: Cast, world: World, a: int, b: int) -> Deed | None:
    if not world.payments.purchases:
        return None
    key, status = pick_purchase(world, a), REFUNDS[b % len(REFUNDS)]
    bought, number = cast.orders[key], b // 5 % 2
    cents = (bought.cents // 3, bought.cents)[number]
    name = f"re_{bought.session_id}_{number}"
    told = event("refund.updated", bought.refund(cents, status, id=name))
    return _told(key, f"{name} {status}", told, _giving_back(key, name, Back(cents, status)))


def dispute(cast: Cast, world: World, a: int, b: int) -> Deed | None:
    """Disputes, reported in any order: the time of the report goes with what it says."""
    if not world.payments.purchases:
        return None
    key, step = pick_purchase(world, a), b % len(DISPUTES)
    status, standing = DISPUTES[step]
    bought, number = cast.orders[key], b // 6 % 2
    cents = (bought.cents // 2, bought.cents)[number]
    name = f"dp_{bought.session_id}_{number}"
    told = event("charge.dispute.updated", bought.dispute(status, cents, id=name), NOON + step)
    return _told(key, f"{name} {status}", told, _giving_back(key, name, Back(cents, standing, NOON + step)))


def _giving_back(key: str, name: str, back: Back) -> Callable[[World], str]:
    def expect(world: World) -> str:
        account = world.people[world.payments.purchases[key].person].account
        # A fresh one each time: several worlds may be tried.
        return world.payments.give_back(key, account, name, replace(back))

    return expect


def _told(key: str, what: str, told: Row, expecting: Callable[[World], str]) -> Deed:
    """An event of Stripe. The same thing told again is the same event, so it is known by what it says."""
    told["id"] = f"evt {key} {what}"

    def expect(world: World) -> str:
        if told["id"] in world.payments.events:
            return "repeat"
        world.payments.events.add(told["id"])
        return expecting(world)

    arguments = {"p_events": [{"payload": told, "headers": {}}]}
    return Deed(
        f"Stripe tells of {key}: {what}",
        "receive_stripe_events",
        arguments,
        expect,
        lambda result: str(result[told["id"]]),
    )


# Admins


def grant(cast: Cast, _world: World, a: int, b: int) -> Deed:
    """Credits are given or taken back; a small key space, so that asking twice happens."""
    name, amount, key = person(a), (1, 2, 3, 5, -1, -4)[b % 6], f"{a // 12 % 4} {b % 6}"
    return _by_admin(
        cast,
        f"{name} is given {amount} ({key})",
        "grant_credits",
        lambda w: w.grant(name, amount, key),
        p_user=cast.people[name],
        p_amount=amount,
        p_reason="Work",
        p_key=key,
    )


def waive(cast: Cast, _world: World, a: int, b: int) -> Deed:
    name, amount, key = person(a), 1 + b % 3, f"waiver {a // 12 % 8} {b % 3}"
    return _by_admin(
        cast,
        f"{name} is forgiven {amount}",
        "waive_owed",
        lambda w: w.waive(name, amount, key),
        p_user=cast.people[name],
        p_amount=amount,
        p_reason="Gesture",
        p_key=key,
    )


def cap(cast: Cast, _world: World, a: int, b: int) -> Deed:
    name, limit = person(a), CAPS[b % len(CAPS)]
    return _person_changes(cast, name, "monthly_cap", "cap", limit, p_cap=limit)


def activity(cast: Cast, _world: World, a: int, b: int) -> Deed:
    return _person_changes(cast, person(a), "active", "is_active", b % 4 != 0, p_on=b % 4 != 0)


def metering(cast: Cast, _world: World, a: int, b: int) -> Deed:
    return _person_changes(cast, person(a), "unmetered", "is_unmetered", b % 4 == 0, p_on=b % 4 == 0)


def _person_changes(cast: Cast, name: str, what: str, attribute: str, value: Any, **more: Any) -> Deed:
    def expect(world: World) -> str:
        setattr(world.people[name], attribute, value)
        return DONE

    return _by_admin(cast, f"{name}: {attribute} {value}", f"set_{what}", expect, p_user=cast.people[name], **more)


def balance(cast: Cast, _world: World, _a: int, b: int) -> Deed:
    amount = (None, Decimal("0.01"), Decimal("0.1"), Decimal("0.5"))[b % 4]
    return _by_admin(cast, f"balance {amount}", "set_team_balance", lambda w: w.enter_balance(amount), p_amount=amount)


def blocking(cast: Cast, _world: World, _a: int, b: int) -> Deed:
    def expect(world: World) -> str:
        world.blocks_at_zero = b % 3 != 0
        return DONE

    return _by_admin(cast, f"block at zero: {b % 3 != 0}", "set_block_at_zero", expect, p_on=b % 3 != 0)


def lock(_cast: Cast, _world: World, _a: int, b: int) -> Deed:
    """fal.ai locks the account, or opens it again."""

    def expect(world: World) -> str:
        world.is_locked = b % 3 == 0
        return DONE

    arguments = {"p_provider": "fal", "p_ok": b % 3 != 0, "p_locked_reason": "Empty." if b % 3 == 0 else None}
    return Deed(f"fal.ai is locked: {b % 3 == 0}", "report_provider", arguments, expect)


def _by_admin(cast: Cast, name: str, function: str, expect: Callable[[World], str], **more: Any) -> Deed:
    return Deed(name, function, {"p_actor": cast.books.admin} | more, expect)


DEEDS: dict[str, Callable[[Cast, World, int, int], Deed | None]] = (
    JOB_DEEDS
    | COST_DEEDS
    | {
        deed.__name__: deed
        for deed in (
            order,
            attach,
            checkout,
            look_at_checkout,
            refund,
            dispute,
            grant,
            waive,
            cap,
            activity,
            metering,
            balance,
            blocking,
            lock,
        )
    }
)
