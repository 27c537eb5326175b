"""Reading campaigns as the person who looks: row level security or the function that is asked decides what there is."""

import base64
import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from core.campaigns.records import Campaign, CampaignPage, Clip, Run, Version
from core.campaigns.rows import campaign_of, clip_of, run_of, version_of
from core.campaigns.steps import Step
from core.database import get_database, translated
from core.errors import InvalidInput, NotFound
from core.media import viewable
from core.models import OPEN_STATUSES, Job, Person
from core.rows import JOB_COLUMNS, job_of
from core.zips import with_outputs

PAGE = 24
OPEN_JOBS = 500  # one person may have 50 open, see team_settings
IN_ONE_QUERY = 100  # ids in an address
COVER = 3  # clips on the card of a campaign


def list_campaigns(
    person: Person,
    *,
    archived: bool = False,
    mine: bool = False,
    text: str = "",
    cursor: str | None = None,
    limit: int = PAGE,
) -> CampaignPage:
    """Campaigns that the person may see, newest first; `mine` leaves out those of others, `text` searches the names.

    Raises InvalidInput for a cursor that is none.
    """
    created, last = _from_cursor(cursor) if cursor else (None, None)
    found = get_database().call(
        "campaign_list",
        p_actor=person.user_id,
        p_archived=archived,
        p_mine=mine,
        p_text=text.strip()[:200],
        p_before_at=created,
        p_before_id=last,
        p_limit=limit + 1,
        p_clips=COVER,
    )
    rows, figures, covers = found["campaigns"], found["figures"], found["covers"]
    shown = rows[:limit]
    files = viewable([output for row in shown for output in covers.get(row["id"], ())])
    campaigns = tuple(
        campaign_of(row, figures[row["id"]], tuple(files[output["id"]] for output in covers.get(row["id"], ())))
        for row in shown
        if row["id"] in figures
    )
    return CampaignPage(campaigns, _to_cursor(shown[-1]) if len(rows) > limit else None)


def open_campaign(person: Person, campaign_id: UUID) -> tuple[Campaign, tuple[Clip, ...], Run | None]:
    """All that the page of a campaign shows, in one call: the campaign, its clips as in `list_clips`, and its run while
    that goes on or waits. Raises NotFound."""
    found = get_database().call("campaign_page", p_actor=person.user_id, p_campaign=campaign_id)
    files = viewable([output for row in found["jobs"] for output in row["job_outputs"]])
    jobs = {
        row["id"]: job_of(row, tuple(files[output["id"]] for output in row["job_outputs"])) for row in found["jobs"]
    }
    clips = _arranged(found["clips"], found["versions"], jobs, found["counts"], found["open_jobs"])
    run = run_of(found["run"]) if found["run"] else None
    return campaign_of(found["campaign"], found["figures"]), clips, run


def get_campaign(person: Person, campaign_id: UUID) -> Campaign:
    """Raises NotFound, also for a campaign that the person may not see."""
    with translated("campaigns"):
        rows = _table(person, "campaigns").select("*").eq("id", str(campaign_id)).execute().data
    figures = get_database().call("campaign_totals", p_actor=person.user_id, p_campaigns=[row["id"] for row in rows])
    found = tuple(campaign_of(row, figures[row["id"]]) for row in rows if row["id"] in figures)
    if not found:
        raise NotFound("There is no such campaign.")
    return found[0]


def list_clips(person: Person, campaign_id: UUID, *, deleted: bool = False) -> tuple[Clip, ...]:
    """The clips of a campaign in order, each with the current version (job and outputs), the number of versions and the
    open jobs of every step; `deleted` gives the deleted ones instead, the latest first."""
    query = _table(person, "campaign_clips").select("*").eq("campaign_id", str(campaign_id))
    query = (
        query.not_.is_("deleted_at", "null").order("deleted_at", desc=True)
        if deleted
        else query.is_("deleted_at", "null")
    )
    with translated("campaign_clips"):
        rows = query.order("position").execute().data
    return _clips(person, campaign_id, rows)


