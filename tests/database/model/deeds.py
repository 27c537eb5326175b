"""Deeds: what somebody or something does to the books, as a call of the real function and as a change of the world."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from tests.database.admin import call_about
from tests.database.books import QUEUE_URL, Row, acceptance, creation
from tests.database.model.cast import PEOPLE, Cast, Deed, person, pick, pick_job
from tests.database.model.world import DONE, MOST_TRIES, PRICE, Job, Verdict, World
from tests.database.verdicts import cancelled, completed, event, failed, request_of

QUANTITIES = (1, 2, 3, 25, 60)  # few of the large ones fit into what a pack brings
KINDS = {"completed": "OK", "failed": "ERROR", "cancelled": "ERROR"}


# Jobs


def create(cast: Cast, _world: World, a: int, b: int) -> Deed:
    name, key, quantity = person(a), f"job {len(cast.jobs) + 1}", QUANTITIES[b % len(QUANTITIES)]
    cast.jobs[key] = cast.new_id()
    return _creation(cast, key, name, quantity)


def create_again(cast: Cast, world: World, a: int, b: int) -> Deed | None:
    """The same job once more: an answer was lost; or somebody tries the id of another's job."""
    if not cast.creators:
        return None
    key = pick(cast.creators, a)
    if key in world.jobs:
        return _creation(cast, key, PEOPLE[b % 2], world.jobs[key].quantity)
    return _creation(cast, key, cast.creators[key], 1)


def retry(cast: Cast, world: World, a: int, b: int) -> Deed | None:
    """A person tries an ended job again; or, b odd, somebody else does."""
    if not world.jobs:
        return None
    retried = pick_job(world, a, lambda job: job.status in ("failed", "cancelled"))
    name = world.jobs[retried].person if b % 4 else PEOPLE[b % 2]
    key = f"job {len(cast.jobs) + 1}"
    cast.jobs[key] = cast.new_id()
    return _creation(cast, key, name, world.jobs[retried].quantity, retried)


def retry_many(cast: Cast, world: World, a: int, b: int) -> Deed | None:
    """A person tries several jobs again with one press; what is not theirs, or has not failed, is skipped."""
    failures = [key for key, job in world.jobs.items() if job.status == "failed" and not job.retried_as]
    if not world.jobs:
        return None
    name = world.jobs[failures[-1]].person if failures and b % 5 else PEOPLE[b % 2]
    wanted = {}
    for key in sorted({*failures[-1 - b % 3 :], pick(world.jobs, a)}):
        wanted[key] = f"job {len(cast.jobs) + 1}"
        cast.jobs[wanted[key]] = cast.new_id()
        cast.creators[wanted[key]] = name
    items = [
        {
            "job": str(cast.jobs[key]),
            "new_job": str(cast.jobs[again]),
            "input_params": {"prompt": "A hill"},
            "quantity": world.jobs[key].quantity,
            "units": str(world.jobs[key].quantity),
            "unit_price_usd": str(PRICE),
            "longest_seconds": 600,
        }
        for key, again in wanted.items()
    ]

    def read(result: Any) -> str:
        codes = [each["code"] for each in result["waiting"]]
        return f"made {len(result['made'])}, skipped {len(result['skipped'])}, waiting {codes}"

    arguments = {"p_user": cast.people[name], "p_items": items}
    return Deed(f"{name} retries {wanted}", "retry_jobs", arguments, lambda world: world.retry_many(name, wanted), read)


def _creation(cast: Cast, key: str, name: str, quantity: int, retried: str | None = None) -> Deed:
    cast.creators.setdefault(key, name)
    more = {"quantity": quantity, "units": Decimal(quantity), "unit_price_usd": PRICE}
    more |= {"retried_from": cast.jobs[retried]} if retried else {}
    arguments = creation(cast.people[name], cast.jobs[key], **more)
    return Deed(
        f"{name} creates {key}", "create_job", arguments, lambda world: world.create(key, name, quantity, retried)
    )


