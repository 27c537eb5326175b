"""Jobs that are open with us and finished at the simulated fal.ai, which still owes us a call about each."""

import io
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from PIL import Image

from bench.openings import Opening
from bench.studio import Studio
from core.sealing import token_for
from local.fal.endpoints import ENDPOINTS
from local.fal.media import Media
from local.fal.records import QueuedRequest, plain
from local.fal.store import Store
from local.fal.webhooks import webhook_body

ENDPOINT = "fal-ai/flux/schnell"
PROMPT = "A measured cup"
SIDE = 32  # pixels: what is measured is not the size of files
BALANCE = Decimal(1_000_000)  # USD


@dataclass(frozen=True, slots=True)
class Finished:
    """One job, its request at fal.ai, where the call goes, and what it says."""

    job: str
    request: str
    url: str
    body: bytes


def finish(studio: Studio, openings: Sequence[Opening]) -> list[Finished]:
    """Write into the store of the simulator, which must not run: it has made a picture for each, and charged it.

    Within `acting`, as the addresses carry our tokens.
    """
    folder = studio.directory / "fal"
    folder.mkdir(exist_ok=True)
    media = Media(folder / "media")
    place = media.publish(media.rendered("load", ".png", _picture), "picture.png")
    store = Store(folder / "fal.sqlite3")
    try:
        store.set_balance(BALANCE)
        made = list(_finished(studio, openings, studio.url("LOCAL_FAL_PORT") + place))
        for request in made:
            store.add(request)
            store.settle(request, ENDPOINTS[ENDPOINT].unit_price)
    finally:
        store.close()
    return [
        Finished(one.job, one.request, request.webhook_url or "", webhook_body(request))
        for one, request in zip(openings, made, strict=True)
    ]


def _finished(studio: Studio, openings: Sequence[Opening], picture: str) -> Iterator[QueuedRequest]:
    now, companion = time.time(), studio.url("COMPANION_PORT")
    size = {"width": SIDE, "height": SIDE, "content_type": "image/png"}
    for ordinal, one in enumerate(openings, 1):
        url = f"{companion}/webhooks/fal?job={one.job}&token={token_for(one.job)}"
        yield QueuedRequest(
            request_id=one.request,
            gateway_request_id=one.request,
            endpoint_id=ENDPOINT,
            inputs={"prompt": PROMPT, "num_images": 1},
            base_url=studio.url("LOCAL_FAL_PORT"),
            ordinal=ordinal,
            submission_key=url,
            created_at=now,
            ready_at=now,
            webhook_url=url,
            status="COMPLETED",
            started_at=now,
            ended_at=now,
            status_code=200,
            body={
                "images": [{"url": picture, **size}],
                "seed": ordinal,
                "prompt": PROMPT,
                "has_nsfw_concepts": [False],
            },
            units="1",
            cost_usd=plain(ENDPOINTS[ENDPOINT].unit_price),
        )


def _picture() -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE), (120, 140, 160)).save(made, "PNG")
    return made.getvalue()
