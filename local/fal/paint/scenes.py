"""Two scenes cut out of paper: somebody's head and shoulders, and a town with its windows."""

import numpy as np

from local.fal.paint.canvas import Array, Grid, Rng, clouds, covered, mix, smoothstep, stops
from local.fal.paint.palette import is_light, palette_for, rgb, scenery_for, words_of

# Skin, and the hair that goes with it.
_PEOPLE = (("f0cdb0", "b5793f"), ("f0cdb0", "d9b77a"), ("d9a681", "5a3622"), ("b47a55", "2a1c18"), ("8a5a3c", "2a1c18"))
_LONG_HAIR = {"woman", "girl", "mother", "actress", "she", "her"}
_SHORT_HAIR = {"man", "boy", "father", "actor", "he", "his"}


def portrait(grid: Grid, prompt: str, rng: Rng) -> Array:
    """Head and shoulders before a disc, without a face: nobody real is meant."""
    palette = palette_for(prompt, rng)
    skin, hair = map(rgb, _PEOPLE[int(rng.integers(len(_PEOPLE)))])
    size = min(1.0, grid.right / 0.42) * min(grid.bottom / 0.5, 1.35)
    middle, chin = float(rng.uniform(-0.04, 0.04)), 0.12 * size
    ground = mix(palette.paper, palette.deep, 0.06)
    picture = grid.filled(ground)
    strong = [colour for colour in palette.accents if not is_light(colour)]
    shirt, halo = strong[0], mix(palette.accents[1], palette.paper, 0.45)
    side = -1 if rng.random() < 0.5 else 1

    def paint(shape: Array, colour: Array, softness: float = 0.0) -> None:
        light = 1 + 0.10 * np.clip(-(grid.x - middle) * 1.6 - grid.y * 0.4, -1, 1)
        picture[:] = mix(picture, np.clip(colour * light[..., None], 0, 1), covered(shape, grid, softness))

    def oval(x: float, y: float, across: float, down: float) -> Array:
        return (np.hypot((grid.x - x) / across, (grid.y - y) / down) - 1) * min(across, down)

    paint(np.hypot(grid.x - middle - side * 0.1, grid.y + 0.12 * size) - 0.36 * size, halo)
    words, by_chance = set(words_of(prompt)), rng.random() < 0.5
    if _LONG_HAIR & words or (by_chance and not _SHORT_HAIR & words):
        paint(oval(middle, -0.02 * size, 0.205 * size, 0.31 * size), hair)
    shoulders = np.maximum(oval(middle, 0.62 * size, 0.42 * size, 0.40 * size), grid.y * 0 - 1)
    paint(shoulders, shirt)
    paint(
        np.maximum(np.abs(grid.x - middle) - 0.068 * size, np.abs(grid.y - chin - 0.06 * size) - 0.11 * size),
        skin * 0.88,
    )
    paint(oval(middle, chin + 0.15 * size, 0.095 * size, 0.06 * size), skin * 0.88)
    face = oval(middle, -0.05 * size, 0.135 * size, 0.185 * size)
    paint(face, skin)
    cheek = smoothstep(0.02, 0.14 * size, (grid.x - middle) * side + 0 * grid.y) * covered(face, grid)
    picture[:] = mix(picture, picture * 0.86, cheek)
    fringe = np.maximum(
        oval(middle, -0.10 * size, 0.152 * size, 0.165 * size), grid.y + 0.115 * size + side * (grid.x - middle) * 0.45
    )
    paint(fringe, hair)
    return _paper(picture, grid, rng)


def skyline(grid: Grid, prompt: str, rng: Rng) -> Array:
    """Three rows of houses under the sky of the prompt; at night their windows are lit."""
    scenery = scenery_for(prompt, rng)
    is_night = bool({"night", "midnight", "neon", "dark", "moon"} & set(words_of(prompt)))
    sky = stops(np.clip((grid.y + grid.bottom) / (1.5 * grid.bottom), 0, 1)[:, 0], list(scenery.sky))
    picture = np.broadcast_to(sky[:, None, :], (grid.height, grid.width, 3)).astype(np.float32)
    sun_x, sun_y = float(rng.uniform(-0.5, 0.5)) * grid.right, -grid.bottom * 0.45
    away = np.hypot(grid.x - sun_x, grid.y - sun_y)
    picture = mix(picture, scenery.sun, 0.35 * np.exp(-((away / 0.3) ** 2)))
    picture = mix(picture, scenery.sun, covered(away - 0.075, grid, 0.004))
    lamp = mix(scenery.sun, rgb("ffd27a"), 0.5)
    for row, tone in enumerate(scenery.layers[1:4]):
        left = -grid.right - 0.05
        while left < grid.right:
            width = float(rng.uniform(0.08, 0.17)) * (1 + 0.35 * row)
            top = grid.bottom * float(rng.uniform(-0.30, 0.10)) + row * 0.23 * grid.bottom
            _house(picture, grid, (left, left + width * 0.97, top), tone, lamp, row, rng, is_night=is_night)
            left += width
        mist = smoothstep(-0.1, 1.0, grid.y / grid.bottom) * 0.22 * (2 - row) / 2
        picture = mix(picture, scenery.sky[-1], np.broadcast_to(mist, picture.shape[:2]))
    return _paper(picture, grid, rng)


def _house(
    picture: Array,
    grid: Grid,
    sides: tuple[float, float, float],
    tone: Array,
    lamp: Array,
    row: int,
    rng: Rng,
    *,
    is_night: bool,
) -> None:
    """One house from its top down to the ground, in place, with a grid of windows."""
    left, right, top = sides
    middle, half = (left + right) / 2, (right - left) / 2
    wall = np.maximum(np.abs(grid.x - middle) - half, top - grid.y)
    shade = 1 + 0.07 * np.clip((middle - grid.x) / half, -1, 1) + 0 * grid.y
    picture[:] = mix(picture, np.clip(tone * shade[..., None], 0, 1), covered(wall, grid))
    step = 0.032 * (1 + 0.3 * row)
    column, level = (grid.x - left) / step, (grid.y - top) / step
    pane = (np.abs(column % 1 - 0.5) < 0.24) & (np.abs(level % 1 - 0.5) < 0.3) & (wall < -0.3 * step)
    lit = rng.random((64, 64)) < (0.55 if is_night else 0.18)
    on = lit[np.floor(level).astype(int) % 64, np.floor(column).astype(int) % 64]
    picture[:] = mix(picture, lamp if is_night else mix(tone, lamp, 0.55), (pane & on) * np.float32(0.85))
    picture[:] = mix(picture, tone * 0.82, (pane & ~on) * np.float32(0.8))


def _paper(picture: Array, grid: Grid, rng: Rng) -> Array:
    tooth = clouds(rng, grid.width, grid.height, 90, 2)
    return np.asarray(np.clip(picture * (1 + 0.018 * tooth[..., None]), 0, 1), np.float32)