def begin(cast: Cast, world: World, a: int, _b: int) -> Deed | None:
    def read(result: Any) -> str:
        return "right" if result else "no right"

    def is_new(job: Job) -> bool:
        return job.status == "pending" and not job.is_begun

    return about(cast, world, a, is_new, "begin_submit", lambda w, key: w.begin(key), read, p_start_seconds=1800)


def accept(cast: Cast, world: World, a: int, _b: int) -> Deed | None:
    deed = about(cast, world, a, _is_on_its_way, "record_submitted", lambda w, key: w.accept(key))
    return deed and replace(deed, arguments=acceptance(deed.arguments["p_job"]))


def found(cast: Cast, world: World, a: int, _b: int) -> Deed | None:
    """The worker finds the request of an unclear job in fal.ai's own list."""
    deed = about(cast, world, a, _is_on_its_way, "record_found", lambda w, key: w.find(key), p_queue_url=QUEUE_URL)
    return deed and replace(deed, arguments=deed.arguments | {"p_request_id": request_of(deed.arguments["p_job"])})


def unclear(cast: Cast, world: World, a: int, _b: int) -> Deed | None:
    more = {"p_message": "?", "p_check_seconds": 15}
    return about(cast, world, a, _is_on_its_way, "record_unclear", lambda _w, _key: DONE, **more)


def unsent(cast: Cast, world: World, a: int, _b: int) -> Deed | None:
    more = {"p_message": "Later.", "p_check_seconds": 3}
    return about(cast, world, a, _is_on_its_way, "record_unsent", lambda w, key: w.unsent(key), **more)


def refuse(cast: Cast, world: World, a: int, b: int) -> Deed | None:
    return _settle(cast, world, a, _is_on_its_way, Verdict("failed", retryable=b % 2 == 1), "submit")


def poll(cast: Cast, world: World, a: int, b: int) -> Deed | None:
    outcome = ("completed", "failed", "cancelled", "completed")[b % 4]
    billable = outcome == "completed" or b % 3 == 0
    units = b % 5 if billable and b % 2 else None
    return _settle(cast, world, a, _is_at_fal, Verdict(outcome, billable, units, retryable=b % 7 < 3), "poll")


def not_confirmed(cast: Cast, world: World, a: int, _b: int) -> Deed | None:
    """The worker gives up on a submit that nobody ever confirmed."""
    return _settle(cast, world, a, _is_on_its_way, Verdict("failed"), "worker")


def _is_on_its_way(job: Job) -> bool:
    return job.is_open and job.is_begun and not job.is_known


def _is_at_fal(job: Job) -> bool:
    return job.is_open and job.is_known


def _settle(
    cast: Cast, world: World, a: int, likely: Callable[[Job], bool], verdict: Verdict, source: str
) -> Deed | None:
    if not any(job.is_begun or job.is_known for job in world.jobs.values()):
        return None  # nobody can know anything of what was never sent
    return about(
        cast,
        world,
        a,
        likely,
        "settle_job",
        lambda w, key: w.settle(key, verdict),
        lambda result: str(result["result"]),
        p_verdict=_told(verdict),
        p_source=source,
    )


def webhook(cast: Cast, world: World, a: int, b: int) -> Deed | None:
    """fal.ai calls: with a verdict, without the result (too large), or with something that nothing follows from."""
    if not world.jobs:
        return None
    key = pick_job(world, a, lambda job: job.is_begun and job.status != "completed")
    outcome = ("completed", "failed", "completed")[b % 3]
    verdict = Verdict(outcome, billable=outcome == "completed", retryable=b % 2 == 1)
    call = call_about(cast.jobs[key], _told(verdict))
    is_sound, is_whole = b % 6 != 0, b % 7 != 0
    if not is_sound:
        call["verdict"] = {"outcome": "nonsense"}
    elif not is_whole:
        call["verdict"] = None

    def expect(w: World) -> str:
        return w.call(key, KINDS[outcome], verdict if is_whole or not is_sound else None, is_sound=is_sound)

    arguments = {"p_events": [call], "p_max_attempts": MOST_TRIES}
    return Deed(
        f"fal.ai calls about {key}: {_brief(call['verdict'] or {})}",
        "receive_fal_events",
        arguments,
        expect,
        lambda result: str(result[call["event_key"]]),
    )


