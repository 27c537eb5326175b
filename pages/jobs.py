"""Jobs: what is running, live, and everything that has ended, as gallery or table."""

from functools import partial

import streamlit as st

from core import jobs, together
from core.models import JobFilter, JobPage, Person
from ui import cards, detail, guard, job_filters, job_table, live, pager, retry_all, selection, shell

PAGE_SIZE = 12
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
    """The page that is asked for; the first one when nothing is left of that."""
    start = pager.start(job_filters.PAGE)
    found = jobs.list_finished(person, after=start, page_size=PAGE_SIZE, matching=matching)
    if not found.jobs and start is not None:
        pager.to_top(job_filters.PAGE)
        found = jobs.list_finished(person, page_size=PAGE_SIZE, matching=matching)
    return found


def draw_finished(person: Person, anything_running: bool) -> None:
    head = st.empty()
    with head.container():
        st.space("small")
        view, selecting = draw_heading()
        matching = job_filters.draw(person)
        if matching.status == "failed":
            retry_all.offer(person, matching)
    found = find(person, matching)
    if not found.jobs:
        if not matching.is_empty:
            only_favourites = matching == JobFilter(favourites=True)
            sentence = "The star on a card puts it here." if only_favourites else "Nothing matches these filters."
            cards.empty("No job like that", sentence, "Clear filters", job_filters.clear, key="filter")
        elif anything_running:
            st.markdown(":gray[What you have running lands here when it is done.]")
        else:
            head.empty()
            sentence = "Everything you generate lands on this page and stays here."
            if cards.empty("Nothing here yet", sentence, "Make your first image", key="jobs"):
                st.switch_page(shell.PAGES / "generate.py")
        return
    if view == "gallery":
        if selecting:
            selection.bar(person)
        cards.gallery(found.jobs, "jobs", selecting=selecting)
    else:
        job_table.draw(found.jobs)
    st.space("small")
    pager.draw(job_filters.PAGE, len(found.jobs), found.older, "job")


st.title("Jobs", anchor=False)
running = live.running(person)
with together.reading(person, partial(find, person, job_filters.chosen()), partial(jobs.campaign_names, person)):
    draw_finished(person, running)
detail.open_from_address(person)
