"""Files: what people bring, what fal.ai made, our own copy in Storage, and addresses that a browser can load."""

import threading
import time
from typing import Any

import httpx
from storage3.exceptions import StorageApiError

from core.database import get_database
from core.errors import DatabaseUnavailable, NotFound
from core.filetypes import EXTENSIONS
from core.log import get_logger
from core.media_hosts import is_media_host
from core.models import Output
from core.rows import output_of

log = get_logger(__name__)
SIGNED_SECONDS = 3600
LARGEST_FILE = 500 * 1024 * 1024
CHUNK = 256 * 1024
FOREIGN = (
    "This file is at an address that Atelier does not read from. Open it in the browser, or ask an admin to allow its "
    "host (FAL_MEDIA_HOSTS)."
)

_signed: dict[str, tuple[float, str]] = {}
_signed_lock = threading.Lock()


def viewable(rows: list[dict[str, Any]]) -> dict[str, Output]:
    """Outputs by id, each with an address to load now: a signed one of our copy, else fal.ai's. One call for all."""
    signed = _sign([row["storage_path"] for row in rows if row["storage_path"] and not row["deleted_at"]])
    return {
        row["id"]: output_of(
            row, None if row["deleted_at"] else signed.get(row["storage_path"] or "") or row["source_url"]
        )
        for row in rows
    }


def download(output: Output) -> tuple[bytes, str]:
    """The bytes of an output and a file name for them. Raises DatabaseUnavailable when neither copy can be read,
    NotFound when the only one is at a place that we do not fetch from."""
    name = f"atelier-{str(output.id)[:8]}.{EXTENSIONS.get(output.media_type, 'bin')}"
    try:
        if output.storage_path:
            data: bytes = get_database().storage().download(output.storage_path)
            return data, name
        return _fetched(output.source_url or ""), name
    except (StorageApiError, httpx.HTTPError) as error:
        raise DatabaseUnavailable(
            "This file cannot be read at the moment. It is not lost. Try again in a minute."
        ) from error


def address_to_fetch(output: Output) -> str:
    """Where this process may read an output: our copy, or fal.ai's media hosts. Raises NotFound for any other place:
    a result could name an address inside our own network."""
    if output.url and (output.storage_path or is_media_host(output.url)):
        return output.url
    raise NotFound(FOREIGN)


def _fetched(url: str) -> bytes:
    """A file of fal.ai's in memory. Raises NotFound, httpx.HTTPError."""
    if not is_media_host(url):
        raise NotFound(FOREIGN)
    data = bytearray()
    with httpx.stream("GET", url, timeout=30, follow_redirects=False) as answer:
        answer.raise_for_status()
        for chunk in answer.iter_bytes(CHUNK):
            data += chunk
            if len(data) > LARGEST_FILE:
                raise NotFound("This file is larger than 500 MB. Open it in the browser.")
    return bytes(data)


def _sign(paths: list[str]) -> dict[str, str]:
    """Signed addresses, kept for half their life so that a browser can keep its copy."""
    now = time.monotonic()
    with _signed_lock:
        for path in [p for p, (until, _) in _signed.items() if until < now]:
            del _signed[path]
        known = {path: _signed[path][1] for path in paths if path in _signed}
    missing = [path for path in paths if path not in known]
    if missing:
        fresh = _ask_for_signatures(missing)
        with _signed_lock:
            _signed.update({path: (now + SIGNED_SECONDS / 2, url) for path, url in fresh.items()})
        known.update(fresh)
    return known


def _ask_for_signatures(paths: list[str]) -> dict[str, str]:
    """Those that Storage signs; a file that is missing there, or all while it is away, are left out."""
    try:
        answers = get_database().storage().create_signed_urls(paths, SIGNED_SECONDS)
    except (StorageApiError, httpx.HTTPError) as error:
        log.warning("signing_failed", paths=len(paths), error=str(error))
        return {}
    missing = [answer["path"] for answer in answers if not answer["signedURL"]]
    if missing:
        log.warning("files_missing", paths=missing)
    return {answer["path"]: answer["signedURL"] for answer in answers if answer["signedURL"]}
