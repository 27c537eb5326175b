"""Who sees what of a campaign: the owner and admins everything, the team what is shared, nobody else anything."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.database.books import Books, as_person
from tests.database.campaigns import clips_of, make, new_campaign, submitted, uuids


@dataclass
class Case:
    """A campaign with one version, one job under way and a run, and a job of its owner that belongs to none."""

    books: Books
    owner: UUID
    other: UUID
    campaign: UUID
    clip: UUID
    version: UUID
    made: UUID
    running: UUID
    private_job: UUID

    def share(self, visibility: str = "team") -> None:
        self.books.call("edit_campaign", p_actor=self.owner, p_campaign=self.campaign, p_visibility=visibility)

    def seen(self, user: UUID | None, role: str = "authenticated") -> dict[str, int]:
        """How many rows of each table this person sees."""
        with as_person(self.books.url, user, role) as connection:
            return {
                table: connection.execute(f"select count(*) as n from public.{table}".encode()).fetchone()["n"]  # type: ignore[index]
                for table in TABLES
            }

    def jobs(self, user: UUID) -> set[UUID]:
        with as_person(self.books.url, user) as connection:
            rows = connection.execute("select id from generation_jobs").fetchall()
            files = connection.execute("select job_id from job_outputs").fetchall()
        jobs = {row["id"] for row in rows}
        assert {row["job_id"] for row in files} <= jobs
        return jobs


TABLES = ("campaigns", "campaign_clips", "clip_versions", "campaign_runs", "campaign_run_clips")
ALL = dict.fromkeys(TABLES, 1)
NONE = dict.fromkeys(TABLES, 0)


@pytest.fixture
def case(books: Books) -> Case:
    owner, other = books.person(), books.person()
    campaign = new_campaign(books, owner, clips=1)
    clip = clips_of(books, campaign)[0]
    version = make(books, owner, clip)
    running = submitted(books, owner, clip, "voice")
    plain = books.submitted(owner)
    books.call(
        "start_campaign_run",
        p_run=uuid4(),
        p_actor=owner,
        p_campaign=campaign,
        p_first_step="voice",
        p_last_step="voice",
        p_clips=uuids([clip]),
        p_confirmed_credits=10,
    )
    return Case(books, owner, other, campaign, clip, version["id"], version["job_id"], running, plain)


def test_a_private_campaign_is_for_its_owner_and_admins(case: Case) -> None:
    assert case.seen(case.owner) == case.seen(case.books.admin) == ALL
    assert case.seen(case.other) == NONE
    assert case.jobs(case.other) == set()


def test_a_shared_campaign_is_for_every_approved_person(case: Case) -> None:
    case.share()
    assert case.seen(case.other) == ALL
    case.share("private")
    assert case.seen(case.other) == NONE


@pytest.mark.parametrize("change", ["is_approved = false", "is_active = false"])
def test_a_shared_campaign_is_for_nobody_without_approval(case: Case, change: str) -> None:
    case.share()
    case.books.owner.execute(f"update profiles set {change} where user_id = %s".encode(), (case.other,))
    assert case.seen(case.other) == NONE
    assert case.jobs(case.other) == set()


def test_the_jobs_behind_shared_versions_are_shared_and_no_others(case: Case) -> None:
    case.share()
    assert case.jobs(case.other) == {case.made}
    assert case.jobs(case.owner) == case.jobs(case.books.admin) == {case.made, case.running, case.private_job}


def test_a_deleted_clip_no_longer_shares_its_jobs(case: Case) -> None:
    case.share()
    case.books.call("delete_clip", p_actor=case.owner, p_clip=case.clip)
    assert case.jobs(case.other) == set()
    assert case.made in case.jobs(case.owner)


def test_history_and_spend_stay_with_their_person(case: Case) -> None:
    case.share()
    with as_person(case.books.url, case.other) as connection:
        for table in ("generation_logs", "spend_daily", "credit_entries"):
            rows = connection.execute(f"select user_id from public.{table}".encode()).fetchall()
            assert {row["user_id"] for row in rows} <= {case.other}


def test_strangers_see_nothing(case: Case) -> None:
    case.share()
    assert case.seen(None) == NONE


def figures(books: Books, actor: UUID, *campaigns: UUID) -> dict[str, Any]:
    found: dict[str, Any] = books.call("campaign_totals", p_actor=actor, p_campaigns=uuids(campaigns))
    return found


def test_figures_of_a_campaign(case: Case) -> None:
    found = figures(case.books, case.owner, case.campaign)[str(case.campaign)]
    run = found.pop("run_id")
    assert case.books.value("select campaign_id from campaign_runs where id = %s", UUID(run)) == case.campaign
    assert found == {
        "owner_name": "Somebody",
        "may_change": True,
        "clips": 1,
        "wanted_steps": 5,
        "made_steps": 1,
        "open_jobs": 1,
        "credits": 10,
        "spent_usd": "0.150000",
    }


def test_figures_are_for_who_may_see_the_campaign(case: Case) -> None:
    assert figures(case.books, case.other, case.campaign) == {}
    case.share()
    assert figures(case.books, case.other, case.campaign)[str(case.campaign)]["may_change"] is False
    counts = {str(case.clip): {"first_frame": 1}}
    assert case.books.call("version_counts", p_actor=case.other, p_campaign=case.campaign) == counts
    case.share("private")
    assert case.books.call("version_counts", p_actor=case.other, p_campaign=case.campaign) == {}
    assert case.books.call("version_counts", p_actor=case.owner, p_campaign=case.campaign) == counts


def test_the_cover_of_a_campaign_is_what_its_first_clips_show(books: Books) -> None:
    owner, other = books.person(1000), books.person()
    campaign = new_campaign(books, owner, clips=5)
    clips = clips_of(books, campaign)
    made = {clip: make(books, owner, clip, outputs=2) for clip in (clips[1], clips[3], clips[4])}
    film = make(books, owner, clips[0], "video")

    def covers(actor: UUID, most: int = 3) -> Any:
        return books.call("campaign_covers", p_actor=actor, p_campaigns=uuids([campaign]), p_clips=most)

    def file(version: dict[str, Any], position: int = 0) -> str:
        query = "select id from job_outputs where job_id = %s and position = %s"
        return str(books.value(query, version["job_id"], position))

    shown = [file(film), file(made[clips[1]]), file(made[clips[3]])]
    assert covers(owner) == covers(books.admin) == {str(campaign): shown}
    assert covers(other) == {}
    books.call("make_version_current", p_actor=owner, p_version=made[clips[1]]["id"], p_output=1)
    books.call("delete_clip", p_actor=owner, p_clip=clips[0])
    books.owner.execute("update job_outputs set deleted_at = now() where id = %s", (UUID(shown[2]),))
    assert covers(owner, 2) == {str(campaign): [file(made[clips[1]], 1), file(made[clips[4]])]}


def test_the_page_of_a_campaign_shows_what_row_level_security_lets_the_person_see(case: Case) -> None:
    """Also where they differ: an admin's job in somebody's private campaign, a colleague's one under way."""
    admin = case.books.person()
    case.books.call("set_role", p_actor=case.books.admin, p_user=admin, p_role="admin")
    submitted(case.books, admin, case.clip, "ambient")
    make(case.books, admin, case.clip, "video")
    jobs_of_it = "select id from generation_jobs where campaign_id = %s"
    of_campaign = {str(row["id"]) for row in case.books.all(jobs_of_it, case.campaign)}
    for visibility in ("private", "team"):
        case.share(visibility)
        for person in (case.owner, case.other, admin):
            if not case.seen(person)["campaigns"]:
                with case.books.unchanged(), pytest.raises(psycopg.Error, match="There is no such campaign"):
                    case.books.call("campaign_page", p_actor=person, p_campaign=case.campaign)
                continue
            page = case.books.call("campaign_page", p_actor=person, p_campaign=case.campaign)
            visible = {str(job) for job in case.jobs(person)}
            shown = {job["id"] for job in (*page["jobs"], *page["open_jobs"])}
            assert shown == visible & of_campaign
            assert {file["job_id"] for job in page["jobs"] for file in job["job_outputs"]} <= visible
            assert len(page["versions"]) == 2


def test_the_list_of_campaigns_is_what_row_level_security_lets_the_person_see(case: Case) -> None:
    for visibility in ("private", "team"):
        case.share(visibility)
        for person in (case.owner, case.other, case.books.admin):
            page = case.books.call("campaign_list", p_actor=person, p_limit=100)
            with as_person(case.books.url, person) as connection:
                rows = connection.execute("select id from campaigns order by created_at desc, id desc").fetchall()
            assert [row["id"] for row in page["campaigns"]] == [str(row["id"]) for row in rows]
            assert page["figures"].keys() == {row["id"] for row in page["campaigns"]}
            visible = {str(job) for job in case.jobs(person)}
            assert {file["job_id"] for found in page["covers"].values() for file in found} <= visible
    assert page["covers"][str(case.campaign)]
