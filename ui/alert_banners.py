"""Alerts about money: the loud ones above every page, all of them on the Budget page."""

from decimal import Decimal
from time import monotonic

import streamlit as st

from core import alerts
from core.alerts import Alert
from core.budget import BILLING_PAGE
from core.models import Person
from ui import words

LOUD_TEAM_PERCENT = 25  # of the team's balance; above it the Budget page says so
_KEPT = "current-alerts"
_SECONDS = 30.0


def current(person: Person) -> tuple[Alert, ...]:
    """The alerts that concern a person, at most half a minute old: a worker raises them, nothing waits for them."""
    kept: tuple[float, tuple[Alert, ...]] | None = st.session_state.get(_KEPT)
    if kept is None or monotonic() - kept[0] > _SECONDS:
        kept = monotonic(), alerts.current(person)
        st.session_state[_KEPT] = kept
    return kept[1]


def loud(found: tuple[Alert, ...], person: Person) -> tuple[Alert, ...]:
    """What a person has to know on every page: the team's lowest mark reached, and the highest of their own cap."""
    team = [alert for alert in found if alert.kind == "team_balance" and alert.threshold <= LOUD_TEAM_PERCENT]
    own = [alert for alert in found if alert.kind == "monthly_cap" and alert.user_id == person.user_id]
    return tuple(
        sorted(team, key=lambda alert: alert.threshold)[:1] + sorted(own, key=lambda alert: -alert.threshold)[:1]
    )


def draw(person: Person) -> None:
    shown = loud(current(person), person)
    for alert in shown:
        show = st.error if alert.threshold in (0, 100) else st.warning
        show(sentence(alert, person), icon=":material/error:")
    budget = person.budget
    if budget.tone == "out" and budget.share is not None and not any(alert.kind == "team_balance" for alert in shown):
        left = words.escape(words.usd(budget.remaining or Decimal(0)))
        share = words.percent(budget.share)
        st.warning(f"**The budget is low.** {left} is left, {share} of the last balance.", icon=":material/error:")


def sentence(alert: Alert, person: Person) -> str:
    """Markdown: what happened, bold, and what to do."""
    if alert.kind == "team_balance":
        return f"**{words.escape(alert.sentence)}** [Open fal.ai billing]({BILLING_PAGE})"
    if alert.user_id != person.user_id:
        return f"**{words.escape(alert.sentence)}**"
    used = f"{words.usd(alert.value, 2)} of {words.usd(alert.limit, 2)}"
    if alert.threshold >= 100:
        return f"**You have reached your limit for this month.** {words.escape(used)} is spent. Ask an admin for more."
    return f"**You have used {alert.threshold}% of your limit for this month.** {words.escape(used)} is spent."


def history(found: tuple[Alert, ...], person: Person) -> tuple[Alert, ...]:
    """The alerts that are not above the page already."""
    shown = loud(found, person)
    return tuple(alert for alert in found if alert not in shown)
