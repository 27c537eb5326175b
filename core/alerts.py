"""Alerts: raised once per threshold and period (or new person), shown on screen, posted to a Slack-compatible address.

Posting is at least once: an alert counts as sent when the address has taken it. Source of the format: Slack's "Sending
messages using incoming webhooks"; `text` is understood by Mattermost, Discord's /slack and others as well.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal
from uuid import UUID

import httpx

from core.budget import optional_money
from core.database import get_database, money
from core.log import get_logger
from core.models import Person
from core.rows import moment
from core.settings import get_settings

log = get_logger(__name__)

RAISING = ("raise_due_alerts", "raise_sign_up_alerts")
TRIES = 12
FIRST_WAIT = 30  # seconds; doubled with every try
LONGEST_WAIT = 3600
LEASE_SECONDS = 180  # more than five posts can take
TIMEOUT = httpx.Timeout(10, connect=5)  # seconds


@dataclass(frozen=True, slots=True)
class Alert:
    """`threshold` is per cent: of the team's balance that is left, or of a person's cap that is used. USD.

    `limit` is the balance that the period began with, or the cap; `value` what was left, or spent this month, then. An
    alert about a new person has zeros there.
    """

    id: int
    kind: Literal["team_balance", "monthly_cap", "new_person"]
    threshold: int
    user_id: UUID | None
    person: str | None
    limit: Decimal
    value: Decimal
    raised_at: datetime
    delivery: Literal["none", "waiting", "sent", "failed"]
    last_error: str | None
    is_current: bool = True  # crossed still: a raised cap or a better known cost can take it back
    value_now: Decimal | None = None  # told by `current` alone
    limit_now: Decimal | None = None

    @property
    def at_present(self) -> "Alert":
        """The same with the figures of now instead of those of the moment it was raised."""
        if self.value_now is None or self.limit_now is None:
            return self
        return replace(self, value=self.value_now, limit=self.limit_now)

    @property
    def sentence(self) -> str:
        """What happened, for the screen and for the message."""
        if self.kind == "new_person":
            return f"{self.person} has signed up and waits for approval."
        if self.kind == "monthly_cap":
            used = f"{_usd(self.value)} of {_usd(self.limit)}"
            if self.threshold >= 100:
                return f"{self.person} has reached this month's cap: {used} is spent."
            return f"{self.person} has reached {self.threshold}% of this month's cap: {used} is spent."
        if self.threshold == 0:
            beyond = f"; {_usd(-self.value)} was spent beyond it" if self.value < 0 else ""
            return f"The team's budget of {_usd(self.limit)} is used up{beyond}."
        return f"{self.threshold}% of the team's budget or less is left: {_usd(self.value)} of {_usd(self.limit)}."


def current(person: Person) -> tuple[Alert, ...]:
    """The alerts of the present balance, and of the month about one's own cap (for admins about all), newest first."""
    return tuple(alert_of(row) for row in get_database().call("current_alerts", p_actor=person.user_id))


def raise_and_deliver(worker: str) -> dict[str, Any]:
    """Raise what is due and post what waits, whichever worker raised it. Returns {raised, sent, failed}."""
    url = get_settings().alert_webhook_url
    raised = [row for name in RAISING for row in get_database().call(name, p_deliver=bool(url))]
    for row in raised:
        log.warning("alert", kind=row["kind"], threshold=row["threshold"], user_id=row["user_id"])
    return {"raised": len(raised), **(_deliver(worker, url) if url else {"sent": 0, "failed": 0})}


def _deliver(worker: str, url: str) -> dict[str, int]:
    database = get_database()
    sent = failed = 0
    for row in database.call("claim_alerts", p_worker=worker, p_limit=5, p_lease_seconds=LEASE_SECONDS):
        problem, wait = _post(url, alert_of(row).sentence)
        if problem is None:
            database.call("record_alert_sent", p_alert=row["id"], p_worker=worker)
            sent += 1
            continue
        tries = row["attempts"]
        seconds = None if tries >= TRIES else min(max(FIRST_WAIT * 2 ** (tries - 1), wait), LONGEST_WAIT)
        log.warning("alert_not_posted", alert=row["id"], error=problem, tries=tries, again_in=seconds)
        database.call(
            "record_alert_failed", p_alert=row["id"], p_worker=worker, p_error=problem, p_retry_seconds=seconds
        )
        failed += 1
    return {"sent": sent, "failed": failed}


def _post(url: str, sentence: str) -> tuple[str | None, int]:
    """(what went wrong, seconds the address asks to wait), (None, 0) when it was taken. The address is not told."""
    try:
        response = http_client().post(url, json={"text": escape(sentence)})
    except httpx.HTTPError as error:
        return f"The address for alerts could not be reached ({type(error).__name__}).", 0
    if response.is_success:
        return None, 0
    wait = response.headers.get("retry-after", "")
    return f"The address for alerts answered HTTP {response.status_code}.", int(wait) if wait.isdecimal() else 0


def escape(text: str) -> str:
    """Slack's three control characters, so that a name cannot mention a channel or disguise a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@lru_cache(maxsize=1)
def http_client() -> httpx.Client:
    """The process's own client for posting; safe to share between threads."""
    return httpx.Client(timeout=TIMEOUT, follow_redirects=False)


def alert_of(row: dict[str, Any]) -> Alert:
    """An alert from a row of `current_alerts`, or of what raises them."""
    return Alert(
        id=row["id"],
        kind=row["kind"],
        threshold=row["threshold"],
        user_id=UUID(row["user_id"]) if row["user_id"] else None,
        person=row["person"],
        limit=money(row["limit_usd"]),
        value=money(row["value_usd"]),
        raised_at=moment(row["raised_at"]),
        delivery=row["delivery"],
        last_error=row["last_error"],
        is_current=row.get("is_current", True),
        value_now=optional_money(row.get("value_now")),
        limit_now=optional_money(row.get("limit_now")),
    )


def _usd(amount: Decimal) -> str:
    """Two decimals, three below ten cents, as everywhere."""
    places = 3 if 0 < abs(amount) < Decimal("0.0995") else 2
    return f"{'−' if amount < 0 else ''}${abs(amount):,.{places}f}"
