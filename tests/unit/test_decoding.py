"""Sound and frames out of files: real ones in every format that people bring, and ones that are none."""

import io
import wave
from decimal import Decimal

import av
import pytest
from PIL import Image

from core import decoding
from core.decoding import RATE, Moment, frame_of, length_of, wav_of
from core.errors import InvalidInput
from tests.pictures import jpeg, video, wav

SOUNDS = {"mp3": ("libmp3lame", "mp3"), "ogg": ("libopus", "ogg"), "flac": ("flac", "flac"), "m4a": ("aac", "ipod")}


def encoded(kind: str, seconds: float = 1.0) -> bytes:
    """A tone in another format, with a title and a place in its metadata."""
    codec, container = SOUNDS[kind]
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        output.metadata["title"] = "Secret title"
        output.metadata["location"] = "+48.8584+002.2945/"
        stream = output.add_stream(codec, rate=48_000)
        with av.open(io.BytesIO(wav(seconds, rate=48_000, channels=2)), "r", format="wav") as source:
            for frame in source.decode(audio=0):
                output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


def recordings() -> dict[str, bytes]:
    return {
        "wav": wav(),
        "stereo": wav(channels=2, rate=22_050),
        "webm": video(10, container="webm"),
        "mp4": video(10),
    } | {kind: encoded(kind) for kind in SOUNDS}


@pytest.mark.parametrize("kind", [*SOUNDS, "wav", "stereo", "webm", "mp4"])
def test_any_recording_becomes_a_plain_wav(kind: str) -> None:
    data = recordings()[kind]
    made, seconds = wav_of(data)
    assert seconds == pytest.approx(Decimal(1), abs=Decimal("0.15"))
    with wave.open(io.BytesIO(made)) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, RATE)
        samples = memoryview(sound.readframes(sound.getnframes())).cast("h")
    assert max(samples) > 5_000, "the tone is in it"
    assert b"Secret" not in made


@pytest.mark.parametrize(
    "data", [b"", b"RIFF", jpeg(), b"<html>", b"#EXTM3U\nhttp://127.0.0.1/x", wav()[:20], b"OggS" + bytes(200)]
)
def test_what_is_no_recording_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        wav_of(data)
    assert refused.value.field == "audio"


def test_a_silent_film_has_no_sound() -> None:
    with pytest.raises(InvalidInput, match="no sound"):
        wav_of(video(sound=False))


def test_an_empty_recording_is_refused() -> None:
    with pytest.raises(InvalidInput, match="empty"):
        wav_of(wav(0))


def test_a_recording_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "LONGEST_SOUND", 1)
    wav_of(wav(1.0))
    with pytest.raises(InvalidInput, match="longer"):
        wav_of(wav(1.1))


def place(png: bytes) -> int:
    """Which frame of `video` this is."""
    with Image.open(io.BytesIO(png)) as picture:
        grey = picture.convert("L").resize((1, 1)).getpixel((0, 0))
    assert isinstance(grey, int)
    return round(grey / 12)


@pytest.mark.parametrize("container", ["mp4", "webm"])
@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("first", 0),
        ("last", 19),
        (Decimal(0), 0),
        (Decimal("0.55"), 5),
        (Decimal("1.2"), 12),
        (Decimal("1.99"), 19),
    ],
)
def test_the_frame_of_a_moment(container: str, moment: Moment, number: int) -> None:
    png, width, height = frame_of(video(container=container, sound=False), moment)
    assert (width, height) == (64, 48)
    assert abs(place(png) - number) <= 1 if container == "webm" else place(png) == number


def test_the_last_frame_of_a_long_film() -> None:
    assert place(frame_of(video(20, rate=4), "last")[0]) == 19


def test_a_moment_after_the_end_is_refused() -> None:
    with pytest.raises(InvalidInput, match="shorter"):
        frame_of(video(), Decimal(3))


@pytest.mark.parametrize("data", [b"", jpeg(), video()[:300], b"\x00\x00\x00\x18ftypmp42" + bytes(100)])
def test_what_is_no_film_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        frame_of(data, "first")


def test_a_recording_has_no_frame() -> None:
    with pytest.raises(InvalidInput, match="no picture"):
        frame_of(encoded("m4a"), "first")


def test_pictures_that_are_too_large_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "LARGEST_FRAME", 64 * 48 - 1)
    with pytest.raises(InvalidInput, match="too large"):
        frame_of(video(), "first")


def test_the_length_of_a_film_and_of_a_recording() -> None:
    assert length_of(video()) == pytest.approx(Decimal(2), abs=Decimal("0.1"))
    assert length_of(wav(1.5)) == Decimal("1.5")
    with pytest.raises(InvalidInput):
        length_of(b"nothing")
