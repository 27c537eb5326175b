"""The prompts that somebody has used before: nothing is kept twice, they are read from the jobs themselves."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from core.database import get_database
from core.models import Person

LONGEST_SEARCH = 200  # characters


@dataclass(frozen=True, slots=True)
class UsedPrompt:
    """A prompt with the job that used it last."""

    job_id: UUID
    generation_type: str
    text: str
    inputs: dict[str, Any]  # all of that job's, the prompt among them
    used_at: datetime
    is_favourite: bool


def history(
    person: Person, media_kind: str, *, text: str = "", favourites: bool = False, limit: int = 20
) -> tuple[UsedPrompt, ...]:
    """The person's own prompts for image, video, voice or 3d, each once, newest first.

    `text` is looked for in them, whatever the case; `favourites` leaves those of marked jobs. Raises DatabaseError.
    """
    rows = get_database().call(
        "prompt_history",
        p_user=person.user_id,
        p_media_kind=media_kind,
        p_text=text.strip()[:LONGEST_SEARCH],
        p_favourites=favourites,
        p_limit=limit,
    )
    return tuple(
        UsedPrompt(
            job_id=UUID(row["id"]),
            generation_type=row["generation_type"],
            text=row["prompt"],
            inputs=row["input_params"],
            used_at=datetime.fromisoformat(row["created_at"]),
            is_favourite=row["is_favourite"],
        )
        for row in rows
    )
