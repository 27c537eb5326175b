"""Dunes, hills and fjords: ridges behind ridges in the haze, with a low sun; a fjord has water in front."""

import numpy as np

from local.fal.paint.canvas import Array, Grid, Rng, covered, mix, noise, smoothstep, stops
from local.fal.paint.palette import Scenery, scenery_for, words_of

_WATER_WORDS = {"fjord", "lake", "sea", "water", "coast", "ocean", "river", "bay", "island"}
_ROCKY_WORDS = _WATER_WORDS | {"mountain", "mountains", "peak", "peaks", "alpine", "glacier", "cliff"}
_DUNE_WORDS = {"dune", "dunes", "desert", "sand"}


def landscape(grid: Grid, prompt: str, rng: Rng) -> Array:
    """The whole view."""
    words = set(words_of(prompt))
    scenery = scenery_for(prompt, rng)
    sun_x, sun_y = _sun_place(grid, rng)
    picture = _sky(grid, scenery, sun_x, sun_y, rng)
    water = bool(words & _WATER_WORDS)
    shape = _dune if words & _DUNE_WORDS else _rocky if words & _ROCKY_WORDS else _rolling
    horizon = grid.bottom * (0.42 if water else 1.0)
    first = -grid.bottom * float(rng.uniform(0.02, 0.14))
    count = len(scenery.layers) - (1 if water else 0)
    for number in range(count):
        part = number / (count - 1)
        base = first + (horizon * 0.86 - first) * part**1.15
        height = grid.bottom * (0.19 + 0.10 * part) * float(rng.uniform(0.8, 1.25))
        crest = base - height * shape(grid, rng, 1.1 - 0.35 * part)
        _lay(picture, grid, scenery, crest, number, count, sun_x, rng)
    if water:
        _flood(picture, grid, scenery, horizon, sun_x, rng)
    return picture


def _sun_place(grid: Grid, rng: Rng) -> tuple[float, float]:
    side = 1 if rng.random() < 0.55 else -1
    return side * float(rng.uniform(0.14, 0.5)) * grid.right, -grid.bottom * float(rng.uniform(0.34, 0.6))


def _sky(grid: Grid, scenery: Scenery, sun_x: float, sun_y: float, rng: Rng) -> Array:
    at = smoothstep(-grid.bottom, grid.bottom * 0.25, grid.y)
    picture = grid.filled(np.zeros(3)) + stops(at, list(scenery.sky))
    veil = noise(rng, grid.width, grid.height, 3, 9) * 0.5 + 0.5
    picture = mix(picture, scenery.sky[-1], smoothstep(0.45, 1.1, veil) * 0.35)
    away = np.hypot(grid.x - sun_x, grid.y - sun_y)
    glow = 0.55 * np.exp(-((away / 0.16) ** 2)) + 0.3 * np.exp(-away / 0.32)
    picture = mix(picture, scenery.sun, np.clip(glow, 0, 1))
    return mix(picture, scenery.sun, covered(away - 0.092, grid, 0.008) * 0.96)


def _lay(
    picture: Array, grid: Grid, scenery: Scenery, crest: Array, number: int, count: int, sun_x: float, rng: Rng
) -> None:
    """Paint one ridge over what lies behind it, in place; `crest` has shape (1, width)."""
    near = number / (count - 1)
    top = max(0, int((float(crest.min()) + grid.bottom) / grid.pixel) - 2)
    y, view = grid.y[top:], picture[top:]
    below = y - crest
    colour = scenery.layers[min(number + (len(scenery.layers) - count), len(scenery.layers) - 1)]
    behind = scenery.layers[max(0, number - 1)] if number else scenery.sky[-1]
    lit = mix(colour, scenery.sun, 0.30 * (1 - 0.8 * near))
    dark = mix(colour, scenery.layers[-1], 0.30)
    depth = smoothstep(0.0, 0.34, below)
    shade = mix(mix(np.broadcast_to(lit, (*below.shape, 3)), colour, smoothstep(0.0, 0.09, below)), dark, depth * 0.75)
    # Slopes that face the sun are lighter, those that turn away darker, most of all near the crest.
    slope = np.gradient(_rounded(crest[0]), grid.pixel)
    facing = np.tanh(slope * np.tanh((grid.x[0] - sun_x) / 0.3) * -2.2)[None, :]
    folds = noise(rng, grid.width, len(y), 5 + 3 * near, 3)
    relief = (0.075 * facing * np.exp(-np.maximum(below, 0) / 0.16) + 0.035 * folds * depth) * (0.55 + 0.45 * near)
    shade = shade * (1 + relief[..., None])
    haze = smoothstep(0.06, 0.42, below) * (1 - near) ** 1.3 * 0.5
    shade = mix(shade, behind, haze)
    view[:] = mix(view, shade, covered(-below, grid, 0.0012))


