"""Admin: the state of the studio in five figures, then one section at a time."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import streamlit as st

from core import operations, together
from core.models import Person
from core.operations import Overview
from core.together import Read
from ui import (
    admin_attention,
    admin_catalogue,
    admin_connections,
    admin_money,
    admin_operations,
    admin_people,
    admin_trail,
    figures,
    first_steps,
    guard,
)

person = guard.require(admin=True)


class Section(NamedTuple):
    """How a section is drawn, and what it asks the database for."""

    draw: Callable[[Person, Overview], None]
    reads: Callable[[Person], tuple[Read, ...]]


SECTIONS: dict[str, Section] = {
    "People": Section(lambda person, _overview: admin_people.draw(person), admin_people.reads),
    "Catalogue": Section(lambda person, _overview: admin_catalogue.draw(person), admin_catalogue.reads),
    "Operations": Section(admin_operations.draw, admin_operations.reads),
    "Money": Section(lambda person, _overview: admin_money.draw(person), admin_money.reads),
    "Connections": Section(lambda person, _overview: admin_connections.draw(person), lambda _person: ()),
    "Trail": Section(lambda person, _overview: admin_trail.draw(person), admin_trail.reads),
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
top = st.container()  # drawn when it is known which section is read with it
section = SECTIONS[pick_section()]
st.space("small")
with together.reading(person, partial(operations.overview, person), *section.reads(person)):
    overview = operations.overview(person)
    with top:
        figures.draw(person, overview)
        admin_attention.draw(person, overview)
        first_steps.draw_admin(overview)
        st.space("small")
    section.draw(person, overview)
