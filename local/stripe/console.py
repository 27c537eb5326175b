"""The console under `/_sim/`: payments, refunds, disputes and the behaviour, for people and for tests. Loopback only.

`GET /_sim/` is the page, `GET /_sim/state` the same as JSON. `POST /_sim/act` takes `action` and `id` (and `amount`),
`POST /_sim/behaviour` the settings, each as a form (answered with the page) or as JSON (answered with the state). An
amount is in cents as a JSON number, in euros as a text.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from local.stripe import objects
from local.stripe.behaviour import Behaviour
from local.stripe.console_page import render
from local.stripe.failures import ApiError
from local.stripe.guard import loopback, own_page
from local.stripe.store import Store
from local.stripe.till import Till

_SHOWN = 100


class Console:
    def __init__(self, store: Store, till: Till) -> None:
        self._store = store
        self._till = till
        kept = store.setting("behaviour")
        self.behaviour = Behaviour.model_validate_json(kept) if kept else Behaviour()

    def mount(self) -> Mount:
        return Mount(
            "/_sim",
            routes=[
                Route("/", self._guarded(self._page), methods=["GET"]),
                Route("/state", self._guarded(self._state), methods=["GET"]),
                Route("/act", self._guarded(self._act), methods=["POST"]),
                Route("/behaviour", self._guarded(self._set_behaviour), methods=["POST"]),
            ],
        )

    def _guarded(self, call: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            if not loopback(request):
                return JSONResponse({"detail": "Only this machine may control the simulator."}, 403)
            if request.method == "POST" and not own_page(request):
                return JSONResponse({"detail": "This form was sent from another page."}, 403)
            try:
                return await call(request)
            except (ApiError, ValueError) as error:
                if _wants_json(request):
                    return JSONResponse({"detail": str(error)}, 422)
                return HTMLResponse(render(self.state(), str(error)), 422)

        return answer

    def state(self) -> dict[str, Any]:
        """Everything, newest first; an event says how its delivery goes."""
        deliveries = self._store.deliveries()
        events = []
        for event in self._store.all("event", _SHOWN):
            delivery = deliveries.get(event["id"])
            if delivery is not None:
                events.append(
                    {
                        "id": event["id"],
                        "type": event["type"],
                        "about": event["data"]["object"]["id"],
                        "created": event["created"],
                        "tries": delivery.attempts,
                        "status": delivery.status,
                        "state": "delivered" if delivery.delivered_at else "lost" if delivery.gave_up else "owed",
                    }
                )
        return {
            "behaviour": self.behaviour.model_dump(),
            "events": events,
            **{
                name: [objects.shown(thing) for thing in self._store.all(kind, _SHOWN)]
                for name, kind in (
                    ("sessions", "checkout.session"),
                    ("payments", "payment_intent"),
                    ("charges", "charge"),
                    ("refunds", "refund"),
                    ("disputes", "dispute"),
                )
            },
        }

    async def _page(self, _request: Request) -> Response:
        return HTMLResponse(render(self.state()))

    async def _state(self, _request: Request) -> Response:
        return JSONResponse(self.state())

    async def _act(self, request: Request) -> Response:
        wanted = await _fields(request)
        known, amount = str(wanted.get("id", "")), _cents(wanted.get("amount"))
        match wanted.get("action"):
            case "expire":
                self._till.expire(known)
            case "arrive":
                self._till.decide_payment(known, succeeds=True)
            case "bounce":
                self._till.decide_payment(known, succeeds=False)
            case "refund":
                self._till.refund(known, amount)
            case "refund_that_fails":
                self._till.refund(known, amount, fails=True)
            case "fail_refund":
                self._till.fail_refund(known)
            case "dispute":
                self._till.open_dispute(known, amount)
            case "win":
                self._till.close_dispute(known, won=True)
            case "lose":
                self._till.close_dispute(known, won=False)
            case "send_again":
                self._store.owe(self._till.get("event", known)["id"], 0)
            case other:
                raise ValueError(f"There is no action {other!r}.")
        return self._done(request)

    async def _set_behaviour(self, request: Request) -> Response:
        wanted = await _fields(request)
        if not _wants_json(request):  # a box that is not ticked is not sent
            wanted = {name: False for name, kind in self.behaviour if isinstance(kind, bool)} | wanted
        try:
            self.behaviour = Behaviour.model_validate(self.behaviour.model_dump() | wanted)
        except ValidationError as refused:
            first = refused.errors()[0]
            raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from refused
        self._store.set_setting("behaviour", self.behaviour.model_dump_json())
        return self._done(request)

    def _done(self, request: Request) -> Response:
        return JSONResponse(self.state()) if _wants_json(request) else RedirectResponse("/_sim/", 303)


def _wants_json(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith("application/json")


async def _fields(request: Request) -> dict[str, Any]:
    if _wants_json(request):
        wanted = await request.json()
        if not isinstance(wanted, dict):
            raise ValueError("Send a JSON object.")
        return wanted
    return {name: str(value) for name, value in (await request.form()).items()}


def _cents(value: Any) -> int | None:
    """Cents from a number of cents (JSON) or from the page's "12.50"; None when nothing was entered."""
    if value in (None, ""):
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    whole, _, part = str(value).replace(",", ".").partition(".")
    if not (whole + part).isascii() or not (whole + part).isdigit() or len(part) > 2:
        raise ValueError("Enter an amount such as 12.50.")
    cents = int(whole or "0") * 100 + int(part.ljust(2, "0") if part else "0")
    if cents == 0:
        raise ValueError("Enter an amount above zero.")
    return cents
