# ruff: noqa: F811
"""The running of it, as admins have it in hand: stuck jobs, replay, audit, trail, rates, health, figures."""

import csv
import io
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core import health, jobs, operations, people
from core.admin import audits, replay, system, trail
from core.admin import jobs as admin_jobs
from core.admin.trail import TrailFilter
from core.database import get_database
from core.errors import NotFound, Refused
from core.models import Job, Person
from core.webhook_counts import WebhookCounts
from tests.asgi import ask
from tests.integration.admin_desk import admin, in_balance, marketer  # noqa: F401
from tests.integration.studio import Studio, studio  # noqa: F401

SCHNELL = "image_flux_schnell"


def submitted(person: Person, prompt: str = "A hill") -> Job:
    return jobs.submit(person, SCHNELL, {"prompt": prompt})


# Stuck jobs


def test_giving_up_looks_once_more_and_keeps_what_fal_has_made(
    studio: Studio,
    admin: Person,
    marketer: Person,
) -> None:
    job = submitted(marketer)
    while studio.fal.request(str(job.fal_request_id))["status"] != "COMPLETED":
        time.sleep(0.05)
    ended = admin_jobs.mark_failed(admin, job.id, "It hangs")
    assert (ended.status, ended.credits_charged) == ("completed", 1)
    assert studio.finish(marketer, job).outputs


def test_giving_up_on_a_running_job_returns_its_credits_and_asks_fal_to_stop(
    studio: Studio,
    admin: Person,
    marketer: Person,
) -> None:
    job = submitted(marketer, "A slow hill [sim:queue=60]")
    shown = admin_jobs.open_jobs(admin, user_id=marketer.user_id)
    assert [(each.id, each.stuck) for each in shown.jobs] == [(job.id, ())]
    assert shown.states["submitted"].count >= 1
    studio.fal.control("behaviour", {"cancel_says_ok": True})
    ended = admin_jobs.mark_failed(admin, job.id, "It hangs")
    studio.fal.control("behaviour", {"cancel_says_ok": False})
    assert (ended.status, ended.error_type) == ("failed", "closed_by_admin")
    assert studio.refreshed(marketer).available == 50
    assert job.fal_request_id is not None
    assert studio.fal.request(job.fal_request_id)["status"] != "IN_QUEUE"
    row = studio.one("select spent_usd, cost_source from generation_jobs where id = %s", job.id)
    assert (row["spent_usd"], row["cost_source"]) == (0, "metered")
    with pytest.raises(Refused) as refusal:
        admin_jobs.mark_failed(admin, job.id, "Again")
    assert refusal.value.code == "ALREADY_ENDED"


def test_what_fal_finishes_while_we_give_up_is_delivered_late(
    studio: Studio,
    admin: Person,
    marketer: Person,
) -> None:
    job = submitted(marketer, "A slow hill [sim:slow=60, cancel_too_late]")

    def runs() -> bool:
        assert job.fal_request_id is not None
        return bool(studio.fal.request(job.fal_request_id)["status"] == "IN_PROGRESS")

    studio.work_until(runs)
    ended = admin_jobs.mark_failed(admin, job.id, "It hangs")
    assert (ended.status, ended.is_late, ended.credits_charged) == ("failed", True, 0)
    assert studio.finish(marketer, job).outputs
    assert studio.refreshed(marketer).available == 50


def test_an_admin_cancels_and_has_looked_at_anybodys_job(
    studio: Studio,
    admin: Person,
    marketer: Person,
) -> None:
    job = submitted(marketer, "A slow hill [sim:queue=60]")
    assert admin_jobs.check_now(admin, job.id).status == "submitted"
    cancelled = admin_jobs.cancel(admin, job.id, "Wrong picture")
    if cancelled.is_open:
        cancelled = studio.finish(marketer, job)
    assert cancelled.status == "cancelled"
    assert studio.refreshed(marketer).available == 50
    for action in (admin_jobs.check_now, admin_jobs.cancel):
        with pytest.raises(NotFound):
            action(admin, uuid4())


# Replay


