"""What must be true after the load: everything that was acknowledged is there, once, and the books agree."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.load.finished import Finished
from bench.load.storm import Told
from bench.studio import Studio
from local.chaos.checks import Check, unexplained
from local.chaos.evidence import Accepted, accepted
from local.fal.webhooks import ACCOUNT_USER_ID

_JOBS = """
select j.id::text as id, j.status, j.is_late, j.spent_usd, j.cost_source, j.cost_due_at,
       coalesce((select sum(l.ended) from public.generation_logs l where l.job_id = j.id), 0)::int as ended,
       (select array_agg(e.kind order by e.id) from public.credit_entries e where e.job_id = j.id) as moves
from public.generation_jobs j where j.created_at >= %s
"""
_OUTPUTS = """
select o.job_id::text as job_id, o.mirrored_at, o.mirror_due_at, o.mirror_error
from public.job_outputs o join public.generation_jobs j on j.id = o.job_id where j.created_at >= %s
"""
_EVENTS = """
select e.event_key, e.status, e.error, e.headers, e.job_id::text as job_id
from public.webhook_events e where e.received_at >= %s
"""


class Inquiry:
    """Everything that the checks look at, read once. `begun` is when the first job of the load was made."""

    def __init__(self, studio: Studio, begun: datetime, verdicts: Sequence[Finished], told: Told) -> None:
        self.studio, self.verdicts, self.told = studio, verdicts, told
        self.requests: list[Accepted] = accepted(studio.directory / "fal")
        with studio.sql() as sql:
            self.jobs = {row["id"]: row for row in sql.execute(_JOBS, (begun,)).fetchall()}
            self.events = {row["event_key"]: row for row in sql.execute(_EVENTS, (begun,)).fetchall()}
            self.audit = sql.execute("select * from public.audit_books()").fetchall()
            self.outputs: dict[str, list[dict[str, Any]]] = {}
            for row in sql.execute(_OUTPUTS, (begun,)).fetchall():
                self.outputs.setdefault(row["job_id"], []).append(row)

    def checks(self) -> list[Check]:
        charged = sum(bool(request.charged_usd) for request in self.requests)
        return [
            _check("every call was acknowledged in the end", len(self.verdicts), self._unacknowledged()),
            _check("every acknowledged call is stored", len(self.told.acknowledged), self._not_stored()),
            _check("every job has ended, once, with one movement of its credits", len(self.jobs), self._ended()),
            _check("no job was sent to fal.ai twice", len(self.requests), self._sent_twice()),
            _check("every paid-for output is there, copied or about to be", charged, self._missing()),
            _check("what we count as spent is what fal.ai has charged", charged, self._spend()),
            _check("wicked calls changed nothing", self._wicked(), self._believed()),
            _check("the inbox has no call that failed", len(self.events), self._failed()),
            _check("audit_books() is empty", 1, (str(row) for row in self.audit)),
            _check("nothing broke in the companion", 1, unexplained(self.studio.directory / "companion.log")),
            _check("nothing broke in the app", 1, _tracebacks(self.studio.directory / "app.log")),
        ]

    @property
    def uncopied(self) -> int:
        return sum(output["mirrored_at"] is None for outputs in self.outputs.values() for output in outputs)

    @property
    def costs_to_read(self) -> int:
        return sum(job["cost_due_at"] is not None for job in self.jobs.values())

    def ends(self) -> "Counter[str]":
        return Counter(f"{job['status']}{', late' if job['is_late'] else ''}" for job in self.jobs.values())

    def _unacknowledged(self) -> Iterator[str]:
        for verdict in self.verdicts:
            if verdict.job not in self.told.acknowledged:
                yield f"the call about job {verdict.job} was never acknowledged"

    def _not_stored(self) -> Iterator[str]:
        for verdict in self.verdicts:
            event = self.events.get(f"fal:{verdict.request}:OK")
            if verdict.job in self.told.acknowledged and (event is None or event["job_id"] != verdict.job):
                yield f"the call about job {verdict.job} was acknowledged and is not stored"

    def _ended(self) -> Iterator[str]:
        for job_id, job in self.jobs.items():
            moves = ["hold", "capture" if job["status"] == "completed" else "release"]
            if job["ended"] != 1 or job["moves"] != moves:
                yield f"job {job_id} is {job['status']}, ended {job['ended']} times, moved {job['moves']}"

    def _sent_twice(self) -> Iterator[str]:
        for job_id, times in Counter(request.job for request in self.requests).items():
            if times > 1 or job_id not in self.jobs:
                yield f"job {job_id} was sent {times} times" if job_id in self.jobs else f"there is no job {job_id}"

    def _missing(self) -> Iterator[str]:
        for request in self.requests:
            if not request.charged_usd or request.job not in self.jobs:
                continue
            job, outputs = self.jobs[request.job], self.outputs.get(request.job, [])
            if len(outputs) != request.files or not (job["status"] == "completed" or job["is_late"]):
                yield f"job {request.job} ({job['status']}) has {len(outputs)} of {request.files} files"
            for output in outputs:
                if output["mirrored_at"] is None and output["mirror_due_at"] is None:
                    yield f"job {request.job}: a file is given up: {output['mirror_error']}"

    def _spend(self) -> Iterator[str]:
        for request in self.requests:
            job = self.jobs.get(request.job)
            if request.charged_usd and job and job["spent_usd"] != request.charged_usd and job["cost_due_at"] is None:
                yield f"job {request.job}: fal.ai charged ${request.charged_usd}, we count ${job['spent_usd']}"

    def _wicked(self) -> int:
        return sum(n for (kind, _), n in self.told.every.items() if kind not in ("verdict", "repeat"))

    def _believed(self) -> Iterator[str]:
        if self.told.believed:
            yield f"{self.told.believed} wicked calls were not refused: {dict(self.told.every)}"
        known = {f"fal:{request.request_id}": request.job for request in self.requests}
        for key, event in self.events.items():
            if event["headers"]["user_id"] != ACCOUNT_USER_ID or known.get(key.rpartition(":")[0]) != event["job_id"]:
                yield f"event {key} is none of ours"

    def _failed(self) -> Iterator[str]:
        for key, event in self.events.items():
            if event["status"] != "processed":
                yield f"event {key} is {event['status']}: {event['error']}"


def _check(name: str, cases: int, violations: Iterator[str]) -> Check:
    return Check(name, cases, tuple(violations))


def _tracebacks(log: Path) -> Iterator[str]:
    for number, line in enumerate(log.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if "Traceback" in line:
            yield f"{log.name}:{number}: {line[:200]}"
