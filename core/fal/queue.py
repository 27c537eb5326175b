"""fal.ai's queue: submit, status, result, cancel. Protocol: fal.ai's documentation, "Queue".

A submit is sent once. fal.ai has no idempotency key, so a repeated POST can be a second paid job.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

import httpx

from core.errors import FalInvalidInput
from core.fal.bodies import plain
from core.fal.client import authorization, complaint_of, new_http, read_json, refusal, send, unavailable, unclear
from core.fal.progress import read_progress
from core.settings import Settings

State = Literal["queued", "running", "completed"]
CancelAnswer = Literal["requested", "already_completed", "not_found", "dropped"]

_STATES: Final[dict[str, State]] = {"IN_QUEUE": "queued", "IN_PROGRESS": "running", "COMPLETED": "completed"}
_ENDPOINT = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*)+", re.ASCII)
_REQUEST_ID = re.compile(r"[\w.:-]{1,200}", re.ASCII)
_UNITS = re.compile(r"\d{1,9}(?:\.\d{1,18})?(?:[eE]-?\d{1,2})?", re.ASCII)
_STILL_RUNNING = re.compile(r"still (in progress|running|processing|in queue)|not (yet )?(completed|finished)", re.I)


@dataclass(frozen=True, slots=True)
class Submitted:
    """fal.ai has the job. The addresses are to be followed as they are; `queue_position` 0 is next."""

    request_id: str
    response_url: str
    status_url: str
    cancel_url: str
    queue_position: int | None


@dataclass(frozen=True, slots=True)
class Status:
    """Where a job is. fal.ai has no FAILED: a failed job is completed, with `error` or with a result that says so.

    An unknown status name counts as running; `raw_status` keeps what fal.ai said.
    """

    state: State
    queue_position: int | None
    message: str | None
    progress: Decimal | None  # 0 to 1
    error: str
    error_type: str
    raw_status: str


@dataclass(frozen=True, slots=True)
class Result:
    """What the model answered, replayed. `billable_units` is in fal.ai's price unit and is only told here."""

    ok: bool
    status_code: int
    payload: dict[str, Any] | None
    billable_units: Decimal | None
    error_type: str = ""
    error_message: str = ""
    still_running: bool = False
    expired: bool = False


