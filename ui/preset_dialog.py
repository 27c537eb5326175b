"""The dialog with the presets: use one, keep what is on the form under a name, rename, share, delete."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import streamlit as st

from core import presets
from core.catalog import Offer
from core.models import Person
from core.presets import LONGEST_NAME, Preset
from ui import acting, describe, filling, form, guard, words

_OPEN = "gen-presets"
_ROW = "gen-preset-row"  # (preset, "rename" or "delete") while a row asks for a name or a yes
_NAME, _WITH_PROMPT = "gen-preset-name", "gen-preset-with-prompt"
_PLACE = "presets"
_WIDTH = 640
_RENAME, _DELETE, _SHARE, _KEEP = "Rename", "Delete", "Share with the team", "Keep to myself"


def button() -> None:
    st.button("Presets", type="tertiary", on_click=_open, key="gen-presets-button", help="Settings under a name")


def draw(person: Person, offer: Offer, inputs: dict[str, Any]) -> bool:
    """The dialog, while it is open; `inputs` is what the form says now, without files. Returns whether it is."""
    if not st.session_state.get(_OPEN):
        return False
    st.dialog("Presets", width=_WIDTH, on_dismiss=_close)(_body)(person, offer, inputs)
    return True


def _open() -> None:
    st.session_state[_OPEN] = True


def _close() -> None:
    st.session_state.pop(_OPEN, None)
    st.session_state.pop(_ROW, None)


def _body(person: Person, offer: Offer, inputs: dict[str, Any]) -> None:
    acting.outcome(_PLACE)
    with guard.told():
        found = [preset for preset in presets.list_presets(person) if _is_of_kind(preset, offer)]
        found.sort(key=lambda preset: preset.generation_type != offer.type.key)  # this model's first
        if not found:
            st.markdown(":gray[Settings that you keep under a name are here with one click.]")
        for preset in found:
            _row(person, preset)
    _draw_saving(offer, inputs)


def _is_of_kind(preset: Preset, offer: Offer) -> bool:
    return describe.media_of(preset.generation_type) in (None, offer.type.media)


def _row(person: Person, preset: Preset) -> None:
    asked: tuple[UUID, str] | None = st.session_state.get(_ROW)
    if asked == (preset.id, _RENAME):
        _draw_renaming(preset)
        return
    if asked == (preset.id, _DELETE):
        _draw_deleting(preset)
        return
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key=f"preset-{preset.id}"
    ):
        with st.container(gap=None, width="content"):
            st.markdown(words.escape(preset.name))
            team = " · the team's" if preset.is_shared else ""
            st.markdown(f":small[:gray[{words.escape(describe.model_name(preset.generation_type) + team)}]]")
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            if preset.may_change(person):
                _draw_more(person, preset)
            if st.button("Use", key=f"use-preset-{preset.id}"):
                filling.put_preset(preset)
                _close()
                st.rerun()


def _draw_more(person: Person, preset: Preset) -> None:
    share = [_KEEP if preset.is_shared else _SHARE] if person.is_admin else []
    picked = st.menu_button("More", [_RENAME, *share, _DELETE], type="tertiary", key=f"preset-more-{preset.id}")
    if picked in (_RENAME, _DELETE):
        st.session_state[_ROW] = (preset.id, picked)
        st.rerun(scope="fragment")
    if picked in (_SHARE, _KEEP):
        _act(_share, preset, picked == _SHARE)
        st.rerun(scope="fragment")


def _draw_renaming(preset: Preset) -> None:
    key = f"preset-name-{preset.id}"
    with st.form(f"rename-{preset.id}", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("New name", value=preset.name, max_chars=LONGEST_NAME, key=key)
        st.form_submit_button("Rename", on_click=_act, args=(_rename, preset, key))
        st.form_submit_button("Keep the name", type="tertiary", on_click=_leave_row)


def _draw_deleting(preset: Preset) -> None:
    whose = " for the whole team" if preset.is_shared else ""
    with st.container(horizontal=True, vertical_alignment="center", key=f"preset-{preset.id}"):
        st.markdown(f"Delete **{words.escape(preset.name)}**{whose}?", width="content")
        st.button("Delete", on_click=_act, args=(_delete, preset, ""), key=f"delete-preset-{preset.id}")
        st.button("Keep it", type="tertiary", on_click=_leave_row, key=f"keep-preset-{preset.id}")


def _draw_saving(offer: Offer, inputs: dict[str, Any]) -> None:
    prompt = form.prompt_field(offer)
    has_prompt = prompt is not None and bool(inputs.get(prompt.name))
    with st.form("save-preset", border=False, clear_on_submit=True):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input(
                "Save these settings as",
                placeholder="Name of the preset",
                max_chars=LONGEST_NAME,
                key=_NAME,
            )
            st.form_submit_button("Save preset", on_click=_act, args=(_save, offer, inputs))
        if has_prompt:
            st.checkbox("With the prompt", key=_WITH_PROMPT)


def _act(what: Callable[..., str], *arguments: Any) -> None:
    acting.attempt(_PLACE, lambda person: what(person, *arguments))


def _leave_row() -> None:
    st.session_state.pop(_ROW, None)


def _save(person: Person, offer: Offer, inputs: dict[str, Any]) -> str:
    prompt = form.prompt_field(offer)
    kept = {
        name: value
        for name, value in inputs.items()
        if prompt is None or name != prompt.name or st.session_state.get(_WITH_PROMPT)
    }
    name = str(st.session_state.get(_NAME) or "").strip()
    replaced = presets.save(person, offer.type.key, name, kept)
    return f"{words.escape(name)} has these settings now." if replaced else f"Saved as {words.escape(name)}."


def _rename(person: Person, preset: Preset, key: str) -> str:
    presets.rename(person, preset, str(st.session_state.get(key) or ""))
    _leave_row()
    return "Renamed."


def _share(person: Person, preset: Preset, shared: bool) -> str:
    presets.share(person, preset, shared)
    return "The team can use it now." if shared else "It is yours alone now."


def _delete(person: Person, preset: Preset, _key: str) -> str:
    presets.delete(person, preset)
    _leave_row()
    return f"{words.escape(preset.name)} is deleted."
