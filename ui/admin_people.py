"""People for admins: who waits, one by one or many at once, and everybody in a list that opens their detail."""

from functools import partial
from uuid import UUID

import pandas as pd
import streamlit as st

from core import people
from core.models import Person, Waiting
from core.people import Filter, Member, MemberPage
from core.settings import get_settings
from core.together import Read
from ui import acting, admin_member, moments, picking, session, words

_PLACE = "people"
_PAGE, _MOST = 50, 500
_MOST_WAITING = 25
_SHOWN, _FILTER, _TEXT, _TABLE = "people-shown", "people-filter", "people-text", "people-table"
_FILTERS: dict[Filter, str] = {
    "all": "All",
    "waiting": "Waiting",
    "admins": "Admins",
    "unmetered": "No credits needed",
    "capped": "With a cap",
    "declined": "Declined",
    "off": "Switched off",
}
STATES = {
    "waiting": "Waiting",
    "approved": "Approved",
    "declined": "Declined",
    "off": "Switched off",
    "deleted": "Deleted",
}
_COLORS = {"Approved": "green", "Waiting": "yellow", "Declined": "gray", "Switched off": "red", "Deleted": "gray"}


def reads(person: Person) -> tuple[Read, ...]:
    """What the section asks for: see `core.together`. Who waits is read as the person."""
    return (partial(_found, person),)


def draw(person: Person) -> None:
    acting.outcome(_PLACE)
    waiting = people.waiting(person, limit=_MOST_WAITING)
    if waiting:
        _waiting(waiting, max(person.people_waiting, len(waiting)))
        st.space("small")
    _list(person)
    admin_member.open_chosen(person)


def _waiting(waiting: tuple[Waiting, ...], number: int) -> None:
    """Those who wait longest; the others come when these are decided about."""
    chosen = [who.user_id for who in waiting if st.session_state.get(_choose_key(who.user_id))]
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader("Waiting for approval", anchor=False, width="content")
        if len(waiting) > 1:
            whole = "all" if number == len(waiting) else "these"
            _many(chosen or [who.user_id for who in waiting], "chosen" if chosen else whole)
    with st.container(gap=8):
        for who in waiting:
            _one(who)
    if number > len(waiting):
        rest = words.number(number - len(waiting))
        st.markdown(f":small[:gray[{rest} more wait. Who has waited longest is shown first.]]")


def _many(user_ids: list[UUID], which: str) -> None:
    number = words.number(len(user_ids))
    label = f"{number} chosen" if which == "chosen" else f"{which} {number}"
    with st.container(horizontal=True, width="content"):
        st.button(
            f"Decline {label}",
            type="tertiary",
            key="decline-many",
            disabled=which != "chosen",
            help="Choose them first." if which != "chosen" else None,
            on_click=acting.attempt,
            args=(_PLACE, lambda person: _decline(person, user_ids)),
        )
        st.button(
            f"Approve {label}",
            key="approve-many",
            help=_begins_with(),
            on_click=acting.attempt,
            args=(_PLACE, lambda person: _approve(person, user_ids)),
        )


def _choose_key(user_id: UUID) -> str:
    return f"choose-{user_id}"


def _one(who: Waiting) -> None:
    asked = words.ago_within(who.created_at, session.now(), session.tz())
    with (
        st.container(border=True, key=f"waiting-{who.user_id}"),
        st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"),
    ):
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            name = who.full_name or "No name given"
            st.checkbox(f"Choose {name}", key=_choose_key(who.user_id), label_visibility="collapsed")
            with st.container(gap=None, width="content"):
                st.markdown(words.escape(name))
                moments.line(f"{who.email} · asked {asked}", who.created_at)
        with st.container(horizontal=True, width="content"):
            st.button(
                "Decline",
                type="tertiary",
                key=f"decline-{who.user_id}",
                on_click=acting.attempt,
                args=(_PLACE, lambda person, user_id=who.user_id: _decline(person, [user_id])),
            )
            st.button(
                "Approve",
                key=f"approve-{who.user_id}",
                help=_begins_with(),
                on_click=acting.attempt,
                args=(_PLACE, lambda person, user_id=who.user_id: _approve(person, [user_id])),
            )


def _begins_with() -> str | None:
    """What being approved gives, for whoever is about to do it."""
    welcome = get_settings().welcome_credits
    return f"With {words.credits(welcome)} to begin with, once." if welcome else None


def _approve(person: Person, user_ids: list[UUID]) -> str:
    done = people.approve_many(person, user_ids)
    return f"{words.count(len(done.changed), 'person', 'people')} approved. They can start at once."


def _decline(person: Person, user_ids: list[UUID]) -> str:
    done = people.decline_many(person, user_ids)
    return f"{words.count(len(done.changed), 'person', 'people')} declined."


def _shown() -> int:
    return int(st.session_state.get(_SHOWN, _PAGE))


def _wanted() -> Filter:
    return st.session_state.get(_FILTER) or "all"


def _found(person: Person) -> MemberPage:
    """Who is in the list, as it is filtered."""
    text = str(st.session_state.get(_TEXT) or "").strip()
    return people.search(person, text, show=_wanted(), limit=min(_shown(), _MOST))


def _list(person: Person) -> None:
    found = _found(person)
    counts = found.counts or {}
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader("Everybody", anchor=False, width="content")
        st.text_input(
            "Search people",
            key=_TEXT,
            placeholder="Name or email",
            label_visibility="collapsed",
            icon=":material/search:",
            on_change=_from_the_top,
            width=230,
        )
    offered = [name for name in _FILTERS if counts.get(name) or name in ("all", _wanted())]
    st.pills(
        "Show",
        offered,
        format_func=lambda name: f"{_FILTERS[name]} {words.number(counts.get(name, 0))}",
        default=None if _FILTER in st.session_state else "all",
        required=True,
        key=_FILTER,
        label_visibility="collapsed",
        on_change=_from_the_top,
    )
    if not found.members:
        st.markdown(":gray[Nobody like that.]")
        return
    _table(found.members)
    st.markdown(":small[:gray[Choose somebody to see and change how they stand.]]")
    if found.after is not None and _shown() < _MOST:
        st.button("Show more", key="people-more", on_click=_show_more, args=(_shown(),))


def _from_the_top() -> None:
    st.session_state[_SHOWN] = _PAGE


def _show_more(shown: int) -> None:
    st.session_state[_SHOWN] = shown + _PAGE


def _table(members: tuple[Member, ...]) -> None:
    now, tz = session.now(), session.tz()
    frame = pd.DataFrame(
        {
            "Name": [member.full_name or member.email for member in members],
            "Email": [member.email for member in members],
            "Role": ["Admin" if member.role == "admin" else "Member" for member in members],
            "State": [[STATES[member.state]] for member in members],
            "Credits": [None if member.is_unmetered else member.available for member in members],
            "This month": [float(member.spent_month) for member in members],
            "Cap": [float(member.cap) if member.cap is not None else None for member in members],
            "Last seen": [words.ago(member.last_seen_at, now, tz) if member.last_seen_at else "" for member in members],
        }
    )
    picking.table(
        frame,
        members,
        admin_member.choose,
        key=_TABLE,
        alt="People, newest first",
        config={
            "Name": st.column_config.TextColumn(width="medium"),
            "State": st.column_config.MultiselectColumn(options=list(_COLORS), color=list(_COLORS.values())),
            "Credits": st.column_config.NumberColumn(format="localized"),
            "This month": st.column_config.NumberColumn(format="$%.2f"),
            "Cap": st.column_config.NumberColumn(format="$%.2f"),
        },
    )
