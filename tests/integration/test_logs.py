"""A whole companion at work, calls forged and doubled included, people signing in and out: its log tells what happened
by job and request, and no line of it holds a key, a token, a cookie or a password."""

import io
import json
import logging
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row

from core import jobs, offers, people, sending, sessions
from core.admin import catalogue
from core.database import get_database
from core.errors import AtelierError, NotAllowed, SignInRefused
from core.fal_account import get_account
from core.log import configure
from core.models import Budget, Person
from core.sealing import token_for, unseal
from core.settings import get_settings
from local.ports import HOST
from tests.conftest import Serve, SupabaseStack
from tests.integration import mails

PASSWORD = "correct horse battery staple"
LONGEST_WAIT = 60.0
PAGES = ["streamlit", "run", "streamlit_app.py", "--server.address", HOST, "--server.headless", "true"]
PROMPTS = (
    "A plain hill",
    "Refused [sim:fail422]",
    "Broken machines [sim:infra]",
    "Forged first [sim:forge]",
    "Told three times [sim:repeat=3]",
    "No clear answer [sim:submit_500_accepted]",
    "The looks fail [sim:outage=1, lose]",
)


@dataclass
class Run:
    """What was done, and what must not be in any log: {what it is: its value}."""

    companion_log: str = ""
    pages_log: str = ""  # of what this process did as the pages do
    served_log: str = ""  # of the pages themselves, as they are served
    job_ids: list[str] = field(default_factory=list)
    request_ids: list[str] = field(default_factory=list)
    email: str = ""
    secrets: dict[str, str] = field(default_factory=dict)

    def lines(self, event: str) -> list[dict[str, Any]]:
        whole = (self.companion_log + self.pages_log + self.served_log).splitlines()
        told = [json.loads(line) for line in whole if line.startswith("{")]
        return [line for line in told if line["event"] == event]


def wait_until(sql: psycopg.Connection[Any], query: str, job_id: str) -> None:
    """Return when the query finds the job; the worker is made to look at once instead of at its time."""
    deadline = time.monotonic() + LONGEST_WAIT
    while not sql.execute(query.encode(), (job_id,)).fetchone():
        assert time.monotonic() < deadline, query
        sql.execute(
            "update generation_jobs set next_check_at = now()"
            " where id = %s and completed_at is null and submit_attempted_at is not null and next_check_at > now()",
            (job_id,),
        )
        time.sleep(0.3)


def forget() -> None:
    for cache in (get_settings, get_database, sending.get_queue, get_account):
        cache.cache_clear()
    offers.forget()


@pytest.fixture(scope="module")
def run(
    stack_environment: dict[str, str],
    supabase_stack: SupabaseStack,
    serve: Serve,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Run]:
    companion_url = f"http://{HOST}:{stack_environment['COMPANION_PORT']}"
    environment = stack_environment | {"PUBLIC_URL": companion_url}
    arguments = ["uvicorn", "core.companion:create_app", "--factory", "--host", HOST, "--no-access-log"]
    arguments += ["--port", stack_environment["COMPANION_PORT"]]
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    with (
        pytest.MonkeyPatch.context() as patch,
        psycopg.connect(supabase_stack.database_url, autocommit=True, row_factory=dict_row) as sql,
        httpx.Client(timeout=20) as http,
    ):
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr("core.settings.ENV_FILE", tmp_path_factory.mktemp("env") / "none")
        forget()
        done, written = Run(), io.StringIO()
        try:
            configure(secrets=get_settings().secrets, stream=written)
            child = serve("logged-companion", arguments, environment, f"{companion_url}/health")
            everything(done, sql, http, companion_url)
            child.stop()
            pages_url = f"http://{HOST}:{environment['APP_PORT']}"
            pages = serve(
                "logged-pages",
                [*PAGES, "--server.port", environment["APP_PORT"]],
                environment,
                f"{pages_url}/_stcore/health",
            )
            at_the_door(done, pages_url)
            pages.stop()
        finally:
            logging.getLogger().handlers[:] = handlers
            logging.getLogger().setLevel(level)
            get_database().http.close()
            sending.get_queue()._http.close()
            get_account()._http.close()
            forget()
        done.companion_log, done.pages_log = child.log.read_text(encoding="utf-8"), written.getvalue()
        done.served_log = pages.log.read_text(encoding="utf-8")
        yield done


