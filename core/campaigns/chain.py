"""What workers do for runs: create the jobs that are due, in the order of the clips, and note why a clip waits.

Only creates: the jobs are due at once and the worker's own loop sends them. The next step of a clip falls due in the
transaction that ends the job before it, so nothing here has to be remembered.
"""

from typing import Any
from uuid import UUID

from core.campaigns.making import Source, prepare
from core.campaigns.rows import recipe_of
from core.database import get_database, translated
from core.errors import DatabaseError, FalError, Refused
from core.log import get_logger, log_context

log = get_logger(__name__)

RUNS = 4
CLIPS = 8
LEASE_SECONDS = 180
MOST_TRIES = 8
# What stops every clip of a run: money, rights, the campaign itself.
STOPS_ALL = frozenset(
    {
        "INSUFFICIENT_CREDITS",
        "MONTHLY_CAP",
        "TEAM_BUDGET",
        "RUN_AMOUNT",
        "NOT_APPROVED",
        "NOT_ACTIVE",
        "NOT_ALLOWED",
        "ARCHIVED",
    }
)
UNEXPECTED = "Something unexpected went wrong here. It is tried again by itself; tell an admin if it stays."
# What passes by itself, in seconds until the next look.
PASSES = {"TOO_MANY_OPEN_JOBS": 20, "ACCOUNT_LOCKED": 120}


def carry_on() -> int:
    """Do what is due in up to four runs; returns how many jobs were created. Any number of workers may call it."""
    claimed = get_database().call("claim_run_clips", p_runs=RUNS, p_clips=CLIPS, p_lease_seconds=LEASE_SECONDS)
    created = 0
    halted: set[str] = set()
    for item in claimed:
        with log_context(run_id=item["run_id"], clip_id=item["clip_id"]):
            # Once the credits are gone they are gone for those behind too.
            if item["run_id"] not in halted:
                created += _make(item, halted)
    return created


def _make(item: dict[str, Any], halted: set[str]) -> int:
    try:
        recipe = recipe_of(item["steps"].get(item["step"]))
        if recipe is None:
            _wait(item, "NOT_WANTED", "This step is not wanted for this clip any more.")
            return 0
        prepared = prepare(UUID(item["user_id"]), item["step"], recipe, _source(item))
        get_database().call(
            "create_clip_job",
            p_job=item["next_job_id"],
            p_user=item["user_id"],
            p_clip=item["clip_id"],
            p_step=item["step"],
            p_expected_credits=None,
            p_run=item["run_id"],
            p_submit_within=0,
            **prepared.parameters(),
        )
    except Refused as refused:
        _refused(item, refused, halted)
    except (FalError, DatabaseError) as error:
        _postponed(item, error.code, error.sentence, error.detail)
    except Exception as error:  # one clip that trips us up must not hold up all the others
        log.exception("run_clip_stumbled", step=item["step"])
        _postponed(item, "UNEXPECTED", UNEXPECTED, {"error_class": type(error).__name__})
    else:
        log.info("clip_job_created", job_id=item["next_job_id"], step=item["step"], credits=prepared.quote.credits)
        return 1
    return 0


def _refused(item: dict[str, Any], refused: Refused, halted: set[str]) -> None:
    log.info("run_clip_refused", code=refused.code, step=item["step"])
    if refused.code == "NOT_DUE":  # stopped meanwhile, or done by somebody else
        return
    if refused.code in PASSES or refused.code in STOPS_ALL:
        halted.add(item["run_id"])
        _wait(item, refused.code, _for_the_team(refused), PASSES.get(refused.code), everything=True)
    else:
        _wait(item, refused.code, refused.sentence)


def _for_the_team(refused: Refused) -> str:
    """The reason without the person's own figures: whoever may look at the campaign reads it."""
    match refused.code:
        case "INSUFFICIENT_CREDITS":
            needed = refused.detail.get("needed", 0)
            credits = "1 credit" if needed == 1 else f"{needed} credits"
            return f"This needs {credits}, more than are left. Add some, then go on."
        case "MONTHLY_CAP":
            return "This would pass the monthly cap of who started it. An admin can raise it."
    return refused.sentence


def _postponed(item: dict[str, Any], code: str, reason: str, detail: dict[str, Any]) -> None:
    tries = item["tries"]
    log.warning("run_clip_postponed", step=item["step"], tries=tries, error=reason, **detail)
    _wait(item, code, reason, min(600, 15 * 2**tries) if tries < MOST_TRIES else None)


def _wait(
    item: dict[str, Any], code: str, reason: str, seconds: int | None = None, *, everything: bool = False
) -> None:
    get_database().call(
        "postpone_run_clip",
        p_run=item["run_id"],
        p_job=item["next_job_id"],
        p_code=code,
        p_reason=reason,
        p_check_seconds=seconds,
        p_all=everything,
    )


def _source(item: dict[str, Any]) -> Source | None:
    version = item["source"]
    if version is None:
        return None
    with translated("job_outputs"):
        outputs: Any = (
            get_database()
            .service_rows()
            .from_("job_outputs")
            .select("*")
            .eq("job_id", version["job_id"])
            .eq("position", version["output_position"])
            .is_("deleted_at", "null")
            .execute()
            .data
        )
    output = next(iter(outputs), None)
    return Source(UUID(version["id"]), version["output_position"], output) if output else None
