"""Orders of which no webhook tells: the worker asks Stripe, which may be away or know nothing."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from core import (
    database,
    open_purchases,
    payments,
    purchases,
)
from core.errors import (
    DatabaseError,
    PaymentsUnavailable,
)
from core.models import Person
from core.open_purchases import reconcile_open_purchases
from tests.integration.stripe_stack import wait_for
from tests.integration.till import (
    Till,
    buyer_fixture,  # noqa: F401
    configure_fixture,  # noqa: F401
    endpoint_fixture,  # noqa: F401
    shared_sim_fixture,  # noqa: F401
    till_fixture,  # noqa: F401
)


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
