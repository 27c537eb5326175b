"""Submitting a job: what we add to fal.ai's own answer."""

import time
from statistics import median

from bench.inside import acting, person_of, sign_in
from bench.openings import end_all, give
from bench.report import Result, quantile
from bench.studio import Machine
from core import jobs
from core.database import get_database

PEOPLE = 4
EACH = 40  # open jobs a person may have are 50
WARM = 5


def measure(machine: Machine, size: int) -> list[Result]:
    studio = machine.studio(size)
    fal = studio.start_fal()
    own: list[float] = []
    bare: list[float] = []
    trips: list[int] = []
    to_us = studio.environment["SUPABASE_URL"]
    try:
        with acting(studio, PUBLIC_URL="") as calls:
            for number in range(2, 2 + PEOPLE):
                person = person_of(sign_in(f"person{number}@bench.example"))
                give(studio, person.user_id, EACH + WARM)
                for turn in range(EACH + WARM):
                    started = time.monotonic()
                    get_database().call("bench_nothing")
                    bare_took = time.monotonic() - started
                    calls.clear()
                    started = time.monotonic()
                    job = jobs.submit(person, "image_flux_schnell", {"prompt": "A measured cup [sim:slow=600]"})
                    took = time.monotonic() - started
                    assert job.status == "submitted", job.error_message
                    if turn < WARM:
                        continue
                    bare.append(bare_took)
                    own.append(took - sum(call.took for call in calls if not call.url.startswith(to_us)))
                    trips.append(sum(call.url.startswith(to_us) for call in calls))
    finally:
        studio.stop(fal)
        end_all(studio)
    facts = {
        "own_ms_p50": median(own) * 1000,
        "own_ms_p95": quantile(own, 0.95) * 1000,
        "bare_rpc_ms_p50": median(bare) * 1000,
        "samples": len(own),
    }
    timed = f"p50 {median(own) * 1000:.1f} ms, one bare RPC {median(bare) * 1000:.1f} ms"
    return [
        Result(
            "submit",
            "database round trips of a submit",
            max(trips),
            3,
            "trips",
            f"the most of {len(trips)} submits",
            facts=facts,
        ),
        Result(
            "submit",
            "our own time, without fal.ai's answer, p50",
            median(own) / median(bare),
            3.5,
            "×",
            timed,
            facts=facts,
        ),
    ]
