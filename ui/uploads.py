"""Who may leave files on this server: Streamlit keeps uploads in memory and asks only for a running page, which the
sign-in page is for everybody in the world."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from core import sessions
from core.errors import AtelierError
from ui import web

PATH = "/_stcore/upload_file/"


class UploadsByPeople:
    """ASGI middleware: uploads only by somebody who is signed in and approved; nothing is read of any other."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(PATH) and scope["method"] != "OPTIONS":
            refusal = await _refusal(Request(scope))
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        await self.app(scope, receive, send)


async def _refusal(request: Request) -> PlainTextResponse | None:
    try:
        person = await run_in_threadpool(sessions.current, web.session_cookie(request.cookies))
    except AtelierError:
        return PlainTextResponse("The database does not answer. Try again in a moment.", 503)
    if person is None or not person.may_generate:
        return PlainTextResponse("Sign in to upload files.", 403)
    return None
