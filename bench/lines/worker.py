"""The worker with ten thousand jobs open at fal.ai: is each looked at in time, and what does that ask of fal.ai?"""

import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from statistics import median
from urllib.parse import parse_qs, urlsplit

import httpx
import psutil  # type: ignore[import-untyped]

from bench.counted import Call, Log
from bench.inside import acting, person_of, sign_in
from bench.openings import MARKETERS, Opening, end_all, give, open_jobs
from bench.report import Result, quantile
from bench.studio import Machine, Studio
from core import jobs
from core.polling import LONGEST_WAIT
from local.fal.records import QueuedRequest
from local.fal.store import Store

OPEN = 10_000
LOOKS_BEFORE = 8  # after so many a job has reached the longest interval
SPREAD = 1.15  # what an interval is spread by anyway, see core.polling
FINISHING = 200  # jobs that go their whole way meanwhile, each with its webhook
AT_ONCE = 8
CONCURRENCY = 40  # of the account at fal.ai: these do not wait in its queue
ENDPOINT = "fal-ai/flux/schnell"
MOST_SECONDS = 20.0
LONGEST = 300.0  # seconds until the line gives up
_STEADY = """
update public.generation_jobs
set check_count = %s, next_check_at = now() + make_interval(secs => %s * row_number / %s)
from (select id as job, row_number() over (order by md5(id::text)) as row_number
      from public.generation_jobs where status = 'submitted') numbered
where id = job returning fal_request_id as request, extract(epoch from next_check_at)::float8 as due
"""
# Locks in the order in which the worker takes them.
_DUE = """
with open as (select id from public.generation_jobs where status = 'submitted' order by id for no key update)
update public.generation_jobs j set next_check_at = now(), lease_until = null from open where j.id = open.id
"""
_STATE = """
select fal_request_id as request, completed_at is not null and cost_due_at is null as done
from public.generation_jobs where id = any (%s::uuid[])
"""


def measure(machine: Machine, size: int) -> list[Result]:
    studio = machine.studio(size)
    openings = open_jobs(studio, OPEN, emails=MARKETERS[AT_ONCE:])
    _queue_at_fal(studio, openings)
    fal = studio.start_fal(afresh=False)
    behaviour = {"concurrency": CONCURRENCY, "tiny_outputs": True}
    httpx.post(f"{studio.url('LOCAL_FAL_PORT')}/_sim/behaviour", json=behaviour).raise_for_status()
    companion, log = studio.start_companion(PUBLIC_URL=studio.url("COMPANION_PORT"))
    process = psutil.Process(companion.process.pid if companion.process else 0)
    try:
        due = _steady(studio)
        began, used = time.monotonic(), sum(process.cpu_times()[:2])
        asked, finished = _go_their_way(studio, log)
        looked = _first_looks(log, due)
        took = time.monotonic() - began
        cores = (sum(process.cpu_times()[:2]) - used) / took
        most = _all_due_now(studio, log)
    finally:
        studio.stop(companion)
        studio.stop(fal)
        end_all(studio)
        shutil.rmtree(studio.directory / "fal")
    late = [looked[request] - at for request, at in due.items() if request in looked]
    missed = len(due) - len(late)
    worst = LONGEST if missed else max(late)
    facts = {
        "late_s": {"p50": median(late), "p95": quantile(late, 0.95), "max": max(late)},
        "not_looked_at": missed,
        "cores_of_the_companion": cores,
        "looks_a_second_at_most": most,
        "requests": asked,
    }
    needed = OPEN / LONGEST_WAIT
    lateness = f"late by p50 {median(late):.1f} s, p95 {quantile(late, 0.95):.1f} s, at most {worst:.1f} s"
    return [
        Result(
            "worker",
            f"longest time between two looks, {OPEN:,} open, in intervals",
            (LONGEST_WAIT + worst) / LONGEST_WAIT,
            SPREAD,
            "×",
            f"{lateness}; {cores:.2f} cores",
            facts=facts,
        ),
        Result(
            "worker",
            "looks a second when all are due at once",
            most,
            needed,
            "/s",
            f"needed for an interval of {LONGEST_WAIT:.0f} s: {needed:.0f}/s",
            "at least",
            facts=facts,
        ),
        Result(
            "worker",
            "requests to fal.ai per job beyond submit, with webhooks",
            sum(asked.values()) / finished,
            1.1,
            "",
            ", ".join(f"{what} {count}" for what, count in asked.items()) + f" for {finished} jobs",
            facts=facts,
        ),
    ]


