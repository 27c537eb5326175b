"""The script that every run starts with: who is here, which pages they have, what surrounds the page."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import Page

from core.errors import DatabaseUnavailable
from core.models import Person
from ui import guard, keys, memory, menu, session, shell, signin

_HERE = Path(__file__).resolve().parent
_STATIC = _HERE.parent / "static"


def _all_show(view: Callable[[], None]) -> list[Page]:
    """The same view at every address, so that a deep link survives until the person is in."""
    pages = [st.Page(view, title="Atelier", url_path="", default=True)]
    return pages + [st.Page(view, title="Atelier", url_path=name) for name in menu.NAMES[1:]]


def _not_for_you() -> None:
    guard.require(admin=True)


def _pages(person: Person) -> list[Page]:
    pages = [
        st.Page(shell.PAGES / f"{name}.py", title=menu.title(name, person), default=name == "generate")
        for name in menu.NAMES
        if name != "admin" or person.is_admin
    ]
    if not person.is_admin:
        pages.append(st.Page(_not_for_you, title="Admin", url_path="admin", visibility="hidden"))
    return pages


def main() -> None:
    """One run: the shell, then the page. Without a person there is no shell and no page, only the way in."""
    st.set_page_config(page_title="Atelier", page_icon=str(_STATIC / "favicon.svg"), layout="wide")
    st.html(_HERE / "style.css")
    try:
        person = session.current(fresh=True)
    except DatabaseUnavailable as error:
        st.navigation(_all_show(partial(guard.unavailable, error)), position="hidden").run()
        return
    if person is None:
        st.navigation(_all_show(signin.page), position="hidden").run()
    elif not person.may_generate:
        page = st.navigation(_all_show(signin.waiting), position="hidden")
        if page.url_path == "admin":
            guard.admits_admin(person)  # for the trace alone
        page.run()
    else:
        show(person)


def show(person: Person) -> None:
    """The shell and the page of somebody who is in."""
    page = st.navigation(_pages(person), position="top")
    st.logo(str(_STATIC / "wordmark.svg"), size="large")
    keys.keep()
    shell.bar()
    shell.banners(person, page.url_path)
    try:
        page.run()
    except DatabaseUnavailable as error:
        guard.unavailable(error)


try:
    main()
finally:
    memory.settle()
