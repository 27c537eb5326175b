"""The page that a session's `url` leads to: pay, be declined, pay later, or go back. And the receipt."""

from datetime import UTC, datetime
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from local.stripe.failures import ApiError
from local.stripe.guard import own_page
from local.stripe.pages import money, page, post_button
from local.stripe.store import Thing
from local.stripe.till import Till

_NOTE = '<p class="muted small">This is the simulated Stripe: no card is asked for and no money moves.</p>'


class PayPage:
    def __init__(self, till: Till) -> None:
        self._till = till

    def routes(self) -> list[Route]:
        return [
            Route("/c/pay/{session_id}", self._show, methods=["GET"]),
            Route("/c/pay/{session_id}/{action}", self._act, methods=["POST"]),
            Route("/receipts/{charge_id}", self._receipt, methods=["GET"]),
        ]

    async def _show(self, request: Request) -> Response:
        try:
            session = self._till.get("checkout.session", request.path_params["session_id"])
        except ApiError as error:
            return _apology(str(error), 404)
        return HTMLResponse(_render(session)) if session["status"] == "open" else _closed(session)

    async def _act(self, request: Request) -> Response:
        session_id = request.path_params["session_id"]
        if not own_page(request):
            return _apology("This form was sent from another page.", 403)
        try:
            match request.path_params["action"]:
                case "pay":
                    session = self._till.pay(session_id)
                case "decline":
                    session = self._till.decline(session_id)
                    return HTMLResponse(
                        _render(session, "Your card was declined. Nothing was charged. Try another one.")
                    )
                case "later":
                    session = self._till.pay_later(session_id, succeeds=True)
                case "later-fails":
                    session = self._till.pay_later(session_id, succeeds=False)
                case _:
                    return _apology("There is no such button.", 404)
        except ApiError as error:
            return _apology(str(error), error.status)
        return RedirectResponse(session["success_url"].replace("{CHECKOUT_SESSION_ID}", session_id), 303)

    async def _receipt(self, request: Request) -> Response:
        try:
            charge = self._till.get("charge", request.path_params["charge_id"])
        except ApiError as error:
            return _apology(str(error), 404)
        day = datetime.fromtimestamp(charge["created"], UTC)
        body = (
            f'<h1>Receipt</h1><div class="card"><p class="figure">{money(charge["amount"], charge["currency"])}</p>'
            f"<p>{escape(charge['description'] or '')}</p>"
            f'<p class="muted small">Paid {day:%d %b %Y, %H:%M} UTC<br><code>{escape(charge["id"])}</code></p></div>'
            f"{_NOTE}"
        )
        return HTMLResponse(page("Receipt", body))


def _render(session: Thing, problem: str = "") -> str:
    items = "".join(f"<p>{escape(item['description'])}</p>" for item in session["_items"])
    total = money(session["amount_total"], session["currency"])
    base = f"/c/pay/{session['id']}"
    email = f'<p class="muted small">{escape(session["customer_email"])}</p>' if session["customer_email"] else ""
    alert = f'<p role="alert">{escape(problem)}</p>' if problem else ""
    back = f'<p><a href="{escape(session["cancel_url"])}">Cancel and go back</a></p>' if session["cancel_url"] else ""
    body = (
        f'<h1>Pay</h1>{_NOTE}<div class="card">{items}<p class="figure">{total}</p>{email}{alert}'
        f"{post_button(f'Pay {total}', f'{base}/pay', primary=True)}</div>"
        '<p class="muted small">Or let something else happen:</p><div class="row">'
        f"{post_button('Decline', f'{base}/decline')}{post_button('Pay later', f'{base}/later')}"
        f"{post_button('Pay later, and fail', f'{base}/later-fails')}</div><br>{back}"
    )
    return page(f"Pay {total}", body)


def _closed(session: Thing) -> Response:
    word = "You have paid already" if session["status"] == "complete" else "This page has expired"
    link = session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"])
    if session["status"] != "complete":
        link = session["cancel_url"] or session["success_url"]
    body = f'<h1>{word}</h1>{_NOTE}<p><a href="{escape(link)}">Go back</a></p>'
    return HTMLResponse(page(word, body))


def _apology(sentence: str, status: int) -> Response:
    return HTMLResponse(page("Not possible", f'<h1>Not possible</h1><p role="alert">{escape(sentence)}</p>'), status)
