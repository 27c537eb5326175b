"""Errors as Stripe answers them. Source: Stripe's API reference, "Errors"."""

from typing import Any


class ApiError(Exception):
    """Answered as `{"error": {…}}` with this status.

    `is_outcome` says that the request was well formed and Stripe had begun to do it: such an answer is remembered
    under the request's idempotency key, a refused parameter is not.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str = "",
        param: str = "",
        is_outcome: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.is_outcome = is_outcome
        self.body: dict[str, Any] = {"error": {"type": kind, "message": message}}
        self.body["error"] |= {name: value for name, value in (("code", code), ("param", param)) if value}


def missing(param: str) -> ApiError:
    return ApiError(400, f"Missing required param: {param}.", code="parameter_missing", param=param)


def unknown(param: str) -> ApiError:
    return ApiError(400, f"Received unknown parameter: {param}", code="parameter_unknown", param=param)


def invalid(message: str, param: str, code: str = "") -> ApiError:
    return ApiError(400, message, code=code, param=param)


def no_such(kind: str, object_id: str, param: str = "id") -> ApiError:
    """404, as Stripe says it for an id in the path; an id in the body that is not there is a 400 at Stripe."""
    status = 404 if param == "id" else 400
    return ApiError(status, f"No such {kind}: '{object_id}'", code="resource_missing", param=param)
