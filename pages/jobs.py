"""Jobs: what is running, live, and everything that has ended, as gallery or table."""

import math

import streamlit as st

from core import jobs
from core.models import JobFilter, JobPage, Person
from ui import cards, detail, guard, job_filters, job_table, live, retry_all, selection, shell

PAGE_SIZE = 12
PAGER_WIDTH = 340
VIEW = "jobs-view"
VIEWS = {"gallery": ":material/grid_view: Gallery", "table": ":material/table_rows: Table"}

person = guard.require()


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


def find(person: Person, matching: JobFilter) -> JobPage:
    """The page that is asked for; the last one when the list has become shorter than that."""
    wanted = int(st.session_state.get(job_filters.PAGE, 1))
    found = jobs.list_finished(person, page=wanted, page_size=PAGE_SIZE, matching=matching)
    last = max(1, math.ceil(found.total / PAGE_SIZE))
    if wanted > last:
        st.session_state[job_filters.PAGE] = last
        found = jobs.list_finished(person, page=last, page_size=PAGE_SIZE, matching=matching)
    return found


def draw_pages(found: JobPage) -> None:
    first = (found.page - 1) * found.page_size + 1
    last = first + len(found.jobs) - 1
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        noun = "job" if found.total == 1 else "jobs"
        st.markdown(f":small[:gray[{first}–{last} of {found.total:,} {noun}]]", width="content")
        pages = math.ceil(found.total / found.page_size)
        if pages > 1:
            st.pagination(pages, key=job_filters.PAGE, width=PAGER_WIDTH)


def draw_finished(person: Person, anything_running: bool) -> None:
    if not anything_running and not has_any(person):
        sentence = "Everything you generate lands on this page and stays here."
        if cards.empty("Nothing here yet", sentence, "Make your first image", key="jobs"):
            st.switch_page(shell.PAGES / "generate.py")
        return
    st.space("small")
    view, selecting = draw_heading()
    matching = job_filters.draw(person)
    if matching.status == "failed":
        retry_all.offer(person, matching)
    found = find(person, matching)
    if not found.jobs:
        if matching.is_empty:
            st.markdown(":gray[What you have running lands here when it is done.]")
        else:
            sentence = "Nothing matches these filters."
            cards.empty("No job like that", sentence, "Clear filters", job_filters.clear, key="filter")
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
