"""Sound made with numpy: ambiences from words, a changed voice from a recording, WAV in and out.

Samples are float32 from -1 to 1 at `RATE`, shape (n,) mono or (n, 2) stereo.
"""

import io
import wave
import zlib
from collections.abc import Callable
from typing import Any

import av
import numpy as np
import numpy.typing as npt

RATE = 44_100
Samples = npt.NDArray[Any]
_PEAK = 0.7
_FADE_S = 0.25
_MAX_DECODED_S = 900
_WINDOW, _HOP, _BLOCK = 2048, 512, 512  # samples, samples, windows that are worked on at once

_VOICES = {  # pitch factor, brightness: positive lifts the treble
    "Aurora": (1.12, 0.15),
    "Blade": (0.84, -0.1),
    "Britney": (1.2, 0.25),
    "Carl": (0.88, -0.15),
    "Cliff": (0.8, -0.2),
    "Richard": (0.92, 0.0),
    "Rico": (0.95, 0.1),
    "Siobhan": (1.08, 0.05),
    "Vicky": (1.16, 0.2),
}


class NotAudio(Exception):
    """The bytes hold no sound that can be decoded."""


def wav(samples: Samples) -> bytes:
    """A 16-bit WAV file."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(samples.ndim)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return buffer.getvalue()


def decoded(content: bytes) -> Samples:
    """Mono samples of a recording in any usual container, or of a video's sound. Raises NotAudio."""
    chunks: list[Samples] = []
    total = 0
    try:
        with av.open(io.BytesIO(content), "r") as container:
            if not container.streams.audio:
                raise NotAudio("there is no sound in the file")
            resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
            for frame in container.decode(audio=0):
                for part in resampler.resample(frame):
                    chunks.append(part.to_ndarray()[0])
                    total += chunks[-1].size
                if total > _MAX_DECODED_S * RATE:
                    raise NotAudio("the recording is too long")
            chunks += [part.to_ndarray()[0] for part in resampler.resample(None)]
    except (av.FFmpegError, ValueError) as failure:
        raise NotAudio(str(failure)) from failure
    if not total:
        raise NotAudio("the recording is empty")
    return np.concatenate(chunks).astype(np.float32)


def revoiced(samples: Samples, voice: str) -> Samples:
    """The recording with another pitch and timbre, equally long. An unknown voice name is taken as a seed."""
    pitch, brightness = _VOICES.get(voice) or _voice_from(voice)
    shifted = _pitched(samples, pitch)
    frequencies = np.fft.rfftfreq(shifted.size, 1 / RATE)
    tilt = (np.maximum(frequencies, 60) / 1000) ** brightness
    band = 1 / (1 + (70 / np.maximum(frequencies, 1)) ** 4) / (1 + (frequencies / 11_000) ** 4)
    return _normalised(np.fft.irfft(np.fft.rfft(shifted) * tilt * band, shifted.size))


