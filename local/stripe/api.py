"""The REST API under `/v1/`: authentication, form bodies, expansion, idempotency and errors as Stripe has them.

Source: Stripe's API reference, "Authentication", "Errors", "Expanding responses", "Idempotent requests".
"""

import hmac
import json
import re
import time
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from local.stripe import checkout, forms, objects
from local.stripe.behaviour import Behaviour
from local.stripe.catalogue import Catalogue
from local.stripe.failures import ApiError, invalid, no_such
from local.stripe.store import Answer, Store, Thing
from local.stripe.till import Till

_LONGEST_KEY = 255
_LINKS = {"payment_intent": "payment_intent", "latest_charge": "charge", "charge": "charge", "product": "product"}
_ID = r"([A-Za-z0-9_]{1,255})"

Params = dict[str, Any]
Handler = Callable[..., Thing]


class BrokenOff(Response):
    """An answer whose connection breaks in its middle: what was asked is done, and nobody is told."""

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": bytes(self.body)[:20], "more_body": True})


class Api:
    def __init__(
        self,
        store: Store,
        till: Till,
        catalogue: Catalogue,
        key: str,
        webhook_url: str,
        behaviour: Callable[[], Behaviour],
    ) -> None:
        self._store = store
        self._till = till
        self._catalogue = catalogue
        self._key = key
        self._webhook_url = webhook_url
        self._behaviour = behaviour
        self._table: list[tuple[str, re.Pattern[str], Handler]] = [
            (method, re.compile(f"/v1/{pattern}"), handler)
            for method, pattern, handler in (
                ("GET", "account", lambda _params, _base: objects.account()),
                ("GET", "webhook_endpoints", self._endpoints),
                ("POST", "checkout/sessions", self._create_session),
                ("GET", f"checkout/sessions/{_ID}", self._reader("checkout.session")),
                ("POST", f"checkout/sessions/{_ID}/expire", lambda _params, _base, known: till.expire(known)),
                ("GET", f"checkout/sessions/{_ID}/line_items", self._line_items),
                ("POST", "products", lambda params, _base: catalogue.create_product(params)),
                ("GET", f"products/{_ID}", self._reader("product")),
                ("POST", "prices", lambda params, _base: catalogue.create_price(params)),
                ("GET", "prices", self._prices),
                ("GET", f"prices/{_ID}", self._reader("price")),
                ("POST", f"prices/{_ID}", lambda params, _base, known: catalogue.update_price(known, params)),
                ("GET", f"payment_intents/{_ID}", self._reader("payment_intent")),
                ("GET", f"charges/{_ID}", self._reader("charge")),
                ("POST", "refunds", self._create_refund),
                ("GET", f"refunds/{_ID}", self._reader("refund")),
                ("GET", f"disputes/{_ID}", self._reader("dispute")),
                ("GET", f"events/{_ID}", self._reader("event")),
            )
        ]

    def route(self) -> Route:
        return Route("/v1/{path:path}", self._answer, methods=["GET", "POST", "DELETE"])

    async def _answer(self, request: Request) -> Response:
        request_id = objects.new_id("req", 14)
        replayed = False
        try:
            self._authorise(request)
            pairs = request.query_params.multi_items()
            if request.method == "POST":
                pairs = [(name, str(value)) for name, value in (await request.form()).multi_items()]
            status, body, request_id, replayed = self._once(request, pairs, request_id)
        except ApiError as error:
            status, body = error.status, _json(error.body)
        headers = {"Request-Id": request_id, "Stripe-Version": objects.API_VERSION}
        headers |= {"Idempotent-Replayed": "true"} if replayed else {}
        if self._behaviour().cut_off and not replayed and "idempotency-key" in request.headers:
            return BrokenOff(body, status, headers, media_type="application/json")
        return Response(body, status, headers, media_type="application/json")

    def _authorise(self, request: Request) -> None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            raise ApiError(
                401, "You did not provide an API key. You need to provide your API key in the Authorization header."
            )
        if not hmac.compare_digest(key.encode(), self._key.encode()):
            raise ApiError(401, f"Invalid API Key provided: {key[:7]}****")
        if self._behaviour().api_down:
            raise ApiError(503, "Stripe is having trouble. Try again.", kind="api_error")

    def _once(self, request: Request, pairs: list[tuple[str, str]], request_id: str) -> tuple[int, str, str, bool]:
        """Do it, or give the answer that this idempotency key had: status, body, request id, replayed."""
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        asked = json.dumps([request.method, request.url.path, sorted(pairs)])
        if key is not None:
            if len(key) > _LONGEST_KEY:
                raise ApiError(400, "Idempotency keys can be at most 255 characters.", kind="idempotency_error")
            known = self._store.answered(key)
            if known is not None and known.request != asked:
                raise ApiError(
                    400,
                    "Keys for idempotent requests can only be used with the same parameters they were first used with. "
                    f"Try using a key other than '{key}' if you meant to execute a different request.",
                    kind="idempotency_error",
                )
            if known is not None:
                return known.status, known.body, known.request_id, True
        try:
            with self._store.transaction():
                body = _json(self._do(request, pairs))
                if key is not None:
                    self._store.remember(key, Answer(asked, 200, body, request_id), time.time())
        except ApiError as error:
            # A refused parameter is not remembered: it may be mended under the same key.
            if key is not None and error.is_outcome:
                answer = Answer(asked, error.status, _json(error.body), request_id)
                self._store.remember(key, answer, time.time())
            raise
        return 200, body, request_id, False

    def _do(self, request: Request, pairs: list[tuple[str, str]]) -> Thing:
        params = forms.decode(pairs)
        wanted = params.pop("expand", [])
        for method, pattern, handler in self._table:
            found = pattern.fullmatch(request.url.path)
            if found and method == request.method:
                made = objects.shown(handler(params, str(request.base_url).rstrip("/"), *found.groups()))
                return self._expanded(made, wanted if isinstance(wanted, list) else [wanted])
        raise ApiError(
            404,
            f"Unrecognized request URL ({request.method}: {request.url.path}). This simulator knows less than Stripe.",
        )

    def _expanded(self, thing: Thing, paths: list[str]) -> Thing:
        for path in paths:
            self._expand(thing, path.split("."), path)
        return thing

    def _expand(self, thing: Thing, parts: list[str], path: str) -> None:
        name, *rest = parts
        if name == "line_items" and thing["object"] == "checkout.session":
            stored = self._till.get("checkout.session", thing["id"])
            thing[name] = objects.listed(stored["_items"], f"/v1/checkout/sessions/{thing['id']}/line_items")
        elif name == "data" and thing["object"] == "list":
            for item in thing["data"]:
                self._expand(item, rest, path)
            return
        elif name not in _LINKS or name not in thing:
            raise invalid(f"This property cannot be expanded ({path}).", "expand")
        elif isinstance(thing[name], str):
            thing[name] = objects.shown(self._till.get(_LINKS[name], thing[name]))
        if rest and isinstance(thing[name], dict):
            self._expand(thing[name], rest, path)

    # Handlers: parameters, the address of this server, ids from the path

    def _reader(self, kind: str) -> Handler:
        return lambda _params, _base, known: self._till.get(kind, known)

    def _create_session(self, params: Params, base_url: str) -> Thing:
        return checkout.create(self._store, params, base_url)

    def _line_items(self, _params: Params, _base: str, session_id: str) -> Thing:
        session = self._till.get("checkout.session", session_id)
        return objects.listed(session["_items"], f"/v1/checkout/sessions/{session_id}/line_items")

    def _endpoints(self, _params: Params, _base: str) -> Thing:
        return objects.listed([objects.webhook_endpoint(self._webhook_url)], "/v1/webhook_endpoints")

    def _prices(self, params: Params, _base: str) -> Thing:
        limit = forms.whole_number(params, "limit", minimum=1) or 10
        found = self._catalogue.prices(params)
        return objects.listed(found[:limit], "/v1/prices", len(found) > limit)

    def _create_refund(self, params: Params, _base: str) -> Thing:
        payment_id = params.get("payment_intent")
        if payment_id is None and "charge" in params:
            payment_id = self._till.get("charge", params["charge"])["payment_intent"]
        if payment_id is None:
            raise ApiError(
                400, "One of the following params should be provided for this request: payment_intent or charge."
            )
        if self._store.find("payment_intent", payment_id) is None:
            raise no_such("payment_intent", payment_id, "payment_intent")
        return self._till.refund(
            payment_id,
            forms.whole_number(params, "amount", minimum=1),
            reason=params.get("reason"),
            metadata=forms.texts(params, "metadata"),
        )


def _json(body: Any) -> str:
    return json.dumps(body, indent=2)
