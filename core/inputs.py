"""What people bring as input: pictures, recordings, earlier results, a frame or the sound of a video.

Everything is told by its bytes, written anew without location and camera data, and sent to fal.ai's storage once; the
same thing again is the same address, until it is older than the team's `input_days`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID, uuid4

from core import media
from core.catalog import GenerationType
from core.catalog.shared import MEGAPIXEL
from core.database import get_database, translated
from core.decoding import Moment, frame_of, length_of, wav_of
from core.errors import InvalidInput, NotFound
from core.fal.storage import upload
from core.filetypes import EXTENSIONS
from core.log import get_logger
from core.media_hosts import may_be_input
from core.models import Person
from core.pictures import Picture, clean_picture
from core.rows import output_of, when
from core.settings import get_settings

log = get_logger(__name__)

LARGEST_PICTURE: Final = 20 * 1024 * 1024
LARGEST_RECORDING: Final = 50 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file in fal.ai's storage, ready to be an input. Pixels, seconds, bytes."""

    url: str
    media_type: str
    size_bytes: int
    width: int | None = None
    height: int | None = None
    duration_seconds: Decimal | None = None
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Clean:
    data: bytes
    media_type: str
    width: int | None = None
    height: int | None = None
    duration_seconds: Decimal | None = None


def picture(person: Person, data: bytes) -> InputFile:
    """A picture that the person uploads: PNG, JPEG or WebP, 20 MB and 40 megapixels at most.

    Raises InvalidInput, NotAllowed, FalError when it cannot be sent.
    """
    if len(data) > LARGEST_PICTURE:
        raise InvalidInput("This picture is larger than 20 MB. Choose a smaller one.", field="image")
    key = _digest(data)
    return _recall(person.user_id, key) or _send_picture(person.user_id, key, clean_picture(data))


def recording(person: Person, data: bytes) -> InputFile:
    """A recording that the person uploads or has just made: WAV, MP3, OGG, FLAC, M4A, MP4 or WebM, 50 MB and 10 minutes
    at most; it is sent as WAV. Raises InvalidInput, NotAllowed, FalError when it cannot be sent."""
    if len(data) > LARGEST_RECORDING:
        raise InvalidInput("This recording is larger than 50 MB. Choose a smaller one.", field="audio")
    key = _digest(data)
    return _recall(person.user_id, key) or _send(person.user_id, key, _sound(data))


def from_output(person: Person, output_id: UUID) -> InputFile:
    """An earlier result as it is. Raises NotFound for one that the person may not see or that was deleted."""
    return send_output(person.user_id, output_row(person, output_id))


def frame(person: Person, output_id: UUID, moment: Moment = "last") -> InputFile:
    """A frame of an earlier video: the first, the last, or at so many seconds. Raises NotFound, InvalidInput."""
    row = output_row(person, output_id)
    key = _digest(f"frame of {row['id']} at {moment}".encode())
    if known := _recall(person.user_id, key):
        return known
    png, width, height = frame_of(_bytes(row), moment)
    return _send_picture(person.user_id, key, Picture(png, "image/png", width, height))


def sound(person: Person, output_id: UUID) -> InputFile:
    """The sound of an earlier video or recording. Raises NotFound, InvalidInput when it has none."""
    return send_sound(person.user_id, output_row(person, output_id))


def recent(person: Person, limit: int = 24) -> tuple[InputFile, ...]:
    """What the person brought lately and fal.ai still has, newest first."""
    with translated("input_files"):
        rows: Any = (
            get_database()
            .rows_of(person.access_token)
            .from_("input_files")
            .select("*")
            .eq("user_id", str(person.user_id))
            .gt("expires_at", datetime.now(UTC).isoformat())
            .order("sent_at", desc=True)
            .limit(limit)
            .execute()
            .data
        )
    return tuple(_file(row) for row in rows)


def source_megapixels(known: GenerationType, inputs: Mapping[str, Any]) -> Decimal | None:
    """The area in megapixels of the picture that decides how large the result is, for `catalog.quote`; None when the
    type has none or nobody knows. Raises DatabaseUnavailable."""
    address = inputs.get(known.usage.sized_by)
    size = get_database().call("picture_size", p_url=address) if address else None
    return size["width"] * size["height"] / MEGAPIXEL if size else None


