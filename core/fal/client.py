"""One way to speak to fal.ai over HTTP: our key, explicit timeouts, and one reading of what goes wrong.

Protocol: fal.ai's queue and platform API documentation. The key travels per request, never on the client, so that a
client shared with other hosts cannot leak it, and redirects are not followed.
"""

from typing import Any, Final, Literal

import httpx

from core.errors import (
    FalBusy,
    FalError,
    FalInvalidInput,
    FalLocked,
    FalNotFound,
    FalUnauthorized,
    FalUnavailable,
    FalUnclear,
    FalUnsent,
)
from core.fal.bodies import BadBody, Complaint, complaint, decode
from core.fal.reasons import lock_reason

TIMEOUT: Final = httpx.Timeout(20.0, connect=5.0, pool=5.0)
LIMITS: Final = httpx.Limits(max_connections=50, max_keepalive_connections=20, keepalive_expiry=5.0)
# A submit that ends like this never reached fal.ai: no connection, or no free one in our own pool.
NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

Purpose = Literal["submit", "read"]


def new_http() -> httpx.Client:
    """A pooled client; safe to share between threads."""
    return httpx.Client(timeout=TIMEOUT, limits=LIMITS, follow_redirects=False)


def authorization(key: str, name: str = "FAL_KEY") -> dict[str, str]:
    """The header that proves who we are. Raises FalUnauthorized when there is no key to send."""
    if not key:
        raise FalUnauthorized(f"{name} is not set, so fal.ai cannot be asked. Nothing was charged. Ask an admin.")
    return {"Authorization": f"Key {key}"}


def send(http: httpx.Client, request: httpx.Request, purpose: Purpose) -> httpx.Response:
    """The response, read to its end. Raises FalUnsent or FalUnclear for a submit, FalUnavailable for a question.

    Sends once: whether to ask again is for the caller to decide, and a submit must never be sent twice.
    """
    try:
        return http.send(request, follow_redirects=False)
    except NEVER_SENT as error:
        if purpose == "submit":
            raise FalUnsent(
                "fal.ai could not be reached. Nothing was sent or charged.", error_type="unreachable"
            ) from error
        raise unavailable(f"no connection ({type(error).__name__})") from error
    except (httpx.HTTPError, httpx.StreamError) as error:
        if purpose == "submit":
            raise unclear(type(error).__name__) from error
        raise unavailable(type(error).__name__) from error


def read_json(response: httpx.Response, *, exact: bool = False) -> Any:
    """The JSON body, or None when there is none that can be read."""
    try:
        return decode(response.content, exact=exact)
    except BadBody:
        return None


def complaint_of(response: httpx.Response) -> Complaint:
    """What fal.ai complains of, from body and header."""
    return complaint(read_json(response), response.headers.get("x-fal-error-type", ""))


def refusal(response: httpx.Response, purpose: Purpose) -> FalError:
    """The error that a status other than 2xx means, with fal.ai's own words as its sentence: `plain_words` makes them
    presentable. One mapping for all calls."""
    status, said = response.status_code, complaint_of(response)
    if status == 401 or (status == 403 and said.error_type == "authorization_error"):
        return FalUnauthorized(said.reason or "fal.ai did not accept the key.", status=status, error_type="bad_key")
    if status == 403:
        return FalLocked(lock_reason(said.reason), status=status, error_type="account_locked")
    if status == 404:
        return FalNotFound(said.reason or "fal.ai does not know this.", status=status, error_type="not_found")
    if status == 429:
        return FalBusy(said.reason or "fal.ai is busy.", status=status, error_type=said.error_type or "busy")
    # 408 and 499 say that the connection broke on the way: what fal.ai had read by then, nobody knows.
    if 400 <= status < 500 and not (purpose == "submit" and status in (408, 499)):
        reason = said.reason or f"fal.ai refused this with HTTP {status} and gave no reason."
        return FalInvalidInput(reason, status=status, error_type=said.error_type or "invalid_input")
    what = f"HTTP {status} {said.reason}".strip()
    if purpose == "submit":
        return unclear(what, status=status, error_type=said.error_type)
    return unavailable(what, status=status, error_type=said.error_type)


def unclear(what: str, *, status: int | None = None, error_type: str = "") -> FalUnclear:
    """The error for a call that may or may not have taken effect; `what` is for logs and admins."""
    sentence = f"fal.ai did not confirm this clearly ({what}). It may be running, so it is never sent again."
    return FalUnclear(sentence, status=status, error_type=error_type, detail={"what": what})


def unavailable(what: str, *, status: int | None = None, error_type: str = "") -> FalUnavailable:
    """The error for a question without a usable answer; `what` is for logs and admins."""
    sentence = f"fal.ai did not give a usable answer ({what}). Nothing is lost; it can be asked again."
    return FalUnavailable(sentence, status=status, error_type=error_type, detail={"what": what})
