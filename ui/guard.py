"""The first line of every page: who may see it. A menu is no guard."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import streamlit as st

from core.admin import calls
from core.errors import AtelierError, DatabaseUnavailable, InsufficientCredits, NotAllowed
from core.models import Person
from ui import packs, sentences, session, words

GENERATE = Path(__file__).resolve().parent.parent / "pages" / "generate.py"
ADMIN_PAGE = "page:admin"  # what is refused, in the trail


def require(*, admin: bool = False) -> Person:
    """The person who may see this page; for everybody else one sentence, and nothing of the page runs."""
    try:
        person = session.current()
    except DatabaseUnavailable as error:
        unavailable(error)
    if person is None:
        _refuse("Sign in to see this page.")
    welcome = not admin or admits_admin(person)
    if not person.is_active:
        _refuse("Your account is switched off. Ask an admin if that should not be so.")
    if not person.may_generate:
        _refuse("Your account has to be approved by an admin first.")
    if not welcome:
        _admins_only()
    return person


def admits_admin(person: Person) -> bool:
    """Whether the admin page is for this person; who opens it without being one leaves a trace."""
    try:
        calls.only_admins(person, ADMIN_PAGE)
    except NotAllowed:
        return False
    return True


def _refuse(sentence: str) -> NoReturn:
    st.info(sentence)
    st.stop()


def _admins_only() -> NoReturn:
    with st.container(border=True, horizontal_alignment="center", key="nothing-admins"):
        st.subheader("This page is for admins", anchor=False, text_alignment="center")
        st.markdown(
            ":gray[It shows what everybody does and spends. An admin can make you one.]", text_alignment="center"
        )
        if st.button("Go to Generate", key="to-generate"):
            st.switch_page(GENERATE)
    st.stop()


def unavailable(error: AtelierError) -> NoReturn:
    """A calm page when the database does not answer, with a way to try again; ends the run."""
    with st.container(border=True, horizontal_alignment="center", key="nothing-unavailable"):
        st.subheader("One moment", anchor=False, text_alignment="center")
        st.markdown(f":gray[{words.escape(error.sentence)}]", text_alignment="center")
        st.button("Try again", key="try_again")
    st.stop()


def crashed(_error: Exception) -> bool:
    """What is shown when a page breaks: the log has the rest. True keeps Streamlit's own box away."""
    st.error(
        "**Something broke on this page.** Jobs that are under way go on, and nothing is charged twice. "
        "Load the page again.",
        icon=":material/error:",
    )
    return True


@contextmanager
def told() -> Iterator[None]:
    """Whatever a rule of ours or an outside service refuses in here is told to the person in its own sentence; what is
    refused for credits with the packs beside it."""
    try:
        yield
    except InsufficientCredits as error:
        packs.refused(require(), error)
    except AtelierError as error:
        st.error(sentences.marked(error.sentence), icon=":material/error:")
