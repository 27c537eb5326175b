"""The upper part of the Budget page: figures, what is left, and how the balance goes down."""

from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, cast
from zoneinfo import ZoneInfo

import streamlit as st

from core import burn_down, chores
from core.budget import BILLING_PAGE, BudgetOverview, Scope
from core.burn_down import BurnDown
from core.models import Budget, Person
from core.periods import Period
from core.together import Read
from ui import balance_dialog, charts, meter, moments, numbers, outlook, session, words

_ZERO = Decimal(0)
_LOOK_BACK = 90  # days; a forecast asks for four weeks, and a quiet time is not to be taken for a beginning
_SHOWN = 60
_SCOPE = "budget-scope"
_SCOPES: dict[Scope, str] = {"team": "The team's", "person": "Your own"}
_TITLES: dict[Scope, tuple[str, str]] = {
    "team": ("Balance and forecast", "Balance read"),
    "person": ("Your allowance and forecast", "Allowance set"),
}


def reads(person: Person, overview: BudgetOverview) -> list[Read]:
    """What the section asks for: see `core.together`."""
    scope = st.session_state.get(_SCOPE, "person") if _has_choice(overview) else _only(overview)
    wanted: list[Read] = []
    if (overview.own if scope == "person" else overview.team) is not None and _knows_days(person, scope):
        wanted.append(partial(_burn, person, overview, scope))
    if person.is_admin and scope == "team":
        wanted.append(partial(chores.states, person))
    return wanted


def _knows_days(person: Person, scope: Scope) -> bool:
    return scope == "person" or person.is_admin


def draw(person: Person, overview: BudgetOverview) -> None:
    scope = _pick(overview)
    budget = overview.own if scope == "person" else overview.team
    if budget is None:
        _without_balance(person, overview)
        return
    burn = _burn(person, overview, scope) if _knows_days(person, scope) else None
    ahead = outlook.of(budget, {day.day: day.spent for day in burn.days}, overview.today) if burn else None
    with st.grid(4, min_column_width=150, gap=(24, 24)):
        _figures(overview, budget, scope)
        if ahead is not None:
            st.metric("Runs out about", outlook.figure(ahead, overview.today))
        else:
            _month(overview)
    meter.draw(budget, scope)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="set"):
        st.markdown(meter.sentence(budget, scope), width="content")
        _buttons(person, overview)
    with st.container(gap=8):
        if ahead is not None:
            st.markdown(f":small[:gray[{words.escape(outlook.sentence(ahead, overview.today))}]]")
        if scope == "team":
            _source(person, overview)
    if burn is not None and ahead is not None:
        _chart(overview, budget, scope, burn, ahead)


def _has_choice(overview: BudgetOverview) -> bool:
    return overview.own is not None and overview.team is not None


def _only(overview: BudgetOverview) -> Scope:
    return "person" if overview.own is not None else "team"


def _pick(overview: BudgetOverview) -> Scope:
    """Whose balance: what the header says, and a choice for whoever has both."""
    if not _has_choice(overview):
        return _only(overview)
    chosen = st.segmented_control(
        "Whose balance",
        list(_SCOPES),
        format_func=_SCOPES.__getitem__,
        default=None if _SCOPE in st.session_state else "person",
        required=True,
        key=_SCOPE,
        label_visibility="collapsed",
        persist_state="session",
    )
    return cast("Scope", chosen)


def _without_balance(person: Person, overview: BudgetOverview) -> None:
    with st.grid(4, min_column_width=150, gap=(24, 24)):
        st.metric("Spent this month", words.usd(overview.header.spent, 2))
        if person.is_admin:
            st.metric("Of it by you", words.usd(overview.month.spent, 2))
        else:
            _month(overview)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="set"):
        st.markdown(meter.sentence(overview.header, "team"), width="content")
        _buttons(person, overview)
    _source(person, overview)