def get_clip(person: Person, clip_id: UUID) -> Clip:
    """One clip as in `list_clips`. Raises NotFound."""
    with translated("campaign_clips"):
        rows = _table(person, "campaign_clips").select("*").eq("id", str(clip_id)).execute().data
    if not rows:
        raise NotFound("There is no such clip.")
    return _clips(person, UUID(rows[0]["campaign_id"]), rows)[0]


def list_versions(
    person: Person, clip_id: UUID, step: Step, *, before: int | None = None, limit: int = 12
) -> tuple[Version, ...]:
    """Versions of a step, newest first, each with its job (prompt, seed, cost) and outputs; `before` is a number."""
    query = _table(person, "clip_versions").select("*").eq("clip_id", str(clip_id)).eq("step", step)
    if before is not None:
        query = query.lt("number", before)
    with translated("clip_versions"):
        rows = query.order("number", desc=True).limit(limit).execute().data
    jobs = jobs_by_id(person, (row["job_id"] for row in rows))
    return tuple(version_of(row, jobs.get(row["job_id"])) for row in rows)


def jobs_by_id(person: Person, ids: Iterable[str]) -> dict[str, Job]:
    """Jobs with their outputs by id, those that the person may see."""
    wanted = sorted(set(ids))
    found: dict[str, Job] = {}
    for first in range(0, len(wanted), IN_ONE_QUERY):
        with translated("generation_jobs"):
            rows = (
                _table(person, "generation_jobs")
                .select(JOB_COLUMNS)
                .in_("id", wanted[first : first + IN_ONE_QUERY])
                .execute()
                .data
            )
        found |= {row["id"]: with_outputs(row) for row in rows}
    return found


def _clips(person: Person, campaign_id: UUID, rows: list[dict[str, Any]]) -> tuple[Clip, ...]:
    if not rows:
        return ()
    with translated("clip_versions"):
        query = _table(person, "clip_versions").select("*").eq("campaign_id", str(campaign_id)).eq("is_current", True)
        versions = (query if len(rows) > 1 else query.eq("clip_id", rows[0]["id"])).execute().data
    jobs = jobs_by_id(person, (version["job_id"] for version in versions))
    counts = get_database().call("version_counts", p_actor=person.user_id, p_campaign=campaign_id)
    return _arranged(rows, versions, jobs, counts, _open_jobs(person, campaign_id))


def _arranged(
    rows: list[dict[str, Any]],
    versions: list[dict[str, Any]],
    jobs: dict[str, Job],
    counts: dict[str, Any],
    open_jobs: list[dict[str, Any]],
) -> tuple[Clip, ...]:
    """Clips from their rows, those of their current versions with their jobs, and those of what is being made."""
    current: dict[str, dict[Step, Version]] = defaultdict(dict)
    for version in versions:
        current[version["clip_id"]][version["step"]] = version_of(version, jobs.get(version["job_id"]))
    running: dict[str, dict[Step, tuple[Job, ...]]] = defaultdict(dict)
    for row in open_jobs:
        of_clip = running[row["clip_id"]]
        of_clip[row["clip_step"]] = (*of_clip.get(row["clip_step"], ()), job_of(row))
    return tuple(clip_of(row, current[row["id"]], counts.get(row["id"]), running.get(row["id"])) for row in rows)


def _open_jobs(person: Person, campaign_id: UUID) -> list[dict[str, Any]]:
    with translated("generation_jobs"):
        rows: list[dict[str, Any]] = (
            _table(person, "generation_jobs")
            .select("*")
            .eq("campaign_id", str(campaign_id))
            .in_("status", OPEN_STATUSES)
            .order("created_at", desc=True)
            .limit(OPEN_JOBS)
            .execute()
            .data
        )
    return rows


def _table(person: Person, name: str) -> Any:
    return get_database().rows_of(person.access_token).from_(name)


def _to_cursor(row: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps([row["created_at"], row["id"]]).encode()).decode()


def _from_cursor(cursor: str) -> tuple[str, UUID]:
    """The time and the id in a cursor, both checked: they go into a filter."""
    try:
        created, last = json.loads(base64.urlsafe_b64decode(cursor))
        if '"' in created or "\\" in created:
            raise ValueError("a time holds no quotes")
        return created, UUID(last)
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidInput("This place in the list does not exist. Start again at its top.", field="cursor") from error
