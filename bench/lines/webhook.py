"""A webhook of fal.ai: how long until it is answered, and how many a second, against PostgreSQL alone."""

import asyncio
import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench.inside import acting
from bench.openings import Opening, end_all, open_jobs
from bench.report import Result, quantile
from bench.sender import request_bytes, send_all
from bench.studio import Machine, Studio
from core.fal.verdict import verdict_of_webhook
from core.sealing import token_for
from core.settling import verdict_row
from local.fal.webhooks import ACCOUNT_USER_ID, Signer
from local.postgres import binary

SAMPLES = 150
SENDERS = 64
CALLS = 2400  # a round
CLIENTS = (1, 4, 8, 16)
ROUNDS = 2
_SCRIPT = """\\set turn :turn + 1
\\set n :client_id * {each} + :turn
select public.receive_fal_events((select events from bench_calls where n = :n), 10);
"""


def measure(machine: Machine, size: int) -> list[Result]:
    studio = machine.studio(size)
    fal = studio.start_fal()
    _forget_the_account(studio)
    companion, _ = studio.start_companion("bench.companion:without_worker")
    try:
        _rate(studio)  # every connection of the pool has seen the function once
        webhook, bare = _latency(studio)
        ours: list[float] = []
        postgres: list[float] = []
        clients = 0
        for _ in range(ROUNDS):
            ours.append(_rate(studio))
            if not clients:  # the number of clients with which PostgreSQL does most, then that number alone
                by_clients = {each: _pgbench(studio, each) for each in CLIENTS}
                clients = max(by_clients, key=lambda each: by_clients[each])
                postgres.append(by_clients[clients])
            else:
                postgres.append(_pgbench(studio, clients))
    finally:
        studio.stop(companion)
        studio.stop(fal)
        end_all(studio)
    facts = {
        "webhook_ms_p50": median(webhook) * 1000,
        "webhook_ms_p95": quantile(webhook, 0.95) * 1000,
        "bare_rpc_ms_p50": median(bare) * 1000,
        "rates": ours,
        "pgbench": postgres,
        "pgbench_clients": by_clients,
    }
    timed = f"p50 {median(webhook) * 1000:.1f} ms, one bare RPC {median(bare) * 1000:.1f} ms"
    rates = f"{median(ours):.0f}/s from {SENDERS} senders, pgbench {median(postgres):.0f}/s with {clients} clients"
    return [
        Result(
            "webhook",
            "verify, store, settle, answer, p50 (no worker beside it)",
            median(webhook) / median(bare),
            1.5,
            "×",
            timed,
            facts=facts,
        ),
        Result(
            "webhook",
            "sustained rate against pgbench",
            median(ours) / median(postgres),
            0.5,
            "×",
            rates,
            "at least",
            facts,
        ),
    ]


def _latency(studio: Studio) -> tuple[list[float], list[float]]:
    """Seconds of webhooks and of bare RPCs, one at a time and in turn, by the same sender."""
    calls = webhooks(studio, open_jobs(studio, SAMPLES))
    key = studio.secrets.secret_key
    rpc = f"{studio.environment['SUPABASE_URL']}/rest/v1/rpc/bench_nothing"
    nothing = request_bytes(
        rpc, {"apikey": key, "Authorization": f"Bearer {key}", "Content-Type": "application/json"}, b"{}"
    )
    webhook: list[float] = []
    bare: list[float] = []

    async def in_turn() -> None:
        for number in range(0, SAMPLES, 10):
            for kind, url, requests in (
                (bare, rpc, [nothing] * 10),
                (webhook, studio.url("COMPANION_PORT"), calls[number : number + 10]),
            ):
                _, took, statuses = await send_all(url, requests, 1)
                assert set(statuses) == {200}, statuses
                kind += took[1:]  # the first one opens the connection

    asyncio.run(in_turn())
    return webhook, bare


