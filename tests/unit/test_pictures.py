"""Pictures that people bring: told by their bytes, limited, and free of what they carry along."""

import io
import struct
from decimal import Decimal

import pytest
from PIL import Image, ImageCms, PngImagePlugin

from core.errors import InvalidInput
from core.pictures import clean_picture, megapixels
from tests.pictures import jpeg, png, wav

ORIENTATION, GPS, MAKE = 0x0112, 0x8825, 0x010F


def exif(orientation: int = 1) -> Image.Exif:
    """A camera, a place and a way to hold it."""
    found = Image.Exif()
    found[ORIENTATION], found[MAKE] = orientation, "Secret camera"
    found.get_ifd(GPS)[2] = (48.0, 51.0, 30.0)
    return found


def reopened(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


def test_location_and_camera_are_left_behind() -> None:
    brought = jpeg(exif=exif())
    assert b"Secret camera" in brought
    clean = clean_picture(brought)
    assert (clean.media_type, clean.width, clean.height) == ("image/jpeg", 320, 240)
    assert b"Secret" not in clean.data
    assert dict(reopened(clean.data).getexif()) == {}


def test_a_picture_is_turned_upright() -> None:
    clean = clean_picture(jpeg(exif=exif(orientation=6)))
    assert (clean.width, clean.height) == (240, 320)
    picture = reopened(clean.data).convert("L")
    top, bottom = picture.getpixel((120, 5)), picture.getpixel((120, 315))
    assert top != bottom, "left to right has become top to bottom"


def test_comments_of_a_png_are_left_behind_and_transparency_stays() -> None:
    file = io.BytesIO()
    words = PngImagePlugin.PngInfo()
    words.add_text("Comment", "Secret comment")
    Image.new("RGBA", (100, 80), (200, 10, 10, 128)).save(file, "PNG", pnginfo=words)
    clean = clean_picture(file.getvalue())
    assert b"Secret" not in clean.data
    assert reopened(clean.data).getpixel((5, 5)) == (200, 10, 10, 128)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "LA", "I;16"])
def test_pictures_of_every_kind_are_read(mode: str) -> None:
    data = jpeg_of(mode) if mode == "CMYK" else png(mode=mode)
    picture = reopened(clean_picture(data).data)
    assert (picture.mode in ("RGB", "RGBA"), picture.size) == (True, (320, 240))


def jpeg_of(mode: str) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (320, 240)).save(file, "JPEG")
    return file.getvalue()


def test_webp_and_its_colour_profile_stay() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    file = io.BytesIO()
    Image.new("RGB", (100, 80), "red").save(file, "WEBP", icc_profile=profile)
    clean = clean_picture(file.getvalue())
    assert clean.media_type == "image/webp"
    assert reopened(clean.data).info["icc_profile"] == profile


def test_a_picture_in_greys_keeps_its_greys_and_not_their_profile() -> None:
    """A profile for one channel in a file with three makes readers guess."""
    file = io.BytesIO()
    Image.new("L", (100, 80), 90).save(file, "PNG", icc_profile=grey_profile())
    picture = reopened(clean_picture(file.getvalue()).data)
    assert "icc_profile" not in picture.info
    red, green, blue = picture.getpixel((5, 5))  # type: ignore[misc]
    assert red == green == blue > 150, "a grey of 90 that means light itself is a lighter one to the eye"


def grey_profile() -> bytes:
    """The smallest that littleCMS reads: a header and a curve that is a straight line."""
    tags = {b"wtpt": b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061), b"kTRC": b"curv" + bytes(8)}
    offset, table, body = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">2I", offset + len(body), len(data))
        body += data
    header = struct.pack(
        ">I4s4s4s4s4s12s4s", 132, b"lcms", b"\x02\x10\0\0", b"mntr", b"GRAY", b"XYZ ", bytes(12), b"acsp"
    )
    header += bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    header = header.ljust(128, b"\0")
    return struct.pack(">I", len(header) + len(table) + len(body)) + header[4:] + table + body


def test_a_profile_that_cannot_be_read_is_left_behind() -> None:
    file = io.BytesIO()
    Image.new("CMYK", (100, 80), (0, 200, 200, 0)).save(file, "JPEG", icc_profile=bytes(16) + b"CMYK" + bytes(200))
    picture = reopened(clean_picture(file.getvalue()).data)
    assert (picture.mode, "icc_profile" in picture.info) == ("RGB", False)


def test_the_area_is_known_before_the_picture_is_sent() -> None:
    assert megapixels(png(1000, 500)) == Decimal("0.5")
    assert megapixels(wav()) is None
    assert megapixels(b"") is None


@pytest.mark.parametrize(
    "data",
    [b"", b"GIF89a" + bytes(50), wav(), jpeg()[:200], png()[:60], b"\x89PNG\r\n\x1a\n" + bytes(64), b"<svg/>"],
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        clean_picture(data)
    assert refused.value.field == "image"


def test_a_picture_with_too_many_or_too_few_pixels_is_refused() -> None:
    with pytest.raises(InvalidInput, match="megapixels"):
        clean_picture(png(8000, 5001, "1"))
    with pytest.raises(InvalidInput, match="too small"):
        clean_picture(png(63, 200))
    assert clean_picture(png(64, 64)).width == 64
