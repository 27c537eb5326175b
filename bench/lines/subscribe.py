"""What people would do instead: fal.ai's own client, `subscribe` for each job, against the same simulated fal.ai.

It asks every 0.1 s until the job is done, from a thread of its own, and keeps nothing. Ours counts everything until the
cost is read and the files are copied. Done is when fal.ai had the result; known is when the client has it in its hands,
or when our companion has committed it and said so.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median
from unittest.mock import patch

import fal_client
import fal_client.client
import httpx
import psutil  # type: ignore[import-untyped]

from bench.counted import Call
from bench.inside import acting, person_of, sign_in
from bench.openings import MARKETERS, end_all, give
from bench.report import Result
from bench.studio import Machine, Studio
from core import jobs
from local.fal.records import QueuedRequest
from local.fal.store import Store

JOBS = 20  # at once
RUN_SECONDS = 8  # of each at fal.ai, beyond what the model takes anyway
ENDPOINT = "fal-ai/flux/schnell"
LONGEST = 120.0
_LEFT = """
select count(*) as n from public.generation_jobs j
where id = any (%s::uuid[]) and (completed_at is null or cost_due_at is not null or exists (
  select 1 from public.job_outputs o where o.job_id = j.id and o.mirror_due_at is not null))
"""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to get jobs done: requests to fal.ai and CPU seconds per job, and how long from done to known."""

    requests: float
    cpu: float
    known: list[float]


def measure(machine: Machine, size: int) -> list[Result]:
    studio = machine.studio(size)
    client = _measured(studio, _subscribe)
    hooks = _measured(studio, _ours(studio.url("COMPANION_PORT")))
    polls = _measured(studio, _ours(""))
    end_all(studio)
    ways = {"fal-client": client, "with webhooks": hooks, "polling": polls}
    facts = {
        name: {"requests": way.requests, "cpu_ms": way.cpu * 1000, "known_ms": median(way.known) * 1000}
        for name, way in ways.items()
    }

    def row(what: str, figure: Callable[[Way], float], unit: str, digits: int) -> Result:
        others = f"fal-client subscribe {figure(client):.{digits}f}, ours without webhooks {figure(polls):.{digits}f}"
        return Result("subscribe", what, figure(hooks), None, unit, others, facts=facts)

    return [
        row(f"requests to fal.ai for a job of {RUN_SECONDS + 1.5:g} s", lambda way: way.requests, "", 1),
        row("CPU of ours for a job, cost and files included", lambda way: way.cpu * 1000, "ms", 0),
        row("from done to known, p50", lambda way: median(way.known) * 1000, "ms", 0),
    ]


def _measured(studio: Studio, way: "Callable[[Studio], tuple[list[Call], float, dict[str, float]]]") -> Way:
    """One way, on a fresh simulator."""
    path = studio.directory / "fal" / "fal.sqlite3"
    fal = studio.start_fal()
    control = f"{studio.url('LOCAL_FAL_PORT')}/_sim"
    try:
        httpx.post(f"{control}/reset", json={}).raise_for_status()
        httpx.post(f"{control}/behaviour", json={"concurrency": JOBS, "tiny_outputs": True}).raise_for_status()
        calls, cpu, known = way(studio)
    finally:
        studio.stop(fal)
    store = Store(path)
    try:
        requests = store.load()
    finally:
        store.close()
    assert len(requests) == JOBS, [(each.ordinal, each.inputs, each.status_code) for each in requests]
    asked = [call for call in calls if _is_question(studio, call)]
    return Way(
        len(asked) / JOBS, cpu / JOBS, [_known(request, known) - (request.ended_at or 0) for request in requests]
    )


def _is_question(studio: Studio, call: Call) -> bool:
    """To fal.ai and not for a file: files come from elsewhere there."""
    return call.url.startswith(studio.url("LOCAL_FAL_PORT")) and "/media/" not in call.url


def _known(request: QueuedRequest, known: dict[str, float]) -> float:
    """When it was known, Unix seconds: as was noted here, or when the companion has answered its webhook."""
    if request.request_id in known:
        return known[request.request_id]
    return next(float(call["at"]) for call in request.deliveries if call["status"] == 200)


def _prompt(number: int) -> str:
    return f"A measured jug {number} [sim:slow={RUN_SECONDS}]"


def _subscribe(studio: Studio) -> tuple[list[Call], float, dict[str, float]]:
    known: dict[str, float] = {}
    home = studio.url("LOCAL_FAL_PORT")
    with acting(studio) as calls, patch.object(fal_client.client, "QUEUE_URL_FORMAT", f"{home}/"):
        client = fal_client.SyncClient(key=studio.environment["FAL_KEY"])
        http = client._client  # made here: it is made lazily, and of threads that come at once each would make one

        def one(number: int) -> None:
            asked: list[str] = []
            client.subscribe(ENDPOINT, {"prompt": _prompt(number), "num_images": 1}, on_enqueue=asked.append)
            known[asked[0]] = time.time()

        used = time.process_time()
        with http, ThreadPoolExecutor(JOBS) as pool:
            list(pool.map(one, range(JOBS)))
        return list(calls), time.process_time() - used, known


def _ours(public_url: str) -> "Callable[[Studio], tuple[list[Call], float, dict[str, float]]]":
    def way(studio: Studio) -> tuple[list[Call], float, dict[str, float]]:
        companion, log = studio.start_companion(PUBLIC_URL=public_url)
        process = psutil.Process(companion.process.pid if companion.process else 0)
        try:
            with acting(studio, PUBLIC_URL=public_url) as calls, ThreadPoolExecutor(JOBS) as pool:
                person = person_of(sign_in(MARKETERS[0]))
                give(studio, person.user_id, JOBS)
                calls.clear()
                began, used = time.monotonic(), time.process_time() + sum(process.cpu_times()[:2])

                def one(number: int) -> str:
                    return str(jobs.submit(person, "image_flux_schnell", {"prompt": _prompt(number)}).id)

                submitted = list(pool.map(one, range(JOBS)))
                _wait(studio, submitted)
            cpu = time.process_time() + sum(process.cpu_times()[:2]) - used
            return [*calls, *log.calls(began)], cpu, {} if public_url else _completed(studio, submitted)
        finally:
            studio.stop(companion)

    return way


def _wait(studio: Studio, submitted: list[str]) -> None:
    """Until they have ended, their costs are read and their files are copied."""
    deadline = time.monotonic() + LONGEST
    with studio.sql() as sql:
        while (row := sql.execute(_LEFT, (submitted,)).fetchone()) and row["n"]:
            assert time.monotonic() < deadline, f"{row['n']} of {JOBS} jobs are not at their end"
            time.sleep(0.2)


def _completed(studio: Studio, submitted: list[str]) -> dict[str, float]:
    with studio.sql() as sql:
        rows = sql.execute(
            "select fal_request_id as request, extract(epoch from completed_at)::float8 as at"
            " from public.generation_jobs where id = any (%s::uuid[])",
            (submitted,),
        ).fetchall()
    return {row["request"]: row["at"] for row in rows}
