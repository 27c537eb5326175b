"""What alerts say, what fal.ai's refusals mean, and how long a failed chore waits."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import httpx
import pytest

from core import alerts
from core.alerts import Alert, escape
from core.billing import by_request, charges
from core.chores import CHORES, LONGEST_WAIT, wait_after
from core.errors import FalBusy, FalError, FalUnauthorized, FalUnavailable
from core.fal.platform import BillingEvent
from core.fal_account import in_plain_words
from core.settings import load


def alert(kind: Any, threshold: int, value: str) -> Alert:
    return Alert(
        id=1,
        kind=kind,
        threshold=threshold,
        user_id=uuid4(),
        person="Mara Costa",
        limit=Decimal("1050"),
        value=Decimal(value),
        raised_at=datetime.now(UTC),
        delivery="none",
        last_error=None,
    )


@pytest.mark.parametrize(
    ("kind", "threshold", "value", "sentence"),
    [
        ("team_balance", 25, "262.5", "25% of the team's budget or less is left: $262.50 of $1,050.00."),
        ("team_balance", 10, "0.0412", "10% of the team's budget or less is left: $0.041 of $1,050.00."),
        ("team_balance", 0, "0", "The team's budget of $1,050.00 is used up."),
        ("team_balance", 0, "-0.5", "The team's budget of $1,050.00 is used up; $0.50 was spent beyond it."),
        ("monthly_cap", 80, "840", "Mara Costa has reached 80% of this month's cap: $840.00 of $1,050.00 is spent."),
        ("new_person", 0, "0", "Mara Costa has signed up and waits for approval."),
        ("monthly_cap", 100, "1051", "Mara Costa has reached this month's cap: $1,051.00 of $1,050.00 is spent."),
    ],
)
def test_an_alert_says_what_happened(kind: Any, threshold: int, value: str, sentence: str) -> None:
    assert alert(kind, threshold, value).sentence == sentence


class Waiting:
    """A database in which one alert waits to be posted for the so-manieth time."""

    def __init__(self, attempts: int) -> None:
        self.attempts = attempts
        self.recorded: list[tuple[str, Any]] = []

    def call(self, function: str, **given: Any) -> Any:
        if function == "claim_alerts":
            row = {
                "id": 1, "kind": "team_balance", "threshold": 10, "user_id": None, "person": None, "limit_usd": "50",
                "value_usd": "4.5", "raised_at": "2026-11-20T12:00:00+00:00", "delivery": "waiting", "last_error": None,
            }  # fmt: skip
            return [row | {"attempts": self.attempts}]
        if function.startswith("record"):
            self.recorded.append((function, given.get("p_retry_seconds")))
        return []


@pytest.mark.parametrize(
    ("attempts", "status", "asked", "recorded"),
    [
        (1, 200, None, ("record_alert_sent", None)),
        (1, 500, None, ("record_alert_failed", 30)),
        (3, 302, None, ("record_alert_failed", 120)),
        (1, 429, "90", ("record_alert_failed", 90)),
        (1, 429, "999999", ("record_alert_failed", 3600)),
        (11, 500, "Wed, 21 Oct 2026 07:28:00 GMT", ("record_alert_failed", 3600)),
        (12, 500, None, ("record_alert_failed", None)),
    ],
)
def test_a_post_that_is_not_taken_is_tried_again_later_and_given_up_at_last(
    monkeypatch: pytest.MonkeyPatch, attempts: int, status: int, asked: str | None, recorded: tuple[str, int | None]
) -> None:
    posted: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        posted.append(json.loads(request.content))
        return httpx.Response(status, headers={"retry-after": asked} if asked else {})

    database = Waiting(attempts)
    monkeypatch.setattr(alerts, "get_database", lambda: database)
    monkeypatch.setattr(alerts, "get_settings", lambda: load({"ALERT_WEBHOOK_URL": "https://hooks.example/T0/secret"}))
    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        monkeypatch.setattr(alerts, "http_client", lambda: http)
        alerts.raise_and_deliver("worker")
    assert posted == [{"text": "10% of the team's budget or less is left: $4.50 of $50.00."}]
    assert database.recorded == [recorded]


def test_a_name_cannot_mention_a_channel() -> None:
    assert escape("<!channel> & co") == "&lt;!channel&gt; &amp; co"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FalUnauthorized("No.", status=403), "FAL_ADMIN_KEY is an ordinary key"),
        (FalUnauthorized("No.", status=401), "does not accept the key in FAL_ADMIN_KEY"),
        (FalUnauthorized("FAL_ADMIN_KEY is not set."), "FAL_ADMIN_KEY is not set."),
        (FalBusy("Slow down.", status=429), "asked again later"),
        (FalUnavailable("fal.ai did not give a usable answer (HTTP 503)."), "HTTP 503"),
    ],
)
def test_a_refusal_is_told_in_plain_words(error: FalError, words: str) -> None:
    assert words in in_plain_words(error)


def test_a_failed_chore_waits_longer_and_longer() -> None:
    waits = [wait_after(failures) for failures in range(1, 30)]
    assert waits[:4] == [60, 120, 240, 480]
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_WAIT


def test_chores_have_names_of_their_own() -> None:
    assert len({chore.name for chore in CHORES}) == len(CHORES)


def event(request: str, usd: str, units: str | None, minute: int = 0) -> BillingEvent:
    at = datetime(2026, 11, 20, 12, minute, tzinfo=UTC)
    return BillingEvent(request, "fal-ai/flux/dev", at, Decimal(units) if units else None, None, Decimal(usd))


def test_several_events_of_a_request_are_one_cost_and_one_event_told_twice_is_one() -> None:
    """fal.ai's pages are numbered: what is billed while they are read moves an event onto the next page as well."""
    events = [event("a", "0.1", "1", 2), event("b", "5", None), event("a", "0.2", "2.5", 1), event("a", "0.1", "1", 2)]
    assert by_request(events) == {
        "a": {"usd": Decimal("0.3"), "units": Decimal("3.5"), "charged_at": "2026-11-20T12:01:00+00:00"},
        "b": {"usd": Decimal(5), "units": None, "charged_at": "2026-11-20T12:00:00+00:00"},
    }
    assert [(row["request_id"], row["usd"]) for row in charges(events)] == [("a", Decimal("0.3")), ("b", Decimal(5))]
