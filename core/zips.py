"""Many files as one ZIP, written while they are read: neither the files nor the archive are ever whole in memory."""

import re
import time
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import httpx

from core import media, subtitles
from core.database import get_database, translated
from core.errors import DatabaseUnavailable, InvalidInput
from core.filetypes import EXTENSIONS
from core.models import Job, Output, Person
from core.rows import JOB_COLUMNS, job_of

CHUNK: Final = 256 * 1024
MOST_JOBS: Final = 100
UNREADABLE: Final = "A file cannot be read at the moment. It is not lost. Try again in a minute."


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of an archive. `read` gives its bytes when its turn has come; `name` has forward slashes."""

    name: str
    read: Callable[[], Iterable[bytes]]
    modified: datetime
    stored: bool = True  # pictures and videos are compressed already


def stream(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The archive in pieces. What `read` raises ends it in the middle, so that nobody takes a part for the whole.

    `entries` is asked for one at a time: the last one may describe those before it.
    """
    sink = _Sink()
    taken: set[str] = set()
    with zipfile.ZipFile(sink, "w") as archive:
        for entry in entries:
            facts = zipfile.ZipInfo(_free(entry.name, taken), _dos_time(entry.modified))
            facts.compress_type = zipfile.ZIP_STORED if entry.stored else zipfile.ZIP_DEFLATED
            facts.external_attr = 0o644 << 16
            with archive.open(facts, "w") as file:
                for piece in entry.read():
                    file.write(piece)
                    yield from sink.taken()
            yield from sink.taken()
    yield from sink.taken()


def of_jobs(person: Person, job_ids: Sequence[UUID]) -> Iterator[bytes]:
    """The outputs of these jobs as one ZIP, transcripts as text and subtitles. Jobs that the person may not see are not
    in it. Raises InvalidInput when there is nothing to take."""
    rows = _rows(person, job_ids)
    entries = [entry for row in rows for entry in job_entries(row, "")]
    if not entries:
        raise InvalidInput("There is nothing to download in these jobs.", field="jobs")
    return stream(entries)


def job_entries(row: dict[str, Any], folder: str, stem: str = "") -> list[Entry]:
    """The files of a row of `generation_jobs` with its `job_outputs`: every output, or the text of a transcript."""
    job, made_at = with_outputs(row), datetime.fromisoformat(row["completed_at"] or row["created_at"])
    stem = stem or f"{made_at:%Y-%m-%d}-{slug(job.prompt or job.generation_type)}-{str(job.id)[:8]}"
    entries = [
        Entry(
            f"{folder}{stem}{_number(job, output)}.{EXTENSIONS.get(output.media_type, 'bin')}", reader(output), made_at
        )
        for output in job.outputs
        if output.url
    ]
    return entries + transcript_entries(job, f"{folder}{stem}", made_at)


def transcript_entries(job: Job, stem: str, made_at: datetime) -> list[Entry]:
    """Text, SRT and WebVTT of a transcript; nothing for a job that is none."""
    data = job.result_data or {}
    if job.generation_type != "transcribe_whisper" or not isinstance(data.get("text"), str):
        return []
    cues = subtitles.grouped(subtitles.cues_of(data))
    texts = {"txt": subtitles.text_of(data) + "\n", "srt": subtitles.to_srt(cues), "vtt": subtitles.to_vtt(cues)}
    return [
        Entry(f"{stem}.{ending}", _text(text), made_at, stored=False)
        for ending, text in texts.items()
        if cues or ending == "txt"
    ]


def with_outputs(row: dict[str, Any]) -> Job:
    """A row of `generation_jobs` with its `job_outputs` as a job whose outputs have addresses."""
    outputs = media.viewable(row["job_outputs"])
    return job_of(row, tuple(sorted(outputs.values(), key=lambda output: output.position)))


def slug(text: str, longest: int = 40) -> str:
    """A text as part of a file name that every system takes: a-z, 0-9, hyphens; "untitled" when nothing is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:longest].strip("-") or "untitled"


def chunks(output: Output) -> Iterator[bytes]:
    """The bytes of an output in pieces, from our copy or fal.ai's. Raises DatabaseUnavailable, NotFound."""
    url = media.address_to_fetch(output)
    try:
        with get_database().http.stream("GET", url, timeout=30, follow_redirects=False) as answer:
            answer.raise_for_status()
            yield from answer.iter_bytes(CHUNK)
    except httpx.HTTPError as error:
        raise DatabaseUnavailable(UNREADABLE, detail={"output_id": str(output.id), "error": repr(error)}) from error


def _rows(person: Person, job_ids: Sequence[UUID]) -> list[dict[str, Any]]:
    if len(job_ids) > MOST_JOBS:
        raise InvalidInput(f"{MOST_JOBS} jobs at once at most. Choose fewer.", field="jobs")
    with translated("generation_jobs"):
        rows: Any = (
            get_database()
            .rows_of(person.access_token)
            .from_("generation_jobs")
            .select(JOB_COLUMNS)
            .in_("id", [str(job_id) for job_id in job_ids])
            .order("created_at", desc=True)
            .execute()
            .data
        )
    return list(rows)


def reader(output: Output) -> Callable[[], Iterator[bytes]]:
    """`chunks` of an output, for when its turn has come."""
    return lambda: chunks(output)


def _text(text: str) -> Callable[[], tuple[bytes]]:
    return lambda: (text.encode(),)


def _number(job: Job, output: Output) -> str:
    return f"-{output.position + 1}" if len(job.outputs) > 1 else ""


def _free(name: str, taken: set[str]) -> str:
    """A name that no entry has yet, also where upper and lower case are the same."""
    stem, point, ending = name.rpartition(".")
    if not point:
        stem, ending = name, ""
    free, count = name, 2
    while free.lower() in taken:
        free, count = f"{stem}-{count}{point}{ending}", count + 1
    taken.add(free.lower())
    return free


def _dos_time(moment: datetime) -> tuple[int, int, int, int, int, int]:
    """A time as ZIP keeps it: no zone (we write UTC), not before 1980 and not after 2107."""
    utc = time.gmtime(moment.astimezone(UTC).timestamp())
    return (min(max(utc.tm_year, 1980), 2107), utc.tm_mon, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec)


class _Sink:
    """Takes what the archive writes and gives it on. It cannot be wound back, so sizes follow their files (APPNOTE.TXT
    4.3.9, data descriptor)."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes, /) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is kept back."""

    def close(self) -> None:
        """There is nothing to close."""

    def taken(self) -> list[bytes]:
        pieces, self._pieces = self._pieces, []
        return pieces
