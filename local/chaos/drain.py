"""After the storm: time passes, quickly, until every job has ended, every file is copied and every cost is read."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from local.chaos.evidence import accepted
from local.chaos.machine import Machine

LONGEST_S = 120.0  # for each step
STEP_S = 1.0

OPEN = "select count(*) as n from public.generation_jobs where completed_at is null"
LOOKED_FOR = (
    "select count(*) as n from public.generation_jobs"
    " where completed_at is null and fal_request_id is null and submit_attempted_at is not null"
)
FOUND = "select count(*) as n from public.generation_logs where event = 'found' and source = 'poll'"
UNCONFIRMED = "select count(*) as n from public.generation_jobs where error_type = 'submit_unconfirmed'"
UNCOPIED = "select count(*) as n from public.job_outputs where mirrored_at is null and mirror_due_at is not null"
UNREAD = "select count(*) as n from public.generation_jobs where cost_due_at is not null and status = 'completed'"

# What dead workers had claimed becomes free, and what was postponed becomes due.
PASSING = (
    """update public.generation_jobs set next_check_at = least(next_check_at, now()),
         lease_until = case when lease_owner ~ %(alive)s then lease_until end
       where completed_at is null and (fal_request_id is not null or submit_attempted_at is null)
         and (next_check_at > now() or lease_until is not null)""",
    """update public.job_outputs set mirror_due_at = least(mirror_due_at, now()),
         lease_until = case when lease_owner ~ %(alive)s then lease_until end
       where mirror_due_at is not null and (mirror_due_at > now() or lease_until is not null)""",
    "update public.generation_jobs set cost_due_at = now() where cost_due_at > now() and status = 'completed'",
)
# fal.ai cannot be working on these any more: one last look, then they are closed.
HOPE_PASSES = """update public.generation_jobs
       set give_up_at = now() - interval '1 second', next_check_at = now(),
         lease_until = case when lease_owner ~ %(alive)s then lease_until end
       where completed_at is null and fal_request_id is null and submit_attempted_at is not null"""


@dataclass
class Drain:
    """`left` says what would not end, in words; empty when everything did."""

    machine: Machine
    say: Callable[[str], None]
    left: list[str] = field(default_factory=list)
    happened: "Counter[str]" = field(default_factory=Counter)

    def run(self) -> None:
        self._until("fal.ai finishes and stops calling", self._fal_is_done)
        self._until("jobs that fal.ai knows end", lambda: self.machine.count(OPEN) == self.machine.count(LOOKED_FOR))
        self.machine.rows.execute(HOPE_PASSES, {"alive": self._alive()})
        self._until("every job ends", lambda: self.machine.count(OPEN) == 0)
        self.happened["found in fal.ai's list"] = self.machine.count(FOUND)
        self.happened["given up as unconfirmed"] = self.machine.count(UNCONFIRMED)
        self._deliver_late()
        self._until("every file is copied", lambda: self.machine.count(UNCOPIED) == 0)
        self._until("every cost is read", lambda: self.machine.count(UNREAD) == 0)

    def _until(self, what: str, is_so: Callable[[], bool]) -> None:
        started = time.monotonic()
        while not is_so():
            if self.left:
                return  # something before it has not come to its end
            if time.monotonic() > started + LONGEST_S:
                self.left.append(f"not within {LONGEST_S:g} s: {what}")
                return
            for statement in PASSING:
                self.machine.rows.execute(statement, {"alive": self._alive()})
            time.sleep(STEP_S)
        self.say(f"  {what}: after {time.monotonic() - started:.0f} s")

    def _alive(self) -> str:
        """A pattern for the names of the workers that are."""
        return "-({})-[0-9a-f]{{6}}$".format("|".join(map(str, self.machine.worker_pids())))

    def _fal_is_done(self) -> bool:
        counts = self.machine.fal_counts()
        return not (counts["IN_QUEUE"] or counts["IN_PROGRESS"] or counts["webhooks_owed"])

    def _deliver_late(self) -> None:
        """fal.ai calls at last about what we have given up: its result is the person's all the same."""
        closed = self.machine.rows.execute(
            "select id::text as job from public.generation_jobs where error_type = 'submit_unconfirmed'"
        ).fetchall()
        unheard = {row["job"] for row in closed}
        for request in accepted(self.machine.state / "fal"):
            if request.job in unheard:
                answer = self.machine.fal("deliver", {"request_id": request.request_id}).json()
                if answer.get("status_code") == 200:
                    self.happened["heard of after that"] += 1
                else:
                    self.left.append(f"a late call about job {request.job} was answered {answer}")
