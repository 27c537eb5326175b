"""The product in this process, on the real Supabase stack and a simulated fal.ai of its own; and the beats of a worker.

A test file takes it with `from tests.integration.studio import studio  # noqa: F401`.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.rows import dict_row

from core import jobs, offers, sending
from core.campaigns import chain
from core.database import get_database
from core.fal_account import get_account
from core.models import OPEN_STATUSES, Budget, Job, Person
from core.settings import get_settings
from core.worker import Worker
from local.environment import fal_settings, supabase_settings
from local.fal.serving import RunningFal, running
from local.secrets import Secrets
from supabase import ClientOptions, create_client
from tests.conftest import SupabaseStack

LONGEST_WAIT = 60.0  # seconds until a test that waits for work to end gives up


@dataclass(frozen=True)
class Studio:
    """`fal` is the simulator; `sql` looks into the database as its superuser."""

    fal: RunningFal
    sql: psycopg.Connection[dict[str, Any]]
    pool: ThreadPoolExecutor
    worker: Worker

    def person(self, credits: int = 1000) -> Person:
        """A new approved person with this many credits, signed in."""
        settings = get_settings()
        options = ClientOptions(auto_refresh_token=False, persist_session=False, httpx_client=get_database().http)
        client = create_client(settings.supabase_url, settings.supabase_publishable_key, options)
        email, password = f"{uuid4().hex}@example.test", uuid4().hex
        client.auth.sign_up({"email": email, "password": password, "options": {"data": {"full_name": "Ada Maker"}}})
        session = client.auth.sign_in_with_password({"email": email, "password": password}).session
        assert session is not None
        user = UUID(session.user.id)
        self.sql.execute(
            "update public.profiles set is_approved = true, approved_at = now() where user_id = %s", (user,)
        )
        if credits:
            self.give(user, credits)
        return Person(
            user_id=user,
            email=email,
            full_name="Ada Maker",
            role="user",
            is_approved=True,
            is_unmetered=False,
            is_active=True,
            available=credits,
            held=0,
            open_jobs=0,
            budget=Budget(spent=Decimal(0)),
            people_waiting=0,
            fal_lock_reason=None,
            access_token=session.access_token,
        )

    def give(self, user: UUID, credits: int) -> None:
        self.sql.execute("select private.post_entry(%s, 'grant', %s, %s)", (user, credits, f"test:{uuid4()}"))

    def refreshed(self, person: Person) -> Person:
        """The person with today's balance."""
        row = self.one("select available, held from public.credit_accounts where user_id = %s", person.user_id)
        return replace(person, available=row["available"], held=row["held"])

    def beat(self) -> None:
        """What a worker does in one beat, without waiting for anything to fall due."""
        chain.carry_on()
        self.sql.execute(
            "update public.generation_jobs set next_check_at = now(), lease_until = null where status = any (%s)",
            (list(OPEN_STATUSES),),
        )
        self.worker.look(self.pool)
        self.worker.copy(self.pool)

    def work_until(self, done: Callable[[], Any]) -> Any:
        """Let the worker work until something is true; returns it."""
        deadline = time.monotonic() + LONGEST_WAIT
        while not (found := done()):
            assert time.monotonic() < deadline, "it never came true"
            self.beat()
        return found

    def finish(self, person: Person, job: Job) -> Job:
        """The job once it has ended and its files are ours."""

        def ended() -> Job | None:
            now = jobs.get(person, job.id)
            return now if not now.is_open and all(output.mirrored_at for output in now.outputs) else None

        found: Job = self.work_until(ended)
        return found

    def one(self, query: str, *values: Any) -> dict[str, Any]:
        row = self.sql.execute(query.encode(), values).fetchone()
        assert row is not None
        return row

    def audit(self) -> list[dict[str, Any]]:
        """Violations of the books' invariants."""
        return self.sql.execute("select * from public.audit_books()").fetchall()


@pytest.fixture(name="studio", scope="module")
def studio_fixture(
    supabase_stack: SupabaseStack, secrets: Secrets, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Studio]:
    with (
        running(tmp_path_factory.mktemp("fal"), key=secrets.fal_key, admin_key=secrets.fal_admin_key) as fal,
        pytest.MonkeyPatch.context() as patch,
        psycopg.connect(supabase_stack.database_url, autocommit=True, row_factory=dict_row) as sql,
        ThreadPoolExecutor(4) as pool,
    ):
        port = int(fal.url.rpartition(":")[2])
        # Without a public address the worker polls: nothing has to reach this process.
        environment = supabase_settings(supabase_stack.url, secrets) | fal_settings(port, secrets) | {"PUBLIC_URL": ""}
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr("core.settings.ENV_FILE", tmp_path_factory.mktemp("env") / "none")
        _forget()
        fal.control("behaviour", {"speed": 0, "tiny_outputs": True, "seed": 1})
        yield Studio(fal, sql, pool, Worker())
        get_database().http.close()
        if sending.get_queue.made:
            sending.get_queue.made._http.close()
        if get_account.made:
            get_account.made._http.close()
        _forget()


studio = studio_fixture


def _forget() -> None:
    """Nothing that was read from other settings stays."""
    get_settings.cache_clear()
    get_database.cache_clear()
    sending.get_queue.cache_clear()
    get_account.cache_clear()
    offers.forget()
