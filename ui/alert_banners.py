"""Alerts about money: the loud ones above every page, all of them on the Budget page."""

import pandas as pd
import streamlit as st

from core.alerts import Alert
from core.budget import BILLING_PAGE
from core.models import Budget, Person
from ui import session, words

LOUD_TEAM_PERCENT = 25  # of the team's balance; above it the Budget page says so


def loud(found: tuple[Alert, ...], person: Person) -> tuple[Alert, ...]:
    """What a person has to know on every page, while it is so: the team's lowest mark, and the highest of their cap."""
    holding = [alert for alert in found if alert.is_current]
    team = [alert for alert in holding if alert.kind == "team_balance" and alert.threshold <= LOUD_TEAM_PERCENT]
    own = [alert for alert in holding if alert.kind == "monthly_cap" and alert.user_id == person.user_id]
    return tuple(
        sorted(team, key=lambda alert: alert.threshold)[:1] + sorted(own, key=lambda alert: -alert.threshold)[:1]
    )


def draw(person: Person) -> None:
    shown = loud(person.alerts, person)
    for alert in shown:
        show = st.error if alert.threshold in (0, 100) else st.warning
        show(sentence(alert.at_present, person), icon=":material/error:")
    low = low_budget(person.budget)
    if low and (person.budget.scope == "person" or not any(alert.kind == "team_balance" for alert in shown)):
        st.warning(low, icon=":material/error:")


def low_budget(budget: Budget) -> str | None:
    """Markdown, while less than a quarter is left of the balance that the header shows: whose, and how much."""
    if budget.tone != "out" or budget.remaining is None or budget.share is None:
        return None
    what, of = ("Your allowance", "it") if budget.scope == "person" else ("The team's budget", "the last balance")
    if budget.remaining <= 0:
        beyond = f" {words.escape(words.usd(-budget.remaining))} was spent beyond it." if budget.remaining < 0 else ""
        return f"**{what} is used up.**{beyond}"
    left = words.escape(words.usd(budget.remaining))
    return f"**{what} is low.** {left} is left, {words.percent(budget.share)} of {of}."


def sentence(alert: Alert, person: Person) -> str:
    """Markdown: what happened, bold, and what to do."""
    if alert.kind == "team_balance":
        more = f"[Open fal.ai billing]({BILLING_PAGE})" if person.is_admin else "The admins have been told."
        return f"**{words.escape(alert.sentence)}** {more}"
    if alert.user_id != person.user_id:
        return f"**{words.escape(alert.sentence)}**"
    used = f"{words.usd(alert.value)} of {words.usd(alert.limit)}"
    if alert.threshold >= 100:
        return f"**You have reached your cap for this month.** {words.escape(used)} is spent. Ask an admin for more."
    return f"**You have reached {alert.threshold}% of your cap for this month.** {words.escape(used)} is spent."


def history(person: Person) -> None:
    """What was raised for this balance and this month, with the figures of that moment; folded up."""
    found = person.alerts
    if not found:
        return
    now, tz = session.now(), session.tz()
    with st.expander(f"Alerts of this balance and month: {words.number(len(found))}", type="compact", key="alerts"):
        frame = pd.DataFrame(
            {
                "Raised": [words.exact(alert.raised_at, now, tz) for alert in found],
                "What": [words.escape(alert.sentence) for alert in found],
            }
        )
        st.table(frame, border="horizontal", hide_index=True, alt="Alerts, newest first")
