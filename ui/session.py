"""The person behind the current run, proven by the session cookie."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from time import monotonic

import streamlit as st

from core import sessions
from core.models import Person
from ui import web, words

_KEY = "_seen_person"
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
    person = sessions.current(web.session_cookie(st.context.cookies), watching=watching)
    st.session_state[_KEY] = _Seen(person, monotonic())
    return person


def now() -> datetime:
    return datetime.now(UTC)


def tz() -> tzinfo:
    """The timezone of the browser."""
    return words.zone(st.context.timezone)