def stored_call(studio: Studio, job: Job, payload: Any = None) -> int:
    """A dead letter with a body as fal.ai sends it; its verdict could not be applied when it came."""
    body = {
        "request_id": job.fal_request_id,
        "gateway_request_id": job.fal_request_id,
        "status": "OK",
        "payload": payload
        or {"images": [{"url": f"{studio.fal.url}/files/x.png", "content_type": "image/png", "width": 8, "height": 8}]},
    }
    call = {
        "event_key": f"fal:{job.fal_request_id}:OK",
        "event_type": "OK",
        "request_id": job.fal_request_id,
        "job": str(job.id),
        "account_id": "our-account",
        "verdict": {"outcome": "nonsense"},
        "headers": {"request_id": job.fal_request_id, "user_id": "our-account", "timestamp": 1_700_000_000},
        "payload": body,
        "queue_url": studio.fal.url,
    }
    for _ in range(2):
        get_database().call("receive_fal_events", p_events=[call], p_max_attempts=2)
    row = studio.one("select id, status from webhook_events where event_key = %s", call["event_key"])
    assert row["status"] == "dead"
    return int(row["id"])


def test_dead_letters_are_read_anew_and_have_their_effect(
    studio: Studio,
    admin: Person,
    marketer: Person,
) -> None:
    good, twice, odd = (submitted(marketer, f"{name} [sim:queue=60]") for name in ("Good", "Twice", "Odd"))
    letter, second, third = stored_call(studio, good), stored_call(studio, twice), stored_call(studio, odd)
    detail = operations.event(admin, letter)
    assert (detail.event.status, detail.payload["request_id"]) == ("dead", good.fal_request_id)
    done = replay.replay(admin, letter)
    assert (done.status, done.result, done.error, done.job_id) == ("processed", "settled", None, good.id)
    made = jobs.get(marketer, good.id)
    assert (made.status, [output.width for output in made.outputs]) == ("completed", [8])
    with pytest.raises(Refused) as refusal:
        replay.replay(admin, letter)
    assert refusal.value.code == "ALREADY_PROCESSED"
    studio.sql.execute('update webhook_events set payload = \'{"status": "PERHAPS"}\' where id = %s', (third,))
    told = {each.event_id: each for each in replay.replay_dead(admin)}
    assert (told[second].result, told[third].error) == ("settled", "This call says nothing about the end of a job.")
    assert letter not in told
    lines = trail.search(admin, TrailFilter(action="replay_event", target=str(letter))).lines
    assert [(line.before["status"], line.after["status"]) for line in lines] == [("dead", "processed")]
    still_dead = {event.id for event in operations.inbox(admin, status="dead")}
    assert still_dead & {letter, second, third} == {third}
    admin_jobs.mark_failed(admin, odd.id, "No verdict ever")
    studio.sql.execute("update job_outputs set mirror_due_at = null where job_id = any(%s)", ([good.id, twice.id],))


# Audit, overview, trail


def test_the_audit_is_kept_and_shown(admin: Person) -> None:
    assert operations.audit(admin) == ()
    run = audits.run(admin)
    assert (run.in_balance, run.by, run.violations) == (True, "Ada Maker", ())
    assert audits.run_as_worker("worker") == {"violations": 0}
    last = audits.last(admin)
    assert last is not None
    assert (last.by, last.count) == (None, 0)
    overview = operations.overview(admin)
    assert (overview.violations, overview.audited_at) == (0, last.ended_at)


def test_a_broken_book_is_told(studio: Studio, admin: Person) -> None:
    broken = "update credit_accounts set available = available + %s where user_id = %s"
    studio.sql.execute(broken, (1, admin.user_id))
    try:
        found = audits.run(admin)
        assert not found.in_balance
        assert ("balance_is_sum_of_entries", str(admin.user_id)) in {(v.rule, v.subject) for v in found.violations}
        assert any(str(admin.user_id) in sentence for sentence in operations.audit(admin))
    finally:
        studio.sql.execute(broken, (-1, admin.user_id))
    assert audits.run(admin).in_balance


