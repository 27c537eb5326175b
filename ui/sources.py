"""What goes into a field that takes files: an upload, a recording, an earlier result or a part of one."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal
from uuid import UUID

from core import inputs, pictures
from core.catalog import Field, GenerationType
from core.catalog.shared import MEGAPIXEL
from core.decoding import Moment
from core.models import Job, Output, Person
from ui import describe

Family = Literal["image", "audio"]


@dataclass(frozen=True, slots=True)
class Source:
    """One of: `url`, which fal.ai can read already; `data`, which has to be uploaded; `output`, one of our results.

    `moment` picks the frame when a picture is taken from a video. `preview` is what a browser can show of it: the
    picture, or the video itself.
    """

    family: Family
    title: str = ""
    url: str = ""
    data: bytes = b""
    output: UUID | None = None
    media_type: str = ""  # of the output
    moment: Moment = "last"
    preview: str = ""
    pixels: int = 0  # of the output, 0 when nobody knows
    seconds: Decimal | None = None  # how long the output is, when somebody knows

    @property
    def is_frame(self) -> bool:
        return self.family == "image" and self.media_type.startswith("video/")


def family_of(field: Field) -> Family:
    return "audio" if field.kind == "audio" else "image"


def fits(field_family: Family, media_type: str) -> bool:
    """Whether something can be taken from a file of this type: a video has frames and sound."""
    return media_type.startswith((f"{field_family}/", "video/"))


def of_output(family: Family, job: Job, output: Output) -> Source:
    """A result as input."""
    shown = output.media_type.startswith("image/") or (family == "image" and output.media_type.startswith("video/"))
    number = f" · {output.position + 1}" if len(job.outputs) > 1 else ""
    return Source(
        family=family,
        title=f"{describe.title(job)}{number}",
        output=output.id,
        media_type=output.media_type,
        preview=(output.url or "") if shown else "",
        pixels=(output.width or 0) * (output.height or 0),
        seconds=output.duration_seconds,
    )


def shown_at(source: Source) -> Decimal:
    """The second of a video at which a browser shows its frame."""
    if isinstance(source.moment, Decimal):
        return source.moment
    end = (source.seconds or Decimal(0)) - Decimal("0.1")
    return max(end, Decimal(0)) if source.moment == "last" else Decimal(0)


def megapixels(known: GenerationType, files: Mapping[str, list[Source]]) -> Decimal | None:
    """The area of the picture that decides how large the result of a type is; None when there is none, or nobody knows.

    Raises DatabaseUnavailable.
    """
    name = known.usage.sized_by
    source = next(iter(files.get(name, ())), None)
    if source is None:
        return None
    if source.data:
        return pictures.megapixels(source.data)
    if source.url:
        return inputs.source_megapixels(known, {name: source.url})
    return source.pixels / MEGAPIXEL or None


def address(person: Person, source: Source) -> str:
    """Where fal.ai finds it; what is not there yet is sent first.

    Raises InvalidInput, NotFound, FalError, DatabaseUnavailable.
    """
    if source.url:
        return source.url
    if source.output is None:
        send = inputs.picture if source.family == "image" else inputs.recording
        return send(person, source.data).url
    if source.is_frame:
        return inputs.frame(person, source.output, source.moment).url
    if source.family == "audio" and source.media_type.startswith("video/"):
        return inputs.sound(person, source.output).url
    return inputs.from_output(person, source.output).url
