"""Taking sound and frames out of recordings and videos, with FFmpeg's libraries (PyAV).

The format is named to FFmpeg from the bytes we have looked at ourselves and the file is read from memory, so that no
playlist or reference inside it can make us open anything else. Whatever cannot be read is refused in words.
"""

import io
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal

import av
from av.container import InputContainer
from PIL import Image

from core.errors import InvalidInput
from core.filetypes import sniff

RATE: Final = 44_100  # Hz of the sound we hand on
LONGEST_SOUND: Final = 600  # seconds
LARGEST_FRAME: Final = 40_000_000  # pixels
TAIL: Final = 2  # seconds before the end in which the last frame is looked for

Moment = Literal["first", "last"] | Decimal

_DEMUXERS: Final = {
    "audio/wav": "wav",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/flac": "flac",
    "video/mp4": "mov",  # M4A too: the same container
    "video/webm": "matroska",  # what browsers record
}


def wav_of(data: bytes) -> tuple[bytes, Decimal]:
    """The sound of a recording or a video as a 16-bit mono WAV, and its length in seconds.

    Nothing else of the file survives: no location, no title, no cover. WAV, MP3, OGG, FLAC, M4A, MP4 and WebM are read,
    10 minutes at most. Raises InvalidInput.
    """
    with _opened(data, "audio", "This is not a WAV, MP3, OGG, FLAC, M4A or WebM recording.") as container:
        if not container.streams.audio:
            raise InvalidInput("There is no sound in this file.", field="audio")
        samples = bytearray()
        for part in _mono(container):
            samples += part
            if len(samples) > LONGEST_SOUND * RATE * 2:
                minutes = LONGEST_SOUND // 60
                raise InvalidInput(f"This recording is longer than {minutes} minutes. Cut it.", field="audio")
    if not samples:
        raise InvalidInput("This recording is empty.", field="audio")
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(bytes(samples))
    return written.getvalue(), (Decimal(len(samples)) / (2 * RATE)).quantize(Decimal("0.001"))


def frame_of(data: bytes, moment: Moment) -> tuple[bytes, int, int]:
    """One frame of a video as PNG, with its width and height in pixels: the first, the last, or the one shown
    at so many seconds. Raises InvalidInput."""
    with _opened(data, "image", "This is not an MP4 or WebM video.") as container:
        if not container.streams.video:
            raise InvalidInput("There is no picture in this file.", field="image")
        size = container.streams.video[0].codec_context
        if size is None:  # a kind of video that nobody knows
            raise InvalidInput("This file cannot be read. It may be damaged.", field="image")
        if size.width * size.height > LARGEST_FRAME:
            raise InvalidInput("The pictures of this video are too large, 40 megapixels at most.", field="image")
        frame = _frame_at(container, moment)
        if frame is None:
            raise InvalidInput("This video is shorter than that. Choose an earlier moment.", field="image")
        picture: Image.Image = frame.to_image()  # type: ignore[no-untyped-call]
    png = io.BytesIO()
    picture.save(png, "PNG")
    return png.getvalue(), picture.width, picture.height


def length_of(data: bytes) -> Decimal:
    """How long a recording or video is, in seconds. Raises InvalidInput when its file does not say."""
    seconds = told_length(data)
    if seconds is None:
        raise InvalidInput("This file does not say how long it is.", field="video")
    return seconds


def told_length(data: bytes) -> Decimal | None:
    """How long a recording or video says that it is, in seconds; None when it does not say. Raises InvalidInput for
    what cannot be read."""
    with _opened(data, "video", "This is not a recording or video that we know.") as container:
        if not container.duration or container.duration < 0:
            return None
        return (Decimal(container.duration) / av.time_base).quantize(Decimal("0.001"))


@contextmanager
def _opened(data: bytes, field: str, refusal: str) -> Iterator[InputContainer]:
    demuxer = _DEMUXERS.get(sniff(data[:64]) or "")
    if demuxer is None:
        raise InvalidInput(refusal, field=field)
    try:
        with av.open(io.BytesIO(data), "r", format=demuxer, metadata_errors="ignore") as container:
            yield container
    except (av.FFmpegError, ValueError, OSError) as error:
        raise InvalidInput("This file cannot be read. It may be damaged.", field=field) from error


def _mono(container: InputContainer) -> Iterator[bytes]:
    """16-bit samples at RATE, channel by channel mixed into one."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    for frame in container.decode(audio=0):
        for part in resampler.resample(frame):
            yield bytes(part.planes[0])[: part.samples * 2]  # planes are padded
    for part in resampler.resample(None):
        yield bytes(part.planes[0])[: part.samples * 2]


def _frame_at(container: InputContainer, moment: Moment) -> av.VideoFrame | None:
    if moment == "first":
        return next(iter(container.decode(video=0)), None)
    if moment == "last":
        if container.duration and container.duration > TAIL * av.time_base:
            container.seek(container.duration - TAIL * av.time_base)
            if (frame := _last(container)) is not None:
                return frame
            container.seek(0)
        return _last(container)
    wanted = Fraction(moment)
    container.seek(max(0, int(wanted * av.time_base)))  # to the key frame before it
    shown = None
    for frame in container.decode(video=0):
        starts = (frame.pts or 0) * (frame.time_base or Fraction(0))
        if starts > wanted and shown is not None:
            return shown
        shown = frame
        if starts >= wanted:
            return shown
    # The last frame stays on screen until the video ends.
    length = Fraction(container.duration or 0, av.time_base)
    return shown if wanted <= length else None


def _last(container: InputContainer) -> av.VideoFrame | None:
    last = None
    for frame in container.decode(video=0):
        last = frame
    return last
