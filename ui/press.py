"""One press of the button: whatever the browser or a rerun does, it makes the jobs of one press, once."""

from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from uuid import UUID

import streamlit as st

from core import jobs
from core.errors import AtelierError, InsufficientCredits, InvalidInput
from core.ids import derived_id, new_id
from core.models import Job, Person
from ui import drafts, filling, low_credits, outcomes, sources
from ui.sources import Source

_PENDING = "gen-press"
_LAST = "gen-last-press"
_PROBLEM = "gen-problem"
_DOUBLE_CLICK_SECONDS = 1.0


@dataclass(slots=True)
class Order:
    """What was on the form: the inputs of every job, and the files that go into all of them (field → one or more).

    `lists` names the fields that take a list of addresses, `what` is how a sentence calls it ("This video").
    """

    generation_type: str
    jobs: tuple[dict[str, Any], ...]
    credits_each: int
    files: dict[str, list[Source]]
    lists: frozenset[str] = frozenset()
    what: str = "This"

    def credits(self, already_made: int = 0) -> int:
        return self.credits_each * (len(self.jobs) - already_made)


@dataclass(slots=True)
class Press:
    """Lives in the session from the click until its jobs are made; the job ids follow from its own id."""

    id: UUID = field(default_factory=new_id)
    order: Order | None = None


def clicked() -> None:
    """Callback of the button. A second click joins the first while that is under way, and for a moment after."""
    filling.forget_notes()
    outcomes.forget()
    if monotonic() - st.session_state.get(_LAST, 0.0) > _DOUBLE_CLICK_SECONDS:
        st.session_state.setdefault(_PENDING, Press())


def pending() -> bool:
    return _PENDING in st.session_state


def drop(sentence: str | None) -> None:
    """End the press; the sentence says what was in its way."""
    st.session_state.pop(_PENDING, None)
    st.session_state[_PROBLEM] = sentence


def problem() -> str | None:
    """What went wrong with the last press, until the next one."""
    return st.session_state.get(_PROBLEM)


def run(person: Person, order: Order) -> None:
    """Make the jobs and start the page anew. An interrupted run is finished by the next one, with the same ids.

    Without the credits for all of it nothing is sent: the form is noted, and the packs are shown.
    """
    press: Press = st.session_state[_PENDING]
    if press.order is None and order.credits() > person.available and not person.is_unmetered:
        _wait_for_credits(person, order, order.credits())
        st.rerun()
    if press.order is None:
        press.order = order
    made, problem = _submit(person, press.id, press.order)  # nothing of Streamlit in there: nothing interrupts it
    st.session_state[_LAST] = monotonic()
    if isinstance(problem, InsufficientCredits):  # they went elsewhere since the page was drawn
        _wait_for_credits(person, press.order, press.order.credits(len(made)))
    else:
        drop(problem.sentence if isinstance(problem, AtelierError) else problem)
        if made:
            drafts.drop(person)
    going = sum(job.status != "failed" for job in made)
    if going:
        st.toast("On its way." if going == 1 else f"{going} jobs are on their way.")
    st.rerun()


def _wait_for_credits(person: Person, order: Order, credits: int) -> None:
    """End the press: note the form for the way to the pay page and back, and have the dialog opened."""
    drop(None)
    drafts.keep(person, order.files)
    low_credits.refuse(order.what, credits)


def _submit(person: Person, press_id: UUID, order: Order) -> tuple[list[Job], AtelierError | str | None]:
    """The jobs that were made, and the first thing that went wrong: a refusal of ours, or a sentence of fal.ai."""
    made: list[Job] = []
    try:
        files = {name: _addresses(person, given) for name, given in order.files.items()}
        # An interrupted press goes on with what was sent already.
        order.files = {
            name: [Source(family=source.family, url=url) for source, url in zip(order.files[name], found, strict=True)]
            for name, found in files.items()
        }
        values = {name: found if name in order.lists else found[0] for name, found in files.items() if found}
        for number, inputs in enumerate(order.jobs):
            job = jobs.submit(
                person,
                order.generation_type,
                {**inputs, **values},
                job_id=derived_id(press_id, str(number)),
                expected_credits=order.credits_each,
            )
            made.append(job)
            if job.status == "failed":
                return made, job.error_message
    except AtelierError as error:
        return made, error
    return made, None


def _addresses(person: Person, files: list[Source]) -> list[str]:
    """Where fal.ai finds these files; sends what is not there yet. Of several, a refusal says which one is meant."""
    found = []
    for source in files:
        try:
            found.append(sources.address(person, source))
        except InvalidInput as error:
            if len(files) == 1:
                raise
            raise InvalidInput(f"{source.title}: {error.sentence}", field=error.field) from error
    return found
