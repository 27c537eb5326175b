"""What is on offer now: the catalogue in the code merged with its rows in the database, at most 30 s old."""

import threading
import time
from typing import Any

from core import catalog
from core.catalog import Offer
from core.database import fetch, get_database
from core.errors import AtelierError
from core.log import get_logger

log = get_logger(__name__)

FRESH_SECONDS = 30.0
_lock = threading.Lock()
_cache: tuple[float, dict[str, Offer]] | None = None


def offers() -> dict[str, Offer]:
    """Every generation type by its key, in the order of the catalogue, enabled or not.

    The same for everybody, so one copy serves all; the create function checks price and switch again in any case.
    """
    global _cache
    with _lock:
        if _cache is not None and time.monotonic() - _cache[0] < FRESH_SECONDS:
            return _cache[1]
        query = get_database().service_rows().from_("generation_types").select("*").order("position")
        found = _read(fetch(query, "generation_types"))
        _cache = (time.monotonic(), found)
        return found


def is_ageing() -> bool:
    """Whether whoever asks the database anyhow should bring the catalogue along, so that no page waits for it."""
    with _lock:
        return _cache is None or time.monotonic() - _cache[0] > FRESH_SECONDS / 2


def keep(rows: list[dict[str, Any]]) -> None:
    """The rows of `generation_types` as they are now, in the order of the catalogue, brought by somebody."""
    global _cache
    found = _read(rows)
    with _lock:
        _cache = (time.monotonic(), found)


def _read(rows: list[dict[str, Any]]) -> dict[str, Offer]:
    found = {}
    for row in rows:
        try:
            found[row["generation_type"]] = catalog.offer_from_row(row)
        except (AtelierError, ValueError) as error:  # one bad row must not close the studio
            log.error("offer_unusable", generation_type=row["generation_type"], error=str(error))
    return found


def forget() -> None:
    """Read the catalogue anew at the next question: an admin has changed it."""
    global _cache
    with _lock:
        _cache = None
