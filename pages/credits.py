"""Credits: what a person has, the packs, what they bought, and every entry of their ledger."""

import math
from typing import Any

import pandas as pd
import streamlit as st

from core import credits, purchases
from core.models import CreditEntry, Person
from ui import cards, describe, guard, numbers, packs, purchase_list, session, shell, words

PAGE_SIZE = 20
FILE_PAGE_SIZE = 500
PAGER_WIDTH = 340
PAGE, KIND = "credits-page", "credits-kind"
KINDS: dict[credits.Filter, str] = {"all": "Everything", "added": "Added", "used": "Used"}

person = guard.require()


def to_first_page() -> None:
    st.session_state[PAGE] = 1


def draw_figures(person: Person) -> None:
    standing = purchases.standing(person)
    with st.grid(4, min_column_width=150, gap=(24, 24)):
        st.metric("Credits available", "No limit" if person.is_unmetered else words.number(person.available))
        aside = f"Set aside for {words.count(person.open_jobs, 'job')}" if person.open_jobs else "Set aside"
        st.metric(aside, words.number(person.held))
        st.metric("Used this month", words.number(credits.used_this_month(person)))
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


def draw_history(person: Person) -> None:
    st.space("small")
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader("History", anchor=False, width="content")
        kind = st.pills(
            "Entries",
            list(KINDS),
            format_func=KINDS.__getitem__,
            default="all",
            required=True,
            key=KIND,
            label_visibility="collapsed",
            on_change=to_first_page,
        )
    entries, total = credits.history(
        person, kind=kind or "all", page=int(st.session_state.get(PAGE, 1)), page_size=PAGE_SIZE
    )
    if entries:
        draw_table(entries)
        draw_below(person, kind or "all", total)
    elif kind == "all":
        sentence = "Every credit you get or use is listed here."
        if cards.empty("Nothing here yet", sentence, "Make your first image", key="credits"):
            st.switch_page(shell.PAGES / "generate.py")
    else:
        st.markdown(":gray[No entry of this kind yet.]")


def draw_table(entries: tuple[CreditEntry, ...]) -> None:
    now, tz = session.now(), session.tz()
    frame = pd.DataFrame(
        {
            "When": [words.exact(entry.created_at, now, tz) for entry in entries],
            "What": [describe.entry(entry) for entry in entries],
            "Detail": [words.escape(describe.entry_detail(entry)) for entry in entries],
            "Credits": [entry.available_change for entry in entries],
            "After": [entry.available_after for entry in entries],
        }
    )
    styled = frame.style.format({"Credits": words.signed, "After": words.number})
    with st.container(key="ledger"):
        st.table(styled, border="horizontal", hide_index=True, alt="Credit entries, newest first")


def draw_below(person: Person, kind: credits.Filter, total: int) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        numbers.download(
            ("When", "What", "Detail", "Credits", "After", "Set aside after"),
            lambda: every_entry(person, kind, total),
            file=f"credits-{kind}",
        )
        pages = math.ceil(total / PAGE_SIZE)
        if pages > 1:
            st.pagination(pages, key=PAGE, width=PAGER_WIDTH)


def every_entry(person: Person, kind: credits.Filter, total: int) -> list[tuple[Any, ...]]:
    """All rows of the file, read when the button is pressed. What is entered meanwhile waits for the next file."""
    rows: dict[int, tuple[Any, ...]] = {}
    for page in range(1, math.ceil(total / FILE_PAGE_SIZE) + 1):
        for entry in credits.history(person, kind=kind, page=page, page_size=FILE_PAGE_SIZE)[0]:
            rows[entry.id] = (
                entry.created_at,
                describe.entry(entry),
                describe.entry_detail(entry),
                entry.available_change,
                entry.available_after,
                entry.held_after,
            )
    return list(rows.values())


st.title("Credits", anchor=False)
draw_figures(person)
draw_packs(person)
draw_history(person)
purchase_list.draw(person)
