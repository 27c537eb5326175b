"""The companion without its worker: what a webhook itself costs, while nothing copies files beside it."""

from starlette.applications import Starlette

from core.companion import create_app


def without_worker() -> Starlette:
    return create_app(with_worker=False)
