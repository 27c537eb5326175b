"""A table seen from above: places laid on linen or wood, a cup of coffee, a bowl of soup."""

import numpy as np

from local.fal.paint.canvas import Array, Grid, Rng, covered, mix, noise, smoothstep
from local.fal.paint.palette import Palette, is_light, palette_for, rgb, words_of

_COUNTS = {"one": 1, "two": 2, "pair": 2, "couple": 2, "three": 3, "four": 4, "five": 4, "six": 4}
_CUPS = {"coffee", "tea", "espresso", "cappuccino", "latte", "matcha", "cup", "cups", "mug", "mugs"}
_WOOD = {"wood", "wooden", "oak", "walnut", "pine", "rustic"}
# What is in the cup or the bowl, by a word of the prompt.
_CONTENTS = {
    "coffee": "4a2b1a", "espresso": "3b2014", "cappuccino": "c79a6b", "latte": "d0a679", "tea": "b5692c",
    "matcha": "8fae5a", "soup": "d98f45", "ramen": "d9a25a", "noodles": "e0b368", "pasta": "e6c06a",
    "salad": "7fa055", "berries": "7a2f5a", "lemon": "efcf55", "lemons": "efcf55", "chocolate": "5a3626",
}  # fmt: skip
_SILVER = rgb("c9c6c0")


def table(grid: Grid, prompt: str, rng: Rng) -> Array:
    """The picture."""
    words = words_of(prompt)
    palette = palette_for(prompt, rng)
    picture = _top(grid, palette, rng, is_wood=bool(_WOOD & set(words)))
    filling = next((rgb(_CONTENTS[word]) for word in words if word in _CONTENTS), None)
    asked = next((_COUNTS[word] for word in words if word in _COUNTS), 0)
    if _CUPS & set(words) and not asked:
        _cup(picture, grid, palette, filling, rng)
    else:
        laid = bool({"laid", "set", "setting", "dinner", "guests"} & set(words))
        for number, (x, y, turn) in enumerate(_places(grid, asked or (4 if laid else 1))):
            _place(picture, grid, palette, (x, y), turn, 0.15 if (asked or laid) else 0.24, filling, number)
        if (asked or laid) and asked != 1:
            _bowl(picture, grid, 0.0, 0.0, 0.075, palette.accents[1], filling)
    falloff = 1 - 0.14 * smoothstep(0.4, 1.2, np.hypot(grid.x - grid.right * 0.4, grid.y - grid.bottom * 0.5))
    return np.asarray(picture * falloff[..., None], np.float32)


def _top(grid: Grid, palette: Palette, rng: Rng, *, is_wood: bool) -> Array:
    """Linen with its threads, or boards; light comes from the upper left."""
    shape = (grid.width, grid.height)
    if is_wood:
        boards = np.floor((grid.x + 2) / 0.31)
        grain = noise(rng, *shape, grid.width * grid.pixel * 70, grid.height * grid.pixel * 3)
        tone = 1 + 0.05 * grain + 0.05 * np.sin(boards * 12.9)
        seam = smoothstep(0.004, 0.0, np.abs((grid.x + 2) / 0.31 - np.round((grid.x + 2) / 0.31)) * 0.31)
        picture = grid.filled(mix(rgb("b98a5e"), palette.paper, 0.12)) * (tone * (1 - 0.35 * seam))[..., None]
    else:
        across = noise(rng, *shape, grid.width * grid.pixel * 24, grid.height * grid.pixel * 260)
        down = noise(rng, *shape, grid.width * grid.pixel * 260, grid.height * grid.pixel * 24)
        ground = mix(palette.paper, rgb("d8c9ae"), 0.35) if not palette.night else mix(palette.paper, palette.deep, 0.3)
        picture = grid.filled(ground) * (1 + 0.022 * (across + down))[..., None]
    light = smoothstep(1.3, -0.4, np.hypot(grid.x + grid.right * 0.7, grid.y + grid.bottom * 0.7))
    return np.asarray(picture * (0.9 + 0.14 * light)[..., None], np.float32)


def _places(grid: Grid, count: int) -> list[tuple[float, float, int]]:
    """Middle of each place, and 1 where one sits below, -1 above. All of them stay in a square cut from the middle."""
    x, y = min(grid.right * 0.5, 0.3), min(grid.bottom * 0.5, 0.3)
    if count == 1:
        return [(0.0, 0.0, 1)]
    if count == 2:
        return [(0.0, -y, -1), (0.0, y, 1)] if grid.bottom >= grid.right else [(-x, 0.0, 1), (x, 0.0, 1)]
    below = [(-x, y, 1), (x, y, 1)]
    return [(0.0, -y, -1), *below] if count == 3 else [(-x, -y, -1), (x, -y, -1), *below]


