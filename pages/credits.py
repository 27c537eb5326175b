"""Credits: what a person has, the packs, what they bought, and the story of every credit."""

from datetime import datetime, timedelta
from functools import partial

import streamlit as st

from core import credits, purchases, together
from core.credits import CreditLine, Group, Standing
from core.models import Person
from ui import cards, guard, ledger, numbers, packs, pager, purchase_list, session, shell, words

PAGE_SIZE = 20
PAGE, GROUP, SINCE = "credits-page", "credits-group", "credits-since"
LABELS: dict[Group, str] = {"all": "Everything", "jobs": "Jobs", "purchases": "Purchases", "admins": "By admins"}
SPANS = {"Any time": 0, "Last 7 days": 7, "Last 30 days": 30, "Last 90 days": 90}

person = guard.require()


def to_first_page() -> None:
    pager.to_top(PAGE)


def draw_figures(person: Person, standing: Standing) -> None:
    with st.grid(4, min_column_width=150, gap=(24, 24)):
        st.metric("Credits available", "No limit" if person.is_unmetered else words.number(standing.available))
        aside = f"Set aside for {words.count(person.open_jobs, 'job')}" if person.open_jobs else "Set aside"
        st.metric(aside, words.number(standing.held))
        st.metric("Used this month", words.number(standing.used_this_month))
        if standing.owed:
            st.metric(
                "Owed", words.number(standing.owed), help="Used before their payment went back. The next pack pays."
            )
        if standing.frozen:
            st.metric("Kept back", words.number(standing.frozen), help="Until the dispute over their payment is over.")


def draw_packs(person: Person) -> None:
    st.space("small")
    st.subheader("Add credits", anchor=False)
    if person.is_unmetered:
        st.markdown(":gray[Your jobs cost no credits, so there is nothing to buy. They count in the budget.]")
    else:
        packs.cards(person)


def chosen() -> tuple[Group, datetime | None]:
    """Which part of the history, and since when; before the choice is drawn as well."""
    days = SPANS[st.session_state.get(SINCE) or "Any time"]
    return st.session_state.get(GROUP) or "all", started - timedelta(days=days) if days else None


def read_history(person: Person) -> tuple[tuple[CreditLine, ...], int | None]:
    group, since = chosen()
    return credits.lines(person, group=group, since=since, before=pager.start(PAGE), page_size=PAGE_SIZE)


def draw_history(person: Person, standing: Standing) -> None:
    st.space("small")
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader("History", anchor=False, width="content")
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            pick()
    group, since = chosen()
    found, older = read_history(person)
    if found:
        ledger.draw(found)
        draw_below(person, group, since, len(found), older)
        if standing.held:
            aside = words.credits(standing.held)
            st.markdown(f":small[:gray[The balance counts {aside} set aside for what is running.]]")
    elif group == "all" and since is None:
        sentence = "Every credit you get or use is listed here."
        if cards.empty("Nothing here yet", sentence, "Make your first image", key="credits"):
            st.switch_page(shell.PAGES / "generate.py")
    else:
        st.markdown(":gray[Nothing of this kind.]")


def pick() -> None:
    """Which part of the history, and since when."""
    st.pills(
        "Entries",
        list(LABELS),
        format_func=LABELS.__getitem__,
        default="all",
        required=True,
        key=GROUP,
        label_visibility="collapsed",
        on_change=to_first_page,
    )
    st.selectbox("Since", list(SPANS), key=SINCE, label_visibility="collapsed", on_change=to_first_page, width=150)


def draw_below(person: Person, group: Group, since: datetime | None, shown: int, older: int | None) -> None:
    def download() -> None:
        numbers.download(
            ledger.FILE_HEADS,
            lambda: [ledger.file_row(entry) for entry in credits.entries(person, group=group, since=since)],
            file=f"credits-{group}",
        )

    pager.draw(PAGE, shown, older, "line", download)


st.title("Credits", anchor=False)
started = session.now()
reads = (partial(credits.standing, person), partial(read_history, person), partial(purchases.own, person))
with together.reading(person, *reads):
    standing = credits.standing(person)
    draw_figures(person, standing)
    draw_packs(person)
    draw_history(person, standing)
    purchase_list.draw(person)
