"""The person behind the current run, proven by the session cookie."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from time import monotonic
from typing import Any

import streamlit as st

from core import sessions
from core.models import Person
from ui import web, words

_KEY = "_seen_person"
_LAST = "_last_settings"
_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Seen:
    person: Person | None
    at: float


def current(*, fresh: bool = False, watching: bool = False) -> Person | None:
    """Who is signed in, or None. Asks the database once per run (and per tick of a fragment), not once per caller.

    `watching` says that running jobs are on screen: the worker then looks at them sooner. Raises DatabaseUnavailable.
    A session that was ended elsewhere is noticed at the next run.
    """
    seen: _Seen | None = st.session_state.get(_KEY)
    if seen is not None and not fresh and monotonic() - seen.at < _SECONDS:
        return seen.person
    begins = _LAST not in st.session_state
    person = sessions.current(web.session_cookie(st.context.cookies), watching=watching, settings=begins)
    if begins and person is not None:
        st.session_state[_LAST] = {last.generation_type: last.inputs for last in person.last_settings}
    st.session_state[_KEY] = _Seen(person, monotonic())
    return person


def last_settings() -> dict[str, dict[str, Any]]:
    """How each generation type was set when this visit began, by its key, the one used last first.

    It came with the first question of the visit and is not asked for again: from there on the form knows itself.
    """
    found: dict[str, dict[str, Any]] = st.session_state.get(_LAST, {})
    return found


def now() -> datetime:
    return datetime.now(UTC)


def tz() -> tzinfo:
    """The timezone of the browser."""
    return words.zone(st.context.timezone)
