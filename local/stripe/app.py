"""Puts the simulated Stripe together: `create_app(folder, …)` gives an ASGI app for one port. `STRIPE_API_URL` is its
address."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from local.stripe.api import Api
from local.stripe.catalogue import Catalogue
from local.stripe.console import Console
from local.stripe.courier import Courier
from local.stripe.pay_page import PayPage
from local.stripe.store import Store
from local.stripe.till import Till


def create_app(folder: Path, *, secret_key: str, webhook_secret: str, webhook_url: str) -> Starlette:
    """The simulator with its state in `folder`, which is made if need be and survives a restart.

    `webhook_secret` may hold several, comma separated: events are then signed with each, as Stripe does while one is
    being replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    store = Store(folder / "stripe.sqlite3")
    secrets = tuple(part.strip() for part in webhook_secret.split(",") if part.strip())

    # These need each other's present behaviour, so they get a way to ask for it.
    till = Till(store, lambda: courier.delay())
    console = Console(store, till)
    courier = Courier(store, webhook_url, secrets, lambda: console.behaviour, till.tick)
    catalogue = Catalogue(store)
    catalogue.stock()
    api = Api(store, till, catalogue, secret_key, webhook_url, lambda: console.behaviour)

    async def home(_request: Request) -> Response:
        return RedirectResponse("/_sim/")

    async def health(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        courier.start()
        yield
        await courier.close()
        store.close()

    return Starlette(
        routes=[Route("/", home), Route("/health", health), api.route(), console.mount(), *PayPage(till).routes()],
        lifespan=lifespan,
    )
