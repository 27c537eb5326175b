"""Runs: a step for all clips, or a chain that goes on by itself, within an amount that the person has confirmed.

A run lives in the database; workers carry it on (`core.campaigns.chain`), so the page may be closed at once.
"""

from collections.abc import Sequence
from uuid import UUID, uuid4

from core.campaigns.records import Run
from core.campaigns.rows import run_of
from core.campaigns.steps import Step
from core.database import get_database
from core.log import get_logger
from core.models import Person

log = get_logger(__name__)


def start_run(
    person: Person,
    campaign_id: UUID,
    first_step: Step,
    last_step: Step | None = None,
    *,
    clip_ids: Sequence[UUID],
    confirmed_credits: int,
    run_id: UUID | None = None,
) -> Run:
    """Make a step (or all from one to another, each from the one before) for these clips, the first ones first.

    Stops by itself at `confirmed_credits`, too few credits or a cap, and says which clips wait. The same `run_id` again
    gives the same run. Raises Refused with the code RUN_UNDER_WAY while another one is running, NotAllowed, NotFound,
    InvalidInput.
    """
    row = get_database().call(
        "start_campaign_run",
        p_run=run_id or uuid4(),
        p_actor=person.user_id,
        p_campaign=campaign_id,
        p_first_step=first_step,
        p_last_step=last_step or first_step,
        p_clips=list(clip_ids),
        p_confirmed_credits=confirmed_credits,
    )
    log.info("run_started", run_id=row["id"], campaign_id=str(campaign_id), clips=len(row["clips"]))
    return run_of(row)


def get_run(person: Person, run_id: UUID) -> Run:
    """A run as it is now. Raises NotFound, also for one of a campaign that the person may not see."""
    return run_of(get_database().call("campaign_run", p_actor=person.user_id, p_run=run_id))


def resume_run(person: Person, run_id: UUID, *, confirmed_credits: int) -> Run:
    """Go on with the clips that wait or failed, with an amount that is at least the one confirmed before."""
    return run_of(
        get_database().call(
            "resume_campaign_run", p_actor=person.user_id, p_run=run_id, p_confirmed_credits=confirmed_credits
        )
    )


def stop_run(person: Person, run_id: UUID) -> Run:
    """Start nothing new. What is being made is finished, unless its job is cancelled."""
    return run_of(get_database().call("stop_campaign_run", p_actor=person.user_id, p_run=run_id))