def _queue_at_fal(studio: Studio, openings: Sequence[Opening]) -> None:
    """fal.ai has them all in its queue and starts none: the simulator, which must not run, is told so."""
    folder = studio.directory / "fal"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    now = time.time()
    store = Store(folder / "fal.sqlite3")
    try:
        store.set_balance(Decimal(1_000_000))
        for ordinal, one in enumerate(openings, 1):
            store.add(
                QueuedRequest(
                    request_id=one.request,
                    gateway_request_id=one.request,
                    endpoint_id=ENDPOINT,
                    inputs={"prompt": "A measured cup"},
                    base_url=studio.url("LOCAL_FAL_PORT"),
                    ordinal=ordinal,
                    submission_key=one.job,
                    created_at=now,
                    ready_at=now + 86_400,
                )
            )
    finally:
        store.close()


def _steady(studio: Studio) -> dict[str, float]:
    """As if all had been open for a while: due one after the other over one interval. When, by request."""
    with studio.sql() as sql:
        rows = sql.execute(_STEADY, (LOOKS_BEFORE, LONGEST_WAIT, OPEN)).fetchall()
    zero = time.time() - time.monotonic()
    return {row["request"]: row["due"] - zero for row in rows}


def _go_their_way(studio: Studio, log: Log) -> tuple[dict[str, int], int]:
    """Jobs that people submit meanwhile, to their end and their cost: what was asked of fal.ai about them, and how many
    they are."""
    with acting(studio, PUBLIC_URL=studio.url("COMPANION_PORT")) as calls, ThreadPoolExecutor(AT_ONCE) as pool:
        people = [person_of(sign_in(email)) for email in MARKETERS[:AT_ONCE]]
        for person in people:
            give(studio, person.user_id, FINISHING)

        def submit(number: int) -> str:
            prompt = f"A measured lamp {number}"
            return str(jobs.submit(people[number % AT_ONCE], "image_flux_schnell", {"prompt": prompt}).id)

        submitted = list(pool.map(submit, range(FINISHING)))
    about = set(_wait(studio, submitted))
    counted: Counter[str] = Counter()
    for call in [*calls, *log.calls()]:
        if call.url.startswith(studio.url("LOCAL_FAL_PORT")):
            counted[_kind(call, about)] += 1
    del counted[""]
    assert counted.pop("submit") == FINISHING, counted
    return dict(counted), FINISHING


def _wait(studio: Studio, submitted: Sequence[str]) -> Iterator[str]:
    """Their requests at fal.ai, once all have ended and their costs are read."""
    deadline = time.monotonic() + LONGEST
    with studio.sql() as sql:
        while True:
            rows = sql.execute(_STATE, (submitted,)).fetchall()
            left = sum(not row["done"] for row in rows)
            if not left:
                break
            assert time.monotonic() < deadline, f"{left} of {len(rows)} jobs are not at their end"
            time.sleep(0.5)
    yield from (row["request"] for row in rows)


def _kind(call: Call, requests: set[str]) -> str:
    """What a call to fal.ai asks about these requests; nothing when it is about others, or fetches a file."""
    parts = urlsplit(call.url)
    if call.method == "POST" and "fal_webhook" in parse_qs(parts.query):
        return "submit"
    if parts.path.endswith("/billing-events"):
        asked = parse_qs(parts.query).get("request_id", [])
        return "billing events" if requests.intersection(",".join(asked).split(",")) else ""
    about, _, verb = parts.path.partition("/requests/")[2].partition("/")
    return (verb or "result") if about in requests else ""


def _first_looks(log: Log, due: dict[str, float]) -> dict[str, float]:
    """When each of these requests was first looked at; waits until all are, or it takes too long."""
    deadline = max(due.values()) + LONGEST_WAIT
    while True:
        looked: dict[str, float] = {}
        for call in log.calls():
            request = urlsplit(call.url).path.partition("/requests/")[2].partition("/")[0]
            looked.setdefault(request, call.at)
        if due.keys() <= looked.keys() or time.monotonic() > deadline:
            return looked
        time.sleep(2)


def _all_due_now(studio: Studio, log: Log) -> float:
    """Looks a second while nothing but looks is left to do."""
    with studio.sql() as sql:
        sql.execute(_DUE)
    began = time.monotonic()
    time.sleep(MOST_SECONDS)
    looks = [call for call in log.calls(began, began + MOST_SECONDS) if call.url.endswith("/status?logs=1")]
    return len(looks) / MOST_SECONDS
