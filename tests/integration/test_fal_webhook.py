"""`POST /webhooks/fal` over HTTP: what is believed, what is turned away, and what each answer leaves behind."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from psycopg import sql

from core import jobs
from core.models import Person
from core.request_body import LARGEST_BODY
from local.fal.webhooks import Signer
from local.ports import free_port
from tests.conftest import FalSimulator
from tests.integration.atelier import SCHNELL, Atelier
from tests.integration.hands import created

pytestmark = pytest.mark.usefixtures("companion")
NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def person(atelier: Atelier) -> Person:
    return atelier.marketer()


@pytest.fixture(scope="module")
def signer(fal: FalSimulator, stack_directory: Path) -> Signer:
    """fal.ai's own signing key: its customers can have it sign a call to any address, with any result in it."""
    del fal  # has made it
    return Signer(stack_directory / "fal")


@pytest.fixture
def call(atelier: Atelier, person: Person, signer: Signer) -> "Call":
    """A finished job of which nothing was heard, and the call that would tell."""
    job = jobs.submit(person, SCHNELL, {"prompt": "To be told [sim:lose]"})
    return Call(atelier, signer, job.id, atelier.finished_request(job.id)["request_id"])


class Call:
    """The call that fal.ai would make about a finished request; `send` makes it, with changes."""

    def __init__(self, atelier: Atelier, signer: Signer, job: UUID, request_id: str) -> None:
        self.atelier, self.signer, self.job, self.request_id = atelier, signer, job, request_id
        self.url = atelier.webhook_url(job)
        key = {"Authorization": f"Key {atelier.fal.key}"}
        self.payload = atelier.http.get(atelier.row(job)["response_url"], headers=key).json()
        self.body = self.telling(payload=self.payload)
        self.headers = self.signed(self.body)

    def telling(self, **content: Any) -> bytes:
        return json.dumps({"request_id": self.request_id, "status": "OK", **content}).encode()

    def signed(self, body: bytes, request_id: str | None = None) -> dict[str, str]:
        return self.signer.headers(self.request_id if request_id is None else request_id, body)

    def send(
        self, *, url: str | None = None, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        content = self.body if body is None else body
        return self.atelier.http.post(
            url or self.url, content=content, headers=self.headers if headers is None else headers
        )

    def send_signed(self, body: bytes) -> httpx.Response:
        return self.send(body=body, headers=self.signed(body))


@pytest.fixture
def untouched(atelier: Atelier, call: Call) -> Iterator[None]:
    """Nothing in the inbox and nothing on the job has changed at the end of the test."""
    inbox = "select count(*) as n, coalesce(sum(repeats), 0) as repeats from webhook_events"
    before = (atelier.one(inbox), atelier.row(call.job), atelier.moves(call.job))
    yield
    assert (atelier.one(inbox), atelier.row(call.job), atelier.moves(call.job)) == before


class TestBelieved:
    def test_a_good_call_ends_the_job_and_is_kept(self, atelier: Atelier, call: Call) -> None:
        answer = call.send()
        assert (answer.status_code, answer.content) == (200, b"")
        assert atelier.row(call.job)["status"] == "completed"
        (event,) = atelier.inbox(call.job)
        assert (event["provider"], event["event_type"], event["status"], event["result"]) == (
            "fal",
            "OK",
            "processed",
            "settled",
        )
        assert event["payload"] == json.loads(call.body)
        assert event["headers"]["request_id"] == call.request_id
        assert "signature" not in event["headers"]
        assert atelier.provider()["account_id"] == atelier.state()["user_id"]

    def test_a_replay_is_answered_and_changes_nothing(self, atelier: Atelier, call: Call) -> None:
        assert call.send().status_code == 200
        row, moves, history = atelier.row(call.job), atelier.moves(call.job), atelier.history(call.job)
        for _ in range(2):
            assert call.send().status_code == 200
        (event,) = atelier.inbox(call.job)
        assert (event["repeats"], event["attempts"]) == (2, 1)
        assert (atelier.moves(call.job), atelier.history(call.job)) == (moves, history)
        now = atelier.row(call.job)
        assert [now[name] for name in ("status", "completed_at", "spent_usd")] == [
            row[name] for name in ("status", "completed_at", "spent_usd")
        ]

    @pytest.mark.parametrize("age", [-290, 290])
    def test_a_clock_that_differs_a_little_is_fine(self, atelier: Atelier, call: Call, age: int) -> None:
        assert atelier.deliver(call.request_id, timestamp=int(time.time()) - age) == [200]

    def test_a_job_that_is_not_here_is_kept_and_acknowledged(self, atelier: Atelier, call: Call) -> None:
        unknown = uuid4()
        assert atelier.deliver(call.request_id, url=atelier.webhook_url(unknown)) == [200]
        event = atelier.one("select * from webhook_events where event_key like %s", f"%{call.request_id}%")
        assert (event["status"], event["result"], event["job_id"]) == ("ignored", "unknown_job", None)
        assert call.send().status_code == 200  # and at its own address it counts
        assert atelier.row(call.job)["status"] == "completed"


ODD = {
    "empty": b"",
    "broken": b"{",
    "a list": b"[]",
    "null": b"null",
    "not UTF-8": b"\xff\xfe{}",
    "NaN": b'{"request_id": NaN}',
    "deep list": b"[" * 100_000 + b"]" * 100_000,
    "deep object": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "endless number": b'{"a": ' + b"9" * 5_000 + b"}",
}


@pytest.mark.usefixtures("untouched")
class TestTurnedAway:
    """401 and not a trace."""

    def test_forged(self, atelier: Atelier, call: Call) -> None:
        assert atelier.deliver(call.request_id, forged=True) == [401]

    @pytest.mark.parametrize("age", [310, 86400, -310])
    def test_stale_or_from_the_future(self, atelier: Atelier, call: Call, age: int) -> None:
        assert atelier.deliver(call.request_id, timestamp=int(time.time()) - age) == [401]

    def test_a_new_time_on_an_old_signature(self, call: Call) -> None:
        newer = call.headers | {"X-Fal-Webhook-Timestamp": str(int(time.time()) + 1)}
        assert call.send(headers=newer).status_code == 401

    def test_a_changed_body(self, call: Call) -> None:
        assert call.send(body=call.body.replace(b'"OK"', b'"ok"')).status_code == 401
        assert call.send(body=call.body + b" ").status_code == 401

    def test_the_token_of_another_job(self, atelier: Atelier, person: Person, call: Call) -> None:
        other = jobs.submit(person, SCHNELL, {"prompt": "Another [sim:lose]"})
        stolen = atelier.webhook_url(other.id).rpartition("token=")[2]
        assert atelier.deliver(call.request_id, url=atelier.webhook_url(call.job, stolen)) == [401]

    @pytest.mark.parametrize("token", ["", "0" * 64, "x", "%00", "ü"])
    def test_no_token_of_ours(self, atelier: Atelier, call: Call, token: str) -> None:
        assert call.send(url=atelier.webhook_url(call.job, token)).status_code == 401

    def test_the_right_token_with_a_wrong_request(self, atelier: Atelier, person: Person, call: Call) -> None:
        other = jobs.submit(person, SCHNELL, {"prompt": "Whose is it? [sim:lose]"})
        request = atelier.finished_request(other.id)["request_id"]
        assert atelier.deliver(request, url=atelier.webhook_url(call.job)) == [401]

    def test_a_request_id_in_the_body_that_is_not_the_signed_one(self, call: Call) -> None:
        assert call.send(headers=call.signed(call.body, request_id=str(uuid4()))).status_code == 401

    def test_about_a_job_that_was_never_sent(self, atelier: Atelier, person: Person, call: Call) -> None:
        unsent = created(person, "Never sent")
        assert atelier.deliver(call.request_id, url=atelier.webhook_url(unsent.id)) == [401]
        jobs.cancel(person, unsent.id)

    @pytest.mark.parametrize("name", ["Request-Id", "User-Id", "Timestamp", "Signature"])
    def test_a_header_is_missing_or_makes_no_sense(self, call: Call, name: str) -> None:
        header = f"X-Fal-Webhook-{name}"
        without = {known: value for known, value in call.headers.items() if known != header}
        assert call.send(headers=without).status_code == 401
        assert call.send(headers={**call.headers, header: "makes no sense"}).status_code == 401

    @pytest.mark.parametrize(
        "job", ["", "not-an-id", "00000000-0000-0000-0000-000000000000", "'; drop table generation_jobs; --"]
    )
    def test_a_job_that_cannot_be(self, atelier: Atelier, call: Call, job: str) -> None:
        token = call.url.rpartition("token=")[2]
        answer = call.send(url=f"{atelier.companion_url}/webhooks/fal?{httpx.QueryParams(job=job, token=token)}")
        assert answer.status_code == 401

    @pytest.mark.parametrize("body", ODD.values(), ids=ODD.keys())
    def test_signed_but_not_json_that_we_can_hold(self, call: Call, body: bytes) -> None:
        assert call.send_signed(body).status_code == 401

    @pytest.mark.parametrize("status", ["", "PAUSED", "ok", None, 7])
    def test_signed_with_a_status_that_says_nothing(self, call: Call, status: Any) -> None:
        assert call.send_signed(call.telling(status=status, payload=call.payload)).status_code == 401

    @pytest.mark.parametrize("declared", [True, False])
    def test_a_huge_body_is_not_even_read(self, call: Call, declared: bool) -> None:
        def chunks() -> Iterator[bytes]:
            for _ in range(LARGEST_BODY // 65536 + 2):
                yield bytes(65536)

        content: Any = bytes(LARGEST_BODY + 1) if declared else chunks()
        try:
            status = httpx.post(call.url, content=content, headers=call.headers, timeout=20).status_code
        except httpx.WriteError:  # it hung up on us before we were through
            status = 413
        assert status == 413

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
    def test_another_method(self, call: Call, method: str) -> None:
        assert call.atelier.http.request(method, call.url).status_code == 405


def test_signed_by_fal_for_another_account(atelier: Atelier, person: Person, call: Call) -> None:
    ours = jobs.submit(person, SCHNELL, {"prompt": "Our account is known from here on"})
    atelier.wait(person, ours, "completed")
    assert atelier.provider()["account_id"] == atelier.state()["user_id"]
    row = atelier.row(call.job)
    assert atelier.deliver(call.request_id, user_id="google-oauth2|999") == [401]
    assert (atelier.inbox(call.job), atelier.row(call.job)) == ([], row)
    assert call.send().status_code == 200


class TestOdd:
    @pytest.mark.parametrize(
        "quirk", ["large=2", "retried", "fail422", "infra"], ids=["large", "retried by fal", "refused", "broken"]
    )
    def test_every_documented_shape_is_understood(self, atelier: Atelier, person: Person, quirk: str) -> None:
        job = jobs.submit(person, SCHNELL, {"prompt": f"Odd [sim:{quirk}]"})
        atelier.wait(person, job)
        assert [event["status"] for event in atelier.inbox(job.id)] == ["processed"]

    def test_text_that_no_database_can_hold_is_held_all_the_same(self, atelier: Atelier, call: Call) -> None:
        payload = {**call.payload, "note": "a\x00b \ud800 c", "\x00": 1}
        assert call.send_signed(call.telling(payload=payload)).status_code == 200
        assert atelier.row(call.job)["status"] == "completed"
        assert atelier.row(call.job)["result_data"]["note"] == "a\ufffdb \ufffd c"

    def test_numbers_and_names_that_make_no_sense_do_not_lose_the_picture(
        self, atelier: Atelier, person: Person, call: Call
    ) -> None:
        image = {"url": call.payload["images"][0]["url"], "width": -1, "height": 10**30, "content_type": 7}
        payload = {"images": [image, {"url": None}, 5], "seed": 10**60}
        assert call.send_signed(call.telling(payload=payload)).status_code == 200
        (output,) = atelier.wait_for_files(person, atelier.wait(person, call.job, "completed")).outputs
        assert (output.width, output.height, output.media_type) == (32, 32, "image/jpeg")  # what the file itself says

    def test_a_success_with_nothing_in_it_gives_the_credits_back(self, atelier: Atelier, call: Call) -> None:
        assert call.send_signed(call.telling(payload={"images": []})).status_code == 200
        assert atelier.row(call.job)["error_type"] == "no_media_generated"
        assert [kind for kind, *_ in atelier.moves(call.job)] == ["hold", "release"]


class TestTrouble:
    def test_a_database_that_is_away_has_fal_call_again(self, atelier: Atelier, call: Call) -> None:
        alone = atelier.start_companion(free_port(), SUPABASE_URL=NOBODY)
        try:
            url = call.url.replace(atelier.companion_url, alone.url)
            assert atelier.http.get(f"{alone.url}/health").status_code == 200
            assert call.send(url=url).status_code == 503
            assert atelier.inbox(call.job) == []
        finally:
            alone.stop()
        assert call.send().status_code == 200
        assert atelier.row(call.job)["status"] == "completed"

    def test_an_effect_that_fails_is_kept_with_its_error_and_tried_again(self, atelier: Atelier, call: Call) -> None:
        with unable_to_finish(atelier, call.job):
            assert [call.send().status_code for _ in range(2)] == [500, 500]
            (event,) = atelier.inbox(call.job)
            assert (event["status"], event["attempts"]) == ("failed", 2)
            assert "cannot be finished" in event["error"]
            assert atelier.row(call.job)["status"] == "submitted"
            assert [kind for kind, *_ in atelier.moves(call.job)] == ["hold"]
        assert call.send().status_code == 200
        (event,) = atelier.inbox(call.job)
        assert (event["status"], event["result"], event["error"]) == ("processed", "settled", None)
        assert [kind for kind, *_ in atelier.moves(call.job)] == ["hold", "capture"]

    def test_an_effect_that_never_works_is_put_aside_and_the_poll_ends_the_job(
        self, atelier: Atelier, person: Person, call: Call
    ) -> None:
        with unable_to_finish(atelier, call.job):
            answers = [call.send().status_code for _ in range(11)]
        assert answers == [500] * 9 + [200, 200]
        (event,) = atelier.inbox(call.job)
        assert (event["status"], event["attempts"]) == ("dead", 10)
        atelier.let_pass(call.job)
        atelier.wait(person, call.job, "completed")

    def test_one_that_fails_does_not_hold_up_the_others(self, atelier: Atelier, person: Person, call: Call) -> None:
        with unable_to_finish(atelier, call.job):
            others = [jobs.submit(person, SCHNELL, {"prompt": f"Beside it {number}"}) for number in range(3)]
            assert call.send().status_code == 500
            for other in others:
                atelier.wait(person, other, "completed")
        assert call.send().status_code == 200


@contextmanager
def unable_to_finish(atelier: Atelier, job: UUID) -> Iterator[None]:
    """Inside this block the database cannot finish this one job."""
    name = sql.Identifier(f"unable_{job.hex}")
    atelier.rows.execute(
        sql.SQL(
            "create function private.{name}() returns trigger language plpgsql as $$ begin"
            " raise exception 'This job cannot be finished.'; end $$;"
            "create trigger {name} before update on public.generation_jobs for each row"
            " when (new.id = {job} and new.completed_at is not null) execute function private.{name}()"
        ).format(name=name, job=sql.Literal(str(job)))
    )
    try:
        yield
    finally:
        atelier.rows.execute(sql.SQL("drop function private.{} cascade").format(name))


def test_health_says_alive(atelier: Atelier) -> None:
    assert atelier.http.get(f"{atelier.companion_url}/health").json() == {"status": "ok"}
