"""The dialog in which an admin limits spending: the block at zero, monthly caps, and where days begin."""

from decimal import Decimal
from uuid import UUID
from zoneinfo import available_timezones

import streamlit as st

from core import limits, people
from core.budget import BudgetOverview
from core.errors import InvalidInput
from core.models import Person
from core.people import Member
from ui import acting, session, words

_PLACE = "limits"
_BLOCK, _WHO, _CAP, _ZONE = "limit-block", "limit-who", "limit-cap", "limit-zone"
_MEMBERS = 200


@st.dialog("Limits", on_dismiss="rerun")
def draw(overview: BudgetOverview) -> None:
    person = session.current()
    if person is None:
        st.rerun()
    _team(overview)
    st.space("small")
    _caps(person)
    acting.outcome(_PLACE)


def _team(overview: BudgetOverview) -> None:
    st.session_state.setdefault(_BLOCK, overview.block_at_zero)
    st.toggle(
        "Stop new jobs when the team's balance is used up",
        key=_BLOCK,
        on_change=acting.attempt,
        args=(_PLACE, _set_block),
        help="Jobs that are open count with their estimates.",
    )
    zones = sorted({*available_timezones(), overview.timezone})
    st.session_state.setdefault(_ZONE, overview.timezone)
    st.selectbox(
        "Days begin at midnight in",
        zones,
        key=_ZONE,
        on_change=acting.attempt,
        args=(_PLACE, _set_zone),
        help="Past days are counted anew.",
    )


def _caps(person: Person) -> None:
    members = {str(member.user_id): member for member in people.search(person, show="approved", limit=_MEMBERS).members}
    chosen = st.selectbox(
        "Monthly cap of",
        list(members),
        index=None,
        placeholder="Choose a person",
        format_func=lambda user_id: members[user_id].full_name or members[user_id].email,
        key=_WHO,
    )
    if chosen is not None:
        st.markdown(f":small[:gray[{words.escape(month(members[chosen]))}]]")
    st.number_input("USD in a calendar month", value=None, step=1.0, format="%.2f", placeholder="25.00", key=_CAP)
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
        st.button("Lift the cap", type="tertiary", on_click=acting.attempt, args=(_PLACE, _lift))
        st.button("Set the cap", type="primary", on_click=acting.attempt, args=(_PLACE, _set))


def month(member: Member) -> str:
    """$9.57 spent this month, no cap."""
    cap = f"cap {words.usd(member.cap, 2)}" if member.cap is not None else "no cap"
    return f"{words.usd(member.spent_month, 2)} spent this month, {cap}"


def _set_block(person: Person) -> str:
    on = bool(st.session_state[_BLOCK])
    limits.set_block_at_zero(person, on)
    return "New jobs stop when the balance is used up." if on else "New jobs go on when the balance is used up."


def _set_zone(person: Person) -> str:
    limits.set_timezone(person, st.session_state[_ZONE])
    return f"Days begin at midnight in {words.escape(st.session_state[_ZONE])}."


def _set(person: Person) -> str:
    typed = st.session_state.get(_CAP)
    if typed is None:
        raise InvalidInput("Enter an amount first, such as 25.00.", field="cap")
    month = limits.set_monthly_cap(person, UUID(_chosen()), Decimal(str(round(typed, 6))))
    return f"The cap is set. {words.escape(words.usd(max(Decimal(0), month.left or Decimal(0)), 2))} is left of it."


def _lift(person: Person) -> str:
    limits.set_monthly_cap(person, UUID(_chosen()), None)
    return "The cap is lifted."


def _chosen() -> str:
    user_id = st.session_state.get(_WHO)
    if not user_id:
        raise InvalidInput("Choose a person first.", field="user")
    return str(user_id)
