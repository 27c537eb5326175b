"""One generation type in a dialog, for admins: label, credits, price, defaults, switch."""

from functools import partial
from typing import Any

import streamlit as st

from core import catalog, offers
from core.admin import catalogue
from core.admin.catalogue import CatalogueType
from core.catalog import Offer
from core.models import Person
from ui import acting, form, guard, words

_PLACE = "type"
_CHOSEN = "type-chosen"
_FIELDS = ("type-label", "type-credits", "type-enabled", "type-price", "type-reason")
_LABEL, _CREDITS, _ENABLED, _PRICE, _REASON = _FIELDS
_SCOPE = "type-defaults"


def choose(generation_type: str) -> None:
    """Open a type with this run and those that follow, until it is closed."""
    st.session_state[_CHOSEN] = generation_type
    for key in [key for key in st.session_state if key in _FIELDS or str(key).startswith(_SCOPE)]:
        del st.session_state[key]


def _close() -> None:
    st.session_state.pop(_CHOSEN, None)


def open_chosen(person: Person) -> None:
    chosen = st.session_state.get(_CHOSEN)
    known = _find(person, chosen) if chosen else None
    if known is not None:
        st.dialog(words.escape(known.label), width=1040, on_dismiss=_close)(_body)(known.generation_type)


def _find(person: Person, generation_type: str) -> CatalogueType | None:
    return next((one for one in catalogue.types(person) if one.generation_type == generation_type), None)


def _body(generation_type: str) -> None:
    person = guard.require(admin=True)
    known = _find(person, generation_type)
    if known is None:
        st.markdown(":gray[This type is gone.]")
        return
    acting.outcome(_PLACE)
    left, right = st.columns(2, gap="medium")
    with left:
        st.text_input("Label", known.label, max_chars=80, key=_LABEL)
        st.number_input(
            f"Credits per {known.credit_unit}",
            min_value=1,
            max_value=100_000,
            value=known.credits,
            step=1,
            key=_CREDITS,
        )
        st.toggle("On offer", known.enabled, key=_ENABLED, disabled=known.problem is not None)
        if known.problem:
            st.markdown(f":small[:red[{words.escape(known.problem)}]]")
        _price(known)
    with right:
        st.markdown("Where the form starts")
        defaults = _defaults(offers.offers().get(generation_type))
    st.text_input("Reason, kept in the trail", key=_REASON, max_chars=500)
    with st.container(horizontal=True, horizontal_alignment="right"):
        st.button(
            "Save type",
            type="primary",
            key="type-save",
            on_click=acting.attempt,
            args=(_PLACE, partial(_save, known, defaults)),
        )


def _price(known: CatalogueType) -> None:
    """fal.ai's price is read daily; by hand it stays until it is handed back."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(f"USD per {known.price_unit.removesuffix('s')}", _exact(known), key=_PRICE, width=150)
        if known.price_source == "manual":
            st.button(
                "Hand back to fal.ai",
                key="type-hand-back",
                on_click=acting.attempt,
                args=(_PLACE, partial(_hand_back, known.generation_type)),
            )
    said = {
        "synced": "Read from fal.ai every day. What you enter here stays instead.",
        "manual": "Set by hand: fal.ai's own price is not taken over.",
    }
    st.markdown(f":small[:gray[{said.get(known.price_source, 'As documented, until fal.ai tells it.')}]]")


def _exact(known: CatalogueType) -> str:
    return words.usd_exact(known.unit_price).removeprefix("$").replace(",", "")


def _defaults(offer: Offer | None) -> dict[str, Any]:
    """Every setting that can have a default, as it is now."""
    if offer is None:
        st.markdown(":gray[It cannot be offered, so it has no form.]")
        return {}
    fields = form.settings(offer, advanced=False) + form.settings(offer, advanced=True)
    with st.grid(2, min_column_width=130, vertical_alignment="bottom"):
        return form.draw(offer, [field for field in fields if field.per_job and field.name != "seed"], scope=_SCOPE)


def _save(known: CatalogueType, defaults: dict[str, Any], person: Person) -> str:
    """`defaults` are kept where they differ from those of the code, so that a better one there is followed.

    The price is checked before anything is written, and written only when it is another one.
    """
    state = st.session_state
    own = {field.name: field.default for field in catalog.get_type(known.generation_type).fields}
    price = catalogue.clean_price(str(state.get(_PRICE) or "").strip().removeprefix("$"))
    catalogue.edit(
        person,
        known.generation_type,
        label=str(state.get(_LABEL) or ""),
        credits=int(state.get(_CREDITS) or 0),
        default_params={name: value for name, value in defaults.items() if value != own.get(name)},
        enabled=bool(state.get(_ENABLED)),
        reason=_reason(),
    )
    if price != known.unit_price:
        catalogue.set_price(person, known.generation_type, price, _reason())
    return "Saved. New jobs have it within half a minute."


def _hand_back(generation_type: str, person: Person) -> str:
    catalogue.set_price(person, generation_type, None, _reason())
    return "The next reading of fal.ai's prices sets it again."


def _reason() -> str:
    return str(st.session_state.get(_REASON) or "").strip()
