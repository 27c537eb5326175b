"""The five figures on top of the admin page, and what is wrong when something is."""

from typing import Literal

import streamlit as st

from core import operations
from core.models import Budget, Person
from core.operations import Overview
from ui import session, words

WORKER_LATE_SECONDS = 60
_SHOWN_VIOLATIONS = 5
Color = Literal["green", "yellow", "red", "gray"]
_TONES: dict[str, Color] = {"ok": "green", "low": "yellow", "out": "red"}


def draw(person: Person, overview: Overview) -> None:
    """Running, done, spent, left, books; each answers in one glance, with words and not with colour alone."""
    with st.container(key="figures"), st.grid(5, min_column_width=150, gap="small"):
        metric("Running now", words.number(overview.running), *_running(overview))
        metric("Done today", words.number(overview.done_today), *_failed(overview))
        metric("Spent today", words.usd(overview.spent_today, 2), *against_usual(overview))
        metric("Left to spend", *_left(overview.budget))
        metric("Books", *_books(overview))
    _trouble(person, overview)


def metric(label: str, value: str, note: str, color: Color = "gray", about: str | None = None) -> None:
    """A bordered figure with a note below it; `about` says more where one points. Nothing has to be escaped."""
    st.metric(
        label,
        words.escape(value),
        words.escape(note),
        delta_color=color,
        delta_arrow="off",
        border=True,
        height="stretch",
        help=about,
    )


def _running(overview: Overview) -> tuple[str, Literal["red", "gray"]]:
    if overview.stuck:
        return f"{words.number(overview.stuck)} stuck", "red"
    return f"{words.number(overview.in_line)} in line", "gray"


def _failed(overview: Overview) -> tuple[str, Literal["red", "gray"]]:
    if overview.failed_last_hour:
        return f"{words.number(overview.failed_last_hour)} failed in 1 h", "red"
    failed = overview.failed_today
    return (f"{words.number(failed)} failed", "red") if failed else ("none failed", "gray")


def against_usual(overview: Overview) -> tuple[str, Literal["green", "yellow", "gray"]]:
    """↓ 25% vs usual, against the mean of the last days with any spend."""
    if overview.spent_usual <= 0:
        return "no usual day yet", "gray"
    change = int(((overview.spent_today / overview.spent_usual) - 1) * 100)
    if change == 0:
        return "as usual", "gray"
    return (f"↓ {-change}% vs usual", "green") if change < 0 else (f"↑ {change}% vs usual", "yellow")


def _left(budget: Budget) -> tuple[str, str, Color]:
    if budget.remaining is None or budget.share is None:
        return "Not known", "enter a balance", "gray"
    return words.usd(budget.remaining, 2), f"{words.percent(budget.share)}, alert at 25%", _TONES[budget.tone]


def _books(overview: Overview) -> tuple[str, str, Literal["red", "gray"]]:
    if overview.audited_at is None or overview.violations is None:
        return "Not audited", "audit in Operations", "gray"
    checked = f"Checked {words.ago_within(overview.audited_at, session.now(), session.tz())}"
    if overview.violations:
        return words.count(overview.violations, "fault"), checked, "red"
    return "In balance", checked, "gray"


def _trouble(person: Person, overview: Overview) -> None:
    now = session.now()
    beat = overview.worker_beat_at
    if beat is None or (now - beat).total_seconds() > WORKER_LATE_SECONDS:
        since = f"since {words.exact(beat, now, session.tz())}" if beat else "yet"
        st.error(
            f"**The worker has not been seen {words.escape(since)}.** Jobs are not looked at until it runs again.",
            icon=":material/error:",
        )
    if overview.fal_unwell_since is not None:
        since = words.exact(overview.fal_unwell_since, now, session.tz())
        last = words.escape(overview.fal_last_error or "")
        st.warning(
            f"**fal.ai has been in trouble since {words.escape(since)}.** {last}",
            icon=":material/error:",
        )
    if overview.violations:
        found = operations.audit(person)[:_SHOWN_VIOLATIONS]
        listed = "\n".join(f"- {words.escape(violation)}" for violation in found)
        st.error(
            f"**The books are not in balance.** Stop and look before anything else.\n\n{listed}",
            icon=":material/error:",
        )
