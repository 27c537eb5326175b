"""What our own routes share: who may post, where to go next, the session cookie, headers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core import sessions
from core.settings import get_settings
from ui import policy

EMAIL_COOKIE = "atelier_email"
EVEN_SECONDS = 0.5  # longer than comparing a password takes
_EMAIL_SECONDS = 300
_FORM_BYTES = 16_384

Handler = Callable[[Request], Awaitable[Response]]


def is_cross_site(request: Request) -> bool:
    """Whether a browser says that another site made this request.

    `Sec-Fetch-Site` decides; browsers that do not send it send `Origin`, which must be this host. A request with
    neither comes from no browser, so there is no cookie of a person to abuse.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is not None and _host_of(origin) != request.headers.get("host")


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def same_site_only(handler: Handler) -> Handler:
    """Refuse cross-site posts: own routes get no such check from Streamlit."""

    async def guarded(request: Request) -> Response:
        if is_cross_site(request):
            return PlainTextResponse("This form can only be sent from Atelier itself.", status_code=403)
        return await handler(request)

    return guarded


def own_origin(request: Request) -> str:
    """This app as the browser sees it, "https://studio.example": what it says itself, for a proxy may hide it.

    Only for requests that are not cross-site: see `is_cross_site`.
    """
    origin = request.headers.get("origin") or ""
    scheme, host = origin.partition("://")[0], _host_of(origin)
    if scheme in ("http", "https") and host:
        return f"{scheme}://{host}"
    return f"{'https' if _is_secure(request) else 'http'}://{request.url.netloc}"


def local_path(target: str | None) -> str:
    """`target` when it is a path of this app, else "/". Never another host, never one of our own actions."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\", "/session/")):
        return "/"
    if not target.isprintable() or "\\" in target:
        return "/"
    try:
        parts = urlsplit(target)
    except ValueError:
        return "/"
    return "/" if parts.scheme or parts.netloc else target


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a small urlencoded form. Raises 413 when it is not small, 400 when it is not text."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _FORM_BYTES:
            raise HTTPException(413)
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=20))
    except ValueError as error:
        raise HTTPException(400) from error


def address_of(request: Request) -> str:
    """Where a request comes from. Behind a proxy the server takes it from X-Forwarded-For (docs/security.md)."""
    return request.client.host if request.client else ""


async def even_out(started: float) -> None:
    """Wait until so much time has passed since `started` that the answer's speed does not tell what was looked up:
    a password is only compared when there is an account."""
    await asyncio.sleep(max(0.0, started + EVEN_SECONDS - monotonic()))


def redirect(path: str) -> RedirectResponse:
    """303: whatever was posted, the browser goes on with GET."""
    return RedirectResponse(path, status_code=303, headers={"Cache-Control": "no-store"})


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https" or get_settings().is_production


def cookie_name(name: str = sessions.COOKIE_NAME) -> str:
    """In production with the prefix that browsers guard: only this host over https may set it, no sibling of ours."""
    return f"__Host-{name}" if get_settings().is_production else name


def session_cookie(cookies: Mapping[str, str]) -> str | None:
    """The opaque session id among a browser's cookies."""
    return cookies.get(cookie_name())


def set_session(response: Response, request: Request, signed_in: sessions.SignedIn) -> None:
    """Put the opaque session id where scripts cannot read it."""
    set_guarded(response, request, sessions.COOKIE_NAME, signed_in.cookie_value, signed_in.max_age)
    response.delete_cookie(EMAIL_COOKIE, path="/")


def clear_session(response: Response, request: Request) -> None:
    clear_guarded(response, request, sessions.COOKIE_NAME)


def set_guarded(response: Response, request: Request, name: str, value: str, seconds: int) -> None:
    """A cookie that no script reads and, in production, no sibling of this host plants."""
    response.set_cookie(
        cookie_name(name),
        value,
        max_age=seconds,
        path="/",
        httponly=True,
        samesite="lax",
        secure=_is_secure(request),
    )


def clear_guarded(response: Response, request: Request, name: str) -> None:
    """Take it away again; with the flags that it was set with, or a browser ignores this."""
    response.delete_cookie(cookie_name(name), path="/", httponly=True, samesite="lax", secure=_is_secure(request))


def remember_email(response: Response, request: Request, email: str) -> None:
    """Keep what was typed for the next try, for five minutes. Never the password."""
    response.set_cookie(
        EMAIL_COOKIE,
        quote(email[:254], safe="@."),
        max_age=_EMAIL_SECONDS,
        path="/",
        httponly=True,
        samesite="lax",
        secure=_is_secure(request),
    )


class SecurityHeaders:
    """ASGI middleware: what `ui.policy` says, on every answer that does not say it itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in policy.headers().items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers)
