"""Small files for tests, made here: pictures with and without a past, recordings, videos."""

import io
import math
import struct
import wave
from fractions import Fraction

import av
from PIL import Image

RATE = 8_000  # Hz


def jpeg(width: int = 320, height: int = 240, *, exif: Image.Exif | None = None) -> bytes:
    """A picture that is dark on the left and light on the right."""
    file = io.BytesIO()
    picture = Image.linear_gradient("L").rotate(90).resize((width, height)).convert("RGB")
    picture.save(file, "JPEG", **({"exif": exif} if exif else {}))
    return file.getvalue()


def png(width: int = 320, height: int = 240, mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert(mode).save(file, "PNG")
    return file.getvalue()


def wav(seconds: float = 1.0, *, rate: int = RATE, channels: int = 1) -> bytes:
    """A tone of 440 Hz."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(channels)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        tone = (int(12_000 * math.sin(2 * math.pi * 440 * n / rate)) for n in range(round(seconds * rate)))
        sound.writeframes(b"".join(struct.pack("<h", value) * channels for value in tone))
    return file.getvalue()


def video(frames: int = 20, *, rate: int = 10, sound: bool = True, container: str = "mp4") -> bytes:
    """A film whose frame n is the grey 12 × n, so that a frame tells its place; with a tone when wanted."""
    file = io.BytesIO()
    codec = {"mp4": "libx264", "webm": "libvpx"}[container]
    with av.open(file, "w", format=container) as output:
        picture = output.add_stream(codec, rate=rate)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        picture.gop_size = 8
        tone = output.add_stream({"mp4": "aac", "webm": "libopus"}[container], rate=48_000) if sound else None
        for number in range(frames):
            frame = av.VideoFrame.from_image(Image.new("RGB", (64, 48), (12 * number,) * 3))
            frame.pts, frame.time_base = number, Fraction(1, rate)
            output.mux(picture.encode(frame))
        output.mux(picture.encode(None))
        if tone is not None:
            with av.open(io.BytesIO(wav(frames / rate, rate=48_000)), "r", format="wav") as source:
                for part in source.decode(audio=0):
                    output.mux(tone.encode(part))
            output.mux(tone.encode(None))
    return file.getvalue()
