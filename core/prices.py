"""fal.ai's prices, brought into the catalogue daily and on a button. Jobs keep the price they were made at.

The pricing API tells one number per endpoint; where the real price has tiers, the code's catalogue weighs the units.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from core import offers
from core.admin.calls import only_admins
from core.database import get_database, money
from core.errors import FalNotFound
from core.fal.platform import Price
from core.fal_account import get_account
from core.log import get_logger
from core.models import Person
from core.rows import moment

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A unit price that changed; USD per `unit`. `source` is "synced", "manual" or "documented"."""

    created_at: datetime
    generation_type: str
    label: str
    unit: str
    before: Decimal
    after: Decimal
    source: str


@dataclass(frozen=True, slots=True)
class PriceSync:
    """What a sync did: labels of types whose price changed, how many stayed, and what could not be taken, in words."""

    changed: tuple[str, ...]
    same: int
    problems: tuple[str, ...]


def sync(person: Person | None = None) -> PriceSync:
    """Ask fal.ai for all prices of the catalogue and keep them. `person` is the admin who pressed the button.

    Raises NotAllowed, FalError when fal.ai gives no answer; then every price stays as it is.
    """
    if person is not None:
        only_admins(person, "sync_prices")
    endpoints = sorted({offer.type.endpoint for offer in offers.offers().values()})
    told = [
        {
            "endpoint_id": price.endpoint_id,
            "unit_price": price.unit_price,
            "unit": price.unit,
            "currency": price.currency,
        }
        for price in _ask(endpoints)
    ]
    found = get_database().call("record_prices", p_prices=told, p_actor=person.user_id if person else None)
    offers.forget()
    result = PriceSync(
        changed=tuple(change["label"] for change in found["changed"]),
        same=found["same"],
        problems=tuple(f"{problem['label']}: {problem['problem']}" for problem in found["problems"]),
    )
    for change in found["changed"]:
        log.info("price_changed", **change)
    return result


def history(person: Person, limit: int = 50) -> tuple[PriceChange, ...]:
    """The latest changes, newest first. Raises NotAllowed."""
    rows = get_database().call("price_history", p_actor=person.user_id, p_limit=limit)
    return tuple(
        PriceChange(
            created_at=moment(row["created_at"]),
            generation_type=row["generation_type"],
            label=row["label"],
            unit=row["unit"],
            before=money(row["before"]),
            after=money(row["after"]),
            source=row["source"],
        )
        for row in rows
    )


def _ask(endpoints: Sequence[str]) -> list[Price]:
    """All prices in one call; when fal.ai has retired one endpoint, the others one by one."""
    try:
        return list(get_account().pricing(endpoints))
    except FalNotFound:
        found: list[Price] = []
        for endpoint in endpoints:
            try:
                found += get_account().pricing([endpoint])
            except FalNotFound:
                log.warning("no_price", endpoint=endpoint)
        return found
