"""What happened to a job, as steps: from its log, with the waiting and the rendering put in between. Pure functions."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from core.models import Job, JobEvent
from ui import describe, words


class Step(NamedTuple):
    """One step. `note` is the line below it; None of it is escaped."""

    at: datetime
    title: str
    note: str
    is_trouble: bool = False


_ENDS = ("completed", "failed", "cancelled", "delivered_late")


def steps(job: Job, events: Sequence[JobEvent]) -> list[Step]:
    """The story, oldest first."""
    told = [step for event in events if (step := _step(job, event)) is not None]
    if job.started_at is not None:
        if job.submitted_at is not None and job.started_at > job.submitted_at:
            told.append(Step(job.submitted_at, "Waited in line", words.duration(job.started_at - job.submitted_at)))
        ended = f"{words.duration(job.completed_at - job.started_at)}" if job.completed_at else "Still at it"
        told.append(Step(job.started_at, "Rendered" if job.completed_at else "Rendering", ended))
    return sorted(told, key=lambda step: step.at)


def _step(job: Job, event: JobEvent) -> Step | None:
    at, message = event.happened_at, event.message or ""
    if event.event == "created":
        aside = f"{words.credits(job.credits_held)} set aside" if job.credits_held else "No credits needed"
        return Step(at, "Tried again by itself" if job.is_automatic_retry else "Asked for", aside)
    if event.event == "retried":
        return Step(at, "Tried again by itself" if event.by == "worker" else "Tried again", "As a job of its own")
    if event.event == "not_retried":
        return Step(at, "Not tried again by itself", message)
    if event.event in ("submitted", "found"):
        title = "Sent to fal.ai" if event.event == "submitted" else "Found at fal.ai"
        return Step(at, title, f"Request {words.short_id(message)}" if message else "")
    if event.event in ("waiting", "unclear"):
        return Step(at, "Not sent yet" if event.event == "waiting" else "No clear answer", message, True)
    if event.event in _ENDS:
        return _end(job, event)
    if event.event == "cost_confirmed" and job.actual_usd is not None:
        return Step(at, "Cost confirmed", describe.cost(job))
    if event.event == "cost_metered" and job.actual_usd is not None and job.cost_source == "metered":
        return Step(at, "Cost metered", describe.cost(job))
    if event.event == "cancel_requested":
        return Step(at, "Asked to cancel", "")
    return None


def _end(job: Job, event: JobEvent) -> Step:
    at = event.happened_at
    if event.event == "completed":
        return Step(at, "Delivered", f"{words.credits(job.credits_charged)} charged" if job.credits_charged else "")
    if event.event == "delivered_late":
        return Step(at, "Delivered late", "Not charged")
    back = f"{words.credits(job.credits_held)} returned" if job.credits_held else "Nothing charged"
    return Step(at, "Failed" if event.event == "failed" else "Cancelled", back, event.event == "failed")
