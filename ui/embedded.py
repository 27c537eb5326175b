"""Small pages of our own that stand in a frame inside a Streamlit page, for what needs a script in the browser.

Each is asked for by the id of what it shows, with the session cookie: an address gives nothing away and row level
security decides. Scripts come from static/ alone, and nothing else is loaded but the file that is shown.
"""

from html import escape
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse

from core import sessions
from core.errors import AtelierError, NotFound, NotSignedIn
from core.media_hosts import is_media_host
from core.models import Person
from core.settings import get_settings
from ui import web

_STYLE = """
@font-face{font-family:"Hanken Grotesk";src:url(/app/static/hanken-grotesk-latin-wght-normal.woff2);font-weight:100 900}
:root{color-scheme:light dark;font:400 1rem/1.5 "Hanken Grotesk",system-ui,sans-serif;
color:light-dark(#1B1E2B,#ECE7DB);background:light-dark(#FAF7F0,#12151F)}
body{margin:0}p.note{display:flex;align-items:center;justify-content:center;box-sizing:border-box;min-height:100vh;
margin:0;padding:1.25rem;text-align:center;font-size:.875rem;color:light-dark(#5F5B54,#A9A79F)}
"""


async def person_of(request: Request) -> Person:
    """Who asks, proven by the session cookie. Raises NotSignedIn, DatabaseUnavailable."""
    person = await run_in_threadpool(sessions.current, web.session_cookie(request.cookies))
    if person is None or not person.may_generate:
        raise NotSignedIn("Sign in to see this.")
    return person


def page(title: str, body: str, style: str, scripts: tuple[str, ...], shown: str) -> HTMLResponse:
    """A page of these scripts (names in static/) that may load `shown`, a file of ours or fal.ai's, and nothing else.

    `body` is HTML in which every value has been escaped.
    """
    if not may_show(shown):
        return refusal(NotFound("This file is at an address that cannot be shown here."))
    parts = urlsplit(shown)
    origin = f"{parts.scheme}://{parts.netloc}"
    policy = (
        f"default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; font-src 'self'; media-src {origin}; "
        f"connect-src {origin} blob: data:; img-src {origin} blob: data:; frame-ancestors 'self'; base-uri 'none'; "
        "form-action 'none'"
    )
    tags = "".join(f'<script type="module" src="/app/static/{name}"></script>' for name in scripts)
    return _answer(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}{style}</style>{tags}</head><body>{body}</body></html>",
        200,
        policy,
    )


def may_show(address: str) -> bool:
    """Whether this is a file of ours or of fal.ai's. Results and inputs name addresses: with any other one somebody
    else would decide whom a browser asks, and what stands in the policy of the page."""
    storage = get_settings().supabase_url.rstrip("/")
    return is_media_host(address) or bool(storage and address.startswith(f"{storage}/"))


def refusal(error: AtelierError, status: int = 404) -> HTMLResponse:
    """Why there is nothing to see, in one sentence."""
    note = f'<p class="note">{escape(error.sentence)}</p>'
    html = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><style>{_STYLE}</style></head>{note}</html>'
    return _answer(html, status, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'")


def _answer(html: str, status: int, policy: str) -> HTMLResponse:
    headers = {"Content-Security-Policy": policy, "Cache-Control": "private, no-store"}
    return HTMLResponse(html, status, headers)
