"""Replaying stored webhooks: what they say is read anew from the payload and applied by the same function as a call.

For dead letters above all, once what broke their effect is mended. What a call did already stays done once.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from core.admin.calls import as_admin
from core.errors import AtelierError, DatabaseUnavailable, NotAllowed, Refused, WebhookRefused
from core.fal.verdict import verdict_of_webhook
from core.log import get_logger
from core.models import Person
from core.settings import get_settings
from core.settling import verdict_row

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Replay:
    """What became of an event. `error` says why its effect failed again, None when it was applied."""

    event_id: int
    status: str  # processed, ignored, failed, dead
    result: str | None  # settled, already_settled, delivered_late, unknown_job, …
    error: str | None
    job_id: UUID | None


def replay(person: Person, event_id: int) -> Replay:
    """Apply one stored event again, counted and in the trail.

    Raises NotAllowed, NotFound, Refused when it has done its work already or says nothing about the end of a job.
    """
    event = as_admin(person, "inbox_event", p_event=event_id)
    if event["provider"] == "stripe":
        return _of_stripe(person, event)
    try:
        found = verdict_of_webhook(event["payload"])
    except WebhookRefused as error:
        raise Refused("This call says nothing about the end of a job.", code="NO_VERDICT") from error
    done = as_admin(
        person,
        "replay_fal_event",
        p_event=event_id,
        p_verdict=verdict_row(found) if found else None,  # none: the result is to be fetched
        p_queue_url=get_settings().fal_queue_url.rstrip("/"),
    )
    log.info("webhook_replayed", event_id=event_id, job_id=done["job"], result=done["result"], error=done["error"])
    job_id = UUID(done["job"]) if done["job"] else None
    return Replay(event_id, done["status"], done["result"], done["error"], job_id)


def replay_dead(person: Person, limit: int = 100) -> tuple[Replay, ...]:
    """Replay every dead letter, oldest first, each on its own: one that fails again keeps no other waiting.

    Raises NotAllowed, DatabaseUnavailable.
    """
    replays = []
    for event_id in as_admin(person, "dead_letters", p_limit=limit):
        try:
            replays.append(replay(person, event_id))
        except (NotAllowed, DatabaseUnavailable):
            raise
        except AtelierError as error:
            replays.append(Replay(event_id, "dead", None, error.sentence, None))
    return tuple(replays)


def _of_stripe(person: Person, event: dict[str, Any]) -> Replay:
    done = as_admin(person, "replay_stripe_event", p_event=event["id"])
    log.info("webhook_replayed", event_id=event["id"], result=done["result"], error=done["error"])
    return Replay(event["id"], done["status"], done["result"], done["error"], None)
