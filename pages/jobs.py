"""Jobs: what is running, live, and everything that has ended, as gallery or table."""

import math

import streamlit as st

from core import jobs
from core.models import JobPage, Person
from ui import cards, describe, detail, guard, job_table, live, selection, shell

PAGE_SIZE = 12
PAGER_WIDTH = 340
PAGE, VIEW, MEDIA, STATUS, TEXT = "jobs-page", "jobs-view", "jobs-media", "jobs-status", "jobs-text"
VIEWS = {"gallery": ":material/grid_view: Gallery", "table": ":material/table_rows: Table"}
STATUSES = {"": "Any status", **describe.STATUS}

person = guard.require()


def to_first_page() -> None:
    st.session_state[PAGE] = 1


def clear_filters() -> None:
    st.session_state.update({MEDIA: [], STATUS: "", TEXT: "", PAGE: 1})


def draw_heading() -> tuple[str, bool]:
    """The view, and whether cards are being chosen."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader("Finished", anchor=False, width="content")
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            selecting = st.session_state.get(VIEW) != "table" and selection.switch()
            view = st.segmented_control(
                "View",
                list(VIEWS),
                format_func=VIEWS.__getitem__,
                default=None if VIEW in st.session_state else "gallery",
                required=True,
                key=VIEW,
                label_visibility="collapsed",
                persist_state="session",
            )
    return str(view), selecting


def draw_filters() -> tuple[tuple[str, ...], str | None, str]:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        media = st.pills(
            "Kind",
            list(describe.MEDIA),
            selection_mode="multi",
            format_func=describe.MEDIA.__getitem__,
            key=MEDIA,
            label_visibility="collapsed",
            on_change=to_first_page,
        )
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            status = st.selectbox(
                "Status",
                list(STATUSES),
                format_func=STATUSES.__getitem__,
                key=STATUS,
                label_visibility="collapsed",
                on_change=to_first_page,
                width=150,
            )
            text = st.text_input(
                "Search prompts",
                key=TEXT,
                placeholder="Search prompts",
                label_visibility="collapsed",
                icon=":material/search:",
                on_change=to_first_page,
                width=190,
            )
    return tuple(media), status or None, (text or "").strip()


def find(person: Person, media: tuple[str, ...], status: str | None, text: str) -> JobPage:
    """The page that is asked for; the last one when the list has become shorter than that."""
    wanted = int(st.session_state.get(PAGE, 1))
    found = jobs.list_finished(person, page=wanted, page_size=PAGE_SIZE, media_kinds=media, status=status, text=text)
    last = max(1, math.ceil(found.total / PAGE_SIZE))
    if wanted > last:
        st.session_state[PAGE] = last
        found = jobs.list_finished(person, page=last, page_size=PAGE_SIZE, media_kinds=media, status=status, text=text)
    return found


def draw_pages(found: JobPage) -> None:
    first = (found.page - 1) * found.page_size + 1
    last = first + len(found.jobs) - 1
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        noun = "job" if found.total == 1 else "jobs"
        st.markdown(f":small[:gray[{first}–{last} of {found.total:,} {noun}]]", width="content")
        pages = math.ceil(found.total / found.page_size)
        if pages > 1:
            st.pagination(pages, key=PAGE, width=PAGER_WIDTH)


def draw_finished(person: Person, anything_running: bool) -> None:
    if not anything_running and not st.session_state.get(TEXT) and not has_any(person):
        sentence = "Everything you generate lands on this page and stays here."
        if cards.empty("Nothing here yet", sentence, "Make your first image", key="jobs"):
            st.switch_page(shell.PAGES / "generate.py")
        return
    st.space("small")
    view, selecting = draw_heading()
    media, status, text = draw_filters()
    found = find(person, media, status, text)
    if not found.jobs:
        if media or status or text:
            cards.empty(
                "No job like that", "Nothing matches these filters.", "Clear filters", clear_filters, key="filter"
            )
        else:
            st.markdown(":gray[What you have running lands here when it is done.]")
        return
    if view == "gallery":
        if selecting:
            selection.bar(person)
        cards.gallery(found.jobs, "jobs", selecting=selecting)
    else:
        job_table.draw(found.jobs)
    st.space("small")
    draw_pages(found)


def has_any(person: Person) -> bool:
    return jobs.list_finished(person, page=1, page_size=1).total > 0


st.title("Jobs", anchor=False)
running = live.running(person)
draw_finished(person, running)
detail.open_from_address(person)
