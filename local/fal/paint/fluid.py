"""Silk, water and petals from noise that is bent by noise, and plain soft gradients."""

import numpy as np

from local.fal.paint.canvas import Array, Grid, Rng, clouds, mix, sampled, smoothstep, stops, tileable
from local.fal.paint.palette import Palette, palette_for

_TEXTURE = 512


def silk(grid: Grid, prompt: str, rng: Rng) -> Array:
    """Folds of cloth that flow across: colour follows the height, light follows the slope."""
    palette = palette_for(prompt, rng)
    height = _folds(grid, rng, scale=0.42, warp=0.065, stretch=1.6)
    return _cloth(grid, height, _ramp(palette), palette.accents[0], shine=0.5)


def petals(grid: Grid, prompt: str, rng: Rng) -> Array:
    """Larger, softer folds with deep shadows, as of petals under water."""
    palette = palette_for(prompt, rng)
    height = _folds(grid, rng, scale=0.45, warp=0.08, stretch=1.0)
    return _cloth(grid, height, _ramp(palette), palette.accents[0], shine=0.28)


def gradient(grid: Grid, prompt: str, rng: Rng) -> Array:
    """Fields of colour that melt into each other."""
    palette = palette_for(prompt, rng)
    # One colour for each corner: the lightest, two strong ones, and a deep one across from the lightest.
    deep = mix(palette.accents[2], palette.deep, 0.55)
    corners = [mix(palette.paper, palette.accents[0], 0.3), palette.accents[0], palette.accents[1], deep]
    if rng.random() < 0.5:
        corners[1], corners[2] = corners[2], corners[1]
    across = grid.x / grid.right + 0.55 * clouds(rng, grid.width, grid.height, 1.3, 2)
    down = grid.y / grid.bottom + 0.55 * clouds(rng, grid.width, grid.height, 1.3, 2)
    right, below = smoothstep(-1.1, 1.1, across), smoothstep(-1.1, 1.1, down)
    squares = [colour**2 for colour in corners]  # mixing light rather than paint keeps the middle clean
    upper, lower = mix(squares[0], squares[1], right), mix(squares[2], squares[3], right)
    return np.asarray(np.sqrt(mix(upper, lower, below)), np.float32)


def _folds(grid: Grid, rng: Rng, *, scale: float, warp: float, stretch: float) -> Array:
    """Heights, about -1 to 1: a smooth texture read at places that two others push around."""
    coarse, bend_x, bend_y = (tileable(rng, _TEXTURE, steepness) for steepness in (3.1, 2.9, 2.9))
    angle = rng.uniform(-0.9, 0.9)
    cos, sin = np.cos(angle), np.sin(angle)
    u = (grid.x * cos - grid.y * sin) * scale + rng.random()
    v = (grid.x * sin + grid.y * cos) * scale * stretch + rng.random()
    first_u = sampled(bend_x, u, v) * warp
    first_v = sampled(bend_y, u, v) * warp
    second_u = sampled(bend_x, u + first_u + 0.31, v + first_v) * warp
    second_v = sampled(bend_y, u + first_u, v + first_v + 0.57) * warp
    return sampled(coarse, u + second_u, v + second_v) * np.float32(0.62)


def _ramp(palette: Palette) -> list[Array]:
    if palette.night:
        return [palette.deep, palette.paper, palette.accents[0], palette.accents[1], palette.accents[0]]
    first, second = palette.accents[0], palette.accents[1]
    return [
        mix(first, palette.deep, 0.72),
        first,
        mix(first, palette.paper, 0.45),
        mix(palette.paper, np.ones(3, np.float32), 0.3),
        mix(second, palette.paper, 0.45),
        second,
    ]


def _cloth(grid: Grid, height: Array, ramp: list[Array], dye: Array, shine: float) -> Array:
    """Lit from above on the left; shadows take the colour of the dye, so that white folds never turn grey."""
    colour = stops(np.clip(height * 0.55 + 0.5, 0, 1), ramp)
    slope_y, slope_x = np.gradient(height, grid.pixel)
    steep = 0.11
    normal_z = 1 / np.sqrt(1 + (slope_x * steep) ** 2 + (slope_y * steep) ** 2)
    light = (slope_x * 0.55 + slope_y * 0.6) * steep * normal_z + 0.58 * normal_z
    shadow = 1 - smoothstep(0.0, 0.62, light)
    tint = mix(dye, np.ones(3, np.float32), 0.42)
    lit = mix(colour, colour * tint, shadow * 0.75) * (1 + 0.12 * (light - 0.58))[..., None]
    gleam = np.clip(light / 0.98, 0, 1) ** 16
    return np.asarray(mix(lit, np.ones(3, np.float32), np.clip(gleam * shine, 0, 1)), np.float32)
