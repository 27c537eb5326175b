"""A few first steps side by side: what is done, what is next, and the way there."""

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from ui import words


@dataclass(frozen=True, slots=True)
class Step:
    """One step in words, nothing escaped; `act` draws the button or link that does it, while it is not done."""

    title: str
    said: str
    is_done: bool
    act: Callable[[], object] | None = None


def draw(heading: str, steps: tuple[Step, ...], key: str) -> None:
    """The steps in a box that can be put away for this visit; nothing when it was, or when all are done."""
    hidden = f"{key}-hidden"
    if st.session_state.get(hidden) or all(step.is_done for step in steps):
        return
    with st.container(border=True, key=key):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.subheader(heading, anchor=False, width="content")
            st.button("Hide", type="tertiary", key=f"{key}-hide", on_click=_hide, args=(hidden,))
        grid = st.grid(4, min_column_width=200, gap="medium")
        for number, step in enumerate(steps, 1):
            with grid.cell(), st.container(gap=8):
                mark = ":green[:material/check:]" if step.is_done else f":gray[{number}]"
                st.markdown(f"{mark} **{words.escape(step.title)}**")
                st.markdown(f":small[:gray[{words.escape(step.said)}]]")
                if step.act is not None and not step.is_done:
                    step.act()


def _hide(key: str) -> None:
    st.session_state[key] = True