def test_the_trail_is_searched_and_exported(admin: Person, marketer: Person) -> None:
    reason = f"=Formula {uuid4().hex}"
    people.grant_credits(admin, marketer.user_id, 7, reason, uuid4().hex)
    now = datetime.now(UTC)
    (line,) = trail.search(admin, TrailFilter(text=reason[1:], start=now - timedelta(hours=1), by=admin.user_id)).lines
    assert (line.action, line.actor_name, line.target, line.target_name) == (
        "grant_credits",
        "Ada Maker",
        str(marketer.user_id),
        "Ada Maker",
    )
    assert trail.search(admin, TrailFilter(text=reason[1:], end=now - timedelta(hours=1))).lines == ()
    assert "grant_credits" in trail.choices(admin).actions
    header, row = csv.reader(io.StringIO(trail.export(admin, TrailFilter(target=line.target)).decode("utf-8-sig")))
    assert header[:4] == ["time", "who", "action", "to whom"]
    assert (row[2], row[4], json.loads(row[6])["amount"], row[7]) == ("grant_credits", line.target, 7, f"'{reason}")


def test_an_export_goes_through_all_pages(admin: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        audits.run(admin)
    monkeypatch.setattr(trail, "_EXPORT_PAGE", 2)
    whole = trail.export(admin, TrailFilter(action="run_audit")).decode("utf-8-sig").splitlines()
    assert len(whole) - 1 == len(trail.search(admin, TrailFilter(action="run_audit"), limit=499).lines) >= 5
    monkeypatch.setattr(trail, "MOST_EXPORTED", 3)
    assert len(trail.export(admin, TrailFilter(action="run_audit")).decode("utf-8-sig").splitlines()) == 4


# Health, rates, figures


def test_every_part_tells_how_it_is(studio: Studio, admin: Person, marketer: Person) -> None:
    studio.finish(marketer, submitted(marketer))
    studio.beat()
    found = system.health(admin)
    assert [worker.is_alive for worker in found.workers][:1] == [True]
    assert [provider.name for provider in found.providers] == ["fal", "stripe"]
    assert found.storage.files > 0
    assert found.storage.bytes > 0
    assert found.database.seconds > 0
    assert system.keep_house("worker").keys() == {"workers", "sessions", "audits"}
    assert all(failure.count > 0 for failure in system.failures(admin, 48))


def test_calls_are_counted_by_what_they_were_answered(admin: Person) -> None:
    before = {rate.provider: rate for rate in system.rates(admin, 1)}
    counts = WebhookCounts()

    async def answer(request: Request) -> Response:
        status = int(request.query_params["status"])
        if status == 599:
            raise RuntimeError("broken")
        return Response(status_code=status)

    app = Starlette(routes=[Route("/fal", counts.counted("fal", answer), methods=["POST"])])
    for status in (200, 200, 401, 413, 500, 503, 599):
        ask(app, "POST", f"/fal?status={status}", broken=True)
    counts.tell()
    counts.tell()
    after = {rate.provider: rate for rate in system.rates(admin, 2) if rate.received}["fal"]
    gained = [
        getattr(after, name) - getattr(before["fal"], name) for name in ("received", "verified", "refused", "failed")
    ]
    assert gained == [7, 5, 2, 3]


def test_the_companions_addresses_for_monitoring(studio: Studio) -> None:
    studio.beat()
    app = Starlette(routes=health.routes())
    assert ask(app, "GET", "/health").json() == {"status": "ok"}
    ready = ask(app, "GET", "/ready")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
    told = ask(app, "GET", "/metrics")
    assert told.headers["content-type"].startswith("text/plain; version=0.0.4")
    values = {
        line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in told.text.splitlines() if line[0] != "#"
    }
    assert values["atelier_workers_alive"] >= 1
    assert values["atelier_worker_beat_age_seconds"] < 60
    assert values['atelier_provider_locked{provider="fal"}'] == 0
    assert values[f'atelier_jobs_ended_total{{generation_type="{SCHNELL}"}}'] >= 1


def test_not_ready_while_no_worker_beats(studio: Studio) -> None:
    studio.beat()
    studio.sql.execute("update private.workers set beat_at = now() - interval '5 minutes'")
    told = ask(Starlette(routes=health.routes()), "GET", "/ready")
    assert told.status_code == 503
    assert "No worker has been seen" in told.json()["problems"][0]
