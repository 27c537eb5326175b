"""What each thing that people do costs, two of each process on one database, and the simulation of a larger site.

Costs are processor time, so they hold on a busy machine too. Nothing here has to be reached: it is told.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from bench.growth.people import Costs, Habits, limit
from bench.inside import acting, person_of, sign_in
from bench.lines.webhook import webhooks
from bench.openings import MARKETERS, end_all, give, open_jobs
from bench.processor import used_by
from bench.report import Result
from bench.sender import send_all
from bench.studio import Machine, Studio
from bench.visitor import Visitor
from core import jobs
from local.ports import HOST, free_port
from local.processes import Child
from ui import live, shell

REFRESHES = 60  # of each kind
ARRIVALS = 12
JOBS = 24
WEBHOOKS = 800
SENDERS = 32
PEOPLE = 6  # on each process of pages
ROUNDS = 10
CORES = (2, 4, 8, 16)
PATIENCE = 120.0
_LEFT = """
select (select count(*) from public.generation_jobs
        where status in ('pending', 'submitted', 'in_progress')
           or (cost_due_at is not null and actual_usd is null))
  + (select count(*) from public.job_outputs where mirror_due_at is not null) as n
"""


@dataclass
class Bill:
    """Processor time of PostgreSQL and of one of our processes, from one look to the next."""

    postgres: Child
    ours: Child

    def __post_init__(self) -> None:
        self.since = self._now()

    def _now(self) -> tuple[float, float]:
        return used_by(self.postgres), used_by(self.ours)

    def for_each(self, number: int) -> tuple[float, float]:
        """Seconds for each of so many, PostgreSQL's and ours; begins anew."""
        before, self.since = self.since, self._now()
        return (self.since[0] - before[0]) / number, (self.since[1] - before[1]) / number


def measure(machine: Machine, size: int) -> list[Result]:
    studio = machine.studio(size)
    assert machine.postgres.child is not None
    fal = studio.start_fal()
    try:
        costs = _costs(studio, machine.postgres.child)
        two = [*_two_companions(studio), *_two_apps(studio)]
    finally:
        studio.stop_app()
        studio.stop(fal)
        end_all(studio)
    return [*_told(costs), *two, *_simulated(costs)]


def _costs(studio: Studio, postgres: Child) -> Costs:
    app, _ = studio.start_app()
    with acting(studio):
        cookie = sign_in(MARKETERS[0])
    open_jobs(studio, 1, emails=MARKETERS[:1])
    refresh, app_refresh, page, app_page = asyncio.run(_costs_of_pages(studio, Bill(postgres, app), cookie))
    end_all(studio)
    studio.stop_app()
    job, companion_job = _costs_of_jobs(studio, postgres)
    with acting(studio, PUBLIC_URL=""):
        press = _pressing(studio, "A measured cup [sim:slow=600]")
        press()
        bill = Bill(postgres, postgres)
        for _ in range(JOBS):
            press()
        submit, _ = bill.for_each(JOBS)
    end_all(studio)
    return Costs(refresh, page, submit, max(job, submit), app_refresh, app_page, companion_job)


def _costs_of_jobs(studio: Studio, postgres: Child) -> tuple[float, float]:
    """Whole jobs, with everything that the worker does for them, less what it does while there is nothing."""
    companion, _ = studio.start_companion()
    try:
        with acting(studio):
            press = _pressing(studio, "A measured cup")
            bill = Bill(postgres, companion)
            begun = time.monotonic()
            for _ in range(JOBS):
                press()
            _wait_for(studio, begun)
            lasted = time.monotonic() - begun
            busy, ours = bill.for_each(JOBS)
            time.sleep(lasted)
            idle, ours_idle = bill.for_each(JOBS)
    finally:
        studio.stop(companion)
    return busy - idle, max(ours - ours_idle, 0.0)


def _pressing(studio: Studio, prompt: str) -> Callable[[], None]:
    person = person_of(sign_in(MARKETERS[1]))
    give(studio, person.user_id, 2 * JOBS)

    def press() -> None:
        job = jobs.submit(person, "image_flux_schnell", {"prompt": prompt})
        assert job.status == "submitted", job.error_message

    return press


async def _costs_of_pages(studio: Studio, bill: Bill, cookie: str) -> tuple[float, float, float, float]:
    visitor = Visitor(studio.url("APP_PORT"), cookie, "jobs")
    await visitor.arrive()
    await visitor.refresh(shell.REFRESH_SECONDS)
    bill.for_each(1)
    for _ in range(REFRESHES):
        await visitor.refresh(shell.REFRESH_SECONDS)
        await visitor.refresh(live.SECONDS)
    refresh, app_refresh = bill.for_each(2 * REFRESHES)
    await visitor.leave()
    for _ in range(ARRIVALS):
        visitor = Visitor(studio.url("APP_PORT"), cookie, "jobs")
        await visitor.arrive()
        await visitor.leave()
    page, app_page = bill.for_each(ARRIVALS)
    return refresh, app_refresh, page, app_page


