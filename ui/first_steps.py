"""What somebody does who is new: on Generate until the first image is there, on Admin until the studio is set up."""

from typing import Final

import streamlit as st

from core.catalog import Offer
from core.models import Person
from core.operations import Overview
from core.settings import get_settings
from ui import admin_attention, filling, form, shell, steps, words
from ui.steps import Step

FIRST_TYPE: Final = "image_flux_schnell"
READY_PROMPT: Final = "A bottle of lemonade on wet slate, slices of lemon, early light, cobalt and ochre"


def draw(person: Person, offers: dict[str, Offer], *, has_made: bool) -> None:
    """For who has made nothing yet: approved, credits, first image, where it goes."""
    if has_made:
        return
    first = offers.get(FIRST_TYPE)
    under_way = bool(person.running)
    found = (
        _approved(person),
        _credits(person, first),
        Step(
            "Make a first image",
            "It is being made. You can close the page: it arrives all the same." if under_way else _ready(),
            under_way,
            _fill if first is not None and not _is_filled() else None,
        ),
        Step(
            "Find it again",
            "It appears below on this page, and in Jobs with everything you make.",
            False,
            (lambda: _to_page("jobs", "Jobs")) if under_way else None,
        ),
    )
    steps.draw("First steps", found, "first-steps")


def draw_admin(overview: Overview) -> None:
    """For the first admin of a studio in which nothing was made yet: people, balance, prices, keys."""
    if overview.done_today or overview.spent_month:
        return
    waiting, remaining, simulated = overview.people_waiting, overview.budget.remaining, get_settings().simulated
    people = (
        f"{words.count(waiting, 'person', 'people')} {'waits' if waiting == 1 else 'wait'} for your approval."
        if waiting
        else "Nobody waits. Whoever signs up appears under People."
    )
    balance = "Enter what the fal.ai account has, so that everybody sees what is left."
    real = (
        f"Simulated: {', '.join(simulated)}. Try your keys, then start once more."
        if simulated
        else "Nothing is simulated."
    )
    found = (
        Step("Let people in", people, not waiting, lambda: _to_section("People")),
        Step(
            "Set the balance",
            f"{words.usd(remaining, 2)} left to spend." if remaining is not None else balance,
            remaining is not None,
            lambda: _to_page("budget", "Budget"),
        ),
        Step(
            "Look at the prices",
            "What each type takes in credits, what it costs at fal.ai, and what is switched on.",
            False,
            lambda: _to_section("Catalogue"),
        ),
        Step("Go real", real, not simulated, lambda: _to_section("Connections")),
    )
    steps.draw("Set up the studio", found, "studio-steps")


def _approved(person: Person) -> Step:
    if person.is_admin:
        said = "You are an admin: people, balance, prices and keys are yours to set up."
        return Step("Set up the studio", said, False, lambda: _to_page("admin", "Admin"))
    return Step("Get approved", "Done: an admin has let you in.", True)


def _credits(person: Person, first: Offer | None) -> Step:
    if person.is_unmetered:
        return Step("Have credits", "You need none: your jobs are not counted in credits.", True)
    if person.available <= 0:
        said = "You have none yet. Buy a pack, or ask an admin to give you some."
        return Step("Have credits", said, False, lambda: _to_page("credits", "Credits"))
    price = f" Two images take {words.credits(first.credits)}." if first is not None else ""
    return Step("Have credits", f"You have {words.credits(person.available)}.{price}", True)


def _ready() -> str:
    if _is_filled():
        return "The prompt is in the form. Change it if you like, then press the button below it."
    return "A prompt is ready for you. It is filled in, and nothing is sent before you press the button."


def _is_filled() -> bool:
    return bool(st.session_state.get(form.PROMPT) == READY_PROMPT)


def _fill() -> None:
    st.button("Fill in a prompt", key="first-steps-fill", on_click=_put)


def _put() -> None:
    filling.put_back(FIRST_TYPE, {"prompt": READY_PROMPT})


def _to_section(section: str) -> None:
    st.button(
        section,
        type="tertiary",
        icon=":material/arrow_forward:",
        icon_position="right",
        key=f"step-{section}",
        on_click=admin_attention.go,
        args=(section,),
    )


def _to_page(name: str, label: str) -> None:
    if st.button(label, type="tertiary", icon=":material/arrow_forward:", icon_position="right", key=f"step-{label}"):
        st.switch_page(shell.PAGES / f"{name}.py")
