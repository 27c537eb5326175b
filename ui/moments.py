"""A line of facts with a time in it: relative as it is read, exact when one points at it."""

from datetime import datetime
from html import escape
from typing import Literal

import streamlit as st

from ui import session, words


def line(facts: str, when: datetime, *, width: Literal["stretch", "content"] = "stretch") -> None:
    """Small and muted. `facts` is plain text, with the relative time in it; nothing is escaped beforehand."""
    exact = words.exact(when, session.now(), session.tz())
    st.html(f'<p class="meta" title="{escape(exact)}">{escape(facts)}</p>', width=width)
