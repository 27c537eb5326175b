"""The fal.ai account as the chores see it: one client of the platform API, and its refusals in plain words."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from core.errors import FalBusy, FalError, FalUnauthorized, FalUnavailable
from core.fal.platform import NANO, BillingEvent, FalPlatform
from core.settings import get_settings

ADMIN_KEY = "FAL_ADMIN_KEY"


class Account(FalPlatform):
    """The platform API with the one call that the drift report needs on top: everything that was billed in a time."""

    def billed_between(self, start: datetime, end: datetime) -> Iterator[BillingEvent]:
        """Every billed request of the account from `start` until before `end`, whoever made it (admin key).

        Source: fal.ai's "Billing Events" page; 90 days at most. Both moments carry their time zone.
        """
        span = {"start": start.isoformat(), "end": end.isoformat()}
        for row in self._rows("models/billing-events", "billing_events", span, self._admin()):
            yield _event(row)


@lru_cache(maxsize=1)
def get_account() -> Account:
    """The process's own client, from its settings."""
    return Account(get_settings())


def in_plain_words(error: FalError, key_name: str = ADMIN_KEY) -> str:
    """What went wrong when the account was read, and what to do about it; `key_name` is the setting that was used."""
    if isinstance(error, FalUnauthorized) and error.status == 403:
        return (
            f"{key_name} is an ordinary key. fal.ai tells balance and billing only to a key with admin scope: "
            "make one at fal.ai/dashboard/keys."
        )
    if isinstance(error, FalUnauthorized) and error.status == 401:
        return f"fal.ai does not accept the key in {key_name}. It may be mistyped or revoked."
    if isinstance(error, FalBusy):
        return "fal.ai asks to be asked less often (429). It is asked again later; nothing is lost."
    return error.sentence


def _event(row: dict[str, Any]) -> BillingEvent:
    request_id, endpoint_id, timestamp = (row.get(name) for name in ("request_id", "endpoint_id", "timestamp"))
    cost, nano = _number(row, "cost_total"), _number(row, "cost_estimate_nano_usd")
    if cost is None and nano is not None:
        cost = nano * NANO
    if not (isinstance(request_id, str) and isinstance(endpoint_id, str) and isinstance(timestamp, str)):
        raise FalUnavailable("fal.ai told a billing event without request, endpoint or time. It is asked again later.")
    if cost is None:
        raise FalUnavailable("fal.ai told a billing event without its cost. It is asked again later.")
    return BillingEvent(
        request_id=request_id,
        endpoint_id=endpoint_id,
        timestamp=timestamp,
        output_units=_number(row, "output_units"),
        unit_price=None,
        cost_total=cost,
    )


def _number(row: dict[str, Any], name: str) -> Decimal | None:
    value = row.get(name)
    return Decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None
