"""The trail for admins: who did what to whom, before and after, and why; searched, and taken away as a file."""

from datetime import date, datetime, time, timedelta
from functools import partial
from uuid import UUID

import pandas as pd
import streamlit as st

from core.admin import trail
from core.admin.trail import TrailFilter, TrailLine
from core.models import Person
from ui import admin_changes, session, words

_PAGE = 50
_MOST = 450
_BY, _ACTION, _TEXT, _SPAN, _SHOWN = "trail-by", "trail-action", "trail-text", "trail-span", "trail-shown"
_TABLE = "trail-table"


def draw(person: Person) -> None:
    st.subheader("Trail", anchor=False)
    wanted = _filters(person)
    shown = min(int(st.session_state.get(_SHOWN, _PAGE)), _MOST)
    page = trail.search(person, wanted, limit=shown)
    if not page.lines:
        st.markdown(":gray[Nothing like that has happened.]")
        return
    _table(page.lines)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        if page.before is not None and shown < _MOST:
            st.button("Show more", key="trail-more", on_click=_show_more, args=(shown,))
        st.download_button(
            "Download CSV",
            partial(trail.export, person, wanted),
            file_name="trail.csv",
            mime="text/csv",
            type="tertiary",
            icon=":material/download:",
            on_click="ignore",
            key="trail-export",
        )


def _filters(person: Person) -> TrailFilter:
    known = trail.choices(person)
    actors = {str(user_id): name or words.short_id(str(user_id)) for user_id, name in known.actors}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Search",
            key=_TEXT,
            placeholder="Anything in it",
            icon=":material/search:",
            on_change=_from_the_top,
            width=230,
        )
        by = st.selectbox(
            "Who",
            list(actors),
            index=None,
            format_func=lambda user_id: actors[user_id],
            placeholder="Anybody",
            key=_BY,
            on_change=_from_the_top,
            width=190,
        )
        action = st.selectbox(
            "What",
            list(known.actions),
            index=None,
            format_func=action_words,
            placeholder="Anything",
            key=_ACTION,
            on_change=_from_the_top,
            width=210,
        )
        span = st.date_input("When", value=[], key=_SPAN, on_change=_from_the_top, format="DD/MM/YYYY", width=230)
    start, end = _moments(span)
    return TrailFilter(by=UUID(by) if by else None, action=action, text=(text or "").strip(), start=start, end=end)


def _moments(span: object) -> tuple[datetime | None, datetime | None]:
    """The beginning of the first day and the end of the last one, in the browser's timezone."""
    days = [day for day in span if isinstance(day, date)] if isinstance(span, tuple) else []
    if not days:
        return None, None
    tz = session.tz()
    return (
        datetime.combine(days[0], time(), tz),
        datetime.combine(days[-1] + timedelta(days=1), time(), tz),
    )


def _from_the_top() -> None:
    st.session_state[_SHOWN] = _PAGE


def _show_more(shown: int) -> None:
    st.session_state[_SHOWN] = shown + _PAGE


def action_words(action: str) -> str:
    """approve_person → Approve person."""
    return action.replace("_", " ").capitalize()


def _table(lines: tuple[TrailLine, ...]) -> None:
    now, tz = session.now(), session.tz()
    frame = pd.DataFrame(
        {
            "When": [words.exact(line.created_at, now, tz) for line in lines],
            "Who": [line.actor_name or ("Configuration" if line.actor is None else "Gone") for line in lines],
            "What": [action_words(line.action) for line in lines],
            "To whom": [line.target_name or words.short_id(line.target or "") for line in lines],
            "Change": [admin_changes.difference(line.before, line.after) for line in lines],
            "Why": [line.reason or "" for line in lines],
        }
    )
    st.dataframe(
        frame,
        hide_index=True,
        height="content",
        row_height=40,
        key=_TABLE,
        placeholder="",
        alt="Actions of admins, newest first",
        column_config={"Change": st.column_config.TextColumn(width="large")},
    )
