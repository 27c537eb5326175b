"""The catalogue for admins: what each type costs and earns, its defaults and its switch, and what was changed."""

from decimal import Decimal
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from core import chores, margins
from core.admin import catalogue
from core.admin.catalogue import CatalogueChange, CatalogueType
from core.models import Person
from core.together import Read
from ui import admin_prices, admin_type, picking, session, trail_words, words

_TABLE = "catalogue-table"
_HISTORY = 30
SOURCES = {"synced": "fal.ai", "manual": "By hand", "documented": "Documented"}
_ACTIONS = {"edit_generation_type": "Edited", "set_unit_price": "Price by hand", "sync_prices": "Price of fal.ai"}


def reads(person: Person) -> tuple[Read, ...]:
    """What the section asks for: see `core.together`. The types themselves are read as the person."""
    return partial(margins.margins, person), partial(chores.states, person), partial(_changes, person)


def _changes(person: Person) -> tuple[CatalogueChange, ...]:
    return catalogue.history(person, limit=_HISTORY)


def draw(person: Person) -> None:
    st.subheader("Catalogue", anchor=False)
    known = catalogue.types(person)
    report = margins.margins(person)
    _table(known, {each.generation_type: each.margin for each in report.types})
    st.markdown(":small[:gray[Choose a type to change it. Jobs keep the price they were made at.]]")
    admin_prices.draw_reading(person)
    _history(_changes(person))
    admin_type.open_chosen(person)


def _table(known: tuple[CatalogueType, ...], earned: dict[str, Decimal | None]) -> None:
    frame = pd.DataFrame(
        {
            "Type": [one.label for one in known],
            "State": [[_state(one)] for one in known],
            "Credits": [f"{words.number(one.credits)} per {one.credit_unit}" for one in known],
            "Price of fal.ai": [_price(one) for one in known],
            "From": [SOURCES.get(one.price_source, one.price_source) for one in known],
            "Margin": [_share(earned.get(one.generation_type)) for one in known],
            "Usual time": [words.duration(one.estimated_seconds) for one in known],
        }
    )
    picking.table(
        frame,
        known,
        _open,
        key=_TABLE,
        alt="Generation types, in the order of the catalogue",
        config={
            "Type": st.column_config.TextColumn(width="medium"),
            "State": st.column_config.MultiselectColumn(
                options=["On", "Off", "Cannot be offered"], color=["green", "gray", "red"]
            ),
            "Margin": st.column_config.NumberColumn(format="percent"),
        },
    )
    for one in known:
        if one.problem and one.enabled:
            st.warning(f"**{words.escape(one.label)}** cannot be offered: {words.escape(one.problem)}")


def _open(one: CatalogueType) -> None:
    admin_type.choose(one.generation_type)


def _state(one: CatalogueType) -> str:
    if one.problem:
        return "Cannot be offered"
    return "On" if one.enabled else "Off"


def _price(one: CatalogueType) -> str:
    """$0.003 per megapixel."""
    return f"{words.usd_exact(one.unit_price)} per {one.price_unit.removesuffix('s')}"


def _share(margin: Decimal | None) -> float | None:
    return None if margin is None else round(float(margin), 2)


def _history(changes: tuple[CatalogueChange, ...]) -> None:
    st.space("small")
    st.subheader("What was changed", anchor=False)
    if not changes:
        st.markdown(":gray[Nothing yet.]")
        return
    now, tz = session.now(), session.tz()
    rows: list[dict[str, Any]] = [
        {
            "When": words.exact(one.created_at, now, tz),
            "Type": words.escape(one.label),
            "What": _ACTIONS.get(one.action, one.action),
            "Change": words.escape(trail_words.difference(one.before, one.after)),
            "By": words.escape(one.actor_name or "fal.ai"),
            "Why": words.escape(one.reason or ""),
        }
        for one in changes
    ]
    st.table(pd.DataFrame(rows), border="horizontal", hide_index=True, alt="Changes, newest first")