def everything(done: Run, sql: psycopg.Connection[Any], http: httpx.Client, companion: str) -> None:
    """A day at the studio."""
    for number, secret in enumerate(get_settings().secrets):
        done.secrets[f"secret {number}"] = secret
    person = somebody(done, sql)
    for prompt in PROMPTS:
        job = jobs.submit(person, "image_flux_schnell", {"prompt": prompt})
        done.job_ids.append(str(job.id))
        done.secrets[f"token of {prompt!r}"] = token_for(job.id)
        wrong_calls(http, f"{companion}/webhooks/fal", job.id, done)
    with pytest.raises(NotAllowed):
        people.search(person)
    with pytest.raises(AtelierError):
        catalogue.edit(person, "image_flux_schnell", credits=2)
    for job_id in done.job_ids:
        wait_until(sql, "select id from generation_jobs where id = %s and completed_at is not null", job_id)
        wait_until(
            sql,
            "select id from generation_jobs j where id = %s and not exists (select from job_outputs o"
            " where o.job_id = j.id and o.mirrored_at is null)",
            job_id,
        )
    rows = sql.execute(
        "select fal_request_id from generation_jobs where id = any(%s::uuid[]) or retried_from = any(%s::uuid[])",
        (done.job_ids, done.job_ids),
    ).fetchall()
    done.request_ids = [row["fal_request_id"] for row in rows]
    for number, row in enumerate(sql.execute("select sealed_tokens from private.app_sessions").fetchall()):
        done.secrets[f"sealed tokens {number}"] = row["sealed_tokens"]
    for cookie in [value for name, value in done.secrets.items() if name.startswith("cookie")]:
        sessions.sign_out(cookie)


def somebody(done: Run, sql: psycopg.Connection[Any]) -> Person:
    """A person who signs in wrongly, then twice rightly, and whose tokens are refreshed."""
    done.email = email = f"{uuid4().hex}@example.test"
    done.secrets["password"], done.secrets["wrong password"] = PASSWORD, f"{PASSWORD} not"
    sessions.sign_up(email, PASSWORD, "Somebody Signed In")
    where = {"address": "192.0.2.1", "user_agent": "test"}
    with pytest.raises(SignInRefused):
        sessions.sign_in(email, done.secrets["wrong password"], **where)
    for number in range(2):
        done.secrets[f"cookie {number}"] = sessions.sign_in(email, PASSWORD, **where).cookie_value
    sql.execute("update public.profiles set is_approved = true, approved_at = now() where email = %s", (email,))
    user = sql.execute("select user_id from public.profiles where email = %s", (email,)).fetchone()
    assert user is not None
    sql.execute("select private.post_entry(%s, 'grant', 50, %s)", (user["user_id"], uuid4().hex))
    keep_tokens(done, sql, user["user_id"], "first")
    sql.execute("update private.app_sessions set token_expires_at = now() where user_id = %s", (user["user_id"],))
    sessions.request_password_reset(email)
    found = [sessions.current(done.secrets[f"cookie {number}"]) for number in range(2)]
    keep_tokens(done, sql, user["user_id"], "refreshed")
    assert found[0] is not None
    return Person(
        user_id=user["user_id"],
        email=email,
        full_name="Somebody Signed In",
        role="user",
        is_approved=True,
        is_unmetered=False,
        is_active=True,
        available=50,
        held=0,
        open_jobs=0,
        budget=Budget(spent=Decimal(0)),
        people_waiting=0,
        fal_lock_reason=None,
        access_token=found[0].access_token,
    )


def keep_tokens(done: Run, sql: psycopg.Connection[Any], user: UUID, when: str) -> None:
    rows = sql.execute("select sealed_tokens from private.app_sessions where user_id = %s", (user,)).fetchall()
    for number, row in enumerate(rows):
        opened = unseal(row["sealed_tokens"], sessions.PURPOSE)
        assert opened is not None
        for kind, token in zip(("access", "refresh"), json.loads(opened), strict=True):
            done.secrets[f"{when} {kind} token {number}"] = token


def wrong_calls(http: httpx.Client, url: str, job: UUID, done: Run) -> None:
    """Calls that are not fal.ai's, with everything secret in places where a log might pick it up."""
    token, cookie = token_for(job), done.secrets["cookie 0"]
    key = get_settings().supabase_secret_key
    headers = {
        "cookie": f"{sessions.COOKIE_NAME}={cookie}",
        "authorization": f"Bearer {key}",
        "x-fal-webhook-request-id": key,
        "x-fal-webhook-user-id": cookie,
        "x-fal-webhook-timestamp": str(int(time.time())),
        "x-fal-webhook-signature": "ab" * 64,
    }
    done.secrets["signature"] = headers["x-fal-webhook-signature"]
    calls: list[tuple[str, dict[str, str], bytes]] = [
        (f"{url}?job={job}&token={token}", headers, b"{}"),
        (f"{url}?job={job}&token={token}", {}, json.dumps({"authorization": key}).encode()),
        (f"{url}?job={job}&token={token[:-1]}0", headers, b"{}"),
        (f"{url}?job={quote(key)}&token={quote(cookie)}", headers, b"\xff"),
        (f"{url}?token={token}", headers, b""),
    ]
    for address, sent, body in calls:
        assert http.post(address, headers=sent, content=body).status_code == 401


