"""A queue of fal.ai that answers what a test says, and its usual answers."""

from typing import Any

import httpx

from core.fal.queue import FalQueue
from tests.unit.fal_doubles import SETTINGS, Answer, Wire, reply

HOME = "https://queue.fal.run/fal-ai/flux/requests/r-1"
LOCKED = "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing."
TRANSPORT_ERRORS: list[Answer] = [
    httpx.ReadTimeout("slow"),
    httpx.WriteTimeout("slow"),
    httpx.ReadError("reset"),
    httpx.WriteError("reset"),
    httpx.RemoteProtocolError("disconnected"),
    httpx.DecodingError("garbled"),
]
NEVER_SENT: list[Answer] = [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow"), httpx.PoolTimeout("full")]


def queue(*answers: Answer) -> tuple[FalQueue, Wire]:
    wire = Wire(*answers)
    return FalQueue(SETTINGS, wire.http), wire


def status(body: Any, code: int = 202) -> Any:
    fal, wire = queue(reply(code, body))
    answer = fal.status(f"{HOME}/status")
    assert wire.requests[0].url.params["logs"] == "1"
    return answer
