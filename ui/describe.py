"""A job in words: title, kind, state, the lines under pictures and in tables. Pure functions."""

import re
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any

from core.catalog import GENERATION_TYPES, Field
from core.models import Job, Output
from ui import words

MEDIA = {"image": "Image", "video": "Video", "voice": "Voice", "3d": "3D"}
_SENDING_SECONDS = 30
_TO_DO = re.compile(r" Try (?:it )?again\.$")
STATUS = {"completed": "Done", "failed": "Failed", "cancelled": "Cancelled"}


def media(job: Job) -> str:
    """image, video, voice or 3d. A type that has left the catalogue is told by what it made."""
    known = media_of(job.generation_type)
    if known is not None:
        return known
    made = job.outputs[0].media_type.split("/")[0] if job.outputs else "image"
    return {"audio": "voice", "model": "3d"}.get(made, made if made in MEDIA else "image")


def media_of(type_key: str) -> str | None:
    """image, video, voice or 3d; None for a type that has left the catalogue."""
    known = GENERATION_TYPES.get(type_key)
    return known.media if known is not None else None


def status(job: Job) -> str:
    """Done, Failed, Cancelled; Delivered late for what came after its job had been closed; Running."""
    return "Delivered late" if job.is_late else STATUS.get(job.status, "Running")


def kind(job: Job) -> str:
    return MEDIA[media(job)]


def model(job: Job) -> str:
    """The model without its remark: Flux Schnell."""
    return model_name(job.generation_type)


def model_name(type_key: str) -> str:
    known = GENERATION_TYPES.get(type_key)
    return known.label.split(" · ")[0] if known is not None else type_key


def title(job: Job) -> str:
    """A few words of the prompt, in quotes when they are spoken; of a transcript what was said; the model when there is
    neither. Not escaped."""
    short = words.headline(job.prompt or str((job.result_data or {}).get("text") or ""))
    if not short:
        return f"{kind(job)} by {model(job)}"
    return f"“{short}”" if media(job) == "voice" else short


def length(job: Job) -> Decimal | None:
    """Seconds of the first output that has a length, else what was asked for where the type takes a length."""
    made = next((output.duration_seconds for output in job.outputs if output.duration_seconds), None)
    known = GENERATION_TYPES.get(job.generation_type)
    if made is not None or not job.outputs or known is None or known.usage.seconds is None:
        return made
    return known.usage.seconds({field.name: field.default for field in known.fields} | job.input_params)


def settings(job: Job) -> str | None:
    """Square · steps 28 · guidance 3.5: what the form was set to besides prompt, files and seed."""
    known = GENERATION_TYPES.get(job.generation_type)
    given = job.input_params
    parts = [_setting(field, given[field.name]) for field in (known.fields if known else ()) if field.name in given]
    return " · ".join(part for part in parts if part) or None


def _setting(field: Field, value: Any) -> str:
    label = field.label.lower()
    if field.kind == "choice":
        return str(dict(field.options).get(value, value))
    if field.kind == "toggle":
        return f"{label} {'on' if value else 'off'}"
    is_told_elsewhere = (
        field.is_file or field.name in ("seed", "num_images") or (field.kind == "text" and not field.advanced)
    )
    return "" if is_told_elsewhere else f"{label} {value}"


def seed(job: Job) -> str | None:
    """What makes the same again: the seed that fal.ai took, else the one that was asked for."""
    found = (job.result_data or {}).get("seed", job.input_params.get("seed"))
    return None if found is None else str(found)


def caption(job: Job, now: datetime, tz: tzinfo) -> str:
    """Video 0:05 · 1 h ago; Failed · tried again · 1 h ago."""
    seconds = length(job)
    what = f"{kind(job)} {words.clip_length(seconds)}" if seconds else kind(job)
    if len(job.outputs) > 1:
        what = words.count(len(job.outputs), kind(job).lower())
    if job.status != "completed":
        what = f"{kind(job)} · {status(job)}"
    if tried := again(job):
        what = f"{what if job.status == 'completed' else status(job)} · {tried}"
    return f"{what} · {words.ago(job.completed_at or job.created_at, now, tz)}"


