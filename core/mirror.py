"""Our own copy of what fal.ai made: fetched by the worker, checked, put into the private bucket."""

import tempfile
from dataclasses import dataclass
from decimal import Decimal
from typing import IO, Any
from urllib.parse import urlsplit

import httpx
from PIL import Image
from storage3.exceptions import StorageApiError

from core.database import get_database
from core.decoding import told_length
from core.errors import InvalidInput
from core.filetypes import EXTENSIONS, sniff
from core.log import get_logger
from core.media_hosts import is_media_host

log = get_logger(__name__)

LARGEST_FILE = 500 * 1024 * 1024
LONGEST = 1_000_000  # seconds that are believed: eleven days
IN_MEMORY = 8 * 1024 * 1024
MOST_TRIES = 12


class MirrorRefused(Exception):
    """This file is not copied, now or later: a foreign host, too large, or not a kind of file we handle."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file says about itself. Pixels and seconds, where it tells."""

    media_type: str
    width: int | None = None
    height: int | None = None
    duration_seconds: Decimal | None = None


def mirror(output: dict[str, Any]) -> None:
    """Copy one claimed output to Storage (or remove a deleted one) and record it, or why not and when to try again."""
    database = get_database()
    job_id = output["job_id"]
    try:
        if output["deleted_at"]:
            _remove(output)
            return
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
            size = _fetch(output["source_url"], file)
            facts = examine(file)
            path = _path(output, EXTENSIONS[facts.media_type])
            file.seek(0)
            # The same path again overwrites itself: a second copy after a lost answer is the same copy.
            database.storage().upload(path, file.read(), {"content-type": facts.media_type, "upsert": "true"})
        database.call(
            "record_mirrored",
            p_output=output["id"],
            p_storage_path=path,
            p_media_type=facts.media_type,
            p_size_bytes=size,
            p_width=facts.width,
            p_height=facts.height,
            p_duration_seconds=facts.duration_seconds,
        )
        log.info("mirrored", job_id=job_id, output_id=output["id"], bytes=size)
    except MirrorRefused as error:
        log.error("mirror_refused", job_id=job_id, output_id=output["id"], error=str(error))
        database.call("record_mirror_failed", p_output=output["id"], p_error=str(error), p_check_seconds=None)
    except (httpx.HTTPError, StorageApiError, OSError) as error:
        tries = output["mirror_tries"] + 1
        log.warning("mirror_postponed", job_id=job_id, output_id=output["id"], tries=tries, error=repr(error))
        wait = min(6 * 3600, 5 * 3**tries) if tries < MOST_TRIES else None
        database.call("record_mirror_failed", p_output=output["id"], p_error=repr(error)[:500], p_check_seconds=wait)


def _remove(output: dict[str, Any]) -> None:
    """Take the file of a deleted output out of Storage. What is not there is gone already."""
    paths = [output["storage_path"]]
    if not output["storage_path"]:  # a copy may be there all the same: its worker died before it wrote that down
        paths = [_path(output, extension) for extension in sorted(set(EXTENSIONS.values()))]
    get_database().storage().remove(paths)
    get_database().call("record_removed", p_output=output["id"])
    log.info("media_removed", job_id=output["job_id"], output_id=output["id"])


def _path(output: dict[str, Any], extension: str) -> str:
    return f"{output['user_id']}/{output['job_id']}/{output['position']}.{extension}"


def _fetch(url: str | None, file: IO[bytes]) -> int:
    """Stream a file from one of fal.ai's media hosts. No redirects, no key, no more than the size limit."""
    if not url or not is_media_host(url):
        raise MirrorRefused(f"Not an address of fal.ai's media hosts: {urlsplit(url or '').netloc or 'none'}")
    size = 0
    with httpx.stream("GET", url, timeout=httpx.Timeout(30, connect=5), follow_redirects=False) as answer:
        if answer.is_redirect:
            raise MirrorRefused("The file's address points elsewhere.")
        answer.raise_for_status()
        for chunk in answer.iter_bytes(256 * 1024):
            size += len(chunk)
            if size > LARGEST_FILE:
                raise MirrorRefused("The file is larger than 500 MB.")
            file.write(chunk)
    if size == 0:
        raise MirrorRefused("The file is empty.")
    return size


def examine(file: IO[bytes]) -> Facts:
    """What a file is and how large, from its bytes. Raises MirrorRefused for what we do not handle."""
    file.seek(0)
    media_type = sniff(file.read(64))
    if media_type is None:
        raise MirrorRefused("Not a picture, video, sound or 3D model that we know.")
    file.seek(0)
    try:
        if media_type.startswith("image/"):
            with Image.open(file) as picture:
                return Facts(media_type, picture.width or None, picture.height or None)
        if media_type == "audio/wav":
            # By FFmpeg, which knows every kind of WAV: samples may be floats, as what voices are made of often has.
            seconds = told_length(file.read())
            return Facts(media_type, duration_seconds=seconds if seconds and seconds < LONGEST else None)
    except Image.DecompressionBombError:
        return Facts(media_type)  # nothing is decoded here, and a large result is a result
    except InvalidInput as error:
        raise MirrorRefused(f"The file cannot be read: {error.sentence}") from error
    except (OSError, ValueError, EOFError) as error:
        raise MirrorRefused(f"The file cannot be read: {error}") from error
    return Facts(media_type)