def at_the_door(done: Run, pages: str) -> None:
    """Signing in at the pages wrongly and rightly, and addresses with secrets in them."""
    with httpx.Client(base_url=pages, headers={"origin": pages}, timeout=20) as door:
        for password in (done.secrets["wrong password"], PASSWORD):
            answer = door.post("/session/login", data={"email": done.email, "password": password})
            assert answer.status_code == 303
        done.secrets["cookie of the pages"] = answer.cookies[sessions.COOKIE_NAME]
        for path in ("/", "/jobs", "/nowhere"):
            door.get(path, params={"token": done.secrets["first access token 0"], "code": done.secrets["secret 0"]})
        door.post("/session/logout")
        done.secrets["new password"] = f"{PASSWORD} is new"
        door.post("/session/forgot", data={"email": done.email})
        link = mails.link_to(get_settings().supabase_url, done.email)
        done.secrets["token of the link"] = link.params["token_hash"]
        assert door.get(link.raw_path.decode()).status_code == 200
        for password in (
            PASSWORD,
            done.secrets["new password"],
            PASSWORD,
        ):  # the same, a new one, the link a second time
            form = {"token_hash": link.params["token_hash"], "password": password, "again": password}
            if "proof" in done.secrets:
                form |= {"proof": done.secrets.pop("proof")}
            answer = door.post("/session/password", data=form)
            if answer.status_code == 422:
                done.secrets["proof"] = mails.hidden(answer.text)["proof"]
        assert answer.headers["location"] == "/?view=forgot&error=LINK_USED"


def leaks(secrets: dict[str, str], text: str) -> list[str]:
    """Which of the secrets are in the text: as they are, as part of an address, or as part of JSON."""
    return [
        name
        for name, value in secrets.items()
        if any(form in text for form in (value, quote(value, safe=""), json.dumps(value)[1:-1]))
    ]


@pytest.mark.parametrize("where", ["companion_log", "pages_log", "served_log"])
def test_no_secret_is_in_any_log(run: Run, where: str) -> None:
    assert len(run.secrets) > 25
    assert leaks(run.secrets, getattr(run, where)) == []


def test_a_secret_in_a_log_would_be_found(run: Run) -> None:
    assert min(len(value) for value in run.secrets.values()) >= 12, "no value could be there by chance"
    for name, value in run.secrets.items():
        for form in (value, quote(value, safe=""), json.dumps({"value": value})):
            assert name in leaks(run.secrets, f"{run.companion_log}{form}{run.pages_log}")


def test_every_line_of_ours_is_one_json_object_with_time_level_and_event(run: Run) -> None:
    lines = [line for text in (run.companion_log, run.pages_log) for line in text.splitlines() if line.startswith("{")]
    assert len(lines) > 40
    for line in lines:
        assert {"time", "level", "logger", "event"} <= json.loads(line).keys()
    assert not [line for line in run.pages_log.splitlines() if not line.startswith("{")]
    assert [line["logger"] for line in map(json.loads, re.findall(r"(?m)^{.*}$", run.served_log))]
    assert "Traceback" not in run.served_log


def test_the_log_tells_what_happened_by_job_and_request(run: Run) -> None:
    assert {line["job_id"] for line in run.lines("job_created")} == set(run.job_ids)
    # not those about jobs of earlier tests, which the simulated fal.ai still owed somebody
    webhooks = [line for line in run.lines("webhook") if line["job_id"] in run.job_ids]
    assert {line["request_id"] for line in webhooks} <= set(run.request_ids)
    assert len({line["job_id"] for line in webhooks}) >= len(PROMPTS) - 2
    assert {line["result"] for line in webhooks} >= {"settled", "repeat"}
    assert len(run.lines("webhook_refused")) >= 3 * len(PROMPTS)
    assert len(run.lines("signed_in")) == 3
    assert '"event": "signed_in"' in run.served_log
    assert {line["action"] for line in run.lines("admin_refused")} >= {"list_people", "edit_generation_type"}