def _figures(overview: BudgetOverview, budget: Budget, scope: Scope) -> None:
    taken_at = budget.taken_at or session.now()
    since = words.day(taken_at.astimezone(ZoneInfo(overview.timezone)).date(), overview.today)
    remaining, amount = budget.remaining or _ZERO, budget.amount or _ZERO
    if scope == "person":
        st.metric("Left to spend", words.usd(remaining, 2), help="Your allowance minus what you spent since.")
        st.metric(f"Allowance of {since}", words.usd(amount, 2))
    else:
        st.metric(
            "Left to spend", words.usd(remaining, 2), help="The last balance of fal.ai minus what was spent since."
        )
        st.metric(f"Balance read {since}", words.usd(amount, 2))
    st.metric("Spent since", words.usd(budget.spent, 2))


def _month(overview: BudgetOverview) -> None:
    month = overview.month
    cap = f"of {words.usd(month.cap, 2)}" if month.cap is not None else None
    st.metric("You this month", words.usd(month.spent, 2), cap, delta_color="gray", delta_arrow="off")


def _buttons(person: Person, overview: BudgetOverview) -> None:
    with st.container(horizontal=True, width="content", gap="small"):
        if person.is_admin:
            st.link_button("Open fal.ai billing", BILLING_PAGE, type="tertiary", key="billing-page")
        if person.is_admin and st.button("Set the balance", type="tertiary", key="set-team"):
            balance_dialog.draw("team", overview.team is not None)
        if st.button("Set your allowance", type="tertiary", key="set-own"):
            balance_dialog.draw("person", overview.own is not None)


def _source(person: Person, overview: BudgetOverview) -> None:
    """When fal.ai tells the balance by itself: since when, and plainly when it does not."""
    if not person.is_admin:
        return
    state = next((known for known in chores.states(person) if known.name == "balance"), None)
    if state is not None and state.last_error:
        st.warning(f"**The balance cannot be read at fal.ai.** {words.escape(state.last_error)}")
    elif overview.team_source == "fal" and state is not None and state.last_ok_at is not None:
        ago = words.ago_within(state.last_ok_at, session.now(), session.tz())
        moments.line(f"Read at fal.ai by itself, last {ago}.", state.last_ok_at)


def _burn(person: Person, overview: BudgetOverview, scope: Scope) -> BurnDown:
    period = Period(overview.today - timedelta(days=_LOOK_BACK - 1), overview.today)
    return burn_down.burn_down(person, period, scope)


def _chart(overview: BudgetOverview, budget: Budget, scope: Scope, burn: BurnDown, ahead: outlook.Outlook) -> None:
    zone = ZoneInfo(overview.timezone)
    now = _local(session.now(), zone)
    first = min(_local(budget.taken_at or session.now(), zone).date(), overview.today - timedelta(days=_SHOWN - 1))
    days = [day for day in burn.days if day.day >= first and day.left is not None]
    marks = [(_local(mark.at, zone), mark.amount) for mark in burn.balances]
    entered = [(at, amount) for at, amount in marks if at.date() >= first]
    ends = [(min(now, charts.end_of(day.day)), day.left) for day in days]
    points = sorted([*ends, *entered], key=lambda point: point[0])
    coming = outlook.shown(ahead)
    low = (budget.amount or _ZERO) * meter.LOW
    mark = f"Alert below {words.usd(low, 2)}" if scope == "team" else f"25%, {words.usd(low, 2)}"
    st.space("small")
    title, entry = _TITLES[scope]
    st.subheader(title, anchor=False)
    charts.draw(
        charts.balance(points, entered, coming, now, (low, mark), entry),
        alt=f"{words.usd(budget.remaining or _ZERO, 2)} is left. {outlook.sentence(ahead, overview.today)}",
        key="chart-balance",
    )
    rows: list[tuple[Any, ...]] = [(day.day, "counted", day.spent, day.left, None, None) for day in days]
    rows += [(day.day, "forecast", None, day.expected, day.low, day.high) for day in coming[1:]]
    columns = ("Day", "What", "Spent, USD", "Left at its end, USD", "At least, USD", "At most, USD")
    numbers.below("Balance day by day", columns, rows, file="balance")


def _local(at: datetime, zone: ZoneInfo) -> datetime:
    """A moment as the clock on the wall says it; charts know no timezones."""
    return at.astimezone(zone).replace(tzinfo=None)
