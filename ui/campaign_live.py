"""What is being made in a campaign, live while something is, and only then."""

from collections.abc import Hashable
from typing import NamedTuple
from uuid import UUID

import streamlit as st

from core import campaigns
from core.campaigns import LABELS, Campaign, Clip, Run
from core.errors import DatabaseUnavailable, NotFound
from core.models import Person
from ui import campaign_run, cards, describe, pulse, session, words

SECONDS = 3
_FIRST = "_campaign_first"


class Seen(NamedTuple):
    """A campaign as one look found it."""

    campaign: Campaign
    clips: tuple[Clip, ...]
    run: Run | None  # only while it goes on or waits

    @property
    def is_live(self) -> bool:
        running = self.run is not None and self.run.state == "running"
        return running or any(state.open_jobs for clip in self.clips for state in clip.steps)

    def signature(self) -> Hashable:
        """Changes when anything outside the live part has to be drawn again."""
        steps = tuple(
            (
                state.current.id if state.current else None,
                state.versions,
                state.is_outdated,
                frozenset(job.id for job in state.open_jobs),
            )
            for clip in self.clips
            for state in clip.steps
        )
        return steps, self.run.state if self.run else None


def look(person: Person, campaign_id: UUID) -> Seen:
    """Everything about a campaign that its page shows. Raises NotFound."""
    return Seen(*campaigns.open_campaign(person, campaign_id))


def draw(seen: Seen) -> None:
    """The run and the open jobs; refreshed by itself while something is under way. The whole page runs again when more
    than their progress has changed."""
    if seen.is_live:
        st.session_state[_FIRST] = seen
        st.fragment(_tick)(seen.campaign.id, seen.signature())
    elif seen.run is not None:
        person = session.current()
        if person is not None:
            campaign_run.draw(person, seen.campaign, seen.run, seen.clips)


def _tick(campaign_id: UUID, known: Hashable) -> None:
    pulse.every(SECONDS, "campaign", idle_seconds=SECONDS)
    seen: Seen | None = st.session_state.pop(_FIRST, None)
    person = None
    try:
        person = session.current(watching=True)
        if seen is None and person is not None:
            seen = look(person, campaign_id)
    except DatabaseUnavailable:
        st.markdown(":small[:gray[The database does not answer. Trying again every few seconds.]]")
        return
    except NotFound:
        st.rerun()
    if person is None or seen is None or seen.signature() != known:
        st.rerun()
    if seen.run is not None:
        campaign_run.draw(person, seen.campaign, seen.run, seen.clips)
    _jobs(person, seen)


def _jobs(person: Person, seen: Seen) -> None:
    now = session.now()
    going = [(clip, state.step, job) for clip in seen.clips for state in clip.steps for job in state.open_jobs]
    if not going:
        return
    grid = st.grid(3, min_column_width=280, border=True)
    for clip, step, job in going:
        with grid.cell(), st.container(gap=8, key=f"making-{job.id}"):
            with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
                st.markdown(f"{words.escape(clip.name)} · {LABELS[step].lower()}", width="content")
                asked = job.cancel_requested_at is not None
                if job.user_id == person.user_id and st.button(
                    "Cancel", key=f"cancel-{job.id}", type="tertiary", disabled=asked
                ):
                    cards.cancel(job)
            st.progress(describe.progress(job, now))
            st.markdown(f":small[{words.escape(describe.state(job, now))}]")
