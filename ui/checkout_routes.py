"""The way to the pay page and back: three redirects and the receipt. Nothing here decides about money.

What came of it travels as a short code and the id of the order, never as text; ui/checkout_notice.py says it.
"""

from urllib.parse import urlencode
from uuid import UUID, uuid4

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core import payments, sessions
from core.errors import AtelierError, NotFound
from core.log import get_logger
from core.models import Person
from ui import packs, web

log = get_logger(__name__)

CODE, ORDER = "checkout", "order"


async def start(request: Request) -> Response:
    """Begin the order of the session's person and send the browser on to Stripe's page, in the same tab."""
    form = await web.read_form(request)
    back = packs.way_back(form.get("back"))
    origin = web.own_origin(request)
    done = f"{origin}/checkout/done?session_id={payments.SESSION_PLACEHOLDER}"  # Stripe fills it in, so it stays as is
    rest = "" if back == packs.CREDITS else urlencode({"back": back})
    try:
        person = await _person(request)
        if person is None:
            return _sign_in_first(back)
        url = await run_in_threadpool(
            payments.start_checkout,
            person,
            form.get("pack", ""),
            success_url=f"{done}&{rest}" if rest else done,
            cancel_url=f"{origin}/checkout/cancelled" + (f"?{rest}" if rest else ""),
            order_id=_uuid(form.get("order")) or uuid4(),
            expected_cents=_cents(form.get("cents", "")),
        )
    except AtelierError as error:
        return _back(back, error)
    return web.redirect(url)


async def done(request: Request) -> Response:
    """Back from the pay page: bring what was paid into the books at once, as the webhook would, and say so."""
    back = packs.way_back(request.query_params.get("back"))
    try:
        person = await _person(request)
        if person is None:
            return _sign_in_first(f"{request.url.path}?{request.url.query}")
        found = await run_in_threadpool(payments.fulfil, person, request.query_params.get("session_id", ""))
    except AtelierError as error:
        return _back(back, error)
    return _to(back, {CODE: found.result, ORDER: found.purchase.id})


async def cancelled(request: Request) -> Response:
    return _to(packs.way_back(request.query_params.get("back")), {CODE: "cancelled"})


async def receipt(request: Request) -> Response:
    """On to Stripe's receipt of an order of the session's person; of any order for admins."""
    try:
        person = await _person(request)
        if person is None:
            return _sign_in_first(packs.CREDITS)
        order = _uuid(request.query_params.get(ORDER))
        if order is None:
            raise NotFound("There is no such order.")
        url = await run_in_threadpool(payments.receipt_url, person, order)
    except NotFound:
        return _to(packs.CREDITS, {CODE: "no_receipt"})
    except AtelierError as error:
        return _back(packs.CREDITS, error)
    return web.redirect(url)


def _back(path: str, error: AtelierError) -> Response:
    log.warning("checkout_refused", code=error.code, error=error.sentence, detail=error.detail)
    return _to(path, {CODE: error.code})


def _to(path: str, said: dict[str, object]) -> Response:
    return web.redirect(f"{path}{'&' if '?' in path else '?'}{urlencode(said)}")


def _sign_in_first(path: str) -> Response:
    return web.redirect("/?" + urlencode({"next": path}))


async def _person(request: Request) -> Person | None:
    return await run_in_threadpool(sessions.current, web.session_cookie(request.cookies))


def _cents(text: str) -> int | None:
    """The price that was on the button; nothing was said without one. What is no price is none of ours, so it is 0."""
    if not text:
        return None
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else 0


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None


ROUTES: tuple[BaseRoute, ...] = (
    Route("/checkout/start", web.same_site_only(start), methods=["POST"]),
    Route("/checkout/done", done, methods=["GET"]),
    Route("/checkout/cancelled", cancelled, methods=["GET"]),
    Route("/checkout/receipt", receipt, methods=["GET"]),
)
