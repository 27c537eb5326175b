"""Admin: the state of the studio in five figures, then one section at a time."""

from collections.abc import Callable

import streamlit as st

from core import operations
from core.models import Person
from core.operations import Overview
from ui import (
    admin_attention,
    admin_catalogue,
    admin_money,
    admin_operations,
    admin_people,
    admin_trail,
    figures,
    guard,
)

person = guard.require(admin=True)

SECTIONS: dict[str, Callable[[Person, Overview], None]] = {
    "People": lambda person, _overview: admin_people.draw(person),
    "Catalogue": lambda person, _overview: admin_catalogue.draw(person),
    "Operations": admin_operations.draw,
    "Money": lambda person, _overview: admin_money.draw(person),
    "Trail": lambda person, _overview: admin_trail.draw(person),
}


def pick_section() -> str:
    """The section is in the address, so that it can be shared and survives a reload."""
    names = list(SECTIONS)
    chosen = st.segmented_control(
        "Section",
        names,
        default=names[0],
        required=True,
        key=admin_attention.SECTION,
        label_visibility="collapsed",
        bind="query-params",
    )
    return str(chosen or names[0])


st.title("Admin", anchor=False)
overview = operations.overview(person)
figures.draw(person, overview)
admin_attention.draw(person, overview)
st.space("small")
SECTIONS[pick_section()](person, overview)
