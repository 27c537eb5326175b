"""What must be true afterwards: our books against themselves, against what people asked for, and against fal.ai's."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import httpx

from core.database import get_database
from local.chaos.evidence import Accepted, accepted
from local.chaos.forger import Forger
from local.chaos.machine import Machine
from local.chaos.orders import Order
from local.fal.webhooks import ACCOUNT_USER_ID

SAMPLE = 40  # files that are compared byte by byte
BROKEN = {"task_failed", "worker_stumbled"}  # events of the log that no fault explains


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be true: how many cases were looked at, and those in which it is not, in words."""

    name: str
    cases: int
    violations: tuple[str, ...]


class Inquiry:
    """Everything that the checks look at, read once."""

    def __init__(self, machine: Machine, orders: Sequence[Order], forger: Forger) -> None:
        self.machine, self.orders, self.forger = machine, orders, forger
        self.requests: list[Accepted] = accepted(machine.state / "fal")
        self.by_job = {request.job: request for request in self.requests}
        self.jobs = {row["id"]: row for row in self._rows("select *, id::text as id from public.generation_jobs")}
        self.outputs: dict[str, list[dict[str, Any]]] = {}
        for output in self._rows("select *, job_id::text as job_id from public.job_outputs order by position"):
            self.outputs.setdefault(output["job_id"], []).append(output)

    def checks(self) -> list[Check]:
        return [
            self._check("every job that was asked for is there", len(self.orders), self._all_there()),
            self._check("every job has ended, once, with one movement of its credits", len(self.jobs), self._ended()),
            self._check("no job was sent to fal.ai twice", len(self.requests), self._sent_twice()),
            self._check("what fal.ai lists was found", self._unclear(), self._not_found()),
            self._check("every paid-for output is there and copied", self._paid(), self._outputs()),
            self._check("the copies are fal.ai's files, byte by byte", SAMPLE, self._bytes()),
            self._check("what we count as spent is what fal.ai has charged", self._paid(), self._spend()),
            self._check("nobody's credits are lost or made", len(self._balances()), self._credits()),
            self._check("forged calls changed nothing", self._forged(), self._believed()),
            self._check("the inbox has no call that failed", self._events(), self._inbox()),
            self._check("audit_books() is empty", 1, self._audit()),
            self._check("no error that a fault does not explain", 1, self._errors()),
        ]

    def ends(self) -> "Counter[str]":
        """How the jobs ended, and who brought the verdict."""
        ends = Counter(
            f"jobs {job['status']}{' and delivered late' if job['is_late'] else ''}, by {job['verdict_source']}"
            for job in self.jobs.values()
        )
        ends["jobs tried once more by themselves"] = sum(job["is_automatic_retry"] for job in self.jobs.values())
        return ends

    def _check(self, name: str, cases: int, violations: Iterator[str]) -> Check:
        return Check(name, cases, tuple(violations))

    def _rows(self, query: LiteralString) -> list[dict[str, Any]]:
        return self.machine.rows.execute(query).fetchall()

    def _all_there(self) -> Iterator[str]:
        for order in self.orders:
            if order.job_id not in self.jobs:
                yield f"job {order.job_id} is not there"

    def _ended(self) -> Iterator[str]:
        ends = Counter(
            row["job_id"]
            for row in self._rows("select job_id::text as job_id from public.generation_logs where ended = 1")
        )
        moves: dict[str, list[str]] = {}
        for row in self._rows(
            "select job_id::text as job_id, kind from public.credit_entries where job_id is not null order by id"
        ):
            moves.setdefault(row["job_id"], []).append(row["kind"])
        for job_id, job in self.jobs.items():
            expected = ["hold", "capture" if job["status"] == "completed" else "release"]
            if job["completed_at"] is None or ends[job_id] != 1 or moves.get(job_id) != expected:
                yield f"job {job_id} is {job['status']}, ended {ends[job_id]} times, moved {moves.get(job_id)}"

    def _sent_twice(self) -> Iterator[str]:
        for job_id, count in Counter(request.job for request in self.requests).items():
            if count > 1:
                yield f"job {job_id} was sent {count} times"
        for request in self.requests:
            job = self.jobs.get(request.job)
            if job is None:
                yield f"request {request.request_id} belongs to no job of ours"
            elif job["fal_request_id"] not in (None, request.request_id):
                yield f"job {request.job} says {job['fal_request_id']} and fal.ai {request.request_id}"

    def _unclear(self) -> int:
        return len(self._rows("select from public.generation_logs where event = 'unclear'"))

    def _not_found(self) -> Iterator[str]:
        """A job was closed though its request stood in the list, and nobody else had lost one like it."""
        closed = {job_id: job for job_id, job in self.jobs.items() if job["error_type"] == "submit_unconfirmed"}
        alike = Counter((job["generation_type"], job["prompt"]) for job in closed.values())
        for request in self.requests:
            job = closed.get(request.job)
            if job and request.is_listed and alike[job["generation_type"], job["prompt"]] == 1:
                yield f"job {request.job} was closed, and request {request.request_id} is in the list"

    def _paid(self) -> int:
        return sum(bool(request.charged_usd) for request in self.requests)

    def _outputs(self) -> Iterator[str]:
        stored = {row["name"] for row in self._rows("select name from storage.objects where bucket_id = 'media'")}
        for request in self.requests:
            if not request.charged_usd:
                continue
            job, outputs = self.jobs[request.job], self.outputs.get(request.job, [])
            if len(outputs) != request.files or not (job["status"] == "completed" or job["is_late"]):
                yield f"job {request.job} ({job['status']}) has {len(outputs)} of {request.files} files"
            for output in outputs:
                if output["mirrored_at"] is None or output["storage_path"] not in stored:
                    yield f"job {request.job}: file {output['position']} is not copied: {output['mirror_error']}"
        for job_id, outputs in self.outputs.items():
            if job_id not in self.by_job or len(outputs) > self.by_job[job_id].files:
                yield f"job {job_id} has files that fal.ai did not make"

    def _bytes(self) -> Iterator[str]:
        copied = [output for outputs in self.outputs.values() for output in outputs if output["storage_path"]]
        for output in copied[:: max(1, len(copied) // SAMPLE)]:
            original = httpx.get(output["source_url"], timeout=30).content
            if get_database().storage().download(output["storage_path"]) != original:
                yield f"{output['storage_path']} differs from what fal.ai has"

    def _spend(self) -> Iterator[str]:
        for request in self.requests:
            job = self.jobs.get(request.job)
            if request.charged_usd and job and job["spent_usd"] != request.charged_usd:
                yield f"job {request.job}: fal.ai charged ${request.charged_usd}, we count ${job['spent_usd']}"
        for job_id, job in self.jobs.items():
            if job["spent_usd"] and job["status"] == "completed" and not self.by_job[job_id].charged_usd:
                yield f"job {job_id}: we count ${job['spent_usd']}, fal.ai charged nothing"

    def _balances(self) -> list[dict[str, Any]]:
        return self._rows(
            "select a.user_id, a.available, a.held, coalesce(sum(j.credits_charged), 0)::int as charged,"
            " (select sum(e.amount) from public.credit_entries e where e.user_id = a.user_id"
            "  and e.kind in ('welcome', 'grant'))::int as given"
            " from public.credit_accounts a left join public.generation_jobs j using (user_id) group by a.user_id"
        )

    def _credits(self) -> Iterator[str]:
        for account in self._balances():
            given = account["given"] or 0
            if account["held"] or account["available"] != given - account["charged"]:
                yield f"{account['user_id']}: given {given}, charged {account['charged']}, has {account['available']}"

    def _forged(self) -> int:
        return sum(self.forger.sent.values()) + sum(request.forged for request in self.requests)

    def _believed(self) -> Iterator[str]:
        yield from self.forger.believed
        known = {request.request_id: request.job for request in self.requests}
        for event in self._rows("select headers, job_id::text as job_id from public.webhook_events"):
            told = event["headers"]
            if told["user_id"] != ACCOUNT_USER_ID or known.get(told["request_id"]) != event["job_id"]:
                yield f"a call about request {told['request_id']} by {told['user_id']} is in the inbox"

    def _events(self) -> int:
        return len(self._rows("select from public.webhook_events"))

    def _inbox(self) -> Iterator[str]:
        for event in self._rows("select * from public.webhook_events where status <> 'processed'"):
            yield f"event {event['event_key']} is {event['status']}: {event['error'] or event['result']}"

    def _audit(self) -> Iterator[str]:
        for row in self._rows("select * from public.audit_books()"):
            yield f"{row['rule']}: {row['subject']}: {row['problem']}"

    def _errors(self) -> Iterator[str]:
        folders = (self.machine.state / "logs", self.machine.state / "second" / "logs")
        for log in (log for folder in folders for log in folder.glob("companion*.log")):
            yield from unexplained(log)


def unexplained(log: Path) -> Iterator[str]:
    """What a companion wrote down that must never happen, whatever goes wrong outside."""
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        if not line.startswith("{"):
            if "Traceback" in line:
                yield f"{log.name}: a traceback that is no event"
            continue
        try:
            event = json.loads(line)
        except ValueError:
            continue  # cut off in the middle by SIGKILL
        if event.get("event") in BROKEN:
            yield f"{log.name}: {event['event']} {event.get('task', '')}: {str(event.get('traceback'))[-200:]}"