def again(job: Job) -> str | None:
    """Whether this is a try that nobody asked for, or a failed one that was tried again."""
    if job.is_automatic_retry:
        return "tried again by itself"
    return "tried again" if job.retried_as is not None and not job.is_late else None


def progress(job: Job, now: datetime) -> float:
    """How full the bar is, 0 to 1: what fal.ai says, else the time that has gone by against the usual, never full."""
    if job.progress is not None:
        return float(min(Decimal(1), max(Decimal(0), job.progress)))
    if job.status != "in_progress" or job.started_at is None:
        return 0.0
    return min(0.95, max(0.0, (now - job.started_at).total_seconds() / max(1, job.expected_seconds)))


def state(job: Job, now: datetime) -> str:
    """In line · position 3 · about 2 min; Rendering · 62% · about 40 s left."""
    if job.cancel_requested_at is not None and job.is_open:
        return "Cancelling · waiting for fal.ai to confirm"
    if job.is_unclear:
        return "fal.ai did not answer clearly · we keep looking" if is_looked_for(job, now) else "Being sent"
    if job.status == "pending":
        return job.progress_message or "Waiting to be sent"
    if job.status == "submitted":
        position = f" · position {job.queue_position + 1}" if job.queue_position is not None else ""
        return f"In line{position} · {words.about(job.expected_seconds)}"
    if job.status == "in_progress":
        share = f" · {words.percent(job.progress)}" if job.progress is not None else ""
        return f"Rendering{share} · {_left(job, now)}"
    return status(job)


def is_looked_for(job: Job, now: datetime) -> bool:
    """Whether fal.ai did not say clearly that it has the job; a moment after the sending it may still be about to."""
    sent = job.submit_attempted_at
    return job.is_unclear and sent is not None and (now - sent).total_seconds() >= _SENDING_SECONDS


def _left(job: Job, now: datetime) -> str:
    elapsed = (now - (job.started_at or job.submitted_at or job.created_at)).total_seconds()
    seconds = job.expected_seconds - elapsed
    if job.progress and job.progress > Decimal("0.05"):  # enough of it to tell the pace
        by_pace = elapsed * float((1 - job.progress) / job.progress)
        seconds = min(seconds, by_pace) if seconds > 0 else by_pace
    return f"{words.about(seconds)} left" if seconds > 0 else "a little longer than usual"


def cost_usd(job: Job) -> Decimal:
    """What the job cost in USD; the estimate while fal.ai has not said."""
    return job.estimated_usd if job.actual_usd is None else job.actual_usd


def cost(job: Job) -> str:
    """$0.35, confirmed by fal.ai; about $0.35 while it is an estimate; nothing for what fal.ai does not bill."""
    if not job.is_open and job.actual_usd == 0 and job.cost_source == "estimated":
        return "Nothing"
    if job.actual_usd is None or job.cost_source == "estimated":
        return f"About {words.usd(job.estimated_usd)}"
    sure = "confirmed by fal.ai" if job.cost_source == "confirmed" else "metered by fal.ai"
    return f"{words.usd(job.actual_usd)}, {sure}"


def trouble(job: Job) -> str | None:
    """What went wrong; of what has been tried again not that it should be."""
    if job.error_message and job.retried_as is not None:
        return _TO_DO.sub(" It was tried again.", job.error_message)
    return job.error_message


def charged(job: Job) -> str:
    """What the job has cost or will cost its person in credits."""
    if job.is_open:
        return f"{words.credits(job.credits_held)} set aside" if job.credits_held else "No credits needed"
    if job.is_late:
        return "Nothing, it came late"
    if job.credits_charged or not job.credits_held:
        return words.credits(job.credits_charged)
    return f"Nothing, {words.credits(job.credits_held)} returned"


def took(job: Job) -> str | None:
    """1 min 48 s from asking to the end."""
    return words.duration(job.completed_at - job.created_at) if job.completed_at else None


def is_web(url: str | None) -> bool:
    """Whether this is an address that a browser loads by itself. Streamlit would read anything else from our disk."""
    return url is not None and url.startswith(("https://", "http://"))


def picture_alt(job: Job, output: Output) -> str:
    """What a screen reader says for an output."""
    return f"{kind(job)} {output.position + 1}: {words.headline(job.prompt, 120) or model(job)}"
