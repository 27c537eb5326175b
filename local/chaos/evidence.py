"""What the simulated fal.ai itself remembers: the other side of the story, read from its own database."""

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from local.fal.records import QueuedRequest

_FILES = {"image", "video", "audio", "model_mesh"}  # what a result calls its file, beside the list of images


@dataclass(frozen=True, slots=True)
class Accepted:
    """One submit that fal.ai took. `job` is the one that its webhook names, `files` is how many it has made, and
    `is_listed` whether fal.ai's list of our requests names it."""

    request_id: str
    job: str
    is_finished: bool
    succeeded: bool
    files: int
    is_listed: bool
    charged_usd: Decimal
    forged: int  # calls with a wrong signature
    calls: int


def accepted(fal_folder: Path) -> list[Accepted]:
    """Every submit that fal.ai took, in their order. The simulator may be running."""
    with closing(sqlite3.connect(f"file:{fal_folder / 'fal.sqlite3'}?mode=ro", uri=True)) as connection:
        found = connection.execute("select data from requests order by ordinal").fetchall()
    return [_accepted(json.loads(data)) for (data,) in found]


def _accepted(data: dict[str, object]) -> Accepted:
    request = QueuedRequest(**{**data, "inputs": {}})  # type: ignore[arg-type]
    query = parse_qs(urlsplit(request.webhook_url or "").query)
    body = request.body if isinstance(request.body, dict) else {}
    succeeded = request.status == "COMPLETED" and request.status_code == 200
    return Accepted(
        request_id=request.request_id,
        job=query.get("job", [""])[0],
        is_finished=request.status == "COMPLETED",
        succeeded=succeeded,
        is_listed="unlisted" not in request.quirks,
        files=len(body.get("images", [])) + len(_FILES & body.keys()) if succeeded else 0,
        charged_usd=Decimal(request.cost_usd or 0),
        forged=sum(call["kind"] == "forged" for call in request.deliveries),
        calls=request.webhooks_sent,
    )
