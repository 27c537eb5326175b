"""The trail for admins: who did what to whom, before and after, and why; searched, and taken away as a file."""

from datetime import date, datetime, time, timedelta
from functools import partial
from uuid import UUID

import pandas as pd
import streamlit as st

from core.admin import trail
from core.admin.trail import TrailFilter, TrailLine, TrailPage
from core.models import Person
from core.together import Read
from ui import guard, picking, session, trail_words, words

_PAGE = 50
_MOST = 450
_BY, _ACTION, _TEXT, _SPAN, _SHOWN = "trail-by", "trail-action", "trail-text", "trail-span", "trail-shown"
_TABLE, _CHOSEN = "trail-table", "trail-chosen"


def reads(person: Person) -> tuple[Read, ...]:
    """What the section asks for: see `core.together`."""
    return partial(trail.choices, person), partial(_found, person, _wanted())


def _found(person: Person, wanted: TrailFilter) -> TrailPage:
    return trail.search(person, wanted, limit=_shown())


def _shown() -> int:
    return min(int(st.session_state.get(_SHOWN, _PAGE)), _MOST)


def _wanted() -> TrailFilter:
    """What the filters say, before they are drawn as well."""
    by, action, text, span = (st.session_state.get(key) for key in (_BY, _ACTION, _TEXT, _SPAN))
    start, end = _moments(span)
    return TrailFilter(by=UUID(by) if by else None, action=action, text=(text or "").strip(), start=start, end=end)


def draw(person: Person) -> None:
    st.subheader("Trail", anchor=False)
    _filters(person)
    wanted, shown = _wanted(), _shown()
    page = _found(person, wanted)
    if not page.lines:
        st.markdown(":gray[Nothing like that has happened.]")
        return
    _table(page.lines)
    st.markdown(":small[:gray[Choose a line to see all of it. Nothing here can be changed or deleted.]]")
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
    _open_chosen()


def _filters(person: Person) -> None:
    known = trail.choices(person)
    actors = {str(user_id): name or words.short_id(str(user_id)) for user_id, name in known.actors}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Search",
            key=_TEXT,
            placeholder="Anything in it",
            icon=":material/search:",
            on_change=_from_the_top,
            width=230,
        )
        st.selectbox(
            "Who",
            list(actors),
            index=None,
            format_func=lambda user_id: actors[user_id],
            placeholder="Anybody",
            key=_BY,
            on_change=_from_the_top,
            width=190,
        )
        st.selectbox(
            "What",
            list(known.actions),
            index=None,
            format_func=trail_words.action,
            placeholder="Anything",
            key=_ACTION,
            on_change=_from_the_top,
            width=210,
        )
        st.date_input("When", value=[], key=_SPAN, on_change=_from_the_top, format="YYYY-MM-DD", width=260)


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


def _table(lines: tuple[TrailLine, ...]) -> None:
    now, tz = session.now(), session.tz()
    frame = pd.DataFrame(
        {
            "When": [words.exact(line.created_at, now, tz) for line in lines],
            "Who": [_who(line) for line in lines],
            "What": [trail_words.action(line.action) for line in lines],
            "To whom": [trail_words.target(line) for line in lines],
            "Change": [trail_words.difference(line.before, line.after) for line in lines],
            "Why": [line.reason or "" for line in lines],
        }
    )
    picking.table(
        frame,
        lines,
        _choose,
        key=_TABLE,
        alt="Actions of admins, newest first",
        config={
            "To whom": st.column_config.TextColumn(width="medium"),
            "Change": st.column_config.TextColumn(width="large"),
            "Why": st.column_config.TextColumn(width="medium"),
        },
    )


def _who(line: TrailLine) -> str:
    return line.actor_name or ("Configuration" if line.actor is None else "Gone")


def _choose(line: TrailLine) -> None:
    st.session_state[_CHOSEN] = line


def _close() -> None:
    st.session_state.pop(_CHOSEN, None)


def _open_chosen() -> None:
    line: TrailLine | None = st.session_state.get(_CHOSEN)
    if line is not None:
        st.dialog(words.escape(trail_words.action(line.action)), width=1040, on_dismiss=_close)(_body)(line)


def _body(line: TrailLine) -> None:
    guard.require(admin=True)
    st.table(_facts(line), border="horizontal", alt="Facts about this action")
    states = [(name, state) for name, state in (("Before", line.before), ("After", line.after)) if state is not None]
    for column, (name, state) in zip(st.columns(2, gap="medium"), states, strict=False):
        with column:
            st.markdown(f":gray[{name}]")
            st.json(state)


def _facts(line: TrailLine) -> dict[str, str]:
    """Label → words, escaped for the table's markdown."""
    tz = session.tz()
    today = session.now().astimezone(tz).date()
    facts = {
        "When": f"{words.day(line.created_at.astimezone(tz).date(), today)}, {words.clock(line.created_at, tz)}",
        "Who": _who(line),
        "To whom": trail_words.target(line),
        "Id": line.target,
        "Why": line.reason,
    }
    return {f":gray[{name}]": words.escape(value) for name, value in facts.items() if value}
