"""Alerts leave the house once, by a real post to a receiver that may be away."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from core import alerts, budget
from core.models import Person
from tests.integration.billing_stack import Receiver, Studio, receiving
from tests.integration.billing_stack import billing_stack as billing_stack  # fixtures of this file alone
from tests.integration.billing_stack import studio_fixture as studio_fixture
from tests.integration.chores import (
    admin_fixture,  # noqa: F401
    run,
    spend_dollars,
)


@pytest.fixture
def receiver(studio: Studio) -> Iterator[Receiver]:
    with receiving() as made:
        studio.configure(ALERT_WEBHOOK_URL=made.url)
        studio.books.owner.execute(
            "update budget_alerts set delivery = 'none', next_try_at = null where delivery = 'waiting'"
        )
        yield made


def test_an_alert_is_posted_once_however_many_workers_run(studio: Studio, admin: Person, receiver: Receiver) -> None:
    budget.set_balance(admin, "10")
    spend_dollars(studio, studio.books.person(), "8")
    with ThreadPoolExecutor(4) as pool:
        for _ in range(2):
            list(pool.map(alerts.raise_and_deliver, [f"worker {number}" for number in range(4)]))
    assert sorted(message["text"] for message in receiver.messages) == [
        "25% of the team's budget or less is left: $2.00 of $10.00.",
        "50% of the team's budget or less is left: $2.00 of $10.00.",
    ]
    shown = [alert for alert in alerts.current(admin) if alert.kind == "team_balance"]
    assert {(alert.threshold, alert.delivery) for alert in shown} == {(25, "sent"), (50, "sent")}


def test_a_new_person_is_posted_once_by_a_name_that_commands_nothing(studio: Studio, receiver: Receiver) -> None:
    studio.books.sign_up(full_name="Eve <!channel>")
    for _ in range(2):
        run(studio, "alerts")
    told = [message["text"] for message in receiver.messages]
    assert told == ["Eve &lt;!channel&gt; has signed up and waits for approval."]


def test_an_alert_that_is_not_taken_is_posted_again(studio: Studio, receiver: Receiver) -> None:
    user = studio.books.person(cap="10")
    spend_dollars(studio, user, "9")
    receiver.statuses[:] = [500, 429]
    for tries in (1, 2, 3):
        run(studio, "alerts")
        assert len(receiver.messages) == tries
    (alert,) = alerts.current(studio.as_person(user))
    assert (alert.delivery, alert.last_error) == ("sent", None)
    assert {message["text"] for message in receiver.messages} == {
        "Somebody has reached 80% of this month's cap: $9.00 of $10.00 is spent."
    }
    run(studio, "alerts")
    assert len(receiver.messages) == 3


def test_an_address_that_is_away_is_named_without_its_secret(studio: Studio, admin: Person, receiver: Receiver) -> None:
    studio.configure(ALERT_WEBHOOK_URL="http://127.0.0.1:1/services/secret-part")
    budget.set_balance(admin, "1")
    spend_dollars(studio, studio.books.person(), "1")
    run(studio, "alerts")
    (alert,) = [alert for alert in alerts.current(admin) if alert.threshold == 0]
    assert alert.delivery == "waiting"
    assert alert.last_error == "The address for alerts could not be reached (ConnectError)."
    studio.configure(ALERT_WEBHOOK_URL=receiver.url)
    run(studio, "alerts")
    assert len(receiver.messages) == 4


def test_a_new_person_is_told_of_once(studio: Studio, receiver: Receiver) -> None:
    stranger = studio.books.sign_up(full_name="<!here> Eve")
    for _ in range(2):
        run(studio, "alerts")
    assert [message["text"] for message in receiver.messages] == [
        "&lt;!here&gt; Eve has signed up and waits for approval."
    ]
    studio.books.call("decline_person", p_actor=studio.books.admin, p_user=stranger)
