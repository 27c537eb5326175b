"""What stands on the Generate form while its person is at the pay page: leaving in the same tab ends the session.

One draft a person, in this process, for as long as a checkout stays open or until the form is sent. Whoever comes back
to another process, or later, finds an empty form; nothing that was paid for hangs on it.
"""

import threading
import time
from typing import Any, NamedTuple
from uuid import UUID

import streamlit as st

from core.catalog import GENERATION_TYPES
from core.models import Person
from core.payments import OPEN_FOR
from ui import form
from ui.describe import MEDIA
from ui.sources import Source

_TRIED = "gen-draft-tried"
_SETTINGS = tuple(form.setting_key(key, "") for key in GENERATION_TYPES)


class _Draft(NamedTuple):
    at: float
    values: dict[str, Any]


_lock = threading.Lock()
_drafts: dict[UUID, _Draft] = {}


def keep(person: Person, files: dict[str, list[Source]]) -> None:
    """Note the form as it stands, with its files by field."""
    noted = (form.PROMPT, form.MEDIA, *map(form.model_key, MEDIA))
    values = {
        key: value
        for key, value in st.session_state.items()
        if isinstance(key, str) and (key in noted or key.startswith(_SETTINGS))
    }
    values |= {form.chosen_key(name): found for name, found in files.items()}
    now = time.monotonic()
    with _lock:
        for user_id in [known for known, draft in _drafts.items() if now - draft.at > OPEN_FOR.total_seconds()]:
            del _drafts[user_id]
        _drafts[person.user_id] = _Draft(now, values)


def drop(person: Person) -> None:
    with _lock:
        _drafts.pop(person.user_id, None)


def restore(person: Person) -> None:
    """Before any widget of the form is drawn: in a new visit, put back what was noted, once."""
    if st.session_state.get(_TRIED):
        return
    st.session_state[_TRIED] = True
    with _lock:
        draft = _drafts.pop(person.user_id, None)
    if draft is not None and time.monotonic() - draft.at <= OPEN_FOR.total_seconds():
        st.session_state.update(draft.values)
