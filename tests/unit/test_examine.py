"""What a result says about itself when it is copied: sizes and lengths are extra, the copy is what was paid for."""

import io
import struct
from decimal import Decimal
from random import Random

import pytest
from PIL import Image

from core.decoding import frame_of, wav_of
from core.errors import InvalidInput
from core.mirror import Facts, MirrorRefused, examine
from core.pictures import clean_picture
from tests.pictures import jpeg, png, video, wav
from tests.unit.test_bombs import png_of


def wav_with(kind: int, bits: int, rate: int = 8000, seconds: float = 1.5, extension: bytes = b"") -> bytes:
    """A WAV in one channel: kind 1 whole numbers, 3 floats, 0xfffe as the extension says."""
    samples = bytes(int(rate * seconds) * bits // 8)
    form = struct.pack("<HHIIHH", kind, 1, rate, rate * bits // 8, bits // 8, bits) + extension
    body = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


FLOATS = struct.pack("<HHI", 22, 32, 4) + bytes.fromhex("0300000000001000800000aa00389b71")


@pytest.mark.parametrize(
    "data",
    [wav_with(1, 16), wav_with(1, 24), wav_with(3, 32), wav_with(0xFFFE, 32, extension=FLOATS)],
    ids=["whole numbers", "24 bits", "floats", "floats, said in the extension"],
)
def test_every_kind_of_wav_is_copied(data: bytes) -> None:
    """The voices of fal.ai are floats as often as not."""
    assert examine(io.BytesIO(data)) == Facts("audio/wav", duration_seconds=Decimal("1.500"))


def test_a_picture_too_large_to_be_opened_is_copied_all_the_same() -> None:
    assert examine(io.BytesIO(png_of(20_000, 20_000))) == Facts("image/png")
    assert examine(io.BytesIO(png_of(9_000, 9_000))) == Facts("image/png", 9_000, 9_000)


def test_a_length_that_nobody_believes_is_none() -> None:
    """The database would refuse it, and the copy with it, again and again."""
    data = wav_with(1, 16, rate=1, seconds=1)
    endless = data[: data.index(b"data") + 4] + struct.pack("<I", 2**31) + bytes(64)
    seconds = examine(io.BytesIO(endless)).duration_seconds
    assert seconds is None or seconds < 1_000_000


@pytest.mark.parametrize("rate", [0, 2**32 - 1])
def test_a_recording_without_time_is_refused(rate: int) -> None:
    data = bytearray(wav_with(1, 16))
    data[24:28] = struct.pack("<I", rate)
    with pytest.raises(MirrorRefused, match="cannot be read"):
        examine(io.BytesIO(data))


def test_damage_is_refused_in_words_and_nothing_else_happens() -> None:
    """A few bytes of real files are others: whoever looks at them knows, or says no."""
    chance, webp = Random(1), io.BytesIO()
    Image.new("RGB", (80, 80), "red").save(webp, "WEBP")
    files = [png(80, 80), jpeg(), webp.getvalue(), wav(0.2), wav_with(3, 32, seconds=0.2), video(5)]
    for _ in range(120):
        data = bytearray(chance.choice(files))
        for _ in range(chance.choice((1, 2, 4, 16))):
            data[chance.randrange(min(len(data), chance.choice((64, 256, len(data)))))] = chance.randrange(256)
        damaged = bytes(data[: chance.randrange(len(data))] if chance.random() < 0.2 else data)
        for look in (
            lambda d: examine(io.BytesIO(d)),
            clean_picture,
            wav_of,
            lambda d: frame_of(d, "last"),
        ):
            try:
                look(damaged)  # type: ignore[no-untyped-call]
            except (InvalidInput, MirrorRefused):
                continue


def test_a_film_of_a_kind_that_nobody_knows_has_no_frame() -> None:
    data = video(5)
    assert b"avc1" in data or b"mp4v" in data
    with pytest.raises(InvalidInput, match="cannot be read"):
        frame_of(data.replace(b"avc1", b"zzzz").replace(b"mp4v", b"zzzz"), "last")
