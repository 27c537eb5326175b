"""The clips of a campaign, one row each: who it is on the left, the chain of its five steps on the right."""

from collections.abc import Callable
from html import escape

import streamlit as st

from core import campaigns
from core.campaigns import LABELS, Campaign, Clip, StepState
from core.models import Person
from ui import campaign_address, campaign_words, guard, tiles, transcript, words

_SCRIPT_IN_ROW = 140
_TEXT_IN_TILE = 60
_MENU = {
    "edit": "Edit",
    "duplicate": "Duplicate",
    "up": "Move up",
    "down": "Move down",
    "delete": "Delete",
}


def draw(person: Person, campaign: Campaign, clips: tuple[Clip, ...]) -> None:
    may_change = campaign.may_change and campaign.archived_at is None
    for clip in clips:
        with st.container(border=True, key=f"clip-row-{clip.id}"):
            left, right = st.columns([2, 7], gap="medium")
            with left:
                _about(person, clip, len(clips), may_change)
            with right, st.grid(5, min_column_width=96, gap=(12, 12)) as grid:
                for state in clip.steps:
                    with grid.cell():
                        _cell(clip, state)


def _about(person: Person, clip: Clip, clips: int, may_change: bool) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="top", wrap=False):
        with st.container(gap=4, width="stretch"):
            st.markdown(f":small[:gray[Clip {clip.position}]]")
            st.markdown(words.escape(clip.title) if clip.title else ":gray[No title]")
        if may_change:
            _menu(person, clip, clips)
    if clip.script:
        st.markdown(f":small[:gray[{words.escape(words.headline(clip.script, _SCRIPT_IN_ROW))}]]")


def _menu(person: Person, clip: Clip, clips: int) -> None:
    first, last = clip.position == 1, clip.position == clips
    offered = [name for name in _MENU if not (name == "up" and first) and not (name == "down" and last)]
    picked = st.menu_button(
        "More",
        offered,
        format_func=_MENU.__getitem__,
        key=f"clip-menu-{clip.id}",
        type="tertiary",
    )
    if picked is not None:
        _do(person, clip, picked)


def _do(person: Person, clip: Clip, what: str) -> None:
    if what == "edit":
        campaign_address.open_clip(clip.id)
        st.rerun()
    place = clip.position or 1
    actions: dict[str, Callable[[], object]] = {
        "duplicate": lambda: campaigns.duplicate_clip(person, clip.id),
        "up": lambda: campaigns.move_clip(person, clip.id, place - 1),
        "down": lambda: campaigns.move_clip(person, clip.id, place + 1),
        "delete": lambda: campaigns.delete_clip(person, clip.id),
    }
    with guard.told():
        actions[what]()
        if what == "delete":
            st.toast(f"{clip.name} is deleted. Bring it back under More.")
        st.rerun()


def _cell(clip: Clip, state: StepState) -> None:
    with st.container(key=f"card-{clip.id}-{state.step}", gap=2):
        st.html(_tile(clip, state))
        st.button(
            LABELS[state.step],
            key=f"open-{clip.id}-{state.step}",
            type="tertiary",
            on_click=campaign_address.open_step,
            args=(clip.id, state.step),
        )
        tone = " late" if state.is_outdated and not state.open_jobs else ""
        st.html(f'<p class="meta{tone}">{escape(campaign_words.state(state))}</p>')


def _tile(clip: Clip, state: StepState) -> str:
    """A small square of HTML: what the step shows, or that there is nothing yet. Every value in it is escaped."""
    version = state.current
    if version is None or version.job is None:
        kind = "wanted" if state.recipe is not None else "unwanted"
        return f'<div class="tile step {kind}"></div>'
    output = version.output
    text = transcript.text_of(version.job)
    if text:
        return f'<div class="tile words step">{escape(words.headline(text, _TEXT_IN_TILE))}</div>'
    alt = f"{LABELS[state.step]} of {clip.name}, version {version.number}"
    drawn = tiles.of_output(output, alt, "step") if output else ""
    return drawn or '<div class="tile words step">On its way</div>'
