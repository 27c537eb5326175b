"""A campaign as a ZIP: the current version of every step in the order of the clips, and a manifest as JSON and CSV."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from core.campaigns.reading import get_campaign, list_clips
from core.campaigns.records import Campaign, Clip, StepState
from core.campaigns.steps import STEPS
from core.csv_file import csv_file
from core.errors import Refused
from core.filetypes import EXTENSIONS
from core.models import Job, Person
from core.zips import Entry, reader, slug, stream, transcript_entries

COLUMNS = (
    "clip",
    "title",
    "script",
    "step",
    "version",
    "model",
    "prompt",
    "seed",
    "files",
    "credits",
    "usd",
    "usd_is",
    "out_of_date",
    "job",
    "made_at",
)


@dataclass(frozen=True, slots=True)
class Export:
    """An archive that is made while it is read."""

    file_name: str
    pieces: Iterator[bytes]


def export_campaign(person: Person, campaign_id: UUID) -> Export:
    """The current versions of a campaign as a ZIP. Raises NotFound, and Refused when there is nothing in it yet.

    Reading the pieces raises DatabaseUnavailable when a file cannot be read: a part is never taken for the whole.
    """
    campaign, clips = get_campaign(person, campaign_id), list_clips(person, campaign_id)
    if not any(state.current for clip in clips for state in clip.steps):
        raise Refused("There is nothing to export yet: generate a step first.", code="NOTHING_TO_EXPORT")
    return Export(f"{slug(campaign.name)}.zip", stream(_entries(campaign, clips, datetime.now(UTC))))


def _entries(campaign: Campaign, clips: tuple[Clip, ...], now: datetime) -> Iterator[Entry]:
    rows: list[dict[str, Any]] = []
    for clip in clips:
        for state in clip.steps:
            files = step_entries(clip, state)
            yield from files
            if state.current:
                rows.append(_row(clip, state, [file.name for file in files]))
    manifest = json.dumps(manifest_of(campaign, clips, rows, now), ensure_ascii=False, indent=2) + "\n"
    table = csv_file(COLUMNS, (_cells(row) for row in rows))
    yield Entry("manifest.json", lambda: (manifest.encode(),), now, stored=False)
    yield Entry("manifest.csv", lambda: (table,), now, stored=False)


def step_entries(clip: Clip, state: StepState) -> list[Entry]:
    """The files of a step's current version: its output, or text and subtitles of a transcript; none when deleted."""
    version = state.current
    if version is None or version.job is None:
        return []
    folder = f"{clip.position or 0:02}-{slug(clip.title or f'clip {clip.position}')}"
    stem = f"{folder}/{STEPS.index(state.step) + 1}-{state.step}-v{version.number}"
    output = version.output
    entries = transcript_entries(version.job, stem, version.created_at)
    if output and output.url:
        ending = EXTENSIONS.get(output.media_type, "bin")
        entries.append(Entry(f"{stem}.{ending}", reader(output), version.created_at))
    return entries


def manifest_of(
    campaign: Campaign, clips: tuple[Clip, ...], rows: list[dict[str, Any]], now: datetime
) -> dict[str, Any]:
    """What the archive holds, for machines. USD as text, so that no reader meets a float."""
    return {
        "campaign": {
            "id": str(campaign.id),
            "name": campaign.name,
            "brief": campaign.brief,
            "owner": campaign.owner_name,
            "exported_at": now.isoformat(timespec="seconds"),
        },
        "clips": [
            {
                "position": clip.position,
                "title": clip.title,
                "script": clip.script,
                "steps": [_for_json(row) for row in rows if row["clip"] == clip.position],
            }
            for clip in clips
        ],
        "totals": {
            "versions": len(rows),
            "credits": sum(row["credits"] or 0 for row in rows),
            "usd": f"{sum((row['usd'] or Decimal(0) for row in rows), Decimal(0)):f}",
        },
    }


def _row(clip: Clip, state: StepState, files: list[str]) -> dict[str, Any]:
    version = state.current
    assert version is not None
    job = version.job
    return {
        "clip": clip.position,
        "title": clip.title,
        "script": clip.script,
        "step": state.step,
        "version": version.number,
        "model": job.generation_type if job else None,
        "prompt": job.prompt if job else None,
        "seed": version.seed,
        "files": files,
        "credits": job.credits_charged if job else None,
        "usd": _usd(job) if job else None,
        "usd_is": job.cost_source if job else None,
        "out_of_date": state.is_outdated,
        "job": str(version.job_id),
        "made_at": version.created_at,
    }


def _usd(job: Job) -> Decimal:
    return job.actual_usd if job.actual_usd is not None else job.estimated_usd


def _cells(row: dict[str, Any]) -> list[Any]:
    return ["; ".join(row[name]) if name == "files" else row[name] for name in COLUMNS]


def _for_json(row: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in row.items() if name not in ("clip", "title", "script")}
    usd, made_at = row["usd"], row["made_at"]
    return kept | {"usd": f"{usd:f}" if usd is not None else None, "made_at": made_at.isoformat(timespec="seconds")}