def _voice_from(name: str) -> tuple[float, float]:
    seed = zlib.crc32(name.encode())
    return 0.8 + (seed % 1000) / 2500, (seed // 1000 % 1000) / 2500 - 0.2


def _pitched(samples: Samples, factor: float) -> Samples:
    """Pitch by `factor` at the same length: stretched by a phase vocoder, then played faster."""
    padded = np.pad(samples, (_WINDOW, 2 * _WINDOW))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    at = np.arange(0, len(frames) - 1, 1 / factor)
    window = np.hanning(_WINDOW)
    stretched = np.zeros(len(at) * _HOP + _WINDOW, np.float32)
    weight = np.full_like(stretched, 1e-3)
    phase = np.angle(np.fft.rfft(frames[0] * window))
    for block in np.array_split(np.arange(len(at)), -(-len(at) // _BLOCK)):
        left = at[block].astype(int)
        part = (at[block] - left)[:, None]
        before, after = (np.fft.rfft(frames[left + step] * window) for step in (0, 1))
        turned = phase + np.cumsum(np.angle(after) - np.angle(before), axis=0)
        phase = turned[-1]
        magnitude = np.abs(before) * (1 - part) + np.abs(after) * part
        for number, grain in zip(block, np.fft.irfft(magnitude * np.exp(1j * turned)), strict=True):
            place = slice(number * _HOP, number * _HOP + _WINDOW)
            stretched[place] += grain * window
            weight[place] += window**2
    read_at = (np.arange(samples.size) + _WINDOW) * factor
    return np.asarray(np.interp(read_at, np.arange(stretched.size), stretched / weight))


# Ambiences


def ambience(text: str, seconds: float, seed: int, *, loop: bool = False) -> Samples:
    """Stereo sound for the words: rain, sea, wind, birds, street, fire, water; else a warm chord."""
    rng = np.random.default_rng([seed, zlib.crc32(text.encode())])
    length = max(1, round(seconds * RATE))
    lowered = text.lower()
    layers = [make for words, make in _LAYERS if any(word in lowered for word in words)] or [_chord]
    mixed = sum((_normalised(make(rng, length)) for make in layers), np.zeros((length, 2)))
    return _normalised(_seamless(mixed) if loop else _faded(mixed))


def _normalised(samples: Samples) -> Samples:
    peak = float(np.max(np.abs(samples), initial=0.0))
    return (samples * (_PEAK / peak if peak > 1e-6 else 1.0)).astype(np.float32)


def _faded(samples: Samples) -> Samples:
    fade = min(round(_FADE_S * RATE), len(samples) // 3)
    ramp = np.sin(np.linspace(0, np.pi / 2, fade))[:, None] ** 2
    samples[:fade] *= ramp
    samples[len(samples) - fade :] *= ramp[::-1]
    return samples


def _seamless(samples: Samples) -> Samples:
    """The end runs into the beginning, so that it can play round and round."""
    fade = min(RATE, len(samples) // 4)
    ramp = np.sin(np.linspace(0, np.pi / 2, fade))[:, None]
    tail = samples[len(samples) - fade :][::-1].copy()
    samples[:fade] = samples[:fade] * ramp + tail * ramp[::-1]
    return samples


def _noise(rng: np.random.Generator, length: int, shape: Callable[[Samples], Samples], channels: int = 2) -> Samples:
    """Noise with the spectrum `shape(frequencies in Hz)`, in independent channels."""
    spectrum = np.fft.rfft(rng.standard_normal((length, channels)), axis=0)
    gain = shape(np.maximum(np.fft.rfftfreq(length, 1 / RATE), 1.0))[:, None]
    made = np.fft.irfft(spectrum * gain, length, axis=0)
    return made / (np.std(made) + 1e-9)


def _band(low: float, high: float) -> Callable[[Samples], Samples]:
    return lambda f: 1 / (1 + (low / f) ** 4) / (1 + (f / high) ** 4)


def _sway(rng: np.random.Generator, length: int, period_s: float) -> Samples:
    """A slow random curve from 0 to 1."""
    points = max(4, round(length / RATE / period_s) + 4)
    knots = rng.random(points)
    at = np.linspace(0, points - 1.001, length)
    left = at.astype(int)
    part = at - left
    part = part * part * (3 - 2 * part)
    curve: Samples = knots[left] * (1 - part) + knots[left + 1] * part
    return curve[:, None]


def _bursts(
    rng: np.random.Generator, length: int, per_second: float, ring: Callable[[Samples, float], Samples], seconds: float
) -> Samples:
    """Short events scattered over time and space; `ring(time, chance)` is one event's wave."""
    out = np.zeros((length, 2))
    time = np.arange(round(seconds * RATE)) / RATE
    for _ in range(max(1, round(per_second * length / RATE))):
        start, side = int(rng.integers(0, length)), rng.uniform(0.15, 0.85)
        wave_form = ring(time, float(rng.random()))[: length - start, None] * rng.uniform(0.2, 1.0) ** 2
        out[start : start + len(wave_form)] += wave_form * np.array([1 - side, side])
    return out


def _rain(rng: np.random.Generator, length: int) -> Samples:
    bed = _noise(rng, length, lambda f: _band(400, 9000)(f) * f**-0.25) * (0.8 + 0.2 * _sway(rng, length, 3))
    drops = _bursts(
        rng, length, 60, lambda t, c: np.sin(2 * np.pi * (900 + 3500 * c) * t) * np.exp(-t * (140 + 200 * c)), 0.04
    )
    return bed + 3.0 * drops


def _sea(rng: np.random.Generator, length: int) -> Samples:
    swell = _sway(rng, length, 4.5) ** 1.5
    deep = _noise(rng, length, lambda f: _band(40, 500)(f) * f**-0.8)
    foam = _noise(rng, length, lambda f: _band(700, 8000)(f) * f**-0.3)
    return np.asarray(deep * (0.35 + 0.65 * swell) + 0.8 * foam * swell**2)


def _wind(rng: np.random.Generator, length: int) -> Samples:
    low = _noise(rng, length, lambda f: _band(90, 420)(f)) * (0.3 + 0.7 * _sway(rng, length, 2.2))
    high = _noise(rng, length, lambda f: _band(500, 1400)(f)) * _sway(rng, length, 1.3) ** 2
    return np.asarray(low + 0.4 * high)


def _birds(rng: np.random.Generator, length: int) -> Samples:
    def chirp(time: Samples, chance: float) -> Samples:
        trill = 1 + 0.12 * np.sin(2 * np.pi * (9 + 14 * chance) * time)
        phase = 2 * np.pi * np.cumsum((2300 + 2200 * chance) * trill) / RATE
        envelope = np.sin(np.pi * time / time[-1]) ** 2 * (0.6 + 0.4 * np.sin(2 * np.pi * 11 * time))
        return np.asarray(np.sin(phase) * envelope)

    return 0.25 * _noise(rng, length, lambda f: _band(200, 3000)(f) * f**-0.5) + 1.6 * _bursts(
        rng, length, 1.6, chirp, 0.45
    )


def _street(rng: np.random.Generator, length: int) -> Samples:
    rumble = _noise(rng, length, lambda f: _band(35, 260)(f) * f**-0.4) * (0.6 + 0.4 * _sway(rng, length, 3))
    voices = sum(
        (
            _noise(rng, length, _band(260 + 90 * number, 900 + 260 * number)) * _sway(rng, length, 0.16) ** 2
            for number in range(4)
        ),
        np.zeros((length, 2)),
    )
    clinks = _bursts(rng, length, 0.8, lambda t, c: np.sin(2 * np.pi * (2600 + 2400 * c) * t) * np.exp(-t * 28), 0.25)
    return 0.8 * rumble + 0.35 * voices + 0.9 * clinks


def _fire(rng: np.random.Generator, length: int) -> Samples:
    bed = _noise(rng, length, lambda f: _band(50, 700)(f) * f**-0.3) * (0.5 + 0.5 * _sway(rng, length, 0.7))
    crackle = _bursts(rng, length, 14, lambda t, c: np.sin(2e4 * t * (0.5 + c)) * np.exp(-t * 500), 0.02)
    return 0.6 * bed + 3.5 * crackle


def _chord(rng: np.random.Generator, length: int) -> Samples:
    time = np.arange(length)[:, None] / RATE
    root = 110 * 2 ** (int(rng.integers(0, 8)) / 12)
    out = np.zeros((length, 2))
    for step in (0, 7, 12, 16, 19, 23):
        pitch = root * 2 ** (step / 12)
        drift = 1 + 0.0016 * np.array([-1.0, 1.0]) * rng.uniform(0.4, 1.0)
        level = (0.35 + 0.65 * _sway(rng, length, 2.5)) * (110 / pitch) ** 0.6
        out += level * np.sin(2 * np.pi * pitch * drift * time + rng.uniform(0, 6.28))
    return out + 0.05 * _noise(rng, length, lambda f: _band(800, 6000)(f) * f**-0.6)


_LAYERS: tuple[tuple[tuple[str, ...], Callable[[np.random.Generator, int], Samples]], ...] = (
    (("rain", "drizzle", "storm", "shower"), _rain),
    (("sea", "ocean", "wave", "beach", "surf", "coast", "water", "river"), _sea),
    (("wind", "breeze", "desert", "dune", "mountain"), _wind),
    (("bird", "forest", "garden", "meadow", "spring", "morning"), _birds),
    (("street", "city", "caf", "crowd", "market", "traffic", "office", "restaurant"), _street),
    (("fire", "hearth", "crackl", "candle"), _fire),
)
