"""The one catalogue of what can be generated: inputs → checked inputs → fal.ai's request, credits and dollars.

A type is one entry in the module of its media. Whether it is offered, and at which price, is a database row (`Offer`).
"""

from typing import Any

from core.catalog.fields import Field
from core.catalog.pricing import Offer, billable_units, offer_from_row, quantity, quote, unit_price
from core.catalog.registry import GENERATION_TYPES
from core.catalog.types import GenerationType, Inputs, unknown_type

__all__ = [
    "GENERATION_TYPES",
    "Field",
    "GenerationType",
    "Offer",
    "billable_units",
    "get_type",
    "offer_from_row",
    "quantity",
    "quote",
    "request_body",
    "split_jobs",
    "title",
    "unit_price",
    "validate",
]


def get_type(key: str) -> GenerationType:
    """Raises NotFound."""
    known = GENERATION_TYPES.get(key)
    if known is None:
        raise unknown_type(key)
    return known


def validate(key: str, inputs: Inputs) -> dict[str, Any]:
    """The inputs of one job, checked, with defaults, ready for JSON. Validating them again changes nothing.

    Raises InvalidInput with the field that is missing, unknown, of the wrong type or out of range; NotFound.
    """
    return get_type(key).clean(inputs)


def request_body(key: str, inputs: Inputs) -> dict[str, Any]:
    """fal.ai's own input for these inputs. Raises InvalidInput, NotFound."""
    return get_type(key).request_body(inputs)


def title(key: str, inputs: Inputs) -> str:
    """A short title for a card."""
    return get_type(key).title(inputs)


def split_jobs(key: str, inputs: Inputs) -> tuple[dict[str, Any], ...]:
    """The inputs of every job that one form makes: `batches` of them where a type has that field, else one.

    A seed counts up from job to job, or every batch would be the same. Raises InvalidInput, NotFound.
    """
    known = get_type(key)
    job = known.clean(inputs)
    batches = known.field_named("batches")
    count = batches.clean(inputs.get("batches")) if batches else 1
    seed = job.get("seed")
    if seed is None:
        return tuple(dict(job) for _ in range(count))
    return tuple({**job, "seed": (seed + index) % 2**31} for index in range(count))
