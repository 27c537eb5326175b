"""Campaigns, clips and what is made for them, through the functions that the product itself calls."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from tests.database.books import Books, Row, completed, creation

FRAME = "first_frame"
STEPS = ("first_frame", "video", "voice", "ambient", "transcript")
# generation type, credits, units and USD per unit of one job of a step
MODELS: dict[str, tuple[str, int, str, str]] = {
    "first_frame": ("first_frame", 1, "1", "0.15"),
    "video": ("video_veo31_fast", 6, "6", "0.15"),
    "voice": ("voice_chatterbox", 1, "20", "0.00125"),
    "ambient": ("ambient_elevenlabs", 1, "8", "0.002"),
    "transcript": ("transcribe_whisper", 1, "20", "0.0008"),
}
COSTS = {"first_frame": 10, "video": 12, "voice": 2, "ambient": 1, "transcript": 1}  # credits


def uuids(ids: Iterable[UUID]) -> str:
    """An array of ids as PostgreSQL writes it."""
    return "{" + ",".join(map(str, ids)) + "}"


def recipe(step: str, **inputs: Any) -> Row:
    return {"generation_type": MODELS[step][0], "inputs": inputs}


def recipes(*steps: str) -> Row:
    return {step: recipe(step) for step in steps}


def new_campaign(books: Books, owner: UUID, *, clips: int = 0, steps: tuple[str, ...] = STEPS, **more: Any) -> UUID:
    campaign = uuid4()
    books.call("create_campaign", p_campaign=campaign, p_actor=owner, p_name="Autumn", **more)
    for _ in range(clips):
        new_clip(books, owner, campaign, steps=steps)
    return campaign


def new_clip(books: Books, owner: UUID, campaign: UUID, *, steps: tuple[str, ...] = STEPS, **more: Any) -> UUID:
    clip = uuid4()
    books.call("add_clip", p_clip=clip, p_actor=owner, p_campaign=campaign, p_steps=recipes(*steps), **more)
    return clip


def clips_of(books: Books, campaign: UUID) -> list[UUID]:
    """The clips of a campaign in order; their places are 1, 2, 3 and so on."""
    query = "select id, position from campaign_clips where campaign_id = %s and deleted_at is null order by position"
    rows = books.all(query, campaign)
    assert [row["position"] for row in rows] == list(range(1, len(rows) + 1))
    return [row["id"] for row in rows]


def clip_job(user: UUID, clip: UUID, step: str = FRAME, job: UUID | None = None, **more: Any) -> Row:
    """The arguments of `create_clip_job`."""
    generation_type, quantity, units, price = MODELS[step]
    arguments = creation(
        user,
        job,
        generation_type=generation_type,
        quantity=quantity,
        units=Decimal(units),
        unit_price_usd=Decimal(price),
    )
    own: Row = {"p_clip": clip, "p_step": step, "p_made_from": None, "p_made_from_output": None}
    return arguments | own | {f"p_{name}": value for name, value in more.items()}


def create(books: Books, user: UUID, clip: UUID, step: str = FRAME, **more: Any) -> UUID:
    """A pending job for a step of a clip."""
    row: Row = books.call("create_clip_job", **clip_job(user, clip, step, **more))
    return UUID(row["id"])


def submitted(books: Books, user: UUID, clip: UUID, step: str = FRAME, **more: Any) -> UUID:
    """A job for a step of a clip that fal.ai has."""
    job = create(books, user, clip, step, **more)
    send(books, job)
    return job


def send(books: Books, job: UUID) -> None:
    assert books.begin(job)
    books.accept(job)


def make(books: Books, user: UUID, clip: UUID, step: str = FRAME, *, outputs: int = 1, **more: Any) -> Row:
    """A finished job for a step of a clip; returns its version."""
    job = submitted(books, user, clip, step, **more)
    books.settle(job, completed(outputs=outputs))
    return version_of(books, job)


def version_of(books: Books, job: UUID) -> Row:
    return books.one("select * from clip_versions where job_id = %s", job)


def versions(books: Books, clip: UUID, step: str = FRAME) -> list[tuple[int, bool]]:
    """The versions of a step: number and whether it is current."""
    rows = books.all("select * from clip_versions where clip_id = %s and step = %s order by number", clip, step)
    return [(row["number"], row["is_current"]) for row in rows]
