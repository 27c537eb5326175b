"""The companion with shorter patience than in earnest, so that tests of slow callers and key floods need not wait:

python -m uvicorn tests.integration.impatient_companion:create_app --factory
"""

from starlette.applications import Starlette

from core import companion, request_body
from core.fal import webhooks

BODY_SECONDS = 2.0
REFETCH_PAUSE_S = 4


def create_app() -> Starlette:
    request_body.BODY_SECONDS = BODY_SECONDS
    webhooks.REFETCH_PAUSE_S = REFETCH_PAUSE_S  # type: ignore[misc]
    return companion.create_app()
