"""What is on offer now: the catalogue in the code merged with its rows in the database, at most 30 s old."""

import threading
import time

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
        found = {}
        for row in fetch(query, "generation_types"):
            try:
                found[row["generation_type"]] = catalog.offer_from_row(row)
            except (AtelierError, ValueError) as error:  # one bad row must not close the studio
                log.error("offer_unusable", generation_type=row["generation_type"], error=str(error))
        _cache = (time.monotonic(), found)
        return found


def forget() -> None:
    """Read the catalogue anew at the next question: an admin has changed it."""
    global _cache
    with _lock:
        _cache = None
