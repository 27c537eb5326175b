"""Turning rows of the API into the records of this package."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from core.campaigns.records import Campaign, Clip, Recipe, Run, RunClip, StepState, Version
from core.campaigns.steps import SOURCES, STEPS, Step
from core.database import money
from core.models import Job, Output
from core.rows import moment, when


def campaign_of(row: Mapping[str, Any], figures: Mapping[str, Any], cover: tuple[Output, ...] = ()) -> Campaign:
    """A row of `campaigns` with its figures from `campaign_totals`."""
    return Campaign(
        id=UUID(row["id"]),
        owner_id=UUID(row["owner_id"]),
        owner_name=figures["owner_name"],
        name=row["name"],
        brief=row["brief"],
        visibility=row["visibility"],
        archived_at=when(row["archived_at"]),
        created_at=moment(row["created_at"]),
        may_change=figures["may_change"],
        clips=figures["clips"],
        wanted_steps=figures["wanted_steps"],
        made_steps=figures["made_steps"],
        open_jobs=figures["open_jobs"],
        credits=figures["credits"],
        spent_usd=money(figures["spent_usd"]),
        run_id=UUID(figures["run_id"]) if figures["run_id"] else None,
        cover=cover,
    )


def recipe_of(row: Mapping[str, Any] | None) -> Recipe | None:
    """From the JSON of a step; None for a step that is not wanted."""
    return Recipe(row["generation_type"], dict(row["inputs"])) if row else None


def version_of(row: Mapping[str, Any], job: Job | None = None) -> Version:
    """From a row of `clip_versions`, with the job that made it when that is known."""
    return Version(
        id=UUID(row["id"]),
        clip_id=UUID(row["clip_id"]),
        step=row["step"],
        number=row["number"],
        job_id=UUID(row["job_id"]),
        is_current=row["is_current"],
        output_position=row["output_position"],
        made_from=UUID(row["made_from"]) if row["made_from"] else None,
        made_from_output=row["made_from_output"],
        created_at=moment(row["created_at"]),
        job=job,
    )


def clip_of(
    row: Mapping[str, Any],
    current: Mapping[Step, Version] | None = None,
    counts: Mapping[str, int] | None = None,
    open_jobs: Mapping[Step, tuple[Job, ...]] | None = None,
) -> Clip:
    """A row of `campaign_clips` with the current version, the number of versions and the open jobs of each step."""
    current = current or {}
    late = outdated(current)
    return Clip(
        id=UUID(row["id"]),
        campaign_id=UUID(row["campaign_id"]),
        position=row["position"],
        title=row["title"],
        script=row["script"],
        revision=row["revision"],
        deleted_at=when(row["deleted_at"]),
        steps=tuple(
            StepState(
                step=step,
                recipe=recipe_of(row["steps"].get(step)),
                current=current.get(step),
                versions=(counts or {}).get(step, 0),
                is_outdated=step in late,
                open_jobs=(open_jobs or {}).get(step, ()),
            )
            for step in STEPS
        ),
    )


def source_of(step: Step, current: Mapping[Step, Version]) -> Version | None:
    """The current version that a step would be made from now."""
    return next((current[source] for source in SOURCES[step] if source in current), None)


def outdated(current: Mapping[Step, Version]) -> frozenset[Step]:
    """The steps whose current version was made from something that is no longer current, or is out of date itself.

    A version that was made from the clip's own input follows from nothing and stays as it is.
    """
    late: set[Step] = set()
    for step in STEPS:
        version = current.get(step)
        if version is None or version.made_from is None:
            continue
        source = source_of(step, current)
        same = source is not None and (source.id, source.output_position) == (
            version.made_from,
            version.made_from_output,
        )
        if source is None or not same or source.step in late:
            late.add(step)
    return frozenset(late)


def run_of(row: Mapping[str, Any]) -> Run:
    """A run from what `private.run_json` gave."""
    return Run(
        id=UUID(row["id"]),
        campaign_id=UUID(row["campaign_id"]),
        started_by=UUID(row["started_by"]),
        first_step=row["first_step"],
        last_step=row["last_step"],
        confirmed_credits=row["confirmed_credits"],
        used_credits=row["used_credits"],
        state=row["state"],
        created_at=moment(row["created_at"]),
        ended_at=when(row["ended_at"]),
        clips=tuple(_run_clips(row["clips"])),
    )


def _run_clips(rows: Iterable[Mapping[str, Any]]) -> Iterable[RunClip]:
    for row in rows:
        yield RunClip(
            clip_id=UUID(row["clip_id"]),
            position=row["position"],
            step=row["step"],
            state=row["state"],
            reason_code=row["reason_code"],
            reason=row["reason"],
            job_id=UUID(row["job_id"]) if row["job_id"] else None,
        )
