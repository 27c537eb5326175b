"""Pictures that people bring: told by their bytes, limited, and written anew without what they carry along."""

import io
from dataclasses import dataclass
from decimal import Decimal
from threading import BoundedSemaphore
from typing import Final

from PIL import Image, ImageCms, ImageOps

from core.catalog.shared import MEGAPIXEL
from core.errors import InvalidInput
from core.filetypes import sniff

LARGEST_PIXELS: Final = 40_000_000
SMALLEST_SIDE: Final = 64  # pixels
FORMATS: Final = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP"}
_TOO_LARGE: Final = "This picture has more than 40 megapixels. Choose a smaller one."
_BROKEN: Final = (OSError, ValueError, SyntaxError)
_FEW_AT_A_TIME: Final = BoundedSemaphore(2)


@dataclass(frozen=True, slots=True)
class Picture:
    """A clean picture. Pixels."""

    data: bytes
    media_type: str
    width: int
    height: int


def clean_picture(data: bytes) -> Picture:
    """The picture upright and written anew: location, camera data and thumbnails stay behind. Raises InvalidInput.

    A few at a time: one of the largest that is allowed takes half a gigabyte while it is written."""
    with _FEW_AT_A_TIME:
        return _written_anew(data)


def _written_anew(data: bytes) -> Picture:
    media_type = sniff(data[:64])
    if media_type not in FORMATS:
        raise InvalidInput("This is not a PNG, JPEG or WebP picture.", field="image")
    try:
        with Image.open(io.BytesIO(data), formats=[FORMATS[media_type]]) as opened:
            if opened.width * opened.height > LARGEST_PIXELS:
                raise InvalidInput(_TOO_LARGE, field="image")
            if min(opened.size) < SMALLEST_SIDE:
                raise InvalidInput(f"This picture is too small, {SMALLEST_SIDE} pixels a side at least.", field="image")
            upright = ImageOps.exif_transpose(opened)
            coloured, profile = _in_rgb(upright, opened.info.get("icc_profile"))
            kept = "RGBA" if upright.has_transparency_data and media_type != "image/jpeg" else "RGB"
            # A copy of the pixels: what came with them (EXIF, XMP, comments) is not in it, only the colour profile.
            plain = Image.new(kept, coloured.size)
            plain.paste(coloured.convert(kept))
            written = io.BytesIO()
            plain.save(written, FORMATS[media_type], quality=95, icc_profile=profile)
    except Image.DecompressionBombError as error:
        raise InvalidInput(_TOO_LARGE, field="image") from error
    except _BROKEN as error:
        raise InvalidInput("This picture cannot be read. It may be damaged.", field="image") from error
    return Picture(written.getvalue(), media_type, plain.width, plain.height)


def megapixels(data: bytes) -> Decimal | None:
    """The area of a picture, from its head alone; None when it is no picture that we take."""
    try:
        with Image.open(io.BytesIO(data), formats=list(FORMATS.values())) as opened:
            return opened.width * opened.height / MEGAPIXEL
    except (*_BROKEN, Image.DecompressionBombError):
        return None


def _in_rgb(picture: Image.Image, profile: bytes | None) -> tuple[Image.Image, bytes | None]:
    """The picture with a profile that fits red, green and blue. One made for print (CMYK) or in greys is brought over
    by its own profile, as it was meant to look; without one, as well as can be guessed."""
    if not profile or profile[16:20] == b"RGB ":  # the colour space in the header of an ICC profile
        return picture, profile
    try:
        meant = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(picture, meant, srgb, outputMode="RGB") or picture, None
    except (ImageCms.PyCMSError, OSError):
        return picture, None
