"""Puts the simulated fal.ai together: `create_app(folder)` gives an ASGI app for one port.

`FAL_QUEUE_URL`, `FAL_REST_URL` = the address; `FAL_API_URL` = address + `/v1`; `FAL_JWKS_URL` = address +
`/.well-known/jwks.json`.
"""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from local.fal import storage
from local.fal.control import Control
from local.fal.fetch import Fetcher
from local.fal.keys import Keys
from local.fal.media import Media
from local.fal.platform import PlatformApi
from local.fal.queue import Queue
from local.fal.queue_api import QueueApi
from local.fal.store import Store
from local.fal.studio import Studio
from local.fal.tally import Tally
from local.fal.webhooks import Courier, Signer

DEFAULT_KEY = "00000000-0000-4000-8000-000000000001:simulated"
DEFAULT_ADMIN_KEY = "00000000-0000-4000-8000-000000000002:simulated-admin"
_RENDERERS = 2


class SimulatedFal(Starlette):
    """Lets a handler reach its connection, so that it can break it: `scope["transport"]`, under uvicorn only."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["transport"] = getattr(getattr(send, "__self__", None), "transport", None)
        await super().__call__(scope, receive, send)


def create_app(folder: Path, *, key: str = DEFAULT_KEY, admin_key: str = DEFAULT_ADMIN_KEY) -> SimulatedFal:
    """The simulator with its state in `folder`, which is made if need be.

    `key` and `admin_key` are accepted, shape `id:secret`. State, files and the signing key survive a restart.
    """
    folder.mkdir(parents=True, exist_ok=True)
    store = Store(folder / "fal.sqlite3")
    keys, tally, media, signer = Keys(key, admin_key), Tally(), Media(folder / "media"), Signer(folder)
    renderers = ThreadPoolExecutor(_RENDERERS, "fal-render")

    # These need each other's present behaviour, so they get a way to ask for it.
    courier = Courier(signer, store, lambda: control.behaviour)
    fetcher = Fetcher(media)
    studio = Studio(media, fetcher, renderers, lambda: control.behaviour)
    queue = Queue(store, lambda: control.behaviour, studio.produce, courier.deliver)
    control = Control(queue, courier, store, tally)
    platform = PlatformApi(queue, store, keys, control.current)
    queue_api = QueueApi(queue, keys, tally, control.current, control.balance_left)

    async def jwks(request: Request) -> Response:  # noqa: ARG001
        return JSONResponse(signer.jwks())

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:  # noqa: ARG001
        queue.resume()
        tally.next_ordinal = 1 + max((queued.ordinal for queued in queue.requests.values()), default=0)
        yield
        await queue.close()
        await courier.close()
        await fetcher.close()
        renderers.shutdown(cancel_futures=True)
        store.close()

    return SimulatedFal(
        routes=[
            Route("/.well-known/jwks.json", jwks),
            control.mount(),
            platform.mount(),
            *storage.routes(media, keys),
            *queue_api.routes(),
        ],
        lifespan=lifespan,
    )
