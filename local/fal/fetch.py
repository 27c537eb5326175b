"""Reads the files that a request points at, as fal's runners do: by URL or from a data URI, within a size limit."""

import base64
import binascii
import io
import warnings
from urllib.parse import unquote_to_bytes

import httpx
from PIL import Image, ImageOps, UnidentifiedImageError

from local.fal.media import Media
from local.fal.records import ModelError

MAX_BYTES = 50 * 1024 * 1024
MAX_PIXELS = 40_000_000
MIN_SIDE = 16
_TIMEOUT_S = 15.0

Location = list[str | int]


class Fetcher:
    def __init__(self, media: Media) -> None:
        self._media = media
        self._client = httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT_S, follow_redirects=True)

    async def close(self) -> None:
        await self._client.aclose()

    async def read(self, url: str, base_url: str, location: Location) -> bytes:
        """The bytes behind `url`. Raises ModelError 422 `file_download_error` or `file_too_large`."""
        if url.startswith("data:"):
            content = _data_uri(url, location)
        elif own := self._media.find_url(url, base_url):
            content = own.read_bytes()
        else:
            content = await self._download(url, location)
        if len(content) > MAX_BYTES:
            raise _too_large(url, location)
        return content

    async def _download(self, url: str, location: Location) -> bytes:
        content = bytearray()
        try:
            async with self._client.stream("GET", url) as answer:
                answer.raise_for_status()
                async for chunk in answer.aiter_bytes():
                    content += chunk
                    if len(content) > MAX_BYTES:
                        raise _too_large(url, location)
        except (httpx.HTTPError, httpx.InvalidURL) as failure:
            raise _not_downloaded(url, location) from failure
        return bytes(content)


def open_image(content: bytes, location: Location, url: str) -> Image.Image:
    """The picture, upright and in RGB. Raises ModelError 422 for what is no picture, or too small or large."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit follows
            opened = Image.open(io.BytesIO(content))
        if opened.width * opened.height > MAX_PIXELS:
            raise ModelError.one(422, location, "image_too_large", "The image is too large.", url)
        image = ImageOps.exif_transpose(opened).convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as failure:
        message = (
            "Failed to load the image. Please ensure the image file is not corrupted and is in a supported format."
        )
        raise ModelError.one(422, location, "image_load_error", message, url) from failure
    if min(image.size) < MIN_SIDE:
        raise ModelError.one(422, location, "image_too_small", "The image is too small.", url)
    return image


def _data_uri(url: str, location: Location) -> bytes:
    head, comma, data = url.partition(",")
    try:
        if not comma:
            raise ValueError("a data URI has a comma")
        return base64.b64decode(data, validate=True) if head.endswith(";base64") else unquote_to_bytes(data)
    except (ValueError, binascii.Error) as failure:
        raise _not_downloaded(url[:80], location) from failure


def _not_downloaded(url: str, location: Location) -> ModelError:
    message = "Failed to download the file. Please check if the URL is accessible and try again."
    return ModelError.one(422, location, "file_download_error", message, url)


def _too_large(url: str, location: Location) -> ModelError:
    message = f"File size exceeds the maximum allowed size of {MAX_BYTES} bytes."
    return ModelError.one(422, location, "file_too_large", message, url[:200])
