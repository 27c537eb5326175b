"""Where the links in mails lead: two pages of our own with one form each, for a new password and a confirmed address.

Opening a page changes nothing, for scanners of mail open links, too; its button does. The token of the link is in the
address and in the form, and nowhere else: the pages run no script, load nothing but our own files, tell nobody where
they are, and what follows them has another address. Streamlit never sees them.
"""

from contextlib import suppress
from functools import lru_cache
from html import escape
from pathlib import Path
from string import Template
from typing import Final
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from core import mailed_links, passwords, sessions
from core.errors import AtelierError, DatabaseUnavailable, SignInRefused
from ui import sentences, web

_HERE = Path(__file__).parent
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; font-src 'self'; img-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    # The origin, not the address. "no-referrer" would hide the form's origin too, by which older browsers are known.
    "Referrer-Policy": "strict-origin",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}
_AGAIN: Final = frozenset({"WEAK_PASSWORD", "LONG_PASSWORD", "SAME_PASSWORD", "MISMATCH"})  # the form once more
_PASSWORDS: Final = (
    '<label for="password">New password</label><input id="password" name="password" type="password" autofocus '
    f'autocomplete="new-password" required minlength="{passwords.SHORTEST}" maxlength="{passwords.LONGEST}" '
    f'aria-describedby="rule"><small id="rule">At least {passwords.SHORTEST} characters.</small>'
    '<label for="again">New password, once more</label><input id="again" name="again" type="password" '
    f'autocomplete="new-password" required maxlength="{passwords.LONGEST}">'
)


async def password(request: Request) -> Response:
    """GET /password?token_hash=…&type=recovery, from the mail: the form for a new password."""
    token = request.query_params.get("token_hash", "")
    if request.query_params.get("type") != "recovery" or not mailed_links.is_token(token):
        return _to_sign_in(view="forgot", error="LINK_USED")
    return _password_page({"token_hash": token})


async def set_password(request: Request) -> Response:
    """Use the link and set the password; then they sign in with it, so that a link of somebody else signs nobody in."""
    form, address = await web.read_form(request), web.address_of(request)
    kept = {"proof": form["proof"]} if form.get("proof") else {"token_hash": form.get("token_hash", "")}
    try:
        passwords.check(form.get("password", ""))  # before the link is used up
        if form["password"] != form.get("again"):
            raise SignInRefused("These two are not the same.", code="MISMATCH")
        if "proof" not in kept:
            kept = {"proof": await run_in_threadpool(mailed_links.prove, kept["token_hash"], address=address)}
        email = await run_in_threadpool(mailed_links.set_password, kept["proof"], form["password"], address=address)
    except AtelierError as error:
        if error.code in _AGAIN or isinstance(error, DatabaseUnavailable):
            return _password_page(kept, error)
        return _to_sign_in(view="forgot", error=error.code)
    return await _signed_out(request, email, "password_set")


async def confirm(request: Request) -> Response:
    """GET /confirm?token_hash=…&type=email, from the mail after signing up: one button."""
    token = request.query_params.get("token_hash", "")
    if request.query_params.get("type") not in ("email", "signup") or not mailed_links.is_token(token):
        return _to_sign_in(error="CONFIRM_USED")
    return _confirm_page(token)


async def set_confirmed(request: Request) -> Response:
    """Use the link that proves an address."""
    token = (await web.read_form(request)).get("token_hash", "")
    try:
        email = await run_in_threadpool(mailed_links.confirm, token, address=web.address_of(request))
    except DatabaseUnavailable as error:
        return _confirm_page(token, error)
    except AtelierError as error:
        return _to_sign_in(error="CONFIRM_USED" if error.code == "LINK_USED" else error.code)
    return await _signed_out(request, email, "confirmed")


async def _signed_out(request: Request, email: str, notice: str) -> Response:
    """To the sign-in page with the email filled in: signed out here, or another page would be in its place."""
    response = _to_sign_in(notice=notice)
    with suppress(AtelierError):  # then it ends when its time is over
        await run_in_threadpool(sessions.sign_out, web.session_cookie(request.cookies))
    web.clear_session(response, request)
    web.remember_email(response, request, email)
    return response


def _to_sign_in(**query: str) -> Response:
    return web.redirect("/?" + urlencode(query))


def _password_page(kept: dict[str, str], error: AtelierError | None = None) -> Response:
    return _page(
        "A new password.",
        "Setting it signs you out everywhere.",
        ("/session/password", _PASSWORDS, "Set the new password"),
        kept,
        error,
    )


def _confirm_page(token: str, error: AtelierError | None = None) -> Response:
    return _page(
        "Confirm your email.",
        "Then you can sign in to Atelier. If you did not create an account, close this page.",
        ("/session/confirm", "", "Confirm my email"),
        {"token_hash": token},
        error,
    )


def _page(
    heading: str, lead: str, form: tuple[str, str, str], kept: dict[str, str], error: AtelierError | None
) -> Response:
    """`form` is (action, HTML of the fields, button), `kept` what it carries along unseen."""
    action, fields, button = form
    problem = f'<p class="problem" role="alert">{escape(sentences.sign_in_error(error.code, ""))}</p>' if error else ""
    hidden = "".join(f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in kept.items())
    html = _template().substitute(
        heading=heading, lead=lead, problem=problem, action=action, fields=hidden + fields, button=button
    )
    status = 200 if error is None else 503 if isinstance(error, DatabaseUnavailable) else 422
    return HTMLResponse(html, status, _HEADERS)


@lru_cache(maxsize=1)
def _template() -> Template:
    style = (_HERE / "style.css").read_text(encoding="utf-8").splitlines()
    form = "\n".join(line for line in style if line.startswith(".entry"))  # drawn as on the sign-in page
    page = (_HERE / "mailed_links.html").read_text(encoding="utf-8")
    return Template(page.replace("{{form}}", form))


ROUTES: tuple[BaseRoute, ...] = (
    Route("/password", password, methods=["GET"]),
    Route("/session/password", web.same_site_only(set_password), methods=["POST"]),
    Route("/confirm", confirm, methods=["GET"]),
    Route("/session/confirm", web.same_site_only(set_confirmed), methods=["POST"]),
)