def replay(cast: Cast, world: World, a: int, _b: int) -> Deed | None:
    """An admin applies a call again."""
    if not world.calls:
        return None
    key, kind = sorted(world.calls)[a % len(world.calls)]
    verdict = Verdict("completed", billable=True) if kind == "OK" else Verdict("failed")
    stored = event(cast.jobs[key], _told(verdict))["event_key"]
    arguments = {
        "p_actor": cast.books.admin,
        "p_event": cast.books.value("select id from webhook_events where event_key = %s", stored),
        "p_verdict": _told(verdict),
        "p_queue_url": QUEUE_URL,
    }
    return Deed(
        f"an admin replays {kind} of {key}",
        "replay_fal_event",
        arguments,
        lambda w: w.replay(key, kind, verdict),
        lambda result: str(result["status"]),
    )


def progress(cast: Cast, world: World, a: int, b: int) -> Deed | None:
    if not world.jobs:
        return None
    key, state = pick_job(world, a, _is_at_fal), ("running", "queued", "unknown")[b % 3]
    updates = [{"job": str(cast.jobs[key]), "state": state, "check_seconds": 5}]
    return Deed(
        f"{key} is {state}", "record_progress", {"p_updates": updates}, lambda world: world.progress(key, state)
    )


def cancel(cast: Cast, world: World, a: int, b: int) -> Deed | None:
    """A person wants a job stopped: their own, or, now and then, another's."""
    if not world.jobs:
        return None
    key = pick_job(world, a, lambda job: job.is_open)
    name = world.jobs[key].person if b % 4 else PEOPLE[b // 4 % 2]
    arguments = {"p_user": cast.people[name], "p_job": cast.jobs[key]}
    return Deed(f"{name} cancels {key}", "request_cancel", arguments, lambda world: world.cancel(key, name))


def close(cast: Cast, world: World, a: int, _b: int) -> Deed | None:
    """An admin gives a job up."""
    more = {"p_actor": cast.books.admin, "p_reason": "Stuck"}
    return about(cast, world, a, _is_on_its_way, "mark_job_failed", lambda w, key: w.give_up(key), **more)


def about(
    cast: Cast,
    world: World,
    number: int,
    likely: Callable[[Job], bool],
    function: str,
    expect: Callable[[World, str], str],
    read: Callable[[Any], str] = lambda _result: DONE,
    **more: Any,
) -> Deed | None:
    """A deed about one job, mostly about a likely one; None while there is none."""
    if not world.jobs:
        return None
    key = pick_job(world, number, likely)
    arguments = {"p_job": cast.jobs[key]} | more
    return Deed(f"{function} of {key} {_brief(more)}", function, arguments, lambda w: expect(w, key), read)


def _brief(facts: Row) -> str:
    """What a reader of a failed story wants to know."""
    told = facts.get("p_verdict", facts)
    return " ".join(str(told[name]) for name in ("outcome", "billable", "billable_units", "p_usd") if name in told)


def _told(verdict: Verdict) -> Row:
    """A verdict as it is handed to the database."""
    made = {"completed": completed, "failed": failed, "cancelled": cancelled}[verdict.outcome]()
    units = None if verdict.units is None else str(verdict.units)
    return made | {"billable": verdict.billable, "billable_units": units, "retryable": verdict.retryable}


JOB_DEEDS = {
    deed.__name__: deed
    for deed in (
        create,
        create_again,
        retry,
        retry_many,
        found,
        begin,
        accept,
        unclear,
        unsent,
        refuse,
        poll,
        not_confirmed,
        webhook,
        replay,
        progress,
        cancel,
        close,
    )
}
