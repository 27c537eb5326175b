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


def draw(person: Person) -> JobFilter:
    """The row of filters; what is chosen stays while the person is elsewhere."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        media = st.pills(
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
            favourites = st.toggle("Favourites", key=_FAVOURITES, on_change=to_first_page, persist_state="session")
            model, campaign, first, last = _more(person)
            status = st.selectbox(
                "Status",
                list(_STATUSES),
                format_func=_STATUSES.__getitem__,
                key=_STATUS,
                label_visibility="collapsed",
                on_change=to_first_page,
                persist_state="session",
                width=150,
            )
            text = st.text_input(
                "Search prompts",
                key=_TEXT,
                placeholder="Search prompts",
                label_visibility="collapsed",
                icon=":material/search:",
                on_change=to_first_page,
                persist_state="session",
                width=190,
            )
    return JobFilter(
        media_kinds=tuple(media),
        status=status or None,
        generation_type=model or None,
        campaign_id=UUID(campaign) if campaign else None,
        created_from=_midnight(first),
        created_before=_midnight(last + timedelta(days=1)) if last else None,
        text=(text or "").strip(),
        favourites=favourites,
    )


def _more(person: Person) -> tuple[str, str, date | None, date | None]:
    """Model, campaign and days. The button counts those that are set."""
    chosen = sum(bool(st.session_state.get(key)) for key in (_TYPE, _CAMPAIGN, _FROM, _UNTIL))
    with st.popover(f"Filters · {chosen}" if chosen else "Filters", type="tertiary", key="jobs-more"):
        model = st.selectbox(
            "Model",
            ["", *GENERATION_TYPES],
            format_func=lambda key: words.escape(GENERATION_TYPES[key].label) if key else "Any model",
            key=_TYPE,
            on_change=to_first_page,
            persist_state="session",
        )
        names = {"": "Any campaign", **{str(known): name for known, name in jobs.campaign_names(person).items()}}
        if st.session_state.get(_CAMPAIGN, "") not in names:
            st.session_state[_CAMPAIGN] = ""  # deleted, or not shared any more
        campaign = st.selectbox(
            "Campaign",
            list(names),
            format_func=names.__getitem__,
            key=_CAMPAIGN,
            on_change=to_first_page,
            persist_state="session",
        )
        today = session.now().astimezone(session.tz()).date()
        with st.container(horizontal=True):
            first, last = (_day(label, key, today) for label, key in (("From", _FROM), ("Until", _UNTIL)))
        st.button("Clear all", type="tertiary", on_click=clear, key="jobs-clear")
    return model, campaign, first, last


def _day(label: str, key: str, today: date) -> date | None:
    return st.date_input(
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
