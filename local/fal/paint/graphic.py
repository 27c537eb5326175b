"""Flat shapes as a print would have them: Bauhaus posters, and arches with steps and a moon."""

import numpy as np

from local.fal.paint.canvas import Array, Grid, Rng, clouds, covered, mix, smoothstep
from local.fal.paint.palette import Palette, palette_for


def poster(grid: Grid, prompt: str, rng: Rng) -> Array:
    """One of four compositions, on paper with a tooth."""
    palette = palette_for(prompt, rng)
    layouts = (_horizon, _quarters, _rings, _diagonal)
    picture = grid.filled(palette.paper)
    layouts[int(rng.integers(len(layouts)))](picture, grid, palette, rng)
    return _printed(picture, grid, rng)


def arch(grid: Grid, prompt: str, rng: Rng) -> Array:
    """A doorway within a doorway, a moon, a block, and a light that falls through."""
    palette = palette_for(prompt, rng)
    first, second, third = palette.accents[:3]
    tall = grid.bottom / 0.5
    picture = grid.filled(palette.paper)
    ground = grid.bottom * float(rng.uniform(0.62, 0.74))
    side = -1 if rng.random() < 0.5 else 1
    middle, width = -side * 0.10 * grid.right / 0.5, 0.25 * min(grid.right / 0.5, 1.25)
    top = ground - 0.64 * tall
    moon_x, moon_y = side * grid.right * 0.62, -grid.bottom * 0.6
    pale = palette.accents[0] if palette.night else mix(palette.paper, np.ones(3, np.float32), 0.55)
    _paint(picture, covered(np.hypot(grid.x - moon_x, grid.y - moon_y) - 0.085, grid), mix(pale, third, 0.1))
    for step, colour in enumerate(
        (first, mix(first, palette.deep, 0.28), mix(second, palette.paper, 0.1), palette.deep)
    ):
        shape = _door(grid, middle, top + step * 0.066, ground, width - step * 0.060)
        light = smoothstep(-width, width, (grid.x - middle) * side) * 0.10
        _paint(picture, covered(shape, grid), colour, shade=light)
    block = 0.2 * min(grid.right / 0.5, 1.3)
    left = middle + side * (width + 0.06) if side > 0 else middle - width - 0.06 - block
    height = block * float(rng.uniform(0.9, 1.5))
    _paint(picture, covered(_box(grid, left, ground - height, left + block, ground), grid), second)
    _paint(
        picture,
        covered(_box(grid, left, ground - height, left + block * 0.3, ground), grid),
        mix(second, palette.deep, 0.25),
    )
    floor = mix(palette.paper, palette.deep, 0.16) if not palette.night else mix(palette.paper, palette.deep, 0.5)
    for step in range(3):
        level = ground + step * (grid.bottom - ground) / 3
        _paint(picture, covered(level - grid.y + 0 * grid.x, grid), mix(floor, palette.deep, 0.13 * step))
    _cast(picture, grid, middle, width, ground, side)
    return _printed(picture, grid, rng)


def _cast(picture: Array, grid: Grid, middle: float, width: float, ground: float, side: int) -> None:
    """The long shadow of the doorway over the floor."""
    down = np.maximum(grid.y - ground, 0)
    start = middle - side * down * 1.5
    inside = covered(np.abs(grid.x - start) - width, grid, 0.004) * (grid.y > ground)
    picture *= (1 - 0.20 * inside * np.exp(-down / 0.35))[..., None].astype(np.float32)


# Posters


def _horizon(picture: Array, grid: Grid, palette: Palette, rng: Rng) -> None:
    first, second, third = palette.accents[:3]
    line = grid.bottom * float(rng.uniform(0.16, 0.34))
    side = -1 if rng.random() < 0.5 else 1
    big = 0.24 * min(grid.right / 0.5, 1.35)
    _disc(picture, grid, side * 0.28 * grid.right, line - big * 1.12, big, first)
    half = big * 1.3
    x = -side * 0.36 * grid.right
    dome = np.maximum(np.hypot(grid.x - x, grid.y - line) - half, grid.y - line)
    _paint(picture, covered(dome, grid), second)
    _paint(picture, covered(line - grid.y + 0 * grid.x, grid), third)
    bar = x + side * half * 0.55
    _paint(picture, covered(_box(grid, bar - 0.03, line - big * 2.35, bar + 0.03, line), grid), palette.deep)
    _disc(picture, grid, bar - side * 0.14, line - big * 2.1, 0.062, palette.deep)


