"""The money part of the Admin page: what waits for a decision, sales, purchases, margins, prices, alerts."""

from functools import partial

from core import alerts, chores, flagged_payments, margins, purchases
from core.models import Person
from core.together import Read
from ui import admin_flags, admin_margins, admin_prices, admin_purchases, admin_sales


def reads(person: Person) -> tuple[Read, ...]:
    """What the sections ask for: see `core.together`. Purchases are read by themselves, as the person."""
    return (
        partial(flagged_payments.waiting, person),
        partial(purchases.who_owe, person),
        partial(admin_sales.read, person),
        partial(alerts.current, person),
        partial(margins.margins, person),
        partial(chores.states, person),
        partial(admin_prices.read_history, person),
    )


def draw(person: Person) -> None:
    """All sections, one below the other. Raises NotAllowed for anybody but an admin."""
    admin_flags.draw(person)
    admin_sales.draw(person)
    admin_purchases.draw(person)
    admin_margins.draw(person)
    admin_prices.draw(person)
