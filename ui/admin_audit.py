"""The audit of the books for admins: what the last run found, and a button to run it now."""

import pandas as pd
import streamlit as st

from core.admin import audits
from core.admin.audits import Audit
from core.models import Person
from ui import acting, session, words

_PLACE = "audit"


def draw(person: Person) -> None:
    st.space("small")
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader("Audit of the books", anchor=False, width="content")
        st.button("Audit now", key="audit-now", on_click=acting.attempt, args=(_PLACE, _run))
    acting.outcome(_PLACE)
    found = audits.last(person)
    if found is None:
        st.markdown(":gray[It has not run yet. A worker runs it every hour.]")
        return
    st.markdown(words.escape(sentence(found)))
    st.markdown(f":small[:gray[{words.escape(_when(found))}]]")
    if found.violations:
        frame = pd.DataFrame(
            {
                "Rule": [words.escape(each.rule) for each in found.violations],
                "About": [words.escape(each.subject) for each in found.violations],
                "Problem": [words.escape(each.problem) for each in found.violations],
            }
        )
        st.table(frame, border="horizontal", hide_index=True, alt="What the audit found")


def sentence(found: Audit) -> str:
    if found.in_balance:
        return "The books are in balance: every rule holds for every account, job and day."
    return f"{words.count(found.count, 'fault')} found. Stop and look before anything else."


def _when(found: Audit) -> str:
    took = found.ended_at - found.started_at
    at = words.exact(found.ended_at, session.now(), session.tz())
    return f"{at} · by {found.by or 'a worker'} · took {words.duration(took) if took.total_seconds() >= 1 else '< 1 s'}"


def _run(person: Person) -> str:
    return sentence(audits.run(person))
