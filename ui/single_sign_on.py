"""The two routes of single sign-on, which are there only when it is set up: to the provider, and back from it."""

from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core import sessions, single_sign_on
from core.errors import AtelierError
from core.settings import Settings
from ui import web

START = "/session/sso"
CALLBACK = "/session/sso/callback"  # registered at the provider, so it stays
_COOKIE = "atelier_sso"
_LONGEST = 1000  # characters of a path with its query


def start_address(target: str) -> str:
    """Where the button leads; `target` is the page of ours that is wanted in the end."""
    return START if target == "/" else f"{START}?{urlencode({'next': target})}"


async def start(request: Request) -> Response:
    """Send the browser to the provider. Another site only gets as far as our own page with the button."""
    if web.is_cross_site(request):
        return web.redirect("/")
    target = web.local_path(request.query_params.get("next", "")[:_LONGEST])  # it travels in a cookie
    try:
        address, flow = await run_in_threadpool(single_sign_on.begin, web.own_origin(request) + CALLBACK, target)
    except AtelierError as error:
        return _back(error.code, target)
    response = web.redirect(address)
    web.set_guarded(response, request, _COOKIE, flow, single_sign_on.FLOW_SECONDS)
    return response


async def callback(request: Request) -> Response:
    """Back from the provider: open a session of this browser; the one that it had before ends, as after a password."""
    flow = single_sign_on.flow_of(request.cookies.get(web.cookie_name(_COOKIE)))
    target = flow.target if flow else "/"
    try:
        signed_in = await run_in_threadpool(
            single_sign_on.finish,
            flow,
            request.query_params,
            address=web.address_of(request),
            user_agent=request.headers.get("user-agent", ""),
        )
    except AtelierError as error:
        response = _back(error.code, target)
    else:
        with suppress(AtelierError):  # then it ends when its time is over
            await run_in_threadpool(sessions.sign_out, web.session_cookie(request.cookies))
        response = web.redirect(target)
        web.set_session(response, request, signed_in)
    web.clear_guarded(response, request, _COOKIE)  # one answer a flow
    return response


def _back(error: str, target: str) -> Response:
    return web.redirect("/?" + urlencode({"error": error} | ({} if target == "/" else {"next": target})))


def routes(settings: Settings) -> Sequence[BaseRoute]:
    """None when single sign-on is off, which it is unless somebody sets it up."""
    if not settings.has_single_sign_on:
        return ()
    return (Route(START, start, methods=["GET"]), Route(CALLBACK, callback, methods=["GET"]))
