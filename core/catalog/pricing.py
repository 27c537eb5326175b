"""Credits and dollars of a job, known before the button is pressed.

Two counts: the *quantity* in our credit unit (batches, images, seconds, requests) times the credits per unit, and the
*billable units* in fal.ai's price unit times its unit price.

fal.ai's pricing API tells one price per endpoint, also where the real one has tiers; for veo it is the one with sound.
A tier is therefore a factor on the units, as fal.ai's own metering has it (cost = units × that one price): six silent
seconds of veo3.1 fast count as four units of $0.15. So a price that is synced carries over to every tier, and an
estimate, a metered and a confirmed cost can be compared. The factors come from the documented prices.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from core.catalog.registry import GENERATION_TYPES
from core.catalog.shared import SOURCE_MEGAPIXELS
from core.catalog.types import GenerationType, Inputs, unknown_type
from core.errors import InvalidInput
from core.models import Quote

MICRO_USD: Final = Decimal("0.000001")  # the database's numeric(12,6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A generation type as it is sold now: the code's entry with the database's row. USD per `price_unit`."""

    type: GenerationType
    credits: int
    credit_unit: str
    unit_price_usd: Decimal
    price_unit: str
    estimated_seconds: int
    enabled: bool
    default_params: dict[str, Any]
    average_units: Decimal | None = None  # billable units of a usual run, from history

    @property
    def label(self) -> str:
        return self.type.label

    def defaults(self) -> dict[str, Any]:
        """What a new form starts with: the entry's defaults, overlaid with the row's that are still valid."""
        values = {known.name: known.default for known in self.type.fields if known.default is not None}
        for name, value in self.default_params.items():
            known = self.type.field_named(name)
            try:
                values |= {name: known.clean(value)} if known else {}
            except InvalidInput:
                continue  # an option that is gone since the row was written: the entry's default stands
        return values


def offer_from_row(row: Mapping[str, Any]) -> Offer:
    """The offer in a row of `generation_types`. Raises NotFound for a key that the code does not know, InvalidInput for
    a unit that cannot be counted or a price that is not positive."""
    known = GENERATION_TYPES.get(row["generation_type"])
    if known is None:
        raise unknown_type(str(row["generation_type"]))
    average = row.get("average_units")
    offer = Offer(
        type=replace(known, label=row["label"], media=row["media_kind"], endpoint=row["fal_endpoint"]),
        credits=int(row["credits"]),
        credit_unit=row["credit_unit"],
        unit_price_usd=Decimal(str(row["unit_price_usd"])),
        price_unit=row["price_unit"],
        estimated_seconds=int(row["estimated_seconds"]),
        enabled=bool(row["enabled"]),
        default_params=dict(row.get("default_params") or {}),
        average_units=None if average is None else Decimal(str(average)),
    )
    if offer.credits <= 0 or offer.unit_price_usd <= 0:
        raise InvalidInput(f"{offer.label}: every price must be above zero.", field="credits")
    countable = {"batch": True, "request": True, "image": known.usage.images, "second": known.usage.seconds}
    if not countable.get(offer.credit_unit):
        raise InvalidInput(f"{offer.label} cannot be sold by the {offer.credit_unit}.", field="credit_unit")
    return offer


def quantity(offer: Offer, inputs: Inputs) -> int:
    """In credit units; parts of a second count as whole ones."""
    usage, cleaned = offer.type.usage, offer.type.clean(inputs, complete=False)
    if offer.credit_unit == "image" and usage.images:
        return usage.images(cleaned)
    if offer.credit_unit == "second" and usage.seconds:
        return int(usage.seconds(cleaned).to_integral_value(ROUND_CEILING))
    return 1


def billable_units(offer: Offer, inputs: Inputs, source: Decimal | None = None) -> Decimal:
    """In fal.ai's price unit, weighted by the tier. What no input tells comes from history, else a stated default.

    `source` is the area in megapixels of the picture in the field `usage.sized_by`, None while it is not known.
    """
    usage, cleaned = offer.type.usage, offer.type.clean(inputs, complete=False)
    units = _measured(offer, cleaned, source or SOURCE_MEGAPIXELS)
    if units is not None:
        units *= usage.factor(cleaned)
    elif offer.average_units is not None:
        units = offer.average_units  # as billed, so the tier is in it
    elif offer.price_unit.strip().lower().startswith("compute second") and usage.compute_seconds:
        units = usage.compute_seconds
    else:
        units = Decimal(1)
    return max(units.quantize(MICRO_USD, ROUND_HALF_EVEN), MICRO_USD)


def unit_price(offer: Offer, inputs: Inputs) -> Decimal:
    """USD for one second, image or megapixel in the tier of these inputs: what to show next to a setting."""
    factor = offer.type.usage.factor(offer.type.clean(inputs, complete=False))
    return (offer.unit_price_usd * factor).quantize(MICRO_USD, ROUND_HALF_EVEN)


def quote(offer: Offer, inputs: Inputs, source: Decimal | None = None) -> Quote:
    """What one job costs; `source` as for `billable_units`. The inputs may still lack what is required; what is there
    must be valid (InvalidInput)."""
    amount, units = quantity(offer, inputs), billable_units(offer, inputs, source)
    usd = (units * offer.unit_price_usd).quantize(MICRO_USD, ROUND_HALF_EVEN)
    return Quote(
        generation_type=offer.type.key,
        quantity=amount,
        credits=offer.credits * amount,
        billable_units=units,
        unit_price_usd=offer.unit_price_usd,
        estimated_usd=max(usd, MICRO_USD),
    )


def _measured(offer: Offer, cleaned: Inputs, source: Decimal) -> Decimal | None:
    """The units that the inputs tell, None for those that only a run can tell."""
    usage = offer.type.usage
    match offer.price_unit.strip().lower().removesuffix("s"):
        case "image" if usage.images:
            return Decimal(usage.images(cleaned))
        case "megapixel" if usage.megapixels:
            return usage.megapixels(cleaned, source)
        case "second" if usage.seconds:
            return usage.seconds(cleaned)
        case "minute" if usage.seconds:
            return usage.seconds(cleaned) / 60
        case "video" | "generation" | "request" | "model" | "unit":
            return Decimal(1)
        case _:
            return None