def _wait_for(studio: Studio, begun: float) -> None:
    """Every job has ended, its files are copied and its cost is read."""
    with studio.sql() as sql:
        while (row := sql.execute(_LEFT.encode()).fetchone()) and row["n"]:
            assert time.monotonic() < begun + PATIENCE, f"{row['n']} things are left to do"
            time.sleep(0.25)


def _two_companions(studio: Studio) -> list[Result]:
    without_worker = "bench.companion:without_worker"
    port = free_port()
    companions = [studio.start_companion(without_worker)[0], studio.start_companion(without_worker, port)[0]]
    urls = [studio.url("COMPANION_PORT"), f"http://{HOST}:{port}"]

    def rate(to: Sequence[str]) -> float:
        calls = webhooks(studio, open_jobs(studio, WEBHOOKS))
        share = len(calls) // len(to)

        async def send() -> float:
            started = time.monotonic()
            parts = (send_all(url, calls[n * share : (n + 1) * share], SENDERS // len(to)) for n, url in enumerate(to))
            for _, _, statuses in await asyncio.gather(*parts):
                assert set(statuses) == {200}, statuses
            return time.monotonic() - started

        return len(calls) / asyncio.run(send())

    try:
        one, both = _in_turn(lambda: rate(urls[:1]), lambda: rate(urls))
    finally:
        for companion in companions:
            studio.stop(companion)
    with studio.sql() as sql:
        row = sql.execute("select count(*) as n from public.generation_jobs where status = 'submitted'").fetchone()
    assert row == {"n": 0}, "not every webhook has ended its job"
    made = f"{both:.0f}/s by two, {one:.0f}/s by one"
    facts = {"one": one, "two": both}
    return [Result("growth", "webhooks: two companions against one", both / one, None, "×", made, facts=facts)]


def _two_apps(studio: Studio) -> list[Result]:
    port = free_port()
    studio.start_app()
    studio.start_app(port)
    urls = [studio.url("APP_PORT"), f"http://{HOST}:{port}"]
    people = MARKETERS[: 2 * PEOPLE]
    with acting(studio):
        cookies = [sign_in(email) for email in people]

    async def rate(to: Sequence[str]) -> float:
        visitors = [Visitor(to[number % len(to)], cookie, "jobs") for number, cookie in enumerate(cookies)]
        for visitor in visitors:
            await visitor.arrive()

        async def again(visitor: Visitor) -> None:
            for _ in range(ROUNDS):
                await visitor.refresh(shell.REFRESH_SECONDS)

        started = time.monotonic()
        await asyncio.gather(*(again(visitor) for visitor in visitors))
        lasted = time.monotonic() - started
        for visitor in visitors:
            await visitor.leave()
        return len(visitors) * ROUNDS / lasted

    one, both = _in_turn(lambda: asyncio.run(rate(urls[:1])), lambda: asyncio.run(rate(urls)))
    made = f"{both:.0f}/s by two, {one:.0f}/s by one"
    facts = {"one": one, "two": both}
    return [Result("growth", "refreshes: two processes of pages against one", both / one, None, "×", made, facts=facts)]


def _in_turn(one: Callable[[], float], both: Callable[[], float]) -> tuple[float, float]:
    """Each twice, so that what else the machine does meets both."""
    rates = [(one(), both()) for _ in range(2)]
    return fmean(each for each, _ in rates), fmean(each for _, each in rates)


def _told(costs: Costs) -> list[Result]:
    return [
        Result("growth", what, in_postgres * 1000, None, "ms", f"PostgreSQL's processor; ours {ours}")
        for what, in_postgres, ours in (
            ("cost of a refresh", costs.refresh, f"{costs.app_refresh * 1000:.0f} ms in the pages"),
            ("cost of opening Jobs", costs.page, f"{costs.app_page * 1000:.0f} ms in the pages"),
            ("cost of a submit", costs.submit, "not counted"),
            (
                "cost of a whole job, submit to its stored files",
                costs.job,
                f"{costs.companion_job * 1000:.0f} ms in the companion",
            ),
        )
    ]


def _simulated(costs: Costs) -> list[Result]:
    habits = Habits()
    told = []
    for cores in CORES:
        found = limit(cores, costs, habits)
        busy = ", ".join(f"{name} {share:.0%}" for name, share in found.busy.items())
        made = (
            f"{found.used_up} first ({busy}); {found.jobs_a_second:.0f} jobs/s; "
            f"{found.app_processes} processes of pages, {found.companions} companions"
        )
        told.append(Result("growth", f"simulated: people on {cores} cores", found.people, None, "people", made))
    return told