def _place(
    picture: Array,
    grid: Grid,
    palette: Palette,
    at: tuple[float, float],
    turn: int,
    radius: float,
    filling: Array | None,
    number: int,
) -> None:
    """Plate, bowl on it, fork and knife, a glass."""
    (x, y), reach = at, radius * 1.32
    napkin = mix(palette.accents[2 % len(palette.accents)], palette.paper, 0.35)
    _slab(picture, grid, (x - turn * reach, y), (radius * 0.26, radius * 0.85), napkin)
    for step in (-0.06, 0.06):
        _slab(picture, grid, (x - turn * (reach + step * radius), y), (radius * 0.02, radius * 0.7), _SILVER)
    _slab(picture, grid, (x - turn * reach, y - turn * radius * 0.5), (radius * 0.1, radius * 0.2), _SILVER)
    _slab(picture, grid, (x + turn * reach, y), (radius * 0.045, radius * 0.75), _SILVER)
    pale = mix(rgb("f4efe6"), palette.paper, 0.3)
    glaze = palette.accents[0]
    _disc(picture, grid, x, y, radius, glaze if is_light(glaze) or number % 2 else pale, hollow=0.72)
    _bowl(picture, grid, x, y, radius * 0.6, pale if number % 2 else glaze, filling)
    glass = (x + turn * radius * 1.02, y - turn * radius * 1.08)
    if abs(glass[0]) < grid.right and abs(glass[1]) < grid.bottom:
        _disc(picture, grid, *glass, radius * 0.27, mix(rgb("dfe6e6"), palette.paper, 0.4), hollow=0.8)


def _bowl(picture: Array, grid: Grid, x: float, y: float, radius: float, glaze: Array, filling: Array | None) -> None:
    _disc(picture, grid, x, y, radius, glaze, hollow=0.86)
    if filling is not None:
        _disc(picture, grid, x, y, radius * 0.78, filling, lift=0.0)


def _cup(picture: Array, grid: Grid, palette: Palette, filling: Array | None, rng: Rng) -> None:
    """One cup on its saucer, with its handle and a spoon."""
    x, y = float(rng.uniform(-0.05, 0.05)), float(rng.uniform(-0.03, 0.05))
    pale, glaze = mix(rgb("f4efe6"), palette.paper, 0.3), palette.accents[0]
    _disc(picture, grid, x, y, 0.3, pale, hollow=0.62)
    _slab(picture, grid, (x + 0.19, y - 0.02), (0.06, 0.024), glaze)
    _disc(picture, grid, x, y, 0.165, glaze, hollow=0.88)
    _disc(picture, grid, x, y, 0.135, rgb(_CONTENTS["coffee"]) if filling is None else filling, lift=0.0)
    gleam = np.hypot((grid.x - x + 0.05) / 0.05, (grid.y - y + 0.055) / 0.02)
    picture[:] = mix(picture, np.ones(3, np.float32), 0.4 * smoothstep(1.0, 0.2, gleam))
    _slab(picture, grid, (x - 0.22, y + 0.1), (0.014, 0.12), _SILVER)


def _disc(
    picture: Array,
    grid: Grid,
    x: float,
    y: float,
    radius: float,
    colour: Array,
    *,
    hollow: float = 0.0,
    lift: float = 1.0,
) -> None:
    """Something round that lies there, in place: shadow, rim, and the well inside from `hollow` of the radius."""
    right, down = grid.x - x, grid.y - y
    away = np.hypot(right, down)
    if lift:
        shadow = np.hypot(right - 0.10 * radius, down - 0.14 * radius) - radius
        picture *= (1 - 0.34 * smoothstep(0.16 * radius, -0.10 * radius, shadow))[..., None]
    slope = -(right * 0.6 + down * 0.8) / radius  # towards the light
    shade = 1 + 0.10 * slope
    if hollow:
        inside = covered(away - radius * hollow, grid, 0.01 * radius)
        shade = shade + (0.93 - 0.16 * slope - shade) * inside
        rim = np.exp(-(((away - radius * 0.97) / (0.035 * radius)) ** 2)) * 0.10
        shade = shade + rim * np.clip(0.5 + slope, 0, 1)
    body = np.clip(colour * np.asarray(shade)[..., None], 0, 1)
    picture[:] = mix(picture, body.astype(np.float32), covered(away - radius, grid))


def _slab(picture: Array, grid: Grid, at: tuple[float, float], half: tuple[float, float], colour: Array) -> None:
    """A flat piece with round corners, in place."""
    corner = min(half) * 0.7

    def distance(dx: float, dy: float) -> Array:
        x = np.abs(grid.x - at[0] - dx) - half[0] + corner
        y = np.abs(grid.y - at[1] - dy) - half[1] + corner
        return np.hypot(np.maximum(x, 0), np.maximum(y, 0)) + np.minimum(np.maximum(x, y), 0) - corner

    picture *= (1 - 0.22 * smoothstep(0.012, -0.008, distance(0.006, 0.009)))[..., None].astype(np.float32)
    light = 1 + 0.08 * np.clip((at[0] - grid.x) / max(half), -1, 1) + 0 * grid.y
    picture[:] = mix(
        picture, np.clip(colour * light[..., None], 0, 1).astype(np.float32), covered(distance(0, 0), grid)
    )
