"""Atelier as a test sees it: people who sign up, jobs through `core`, fal.ai's side of the story, and the books."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, LiteralString
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row

from bench.inside import forget
from core import database, jobs, people, sessions, settings
from core.models import Job, Person
from core.sealing import token_for
from local.fal.behaviour import Behaviour
from local.ports import HOST, free_port
from tests.conftest import FalSimulator, Serve
from tests.integration.companions import Companion

SCHNELL = "image_flux_schnell"  # 1 credit a batch of two pictures
DEV = "image_flux_dev"  # 5 credits a picture
VEO = "video_veo31_fast"  # 2 credits a second
LONGEST_WAIT = 90.0  # seconds until a test gives up
PASSWORD = "correct horse battery staple"

Row = dict[str, Any]
Condition = Callable[[], Any]


def until(condition: Condition, what: str, seconds: float = LONGEST_WAIT) -> Any:
    """The first true value of `condition()`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.03)
    return value


@dataclass
class Atelier:
    """One Supabase, one simulated fal.ai, and this process as the pages: `core` is set up for both."""

    environment: dict[str, str]
    fal: FalSimulator
    http: httpx.Client
    rows: psycopg.Connection[Row]
    database_url: str
    serve: Serve
    cookies: dict[UUID, str] = field(default_factory=dict)
    _admin: Person | None = None

    # People

    @property
    def admin(self) -> Person:
        """Somebody whom the settings name as an admin, signed up and in like everybody else."""
        if self._admin is None:
            self._admin = self._new_person(self.environment["ADMIN_EMAILS"])
        return self._admin

    def new_marketer(self, credits: int = 100) -> Person:
        """Somebody new: signed up, approved and given credits by the admin, signed in."""
        newcomer = self._new_person(f"{uuid4().hex}@example.test")
        people.approve(self.admin, newcomer.user_id)
        people.grant_credits(self.admin, newcomer.user_id, credits, "For a test", f"test:{newcomer.user_id}")
        return self.now(newcomer)

    def marketer(self) -> Person:
        """A marketer with credits and without open jobs, perhaps one of an earlier test: signing up takes its time."""
        for user_id in self.cookies:
            person = self._current(user_id)
            if person.may_generate and not person.is_admin and person.available >= 50 and not person.open_jobs:
                return person
        return self.new_marketer()

    def now(self, person: Person) -> Person:
        """What the person's own session says about them at this moment."""
        return self._current(person.user_id)

    def owner(self, job: Job) -> Person:
        return self._current(job.user_id)

    def balance(self, person: Person) -> tuple[int, int]:
        """(available, held)"""
        current = self.now(person)
        return current.available, current.held

    def _current(self, user_id: UUID) -> Person:
        current = sessions.current(self.cookies[user_id])
        assert current is not None
        return current

    def _new_person(self, email: str) -> Person:
        sessions.sign_up(email, PASSWORD, "Some Body")
        cookie = sessions.sign_in(email, PASSWORD, address="127.0.0.1", user_agent="test").cookie_value
        person = sessions.current(cookie)
        assert person is not None
        self.cookies[person.user_id] = cookie
        return person

    # Jobs

    def wait(self, person: Person, job: Job | UUID, status: str | None = None) -> Job:
        """The job once it has ended, which must be as `status` when one is given."""
        job_id = job if isinstance(job, UUID) else job.id
        until(lambda: self.row(job_id)["completed_at"], f"job {job_id} has not ended")
        ended = jobs.get(person, job_id)
        assert status in (None, ended.status), (ended.status, ended.error_type, ended.error_message)
        return ended

    def wait_for_cost(self, job: UUID) -> Row:
        """The row of an ended job once fal.ai's own word on its cost has been read."""
        until(lambda: self.row(job)["cost_source"] == "metered", f"the cost of {job} is not read")
        return self.row(job)

    def wait_for_files(self, person: Person, job: Job) -> Job:
        """The job once each of its outputs has our own copy."""
        waiting = "select count(*) as n from job_outputs where job_id = %s and mirrored_at is null"
        until(lambda: self.one(waiting, job.id)["n"] == 0, f"job {job.id} has files that are not copied")
        return jobs.get(person, job.id)

    def row(self, job: UUID) -> Row:
        return self.one("select * from generation_jobs where id = %s", job)

    def history(self, job: UUID) -> list[str]:
        """What happened to a job, oldest first."""
        return [
            row["event"] for row in self.all("select event from generation_logs where job_id = %s order by id", job)
        ]

    def moves(self, job: UUID) -> list[tuple[str, int, int, int]]:
        """(kind, amount, available after, held after) of every entry of a job in the ledger, oldest first."""
        columns = "select kind, amount, available_after, held_after from credit_entries where job_id = %s order by id"
        return [tuple(row.values()) for row in self.all(columns, job)]

    def inbox(self, job: UUID) -> list[Row]:
        return self.all("select * from webhook_events where job_id = %s order by id", job)

    def let_pass(self, job: UUID) -> None:
        """Time passes until the worker is to look at this job, and a lease on it ends."""
        self.rows.execute(
            "update generation_jobs set next_check_at = now(), lease_until = null"
            " where id = %s and completed_at is null",
            (job,),
        )

    def let_all_hope_pass(self, job: UUID) -> None:
        """Time passes until fal.ai cannot be working on this job any more."""
        self.rows.execute("update generation_jobs set give_up_at = now() - interval '1 s' where id = %s", (job,))
        self.let_pass(job)

    def claim(self, worker: str) -> Row:
        """What a worker of this name takes under its lease."""
        limits = {"p_jobs": 48, "p_outputs": 48, "p_costs": 48, "p_lease_seconds": 180}
        claimed: Row = database.get_database().call("claim_work", p_worker=worker, **limits)
        return claimed

    # The database behind everything, as its superuser

    def all(self, query: LiteralString, *values: Any) -> list[Row]:
        return self.rows.execute(query, values).fetchall()

    def one(self, query: LiteralString, *values: Any) -> Row:
        rows = self.all(query, *values)
        assert len(rows) == 1, rows
        return rows[0]

    def provider(self) -> Row:
        """How we think that fal.ai is doing."""
        return self.one("select * from private.provider_state where provider = 'fal'")

    def fal_is_well(self) -> None:
        """As on the first day: no lock, no trouble, and no account pinned but the simulator's own."""
        self.rows.execute(
            "update private.provider_state set locked_reason = null, locked_at = null, probe_at = null,"
            " probe_count = 0, unwell_since = null, last_error = null,"
            " account_id = case when account_id = %s then account_id end where provider = 'fal'",
            (self.state()["user_id"],),
        )

    def audit(self) -> list[Row]:
        return self.all("select * from audit_books()")

    def collide(self, job: UUID, *calls: Callable[[], Any]) -> list[Any]:
        """The results of calls that all meet at this job: none can change it before each of them wants to."""
        blocked = "select count(*) as n from pg_stat_activity where wait_event_type = 'Lock'"
        with ThreadPoolExecutor(len(calls)) as pool, psycopg.connect(self.database_url) as holder:
            holder.execute("select from generation_jobs where id = %s for update", (job,))
            running = [pool.submit(call) for call in calls]
            until(lambda: self.one(blocked)["n"] >= len(calls), f"{len(calls)} do not wait for job {job}")
            holder.commit()
            return [future.result() for future in running]

    # fal.ai

    def behaviour(self, **changes: Any) -> None:
        """How the simulated fal.ai behaves from now on; what is not named is as well as it can be."""
        # so much room that what an earlier test left running does not hold up the next one
        calm = Behaviour(speed=0.05, time_factor=0.01, tiny_outputs=True, concurrency=1000).model_dump(mode="json")
        self._control("behaviour", {**calm, "balance": "50.00", **changes})

    def fal_forgets(self) -> None:
        """Nothing of an earlier file of tests waits in its queue any more."""
        self._control("reset", {})

    def state(self) -> Row:
        answer: Row = self.http.get(f"{self.fal.url}/_sim/state").raise_for_status().json()
        return answer

    def requests(self, job: UUID) -> list[Row]:
        """What fal.ai has accepted for a job: all submits that name it, and the one that the job says is its own."""
        request_id = self.row(job)["fal_request_id"]
        return [
            request
            for request in self.state()["requests"]
            if f"job={job}" in (request["webhook_url"] or "") or request["request_id"] == request_id
        ]

    def request(self, job: UUID) -> Row:
        """The one request that fal.ai has accepted for a job."""
        found = self.requests(job)
        assert len(found) == 1, found
        return found[0]

    def finished_request(self, job: UUID) -> Row:
        """The same once fal.ai has come to its end with it."""
        until(lambda: self.request(job)["status"] == "COMPLETED", f"fal.ai has not finished {job}")
        return self.request(job)

    def deliver(self, request_id: str, **how: Any) -> list[int | None]:
        """Have fal.ai send the webhook of a finished request now: the answers it got. `how` as the simulator has it."""
        answers: list[int | None] = self._control("deliver", {"request_id": request_id, **how})["status_codes"]
        return answers

    def _control(self, what: str, content: Mapping[str, Any]) -> Row:
        answer = self.http.post(f"{self.fal.url}/_sim/{what}", json=content)
        assert answer.is_success, answer.text
        said: Row = answer.json()
        return said

    # Processes

    @property
    def companion_url(self) -> str:
        return f"http://{HOST}:{self.environment['COMPANION_PORT']}"

    def webhook_url(self, job: UUID, token: str | None = None) -> str:
        return f"{self.companion_url}/webhooks/fal?job={job}&token={token_for(job) if token is None else token}"

    def start_companion(self, port: int | None = None, **changes: str) -> Companion:
        """A companion at the address that fal.ai was told, or at another port."""
        number = port or int(self.environment["COMPANION_PORT"])
        url = f"http://{HOST}:{number}"
        arguments = ["uvicorn", "core.companion:create_app", "--factory", "--host", HOST, "--port", str(number)]
        arguments += ["--timeout-graceful-shutdown", "5", "--no-access-log"]
        child = self.serve("companion", arguments, self.environment | changes, f"{url}/health")
        return Companion(child, url)

    def start_another_companion(self) -> Companion:
        return self.start_companion(free_port())

    def restart(self, **changes: str) -> None:
        """What a restart of the pages does to `core`: what it kept in memory is gone. `changes` are other settings."""
        os.environ.update(changes)
        forget()

    def take_own_settings(self) -> None:
        """Back to the settings of this Atelier, when a test has changed any."""
        if any(os.environ.get(name) != self.environment.get(name, "") for name in settings.ENVIRONMENT_NAMES):
            self.restart(**{name: self.environment.get(name, "") for name in settings.ENVIRONMENT_NAMES})


@contextmanager
def opened(environment: Mapping[str, str], fal: FalSimulator, database_url: str, serve: Serve) -> Iterator[Atelier]:
    """Atelier with `core` of this process set up for it, and everything put back at the end."""
    own = {**environment, "ADMIN_EMAILS": f"admin-{uuid4().hex}@example.test"}
    with (
        httpx.Client(timeout=20) as http,
        psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as rows,
        pytest.MonkeyPatch.context() as monkeypatch,
    ):
        atelier = Atelier(own, fal, http, rows, database_url, serve)
        for name in settings.ENVIRONMENT_NAMES:
            monkeypatch.setenv(name, "")
        atelier.take_own_settings()
        atelier.fal_forgets()
        yield atelier
    forget()