def _quarters(picture: Array, grid: Grid, palette: Palette, rng: Rng) -> None:
    """A grid of tiles with quarter circles, half circles and discs."""
    columns = 4 if grid.right <= 0.6 else 6
    cell = 2 * grid.right / columns
    rows = round(2 * grid.bottom / cell)
    colours = [*palette.accents[:4], palette.deep, palette.paper]
    top = -grid.bottom + (2 * grid.bottom - rows * cell) / 2
    for row in range(rows):
        for column in range(columns):
            left, upper = -grid.right + column * cell, top + row * cell
            ground, shape = rng.choice(len(colours), 2, replace=False)
            tile = _box(grid, left, upper, left + cell, upper + cell)
            _paint(picture, covered(tile, grid), colours[ground])
            kind = int(rng.integers(5))
            corner_x, corner_y = left + cell * int(rng.integers(2)), upper + cell * int(rng.integers(2))
            if kind < 3:
                inner = np.hypot(grid.x - corner_x, grid.y - corner_y) - cell * (1.0 if kind < 2 else 0.62)
            elif kind == 3:
                inner = np.hypot(grid.x - left - cell / 2, grid.y - corner_y) - cell / 2
            else:
                inner = np.hypot(grid.x - left - cell / 2, grid.y - upper - cell / 2) - cell * 0.3
            _paint(picture, covered(np.maximum(inner, tile), grid), colours[shape])


def _rings(picture: Array, grid: Grid, palette: Palette, rng: Rng) -> None:
    """Rings that are cut in half and shifted against each other."""
    colours = [palette.accents[0], palette.paper, palette.accents[1], palette.paper, palette.accents[2], palette.deep]
    split = float(rng.uniform(-0.06, 0.06))
    shift = float(rng.choice([-1, 1])) * 0.132
    reach = 0.40 * min(grid.bottom / 0.5, 1.25) * min(1.0, grid.right / 0.5 + 0.1)
    lower = mix(palette.paper, palette.accents[2], 0.9)
    _paint(picture, covered(split - grid.y + 0 * grid.x, grid), lower)
    for number, colour in enumerate(colours):
        radius = reach * (1 - number / len(colours))
        upper = np.maximum(np.hypot(grid.x + shift / 2, grid.y - split) - radius, grid.y - split)
        under = np.maximum(np.hypot(grid.x - shift / 2, grid.y - split) - radius, split - grid.y)
        _paint(picture, covered(upper, grid), colour)
        other = colours[(number + 2) % len(colours)]
        _paint(picture, covered(under, grid), lower if number == len(colours) - 1 else other)


def _diagonal(picture: Array, grid: Grid, palette: Palette, rng: Rng) -> None:
    """Bars across a disc, as on a concert bill."""
    first, second, third = palette.accents[:3]
    turn = float(rng.choice([-1, 1])) * float(rng.uniform(0.5, 0.8))
    along = grid.x * np.cos(turn) + grid.y * np.sin(turn)
    across = -grid.x * np.sin(turn) + grid.y * np.cos(turn)
    disc = np.hypot(grid.x + 0.06, grid.y + 0.04) - 0.36 * min(grid.bottom / 0.5, 1.2)
    _paint(picture, covered(disc, grid), first)
    for number, colour in enumerate((second, palette.deep, third)):
        offset = 0.02 + number * 0.135 - 0.16
        length = 0.42 - 0.07 * number
        bar = np.maximum(np.abs(across - offset) - 0.048, np.abs(along - 0.16 + 0.14 * number) - length)
        crossing = covered(bar, grid)
        _paint(picture, crossing, colour)
        overlap = covered(np.maximum(bar, disc), grid)
        _paint(picture, overlap, mix(colour, first * colour, 0.55))
    _disc(picture, grid, 0.28 * grid.right / 0.5, 0.36 * grid.bottom / 0.5, 0.07, palette.deep)


# Shapes, as signed distances


def _box(grid: Grid, left: float, top: float, right: float, bottom: float) -> Array:
    across = np.abs(grid.x - (left + right) / 2) - (right - left) / 2
    down = np.abs(grid.y - (top + bottom) / 2) - (bottom - top) / 2
    return np.maximum(across, down)


def _door(grid: Grid, middle: float, top: float, bottom: float, half: float) -> Array:
    """A rectangle with a round head."""
    spring = top + half
    head = np.hypot(grid.x - middle, np.minimum(grid.y - spring, 0)) - half
    return np.maximum(head, grid.y - bottom)


def _disc(picture: Array, grid: Grid, x: float, y: float, radius: float, colour: Array) -> None:
    _paint(picture, covered(np.hypot(grid.x - x, grid.y - y) - radius, grid), colour)


def _paint(picture: Array, mask: Array, colour: Array, shade: Array | None = None) -> None:
    """Lay the colour where the mask is, in place; `shade` darkens it."""
    ink = colour if shade is None else colour * (1 - np.broadcast_to(shade, mask.shape)[..., None])
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    picture[window] = mix(picture[window], ink if ink.ndim == 1 else ink[window], mask[window])


def _printed(picture: Array, grid: Grid, rng: Rng) -> Array:
    """Uneven ink and paper."""
    tooth = clouds(rng, grid.width, grid.height, 3, 2) * 0.012 + clouds(rng, grid.width, grid.height, 150, 1) * 0.010
    return np.asarray(picture * (1 + tooth[..., None]), np.float32)