def _rate(studio: Studio) -> float:
    """Webhooks a second from many senders, each for a job of its own."""
    calls = webhooks(studio, open_jobs(studio, CALLS))
    seconds, _, statuses = asyncio.run(send_all(studio.url("COMPANION_PORT"), calls, SENDERS))
    assert set(statuses) == {200}, {status: statuses.count(status) for status in set(statuses)}
    return CALLS / seconds


def webhooks(studio: Studio, openings: Sequence[Opening]) -> list[bytes]:
    """The signed call of fal.ai for each of these jobs: two pictures are ready."""
    signer = Signer(studio.directory / "fal")
    made = []
    with acting(studio):
        for one in openings:
            body = json.dumps(_payload(one)).encode()
            url = f"{studio.url('COMPANION_PORT')}/webhooks/fal?job={one.job}&token={token_for(one.job)}"
            headers = {"Content-Type": "application/json", **signer.headers(one.request, body)}
            made.append(request_bytes(url, headers, body))
    return made


def _payload(one: Opening) -> dict[str, Any]:
    pictures = [
        {
            "url": one.picture(n),
            "width": 1024,
            "height": 576,
            "content_type": "image/jpeg",
        }
        for n in range(2)
    ]
    payload = {"images": pictures, "seed": 7, "prompt": "A measured cup", "has_nsfw_concepts": [False, False]}
    return {"request_id": one.request, "gateway_request_id": one.request, "status": "OK", "payload": payload}


def _pgbench(studio: Studio, clients: int) -> float:
    """The same transactions a second, one event each, by PostgreSQL's own program over plain connections."""
    each = CALLS // clients
    openings = open_jobs(studio, each * clients)
    with studio.sql() as sql:
        sql.execute("drop table if exists bench_calls")
        sql.execute("create unlogged table bench_calls (n int primary key, events jsonb)")
        with sql.cursor() as cursor, cursor.copy("copy bench_calls from stdin") as copy:
            for number, one in enumerate(openings, 1):
                copy.write_row((number, json.dumps([_event(studio, one)])))
        sql.execute("analyze bench_calls")
    script = studio.directory / "pgbench.sql"
    script.write_text(_SCRIPT.format(each=each))
    done = _run_pgbench(studio, script, clients, each)
    with studio.sql() as sql:
        row = sql.execute(
            "select count(*) as n from public.generation_jobs where id = any (%s) and status = 'completed'",
            ([one.job for one in openings],),
        ).fetchone()
        sql.execute("drop table bench_calls")
    assert row is not None
    assert row["n"] == len(openings), "pgbench did not settle every job"
    return done


def _event(studio: Studio, one: Opening) -> dict[str, Any]:
    """What the companion hands to the database for this call."""
    payload = _payload(one)
    verdict = verdict_of_webhook(payload)
    return {
        "event_key": f"fal:{one.request}:OK",
        "event_type": "OK",
        "request_id": one.request,
        "job": one.job,
        "account_id": ACCOUNT_USER_ID,
        "verdict": verdict_row(verdict) if verdict else None,
        "headers": {"timestamp": 0, "user_id": ACCOUNT_USER_ID, "request_id": one.request},
        "payload": payload,
        "queue_url": studio.url("LOCAL_FAL_PORT"),
    }


def _run_pgbench(studio: Studio, script: Path, clients: int, each: int) -> float:
    arguments = [
        "-n",
        "-M",
        "prepared",
        "-c",
        str(clients),
        "-j",
        "1",
        "-t",
        str(each),
        "-D",
        "turn=0",
        "-f",
        str(script),
    ]
    answer = subprocess.run(
        [binary("pgbench"), *arguments, studio.database_url], capture_output=True, text=True, timeout=300, check=False
    )
    found = re.search(r"tps = ([\d.]+) \(without initial connection time\)", answer.stdout)
    assert answer.returncode == 0, answer.stderr
    assert found, answer.stdout
    return float(found[1])


def _forget_the_account(studio: Studio) -> None:
    with studio.sql() as sql:
        sql.execute("update private.provider_state set account_id = null where provider = 'fal'")
