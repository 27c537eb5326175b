"""The catalogue as admins keep it: label, credits, defaults, the switch, a price by hand, and what was changed.

Jobs keep the price they were made at. Other processes see a change within the half minute that offers are kept for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from core import catalog, offers
from core.admin.calls import as_admin, only_admins
from core.budget import parse_amount
from core.database import fetch, get_database, money
from core.errors import AtelierError, InvalidInput, NotFound
from core.models import Person
from core.rows import moment, when

FILES = ("image", "images", "audio")
LARGEST_PRICE = 1000  # USD per unit, not included
PRICE_PLACES = 6


@dataclass(frozen=True, slots=True)
class CatalogueType:
    """One generation type. `unit_price` is USD per `price_unit`; `price_source` is documented, synced or manual.

    `problem` says why it cannot be offered whatever the switch says, None when it can.
    """

    generation_type: str
    label: str
    media_kind: str
    endpoint: str
    credits: int
    credit_unit: str
    price_unit: str
    unit_price: Decimal
    price_source: str
    price_synced_at: datetime | None
    estimated_seconds: int
    default_params: dict[str, Any]
    enabled: bool
    updated_at: datetime
    problem: str | None


@dataclass(frozen=True, slots=True)
class CatalogueChange:
    """One change. `before` and `after` hold what differs; `actor_name` is None when fal.ai's price was synced."""

    created_at: datetime
    generation_type: str
    label: str
    action: str  # edit_generation_type, set_unit_price, sync_prices
    actor_name: str | None
    before: dict[str, Any]
    after: dict[str, Any]
    reason: str | None


def types(person: Person) -> tuple[CatalogueType, ...]:
    """Every generation type in the order of the catalogue, also those that are off. Raises NotAllowed."""
    only_admins(person, "catalogue_types")
    query = get_database().rows_of(person.access_token).from_("generation_types").select("*").order("position")
    return tuple(_type(row) for row in fetch(query, "generation_types"))


def edit(
    person: Person,
    generation_type: str,
    *,
    label: str | None = None,
    credits: int | None = None,
    default_params: Mapping[str, Any] | None = None,
    enabled: bool | None = None,
    reason: str = "",
) -> CatalogueType:
    """Change what is given and leave the rest. Returns the type as it is now.

    Raises InvalidInput (also for a type that cannot be offered and is to be switched on), NotFound, NotAllowed.
    """
    changes: dict[str, Any] = {
        name: value
        for name, value in (("label", label), ("credits", credits), ("enabled", enabled))
        if value is not None
    }
    if default_params is not None:
        changes["default_params"] = clean_defaults(generation_type, default_params)
    if enabled:
        _offerable(person, generation_type)
    row = as_admin(person, "edit_generation_type", p_type=generation_type, p_changes=changes, p_reason=reason)
    offers.forget()
    return _type(row)


def set_price(person: Person, generation_type: str, price: Decimal | str | None, reason: str = "") -> CatalogueType:
    """Set what fal.ai bills per unit by hand, USD; the sync then leaves it alone. None hands it back to the sync.

    Raises InvalidInput unless 0 < price < 1000 with six decimals at most, NotFound, NotAllowed.
    """
    amount = None if price is None else clean_price(price)
    row = as_admin(person, "set_unit_price", p_type=generation_type, p_price=amount, p_reason=reason)
    offers.forget()
    return _type(row)


def history(person: Person, generation_type: str | None = None, limit: int = 50) -> tuple[CatalogueChange, ...]:
    """What was changed, newest first, of one type or of all. Raises NotAllowed."""
    rows = as_admin(person, "catalogue_history", p_type=generation_type, p_limit=limit)
    return tuple(
        CatalogueChange(
            created_at=moment(row["created_at"]),
            generation_type=row["generation_type"],
            label=row["label"],
            action=row["action"],
            actor_name=row["actor_name"],
            before=row["before"],
            after=row["after"],
            reason=row["reason"],
        )
        for row in rows
    )


def clean_price(price: Decimal | str) -> Decimal:
    """A unit price as it can be stored, USD. Raises InvalidInput."""
    amount = parse_amount(price)
    if not 0 < amount < LARGEST_PRICE or amount != round(amount, PRICE_PLACES):
        raise InvalidInput("Enter a price above 0 and below 1,000 dollars, with six decimals at most.", field="price")
    return amount


def clean_defaults(generation_type: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Where a type's form starts, each value as its field takes it; empty ones are left out. Raises InvalidInput."""
    known = catalog.get_type(generation_type)
    cleaned = {}
    for name, value in params.items():
        field = known.field_named(name)
        if field is None or field.kind in FILES:
            raise InvalidInput(
                f"{known.label} has no setting {name[:40]!r} that could have a default.", field=name[:40]
            )
        if value is not None and value != "":
            cleaned[name] = field.clean(value)
    return cleaned


def _offerable(person: Person, generation_type: str) -> None:
    known = next((each for each in types(person) if each.generation_type == generation_type), None)
    if known is None:
        raise NotFound("There is no such type.")
    if known.problem:
        raise InvalidInput(f"This type cannot be offered: {known.problem}", field="enabled")


def _type(row: dict[str, Any]) -> CatalogueType:
    try:
        catalog.offer_from_row(row)
        problem = None
    except AtelierError as error:
        problem = error.sentence
    return CatalogueType(
        generation_type=row["generation_type"],
        label=row["label"],
        media_kind=row["media_kind"],
        endpoint=row["fal_endpoint"],
        credits=row["credits"],
        credit_unit=row["credit_unit"],
        price_unit=row["price_unit"],
        unit_price=money(row["unit_price_usd"]),
        price_source=row["price_source"],
        price_synced_at=when(row["price_synced_at"]),
        estimated_seconds=row["estimated_seconds"],
        default_params=row["default_params"],
        enabled=row["enabled"],
        updated_at=moment(row["updated_at"]),
        problem=problem,
    )
