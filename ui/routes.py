"""The routes beside Streamlit: sign in, sign up, sign out, forgotten password, checkout, and the files in static/.

Every form here ends in a 303 to a path of our own. What went wrong travels as a short code, never as text. Where the
links in mails lead is in `ui/mailed_links.py`.
"""

from contextlib import suppress
from pathlib import Path
from time import monotonic
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from core import sessions
from core.errors import AtelierError
from ui import checkout_routes, mailed_links, web

STATIC = Path(__file__).resolve().parent.parent / "static"


def _back(request: Request, form: dict[str, str], *, view: str = "", error: str = "", notice: str = "") -> Response:
    """To the sign-in page with a code for what happened, the email as typed and the page that was wanted."""
    target = web.local_path(form.get("next"))
    fields = {"view": view, "error": error, "notice": notice, "next": "" if target == "/" else target}
    query = urlencode({name: value for name, value in fields.items() if value})
    response = web.redirect(f"/?{query}" if query else "/")
    web.remember_email(response, request, form.get("email", ""))
    return response


async def login(request: Request) -> Response:
    """Open a session of its own for this browser; the one that it had before ends."""
    form, started = await web.read_form(request), monotonic()
    try:
        signed_in = await run_in_threadpool(
            sessions.sign_in,
            form.get("email", "").strip(),
            form.get("password", ""),
            address=web.address_of(request),
            user_agent=request.headers.get("user-agent", ""),
        )
    except AtelierError as error:
        await web.even_out(started)
        return _back(request, form, error=error.code)
    with suppress(AtelierError):  # then it ends when its time is over
        await run_in_threadpool(sessions.sign_out, web.session_cookie(request.cookies))
    response = web.redirect(web.local_path(form.get("next")))
    web.set_session(response, request, signed_in)
    return response


async def signup(request: Request) -> Response:
    """Make the account. It is not signed in to at once: that would tell whether the email had one before."""
    form, started = await web.read_form(request), monotonic()
    try:
        await run_in_threadpool(
            sessions.sign_up,
            form.get("email", "").strip(),
            form.get("password", ""),
            form.get("full_name", "").strip(),
            address=web.address_of(request),
        )
    except AtelierError as error:
        await web.even_out(started)
        return _back(request, form, view="signup", error=error.code)
    await web.even_out(started)
    return _back(request, form, notice="signed_up")


async def forgot(request: Request) -> Response:
    """Always the same answer, so that nobody learns who has an account."""
    form, started = await web.read_form(request), monotonic()
    email, address = form.get("email", "").strip(), web.address_of(request)
    try:
        await run_in_threadpool(sessions.request_password_reset, email, address=address)
    except AtelierError as error:
        await web.even_out(started)
        return _back(request, form, view="forgot", error=error.code)
    await web.even_out(started)
    return _back(request, form, notice="reset_sent")


async def logout(request: Request) -> Response:
    """The browser forgets the session whatever happens; the database forgets it too when it can be reached."""
    cookie = web.session_cookie(request.cookies)
    try:
        await run_in_threadpool(sessions.sign_out, cookie)
        response = web.redirect("/")
    except AtelierError as error:
        response = web.redirect("/?" + urlencode({"error": error.code}))
    web.clear_session(response, request)
    return response


async def start(request: Request) -> Response:
    """Generate is the start page and has no address of its own; who types one gets there all the same."""
    return web.redirect(f"/?{request.url.query}" if request.url.query else "/")


ROUTES: tuple[BaseRoute, ...] = (
    Route("/session/login", web.same_site_only(login), methods=["POST"]),
    Route("/session/signup", web.same_site_only(signup), methods=["POST"]),
    Route("/session/forgot", web.same_site_only(forgot), methods=["POST"]),
    Route("/session/logout", web.same_site_only(logout), methods=["POST"]),
    *mailed_links.ROUTES,
    *checkout_routes.ROUTES,
    Route("/generate", start, methods=["GET"]),
    Mount("/app/static", StaticFiles(directory=STATIC)),
)
