"""What narrows the list of finished jobs: kind, status and words in view, the rest behind one button."""

from datetime import date, datetime, time, timedelta
from uuid import UUID

import streamlit as st

from core import jobs
from core.catalog import GENERATION_TYPES
from core.models import JobFilter, Person
from ui import describe, pager, session, words

PAGE = "jobs-page"
_MEDIA, _STATUS, _TEXT, _FAVOURITES = "jobs-media", "jobs-status", "jobs-text", "jobs-favourites"
_TYPE, _CAMPAIGN, _FROM, _UNTIL = "jobs-type", "jobs-campaign", "jobs-from", "jobs-until"
_NOTHING: dict[str, object] = {
    _MEDIA: [],
    _STATUS: "",
    _TEXT: "",
    _FAVOURITES: False,
    _TYPE: "",
    _CAMPAIGN: "",
    _FROM: None,
    _UNTIL: None,
}
_STATUSES = {"": "Any status", **describe.STATUS, "late": "Delivered late"}


def clear() -> None:
    """Callback: show everything again, from the first page."""
    st.session_state.update(_NOTHING)
    to_first_page()


def to_first_page() -> None:
    pager.to_top(PAGE)


def chosen() -> JobFilter:
    """What the filters say, before they are drawn as well."""
    media, status, text, model, campaign, first, last = (
        st.session_state.get(key) for key in (_MEDIA, _STATUS, _TEXT, _TYPE, _CAMPAIGN, _FROM, _UNTIL)
    )
    return JobFilter(
        media_kinds=tuple(media or ()),
        status=status or None,
        generation_type=model or None,
        campaign_id=UUID(campaign) if campaign else None,
        created_from=_midnight(first),
        created_before=_midnight(last + timedelta(days=1)) if last else None,
        text=(text or "").strip(),
        favourites=bool(st.session_state.get(_FAVOURITES)),
    )


def draw(person: Person) -> JobFilter:
    """The row of filters; what is chosen stays while the person is elsewhere."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.pills(
            "Kind",
            list(describe.MEDIA),
            selection_mode="multi",
            format_func=describe.MEDIA.__getitem__,
            key=_MEDIA,
            label_visibility="collapsed",
            on_change=to_first_page,
            persist_state="session",
        )
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            st.toggle("Favourites", key=_FAVOURITES, on_change=to_first_page, persist_state="session")
            _more(person)
            st.selectbox(
                "Status",
                list(_STATUSES),
                format_func=_STATUSES.__getitem__,
                key=_STATUS,
                label_visibility="collapsed",
                on_change=to_first_page,
                persist_state="session",
                width=150,
            )
            st.text_input(
                "Search prompts",
                key=_TEXT,
                placeholder="Search prompts",
                label_visibility="collapsed",
                icon=":material/search:",
                on_change=to_first_page,
                persist_state="session",
                width=190,
            )
    return chosen()


def _more(person: Person) -> None:
    """Type, campaign and days. The button counts those that are set."""
    number = sum(bool(st.session_state.get(key)) for key in (_TYPE, _CAMPAIGN, _FROM, _UNTIL))
    with st.popover(f"Filters · {number}" if number else "Filters", type="tertiary", key="jobs-more"):
        st.selectbox(
            "Type",
            ["", *GENERATION_TYPES],
            format_func=lambda key: words.escape(GENERATION_TYPES[key].label) if key else "Any type",
            key=_TYPE,
            on_change=to_first_page,
            persist_state="session",
        )
        names = {"": "Any campaign", **{str(known): name for known, name in jobs.campaign_names(person).items()}}
        if st.session_state.get(_CAMPAIGN, "") not in names:
            st.session_state[_CAMPAIGN] = ""  # deleted, or not shared any more
        st.selectbox(
            "Campaign",
            list(names),
            format_func=names.__getitem__,
            key=_CAMPAIGN,
            on_change=to_first_page,
            persist_state="session",
        )
        today = session.now().astimezone(session.tz()).date()
        with st.container(horizontal=True):
            _day("From", _FROM, today)
            _day("Until", _UNTIL, today)
        st.button("Clear all", type="tertiary", on_click=clear, key="jobs-clear")


def _day(label: str, key: str, today: date) -> None:
    st.date_input(
        label,
        value=None,
        max_value=today,
        key=key,
        format="YYYY-MM-DD",
        on_change=to_first_page,
        persist_state="session",
        width=150,
    )


def _midnight(day: date | None) -> datetime | None:
    """The start of a day where the browser is."""
    return datetime.combine(day, time.min, tzinfo=session.tz()) if day else None
