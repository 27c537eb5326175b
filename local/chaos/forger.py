"""Calls that fal.ai never made, or not about this, or not now, or not for us: none of them may change anything."""

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from core.sealing import token_for
from local.chaos.machine import Machine

NO_ANSWER = {None, 503}  # the companion, or its database, is away at the moment


@dataclass
class Forger:
    """Sends one wicked call at a time; `believed` lists those that were answered as if they were good."""

    machine: Machine
    seed: int
    sent: "Counter[str]" = field(default_factory=Counter)
    believed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rng = random.Random(f"forger/{self.seed}")

    def tick(self) -> None:
        """One wicked call about some job that fal.ai has finished."""
        pair = self.machine.rows.execute(
            "select id::text as job, fal_request_id as request from public.generation_jobs"
            " where fal_request_id is not null order by md5(id::text || %s) limit 2",
            (str(self._rng.random()),),
        ).fetchall()
        if len(pair) == 2:
            kind = self._rng.choice(("forged", "stale", "future", "account", "request", "token"))
            self._send(kind, pair[0]["job"], pair[0]["request"], pair[1]["job"])

    def _send(self, kind: str, job: str, request: str, other: str) -> None:
        half = self._rng.randrange(2)
        base = self.machine.environments[half]["PUBLIC_URL"] + "/webhooks/fal"
        address = f"{base}?job={job}&token={token_for(job)}"
        now, lag = int(time.time()), 305 + self._rng.randrange(10_000)
        wicked: dict[str, dict[str, Any]] = {
            "forged": {"url": address, "forged": True},
            "stale": {"url": address, "timestamp": now - lag},
            "future": {"url": address, "timestamp": now + lag},
            "account": {"url": address, "user_id": f"somebody-else|{uuid4().hex}"},
            "request": {"url": f"{base}?job={other}&token={token_for(other)}"},
            "token": {"url": f"{base}?job={job}&token={token_for(other)}"},
        }
        if kind == "account" and not self._account_is_known():
            return
        answer = self.machine.fal("deliver", {"request_id": request, **wicked[kind]})
        if answer.status_code != 200:
            return  # fal.ai has not finished it: there is nothing to tell yet
        status = answer.json()["status_code"]
        self.sent[kind] += 1
        if status != 401 and status not in NO_ANSWER:
            self.believed.append(f"{kind} call about job {job} was answered {status}")

    def _account_is_known(self) -> bool:
        """Until a first good call has told our account at fal.ai, another one cannot be told from it."""
        row = self.machine.rows.execute(
            "select account_id is not null as known from private.provider_state where provider = 'fal'"
        ).fetchone()
        return bool(row and row["known"])
