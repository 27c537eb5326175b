"""Short films from a still: a slow camera move, H.264 in MP4 that any browser plays, with sound on request."""

import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image, ImageOps

from local.fal import audio

FRAMES_PER_SECOND = 24
_AREA = 360 * 640  # pixels a frame: small, so that it encodes in about a second
_OVERSIZE = 1.3  # how much larger than the frame the still is, so that the camera has room
_AUDIO_FRAME = 1024


@dataclass(frozen=True, slots=True)
class Shot:
    """What to film. `size` is width and height, both even; `end` is where the picture dissolves to."""

    still: Image.Image
    end: Image.Image | None
    prompt: str
    seed: int
    size: tuple[int, int]
    seconds: float
    sound: bool
    loop: bool


def frame_size(aspect_ratio: str, source: tuple[int, int]) -> tuple[int, int]:
    """Even width and height with the asked ratio; "auto" follows the source."""
    width, height = source if aspect_ratio == "auto" else tuple(map(int, aspect_ratio.split(":")))
    ratio = min(max(width / height, 0.4), 2.5)
    return round(math.sqrt(_AREA * ratio) / 2) * 2, round(math.sqrt(_AREA / ratio) / 2) * 2


def film(shot: Shot) -> bytes:
    """The MP4, with its index in front so that it starts to play while it loads."""
    with tempfile.TemporaryDirectory(prefix="film-") as folder:  # moving the index needs a file that can be read again
        path = Path(folder, "film.mp4")
        _write(shot, path)
        return path.read_bytes()


def _write(shot: Shot, path: Path) -> None:
    with av.open(path, "w", format="mp4", options={"movflags": "+faststart"}) as container:
        picture = container.add_stream("libx264", rate=FRAMES_PER_SECOND)
        picture.width, picture.height = shot.size
        picture.pix_fmt = "yuv420p"
        picture.options = {"preset": "veryfast", "crf": "20", "tune": "film"}
        picture.codec_context.thread_count = 1
        sound = container.add_stream("aac", rate=audio.RATE) if shot.sound else None
        if sound is not None:
            sound.layout = "stereo"
            sound.bit_rate = 96_000
        for number, frame in enumerate(_frames(shot)):
            shown = av.VideoFrame.from_ndarray(np.asarray(frame), format="rgb24")
            shown.pts, shown.time_base = number, Fraction(1, FRAMES_PER_SECOND)
            container.mux(picture.encode(shown))
        container.mux(picture.encode(None))
        if sound is not None:
            for heard in _heard(shot):
                container.mux(sound.encode(heard))
            container.mux(sound.encode(None))


def _frames(shot: Shot) -> Iterator[Image.Image]:
    width, height = shot.size
    room = (round(width * _OVERSIZE), round(height * _OVERSIZE))
    still = ImageOps.fit(shot.still, room, Image.Resampling.LANCZOS)
    end = ImageOps.fit(shot.end, room, Image.Resampling.LANCZOS) if shot.end else None
    count = max(2, round(shot.seconds * FRAMES_PER_SECOND))
    for number in range(count):
        progress = number / count if shot.loop else number / (count - 1)
        source = still if end is None else Image.blend(still, end, _ease(min(max(progress * 1.6 - 0.3, 0), 1)))
        yield source.resize(shot.size, Image.Resampling.BICUBIC, box=_camera(shot, room, progress))


def _camera(shot: Shot, room: tuple[int, int], progress: float) -> tuple[float, float, float, float]:
    """The part of the still that is seen, in its pixels."""
    along = (1 - math.cos(2 * math.pi * progress)) / 2 if shot.loop else _ease(progress)
    zoom_from, zoom_to, pan_x, pan_y = _move(shot.prompt.lower(), shot.seed)
    zoom = zoom_from + (zoom_to - zoom_from) * along
    seen = (room[0] / _OVERSIZE / zoom * 1.0, room[1] / _OVERSIZE / zoom * 1.0)
    left = (room[0] - seen[0]) * (0.5 + pan_x * (along - 0.5))
    top = (room[1] - seen[1]) * (0.5 + pan_y * (along - 0.5))
    return left, top, left + seen[0], top + seen[1]


def _move(prompt: str, seed: int) -> tuple[float, float, float, float]:
    """Zoom at the start and the end, and how far the camera pans, from -1 to 1."""
    side = 1.0 if seed % 2 else -1.0
    if any(word in prompt for word in ("pull back", "dolly out", "zoom out", "reveal")):
        return 1.25, 0.8, 0.1 * side, 0.0
    if any(word in prompt for word in ("pan", "orbit", "drift", "track", "slide")):
        return 1.0, 1.03, 0.95 * side, 0.0
    if any(word in prompt for word in ("tilt", "rise", "crane", "descend")):
        return 1.0, 1.02, 0.0, -0.95
    return 0.82, 1.2, 0.25 * side, -0.15


def _ease(part: float) -> float:
    """Slow at both ends, but moving from the first frame on."""
    return 0.35 * part + 0.65 * part * part * (3 - 2 * part)


def _heard(shot: Shot) -> Iterator[Any]:
    samples = audio.ambience(shot.prompt, shot.seconds, shot.seed, loop=shot.loop) * 0.6
    for start in range(0, len(samples), _AUDIO_FRAME):
        part = np.ascontiguousarray(samples[start : start + _AUDIO_FRAME].T, np.float32)
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = audio.RATE, start, Fraction(1, audio.RATE)
        yield frame
