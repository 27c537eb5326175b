"""Open jobs of everybody for admins, stuck ones first, and what can be done about one."""

from datetime import datetime
from functools import partial
from uuid import UUID

import pandas as pd
import streamlit as st

from core.admin import jobs as admin_jobs
from core.admin.jobs import STUCK, OpenJob, OpenJobs
from core.models import Person
from ui import acting, guard, picking, session, words

_PLACE = "open-job"
_CHOSEN = "open-job-chosen"
# Not "open-…": keys that begin so are drawn as cards.
_TABLE, _STATE, _REASON = "admin-jobs-table", "admin-jobs-state", "admin-job-reason"
_STATES = {
    "pending": "Waiting to be sent",
    "unclear": "Unclear",
    "submitted": "In line",
    "in_progress": "Rendering",
}
_ALL, _STUCK = "all", "stuck"
_WELL = "On its way"
_HEALTH = {  # each of core.admin.jobs.STUCK in a word or two
    "unclear": "No clear answer",
    "past_give_up": "Overdue",
    "slow": "Slow",
    "not_sent": "Not sent",
    "lease_loops": "Worker fails",
    "not_looked_at": "Not looked at",
    "cancel_unanswered": "Not cancelled yet",
}


def read(person: Person) -> OpenJobs:
    """What the section shows, as it is filtered."""
    chosen = _chosen()
    return admin_jobs.open_jobs(person, state=chosen if chosen in _STATES else None, only_stuck=chosen == _STUCK)


def _chosen() -> str:
    return st.session_state.get(_STATE) or _ALL


def draw(person: Person) -> None:
    chosen, found = _chosen(), read(person)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader("Open jobs", anchor=False, width="content")
        if found.states:
            _filter(found, chosen)
    if not found.jobs:
        st.markdown(":gray[No job is open.]" if chosen == _ALL else ":gray[None like that.]")
    else:
        _table(found.jobs)
    _open_chosen(person)


def _filter(found: OpenJobs, chosen: str) -> None:
    counts = {name: found.states[name].count for name in _STATES if name in found.states}
    counts = {
        _ALL: sum(counts.values()),
        _STUCK: sum(state.stuck for state in found.states.values()),
        **counts,
    }
    labels = {_ALL: "All", _STUCK: "Stuck", **_STATES}
    st.pills(
        "State",
        [name for name in labels if counts.get(name) or name in (_ALL, chosen)],
        format_func=lambda name: f"{labels[name]} {words.number(counts.get(name, 0))}",
        default=None if _STATE in st.session_state else _ALL,
        required=True,
        key=_STATE,
        label_visibility="collapsed",
    )


def _table(jobs: tuple[OpenJob, ...]) -> None:
    frame = pd.DataFrame(
        {
            "Job": [words.headline(job.prompt) or job.label for job in jobs],
            "Type": [job.label for job in jobs],
            "Person": [job.person or "Gone" for job in jobs],
            "State": [_STATES.get(job.state, job.state) for job in jobs],
            "Health": [[_HEALTH[reason] for reason in job.stuck] or [_WELL] for job in jobs],
            "Age": [words.duration(job.age_seconds) for job in jobs],
            "Usual": [words.duration(job.expected_seconds) for job in jobs],
            "Looks": [job.check_count for job in jobs],
        }
    )
    picking.table(
        frame,
        jobs,
        _choose,
        key=_TABLE,
        alt="Open jobs, stuck ones first",
        config={
            "Job": st.column_config.TextColumn(width="medium"),
            "Health": st.column_config.MultiselectColumn(
                options=[*_HEALTH.values(), _WELL], color=[*["red"] * len(_HEALTH), "green"]
            ),
        },
    )
    st.markdown(":small[:gray[Choose a job to look at it now, cancel it or give up on it.]]")


def _choose(job: OpenJob) -> None:
    st.session_state[_CHOSEN] = job.id
    st.session_state.pop(_REASON, None)


def _close() -> None:
    st.session_state.pop(_CHOSEN, None)


def _open_chosen(person: Person) -> None:
    job_id: UUID | None = st.session_state.get(_CHOSEN)
    job = _find(person, job_id) if job_id else None
    if job is not None:
        title = words.headline(job.prompt) or job.label
        st.dialog(words.escape(title), width=1040, on_dismiss=_close)(_body)(job.id)
    elif job_id is not None:
        _close()


def _find(person: Person, job_id: UUID) -> OpenJob | None:
    return next((job for job in admin_jobs.open_jobs(person, limit=500).jobs if job.id == job_id), None)


def _body(job_id: UUID) -> None:
    person = guard.require(admin=True)
    acting.outcome(_PLACE)
    job = _find(person, job_id)
    if job is None:
        st.markdown("This job has ended.")
        return
    for reason in job.stuck:
        st.warning(words.escape(STUCK.get(reason, reason)))
    st.table(_facts(job), border="horizontal", alt="Facts about this job")
    st.text_input("Reason", key=_REASON, max_chars=500, help="Needed to mark it as failed: the person reads it.")
    with st.container(horizontal=True):
        _button("Check now", partial(_check, job.id), "job-check")
        _button("Cancel", partial(_cancel, job.id), "job-cancel", disabled=job.cancel_requested_at is not None)
        _button("Mark as failed", partial(_fail, job.id), "job-fail")
    st.markdown(
        ":small[:gray[fal.ai is looked at once more before a job is marked as failed. Its credits go back; a result "
        "that comes later is delivered and not charged.]]"
    )


def _button(label: str, act: "partial[str]", key: str, *, disabled: bool = False) -> None:
    st.button(label, key=key, disabled=disabled, on_click=acting.attempt, args=(_PLACE, act))


def _facts(job: OpenJob) -> dict[str, str]:
    """Label → words, escaped for the table's markdown."""
    facts = {
        "Person": job.person,
        "State": _STATES.get(job.state, job.state),
        "Asked for": _at(job.created_at),
        "Sent": _at(job.submitted_at),
        "Request": job.fal_request_id,
        "Looked at": f"{words.count(job.check_count, 'time')}, last {_at(job.checked_at) or 'never'}",
        "Next look": _at(job.next_check_at),
        "Given up at": _at(job.give_up_at),
        "Cancelling since": _at(job.cancel_requested_at),
        "Taken by": job.lease_owner,
        "Message": job.message,
        "Set aside": words.credits(job.credits_held),
        "Estimate": f"about {words.usd(job.estimated_usd)}",
    }
    return {f":gray[{name}]": words.escape(value) for name, value in facts.items() if value}


def _at(moment: datetime | None) -> str | None:
    return words.exact(moment, session.now(), session.tz()) if moment else None


def _reason() -> str:
    return str(st.session_state.get(_REASON) or "").strip()


def _check(job_id: UUID, person: Person) -> str:
    admin_jobs.check_now(person, job_id)
    return "The next free worker looks at it, within a second or two."


def _cancel(job_id: UUID, person: Person) -> str:
    job = admin_jobs.cancel(person, job_id, _reason())
    return (
        "fal.ai has been asked. The job ends when it confirms." if job.is_open else "Cancelled. Its credits are back."
    )


def _fail(job_id: UUID, person: Person) -> str:
    job = admin_jobs.mark_failed(person, job_id, _reason())
    if job.error_type == "closed_by_admin":
        return "Marked as failed. Its credits are back."
    return f"fal.ai told its end meanwhile: {job.status}."