def _rounded(line: Array) -> Array:
    """Without the small teeth, whose light would run down the slope in streaks."""
    reach = max(3, line.size // 40)
    window = np.hanning(2 * reach + 1)
    return np.convolve(np.pad(line, reach, mode="edge"), window / window.sum(), mode="valid")


def _flood(picture: Array, grid: Grid, scenery: Scenery, level: float, sun_x: float, rng: Rng) -> None:
    """Water below `level`: the view upside down, stretched, rippled and darker, with a path of light."""
    row = int((level + grid.bottom) / grid.pixel)
    rows = grid.height - row
    if rows < 2:
        return
    down = np.arange(rows, dtype=np.float32)
    ripple = noise(rng, grid.width, rows, 7, rows / 5) * (1 + down / rows * 5)[:, None]
    streak = noise(rng, grid.width, rows, 3, rows / 3)
    source = np.clip(row - 1 - down[:, None] * 1.15 - ripple, 0, row - 1).astype(np.int32)
    sway = (ripple * 0.9).astype(np.int32)
    columns = np.clip(np.arange(grid.width)[None, :] + sway, 0, grid.width - 1)
    mirrored = picture[source, columns]
    deep = scenery.layers[-1]
    part = (0.22 + 0.45 * down / rows)[:, None] + 0.06 * streak
    water = mix(mirrored, deep, np.clip(part, 0, 1))
    width = 0.05 + 0.12 * down / rows
    path = np.exp(-(((grid.x - sun_x) / width[:, None]) ** 2)) * smoothstep(0.1, 0.8, streak + 0.25 * ripple)
    water = mix(water, scenery.sun, np.clip(path * 0.55, 0, 1))
    line = np.exp(-down / 2.5)[:, None] * np.ones((1, grid.width), np.float32)
    picture[row:] = mix(water, scenery.sky[-1], line * 0.35)


# The shapes of crests: about -1 to 1 along the width.


def _rolling(grid: Grid, rng: Rng, scale: float) -> Array:
    total = np.zeros_like(grid.x)
    for frequency, weight in ((3.6, 1.0), (7.4, 0.45), (13.5, 0.13)):
        pace = frequency * scale * float(rng.uniform(0.75, 1.25))
        total += weight * np.sin(pace * grid.x + rng.uniform(0, 6.28))
    return total / 1.2


def _dune(grid: Grid, rng: Rng, scale: float) -> Array:
    """A long windward slope and a steeper lee: a sine whose phase leans."""
    phase = 3.4 * scale * grid.x * float(rng.uniform(0.8, 1.25)) + rng.uniform(0, 6.28)
    lean = 0.75 if rng.random() < 0.5 else -0.75
    swell = np.sin(phase + lean * np.sin(phase + 0.6))
    return np.asarray(swell + 0.28 * np.sin(2.3 * phase + rng.uniform(0, 6.28)) + 0.05 * np.sin(7 * phase))


def _rocky(grid: Grid, rng: Rng, scale: float) -> Array:
    total = _rolling(grid, rng, scale) * 0.65
    weight = 0.7
    for octave in range(5):
        line = noise(rng, grid.width, 2, 2.2 * scale * grid.right / 0.5 * 2**octave, 1)[:1]
        total = total + weight * (0.6 - np.abs(line) * 1.2)
        weight *= 0.48
    return np.asarray(total)
