"""The two keys that the simulated account has, and what a caller without them is told."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse


@dataclass(frozen=True, slots=True)
class Keys:
    """`ordinary` and `admin` have fal's shape, `id:secret`; both belong to the same account."""

    ordinary: str
    admin: str

    def given(self, request: Request) -> str | None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        return key.strip() if scheme.lower() == "key" and key else None

    def refusal(self, request: Request) -> JSONResponse | None:
        """The 401 of the queue and the storage API, or None when the key is good."""
        key = self.given(request)
        if key in (self.ordinary, self.admin):
            return None
        missing = "Authentication is required to access this application."
        detail = missing if key is None else "No user found for Key ID and Secret"
        return JSONResponse({"detail": detail}, 401)

    def platform_refusal(self, request: Request, *, admin: bool) -> JSONResponse | None:
        """The 401 or 403 of the platform API, or None."""
        key = self.given(request)
        if key not in (self.ordinary, self.admin):
            return platform_error(401, "authorization_error", "Authentication required")
        if admin and key != self.admin:
            return platform_error(403, "authorization_error", "This operation requires an API key with ADMIN scope")
        return None


def platform_error(status: int, error_type: str, message: str) -> JSONResponse:
    return JSONResponse({"error": {"type": error_type, "message": message}}, status)