def require_reachable(known: GenerationType, inputs: Mapping[str, Any]) -> None:
    """fal.ai fetches the files that a job names: none of them may be inside anybody's network. Raises InvalidInput."""
    for field in known.fields:
        given = inputs.get(field.name) if field.kind in ("image", "images", "audio") else None
        if not all(may_be_input(url) for url in ([given] if isinstance(given, str) else given or ())):
            raise field.refused(f"{field.label} must be a file that you upload, or the result of an earlier job.")


def output_row(person: Person, output_id: UUID) -> dict[str, Any]:
    """The row of an output as the person sees it. Raises NotFound."""
    with translated("job_outputs"):
        query = get_database().rows_of(person.access_token).from_("job_outputs").select("*").eq("id", str(output_id))
        rows: Any = query.execute().data
    if not rows or rows[0]["deleted_at"]:
        raise NotFound("This result is not there any more.")
    row: dict[str, Any] = rows[0]
    return row


def send_output(user_id: UUID, row: dict[str, Any]) -> InputFile:
    """A row of `job_outputs` as an input: where fal.ai made it while that is recent, else our own copy, sent again."""
    facts = output_of(row, None)
    made_at = when(row["created_at"])
    days = int(get_database().call("input_days"))
    if row["source_url"] and made_at and made_at > datetime.now(UTC) - timedelta(days=days):
        return InputFile(
            row["source_url"],
            facts.media_type,
            facts.size_bytes or 0,
            facts.width,
            facts.height,
            facts.duration_seconds,
            made_at,
        )
    key = _digest(f"output {row['id']}".encode())
    if known := _recall(user_id, key):
        return known
    copy = _Clean(_bytes(row), facts.media_type, facts.width, facts.height, facts.duration_seconds)
    return _send(user_id, key, copy)


def send_sound(user_id: UUID, row: dict[str, Any]) -> InputFile:
    """The sound of a row of `job_outputs`. Raises InvalidInput when it has none."""
    key = _digest(f"sound of {row['id']}".encode())
    return _recall(user_id, key) or _send(user_id, key, _sound(_bytes(row)))


def length(row: dict[str, Any]) -> Decimal:
    """How long the video or recording in a row of `job_outputs` is, in seconds, read from the file itself."""
    return length_of(_bytes(row))


def _sound(data: bytes) -> _Clean:
    wav, seconds = wav_of(data)
    return _Clean(wav, "audio/wav", duration_seconds=seconds)


def _send_picture(user_id: UUID, digest: str, found: Picture) -> InputFile:
    return _send(user_id, digest, _Clean(found.data, found.media_type, found.width, found.height))


def _bytes(row: dict[str, Any]) -> bytes:
    return media.download(output_of(row, None))[0]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _recall(user_id: UUID, digest: str) -> InputFile | None:
    row = get_database().call("known_input", p_user=user_id, p_sha256=digest)
    return _file(row) if row else None


def _send(user_id: UUID, digest: str, clean: _Clean) -> InputFile:
    # The person's file name stays here: fal.ai's addresses are public.
    name = f"{uuid4()}.{EXTENSIONS.get(clean.media_type, 'bin')}"
    url = upload(get_settings(), clean.data, name, clean.media_type)
    row = get_database().call(
        "remember_input",
        p_user=user_id,
        p_sha256=digest,
        p_fal_url=url,
        p_media_type=clean.media_type,
        p_size_bytes=len(clean.data),
        p_width=clean.width,
        p_height=clean.height,
        p_duration_seconds=clean.duration_seconds,
    )
    log.info("input_sent", user_id=str(user_id), bytes=len(clean.data), media_type=clean.media_type)
    return _file(row)


def _file(row: dict[str, Any]) -> InputFile:
    return InputFile(
        url=row["fal_url"],
        media_type=row["media_type"],
        size_bytes=row["size_bytes"],
        width=row["width"],
        height=row["height"],
        duration_seconds=Decimal(str(row["duration_seconds"])) if row["duration_seconds"] is not None else None,
        sent_at=when(row["sent_at"]),
    )
