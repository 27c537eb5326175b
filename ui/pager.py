"""Newer and older: the foot of a list that is read page by page from where the last one ended.

The session keeps where each page so far began, so that going back shows what was there. `key` names the list.
"""

from collections.abc import Callable
from typing import Any

import streamlit as st

from ui import words

Start = tuple[Any, int]  # where a page begins, and how many rows come before it


def start(key: str) -> Any | None:
    """Where the page to be shown begins; None is the top of the list."""
    starts = _starts(key)
    return starts[-1][0] if starts else None


def to_top(key: str) -> None:
    """Also as a callback: from the newest again, because something else is listed now."""
    st.session_state[key] = []


def draw(key: str, shown: int, older: Any | None, noun: str, beside: Callable[[], object] | None = None) -> None:
    """What is shown and the ways on; `older` is where the next page begins, None when there is none.

    `beside` draws what else belongs to the list, such as its download, on the same line.
    """
    starts = _starts(key)
    before = starts[-1][1] if starts else 0
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        with st.container(horizontal=True, width="content", gap="medium", vertical_alignment="center"):
            st.markdown(f":small[:gray[{range_words(before, shown, older is not None, noun)}]]", width="content")
            if beside is not None:
                beside()
        if starts or older is not None:
            with st.container(horizontal=True, width="content", gap="medium", key=f"{key}-pager"):
                st.button(
                    "Newer",
                    type="tertiary",
                    icon=":material/chevron_left:",
                    disabled=not starts,
                    on_click=_back,
                    args=(key,),
                    key=f"{key}-newer",
                )
                st.button(
                    "Older",
                    type="tertiary",
                    icon=":material/chevron_right:",
                    icon_position="right",
                    disabled=older is None,
                    on_click=_on,
                    args=(key, (older, before + shown)),
                    key=f"{key}-older",
                )


def range_words(before: int, shown: int, more: bool, noun: str) -> str:
    """7 jobs; 13–24; 25–30 of 30 jobs: how many there are in all is known at the end of the list."""
    if not before and not more:
        return words.count(shown, noun)
    rows = f"{words.number(before + 1)}–{words.number(before + shown)}"
    return rows if more else f"{rows} of {words.count(before + shown, noun)}"


def _starts(key: str) -> list[Start]:
    starts: list[Start] = st.session_state.setdefault(key, [])
    return starts


def _back(key: str) -> None:
    _starts(key).pop()


def _on(key: str, following: Start) -> None:
    _starts(key).append(following)