class FalQueue:
    """The queue of the account that FAL_KEY belongs to. Safe to share between threads."""

    def __init__(self, settings: Settings, http: httpx.Client | None = None) -> None:
        self._key = settings.fal_key
        self._base = httpx.URL(settings.fal_queue_url)
        self._http = http or new_http()

    def submit(
        self,
        endpoint: str,
        arguments: Mapping[str, Any],
        *,
        webhook_url: str | None,
        start_timeout_s: int | None = None,
    ) -> Submitted:
        """Sends one job. `start_timeout_s` is the time until it must have *started*, after which fal.ai drops it.

        Raises FalRefused (nothing was queued), FalBusy or FalUnsent (nothing was queued, send again later), or
        FalUnclear (it may have been accepted: never send it again).
        """
        if not _ENDPOINT.fullmatch(endpoint):
            raise FalInvalidInput(
                f"{plain(endpoint, 80)!r} is not the name of a model at fal.ai.", error_type="bad_request"
            )
        headers = authorization(self._key)
        # What was priced is what runs: no equivalent model in its place.
        headers["x-app-fal-disable-fallback"] = "true"
        if start_timeout_s is not None:
            headers["X-Fal-Request-Timeout"] = str(start_timeout_s)
        request = self._http.build_request(
            "POST",
            f"{self._base}/{endpoint}",
            params={"fal_webhook": webhook_url} if webhook_url else None,
            json=dict(arguments),
            headers=headers,
        )
        response = send(self._http, request, "submit")
        if not response.is_success:
            raise refusal(response, "submit")
        return self._submitted(endpoint, read_json(response), response.status_code)

    def status(self, status_url: str) -> Status:
        """Asks how a job is doing. Raises FalError; FalUnavailable when there was no usable answer."""
        response = self._call("GET", status_url, {"logs": "1"})
        body = read_json(response) if response.is_success else None
        if not isinstance(body, dict) or not isinstance(body.get("status"), str):
            raise unavailable("no status") if response.is_success else refusal(response, "read")
        raw = body["status"]
        progress = read_progress(body.get("logs"))
        error = body.get("error")
        return Status(
            state=_STATES.get(raw, "running"),
            queue_position=_position(body.get("queue_position")),
            message=progress.message,
            progress=progress.share,
            error=plain(error) or ("failed" if error else ""),
            error_type=plain(body.get("error_type"), 80),
            raw_status=plain(raw, 80),
        )

    def result(self, response_url: str) -> Result:
        """Fetches the result, good or bad, of a completed job.

        Only the model's own answer counts as a failure here. A 5xx in the platform's shape raises FalUnavailable: a job
        that failed in the infrastructure says so in its status, so this can only be trouble with the asking, and a
        failure would give the credits back for work that is done.
        """
        response = self._call("GET", response_url)
        status, units = response.status_code, _units(response.headers.get("x-fal-billable-units"))
        if response.is_success:
            body = read_json(response)
            if status == 202 or (isinstance(body, dict) and body.get("status") in ("IN_QUEUE", "IN_PROGRESS")):
                return Result(False, status, None, None, still_running=True)
            if not isinstance(body, dict):
                raise unavailable("a result that is no JSON object")
            return Result(True, status, body, units)
        said = complaint_of(response)
        if status == 400 and _STILL_RUNNING.search(said.reason):
            return Result(False, status, None, None, still_running=True)
        if said.by_model:
            return Result(False, status, None, units, said.error_type, said.reason)
        if status == 404:
            return Result(False, status, None, None, "result_expired", said.reason, expired=True)
        error = refusal(response, "read")
        if isinstance(error, FalInvalidInput):
            return Result(False, status, None, units, said.error_type, said.reason)
        raise error

    def cancel(self, cancel_url: str) -> CancelAnswer:
        """Asks for a job to be dropped. "requested" is only that: a running job may still complete and be billed."""
        response = self._call("PUT", cancel_url)
        body = read_json(response)
        word = str(body.get("status", "")).upper() if isinstance(body, dict) else ""
        if word == "ALREADY_COMPLETED":
            return "already_completed"
        if word == "NOT_FOUND" or response.status_code == 404:
            return "not_found"
        if word == "OK" and response.is_success:
            return "dropped"
        if response.is_success:
            return "requested"
        raise refusal(response, "read")

    def _call(self, method: str, url: str, params: dict[str, str] | None = None) -> httpx.Response:
        target = self._at_home(url)
        if target is None:
            raise unavailable("an address that is not fal.ai's queue: the key is not sent there")
        target = target.copy_merge_params(params) if params else target
        return send(self._http, self._http.build_request(method, target, headers=authorization(self._key)), "read")

    def _at_home(self, url: Any) -> httpx.URL | None:
        """The address, if it is on the configured queue host; our key goes nowhere else."""
        try:
            target = httpx.URL(url) if isinstance(url, str) and len(url) <= 2000 else None
        except (httpx.InvalidURL, ValueError, UnicodeError):
            return None
        if target is None or target.userinfo or _origin(target) != _origin(self._base):
            return None
        return target if target.path.startswith(self._base.path.rstrip("/") + "/") else None

    def _submitted(self, endpoint: str, body: Any, status: int) -> Submitted:
        request_id = body.get("request_id") if isinstance(body, dict) else None
        if not isinstance(body, dict) or not isinstance(request_id, str) or not _REQUEST_ID.fullmatch(request_id):
            raise unclear("accepted without a request id", status=status)
        # The addresses leave out the subpath of the endpoint: fal-ai/flux/dev answers at fal-ai/flux. They are rebuilt
        # in that form should fal.ai send none, or ones on another host: the job is paid for and must be followed.
        home = f"{self._base}/{'/'.join(endpoint.split('/')[:2])}/requests/{request_id}"
        urls = {"response_url": home, "status_url": f"{home}/status", "cancel_url": f"{home}/cancel"}
        kept = {name: body[name] if self._at_home(body.get(name)) else built for name, built in urls.items()}
        return Submitted(request_id, **kept, queue_position=_position(body.get("queue_position")))


def _origin(url: httpx.URL) -> tuple[str, bytes, int | None]:
    return url.scheme, url.raw_host, url.port or {"http": 80, "https": 443}.get(url.scheme)


def _position(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else None


def _units(header: str | None) -> Decimal | None:
    """`X-Fal-Billable-Units`: a decimal that may have a fraction; None when it is absent or makes no sense."""
    text = (header or "").strip()
    return Decimal(text) if _UNITS.fullmatch(text) else None
