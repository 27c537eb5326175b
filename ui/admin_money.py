"""The money part of the Admin page: what waits for a decision, sales, purchases, margins, prices, alerts."""

from core.models import Person
from ui import admin_flags, admin_margins, admin_prices, admin_purchases, admin_sales


def draw(person: Person) -> None:
    """All sections, one below the other. Raises NotAllowed for anybody but an admin."""
    admin_flags.draw(person)
    admin_sales.draw(person)
    admin_purchases.draw(person)
    admin_margins.draw(person)
    admin_prices.draw(person)
