"""What every picture is made of: a pixel grid, soft edges, smooth noise, mixing, grain.

Colours are float32 arrays with a last axis of three, sRGB 0 to 1. Lengths are in units of the shorter side; x runs
right and y down, with 0 in the middle.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Array = npt.NDArray[Any]
Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Grid:
    """The coordinates of every pixel: `x` has shape (1, width), `y` (height, 1), so that they broadcast."""

    width: int
    height: int
    x: Array
    y: Array
    pixel: float  # the size of one

    @classmethod
    def of(cls, width: int, height: int) -> "Grid":
        shorter = min(width, height)
        x = ((np.arange(width, dtype=np.float32) + 0.5) - width / 2) / shorter
        y = ((np.arange(height, dtype=np.float32) + 0.5) - height / 2) / shorter
        return cls(width, height, x[None, :], y[:, None], 1 / shorter)

    @property
    def right(self) -> float:
        return self.width * self.pixel / 2

    @property
    def bottom(self) -> float:
        return self.height * self.pixel / 2

    def filled(self, colour: Array) -> Array:
        return np.broadcast_to(colour, (self.height, self.width, 3)).astype(np.float32)


def smoothstep(low: float, high: float, value: Array) -> Array:
    part = np.clip((value - low) / (high - low), 0, 1)
    return part * part * (3 - 2 * part)


def mix(first: Array, second: Array, part: Array | float) -> Array:
    """From the first (0) to the second (1); `part` without a colour axis gets one."""
    weight = part[..., None] if isinstance(part, np.ndarray) and part.ndim == 2 else part
    return np.asarray(first + (second - first) * weight, np.float32)


def covered(distance: Array, grid: Grid, softness: float = 0.0) -> Array:
    """How much of each pixel lies inside a shape, from its signed distance (negative inside)."""
    edge = grid.pixel + softness
    return np.asarray(np.clip(0.5 - distance / edge, 0, 1), np.float32)


def stops(at: Array, colours: list[Array], places: list[float] | None = None) -> Array:
    """A gradient through the colours, for values from 0 to 1."""
    known = np.linspace(0, 1, len(colours)) if places is None else np.array(places)
    table = np.stack(colours)
    return np.stack([np.interp(at, known, table[:, channel]) for channel in range(3)], axis=-1).astype(np.float32)


def noise(rng: Rng, width: int, height: int, cells_x: float, cells_y: float) -> Array:
    """Smooth noise, about -1 to 1, with so many bumps across and down."""
    knots = rng.uniform(-1, 1, (max(2, round(cells_y)) + 2, max(2, round(cells_x)) + 2)).astype(np.float32)
    image = Image.fromarray(knots)
    box = (0.5, 0.5, knots.shape[1] - 0.5, knots.shape[0] - 0.5)
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC, box=box))


def clouds(rng: Rng, width: int, height: int, cells: float, octaves: int = 4) -> Array:
    """Layered noise, about -1 to 1; `cells` bumps along the shorter side in the coarsest layer."""
    shorter = min(width, height)
    total, weight = np.zeros((height, width), np.float32), 1.0
    for octave in range(octaves):
        scale = cells * 2**octave / shorter
        total += weight * noise(rng, width, height, width * scale, height * scale)
        weight *= 0.5
    return total / np.float32(2 - 2 * weight)


def sampled(texture: Array, u: Array, v: Array) -> Array:
    """A square texture that repeats, read between its pixels; 0 to 1 is once across."""
    size = texture.shape[0]
    column, row = (u % 1) * size, (v % 1) * size
    left, top = column.astype(np.int32), row.astype(np.int32)
    part_x, part_y = column - left, row - top
    left, top = left % size, top % size
    right, bottom = (left + 1) % size, (top + 1) % size
    upper = texture[top, left] * (1 - part_x) + texture[top, right] * part_x
    lower = texture[bottom, left] * (1 - part_x) + texture[bottom, right] * part_x
    return np.asarray(upper * (1 - part_y) + lower * part_y, np.float32)


def tileable(rng: Rng, size: int, steepness: float) -> Array:
    """A square of noise without seams, mean 0 and spread 1, of two bumps across; a higher steepness is smoother."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :]) * size
    spectrum = np.fft.rfft2(rng.standard_normal((size, size))) / np.maximum(frequency, 2) ** steepness
    spectrum[0, 0] = 0
    made = np.fft.irfft2(spectrum, (size, size))
    return np.asarray(made / made.std(), np.float32)


def to_image(colours: Array, width: int, height: int) -> Image.Image:
    """The picture at its final size."""
    small = Image.fromarray((np.clip(colours, 0, 1) * 255 + 0.5).astype(np.uint8))
    return small if small.size == (width, height) else small.resize((width, height), Image.Resampling.BICUBIC)


_GRAIN_TILE = 512


def grained(image: Image.Image, rng: Rng, strength: float) -> Image.Image:
    """With film grain of so many levels of 255: it hides banding and looks printed."""
    tile = rng.normal(0, strength, (_GRAIN_TILE, _GRAIN_TILE)).astype(np.int16)
    repeats = (-(-image.height // _GRAIN_TILE), -(-image.width // _GRAIN_TILE))
    grain = np.tile(tile, repeats)[: image.height, : image.width, None]
    return Image.fromarray(np.clip(np.asarray(image, np.int16) + grain, 0, 255).astype(np.uint8))
