"""A vase with a few stems, a bottle, or a pot on the wheel: one turned shape before a wall, lit from the left."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from local.fal.paint.canvas import Array, Grid, Rng, covered, mix, smoothstep
from local.fal.paint.palette import Palette, is_light, named_colours, palette_for, rgb, words_of

_BOTTLE_WORDS = {"bottle", "perfume", "serum", "cosmetic", "cosmetics", "cream", "product", "packaging", "can", "oil"}
_WHEEL_WORDS = {"wheel", "potter", "throwing"}
_LIGHT = np.array([-0.62, -0.42, 0.66], np.float32)  # x right, y down, z to the viewer
_LIGHT /= np.linalg.norm(_LIGHT)


@dataclass(frozen=True, slots=True)
class Turned:
    """Half-widths along the height: `places` 0 at the lip to 1 at the foot. `cap` is how far down a cap reaches."""

    places: Array
    radii: Array
    height: float
    cap: float = 0.0


def product(grid: Grid, prompt: str, rng: Rng) -> Array:
    """The picture."""
    palette = palette_for(prompt, rng)
    bottle = bool(set(words_of(prompt)) & _BOTTLE_WORDS)
    wheel = bool(set(words_of(prompt)) & _WHEEL_WORDS)
    if wheel and not named_colours(prompt):
        palette = palette_for(f"{prompt} terracotta", rng)
    table = min(grid.bottom * 0.56, 0.32)  # what stands there stays in a square cut from the middle
    picture = _room(grid, palette, table, rng)
    scale = min(grid.bottom / 0.5, 1.5) * min(1.0, grid.right / 0.42)
    shape = _bottle(rng, scale) if bottle else _vase(rng, scale)
    foot = table + 0.11 * scale
    middle = float(rng.uniform(-0.03, 0.03))
    if wheel:
        _turntable(picture, grid, palette, middle, foot, scale)
    _shadow(picture, grid, middle, foot, shape)
    if not bottle and not wheel:
        _stems(picture, grid, palette, middle, foot - shape.height, scale, rng)
    pale = [colour for colour in named_colours(prompt) if is_light(colour)]
    strong = [colour for colour in named_colours(prompt) if not is_light(colour)]
    body = pale[0] if pale and not strong else palette.accents[0]
    _stand(
        picture, grid, shape, middle, foot, body, mix(palette.accents[1], palette.deep, 0.1), glossy=not is_light(body)
    )
    return picture


def _room(grid: Grid, palette: Palette, table: float, rng: Rng) -> Array:
    wall = grid.filled(palette.paper)
    light = smoothstep(1.1, -0.2, np.hypot(grid.x + grid.right * 0.7, grid.y + grid.bottom * 0.5))
    wall = wall * (0.90 + 0.12 * light)[..., None]
    # A disc or an arch on the wall gives the shape something to stand against.
    accent = mix(palette.accents[2 % len(palette.accents)], palette.paper, 0.62 if not palette.night else 0.35)
    side = -1 if rng.random() < 0.5 else 1
    if rng.random() < 0.5:
        mark = np.hypot(grid.x - side * 0.13, grid.y + 0.10) - 0.27 * min(grid.bottom / 0.5, 1.3)
    else:
        half, top = 0.24, -grid.bottom * 0.66
        mark = np.hypot(grid.x - side * 0.12, np.minimum(grid.y - top - half, 0)) - half
    wall = mix(wall, accent * (0.95 + 0.08 * light)[..., None], covered(mark, grid))
    floor_near, floor_far = palette.floor, mix(palette.floor, palette.paper, 0.35)
    at = smoothstep(table, grid.bottom, grid.y)
    floor = mix(np.broadcast_to(floor_far, wall.shape), floor_near * 0.96, at + 0 * grid.x)
    floor = floor * (0.94 + 0.10 * light)[..., None]
    edge = smoothstep(table - 0.004, table + 0.006, grid.y) + 0 * grid.x
    picture = mix(wall, floor, edge)
    contact = np.exp(-(((grid.y - table) / 0.02) ** 2)) * 0.06
    return np.asarray(picture * (1 - contact)[..., None], np.float32)


def _vase(rng: Rng, scale: float) -> Turned:
    kind = int(rng.integers(3))
    if kind == 0:  # round belly, narrow neck
        knots = [(0, 0.062), (0.05, 0.052), (0.2, 0.048), (0.34, 0.09), (0.62, 0.172), (0.85, 0.13), (1, 0.088)]
    elif kind == 1:  # shouldered
        knots = [(0, 0.085), (0.05, 0.07), (0.12, 0.072), (0.3, 0.158), (0.5, 0.168), (0.8, 0.115), (1, 0.082)]
    else:  # tall drop
        knots = [(0, 0.056), (0.06, 0.046), (0.3, 0.055), (0.55, 0.105), (0.78, 0.142), (0.92, 0.125), (1, 0.095)]
    height = (0.46 if kind == 2 else 0.40) * scale
    places, radii = _through(knots)
    return Turned(places, radii * scale * float(rng.uniform(0.92, 1.06)), height)


def _bottle(rng: Rng, scale: float) -> Turned:
    body = float(rng.uniform(0.095, 0.125))
    neck = body * float(rng.uniform(0.38, 0.5))
    knots = [
        (0, neck * 0.96),
        (0.02, neck),
        (0.20, neck),
        (0.205, neck * 0.84),
        (0.25, neck * 0.84),
        (0.29, neck * 1.1),
        (0.335, body * 0.93),
        (0.37, body),
        (0.96, body),
        (0.985, body * 0.97),
        (1, body * 0.9),
    ]
    places = np.linspace(0, 1, 400)
    radii = np.interp(places, [place for place, _ in knots], [radius for _, radius in knots])
    radii = np.convolve(np.pad(radii, 5, mode="edge"), np.hanning(13)[1:-1] / np.hanning(13).sum(), mode="valid")
    return Turned(places, radii * scale * 1.1, 0.58 * scale, cap=0.203)


def _through(knots: list[tuple[float, float]]) -> tuple[Array, Array]:
    """A smooth curve through the knots: linear first, then rounded off twice."""
    places = np.linspace(0, 1, 400)
    radii = np.interp(places, [place for place, _ in knots], [radius for _, radius in knots])
    kernel = np.hanning(45) / np.hanning(45).sum()
    for _ in range(2):
        radii = np.convolve(np.pad(radii, 22, mode="reflect", reflect_type="odd"), kernel, mode="valid")
    return places, radii


def _stand(
    picture: Array, grid: Grid, shape: Turned, middle: float, foot: float, body: Array, cap: Array, *, glossy: bool
) -> None:
    """The shape itself, in place."""
    top = foot - shape.height
    widest = float(shape.radii.max())
    rows = slice(
        max(0, int((top - 0.04 + grid.bottom) / grid.pixel)), int((foot + 0.06 + grid.bottom) / grid.pixel) + 2
    )
    columns = slice(
        max(0, int((middle - widest - 0.01 + grid.right) / grid.pixel)),
        int((middle + widest + 0.01 + grid.right) / grid.pixel) + 2,
    )
    x, y = grid.x[:, columns] - middle, grid.y[rows]
    view = picture[rows, columns]
    tilt = 0.16  # seen slightly from above: circles look like flat ellipses
    radius = _radius_at(shape, (y - top) / shape.height)
    for _ in range(3):  # the outline bends down in the middle by an amount that depends on itself
        depth = np.sqrt(np.clip(1 - (x / np.maximum(radius, 1e-4)) ** 2, 0, 1))
        level = (y - tilt * radius * depth - top) / shape.height
        radius = _radius_at(shape, np.clip(level, 0, 1))
    u = x / radius
    depth = np.sqrt(np.clip(1 - u**2, 0, 1))
    slope = (_radius_at(shape, np.clip(level + 0.01, 0, 1)) - _radius_at(shape, np.clip(level - 0.01, 0, 1))) / (
        0.02 * shape.height
    )
    normal = np.stack([u, -slope, depth], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    colour = np.where((level < shape.cap)[..., None], cap, body)
    lit = _lit(normal, colour, np.clip(level, 0, 1), glossy)
    inside = covered((np.abs(u) - 1) * radius, grid) * covered((level - 1) * shape.height, grid)
    inside *= covered(-level * shape.height, grid)
    view[:] = mix(view, lit, inside)
    lip = float(shape.radii[0])
    opening = np.hypot(x, (y - top) / tilt) - lip
    rim = mix(cap if shape.cap else body, np.ones(3, np.float32), 0.22)
    view[:] = mix(
        view,
        np.broadcast_to(rim, view.shape),
        covered(opening, grid, 0.002) * covered((y - top) / tilt - lip + 0 * x, grid),
    )
    if not shape.cap:
        hollow = mix(body * 0.32, body * 0.6, smoothstep(-lip, lip, x) + 0 * y)
        view[:] = mix(view, hollow, covered(np.hypot(x, (y - top) / tilt) - lip * 0.88, grid, 0.004))


def _radius_at(shape: Turned, level: Array) -> Array:
    return np.interp(level, shape.places, shape.radii)


def _lit(normal: Array, colour: Array, level: Array, glossy: bool) -> Array:
    facing = normal @ _LIGHT
    key = np.clip((facing + 0.25) / 1.25, 0, 1) ** 1.1
    bounce = np.clip(normal[..., 0] * 0.6 + normal[..., 1] * 0.6, 0, 1) * 0.16
    shade = 0.24 + 0.86 * key + bounce
    lit = colour * (shade * (1 - 0.10 * level))[..., None]
    # The window stands as an upright bar on the glaze, a second, weaker one comes from the room.
    bar = smoothstep(0.13, 0.04, np.abs(normal[..., 0] + 0.50)) * smoothstep(0.5, 0.1, np.abs(normal[..., 1] + 0.08))
    back = smoothstep(0.10, 0.03, np.abs(normal[..., 0] - 0.82)) * 0.18
    sheen = 0.10 * np.clip(facing, 0, 1) ** 6
    rim = 0.12 * (1 - np.clip(normal[..., 2], 0, 1)) ** 3
    white = (bar * (0.62 if glossy else 0.16) + back * (1.0 if glossy else 0.3) + sheen + rim)[..., None]
    return np.asarray(lit + (1 - lit) * np.clip(white, 0, 1), np.float32)


def _shadow(picture: Array, grid: Grid, middle: float, foot: float, shape: Turned) -> None:
    base, widest = float(shape.radii[-1]), float(shape.radii.max())
    touch = np.hypot((grid.x - middle - 0.01) / (base * 1.25), (grid.y - foot - 0.012) / (base * 0.30))
    # Away from the window, over the table: wider and fainter the farther it goes.
    far = (grid.x - middle) / (shape.height * 0.95)
    spread = base * 0.30 + np.clip(far, 0, 1) * 0.035
    fall = np.abs(grid.y - foot + np.clip(far, 0, 1) * 0.045) / spread
    body = smoothstep(1.35, 0.1, fall) * smoothstep(-0.12, 0.08, far) * smoothstep(1.1, 0.25, far)
    wide = np.hypot((grid.x - middle) / (widest * 2.0), (grid.y - foot) / (widest * 0.55))
    dark = 0.46 * smoothstep(1.15, 0.55, touch) + 0.30 * body + 0.14 * smoothstep(1.0, 0.1, wide)
    tint = np.array([0.9, 1.0, 1.06], np.float32)  # shadows take less of the warm light
    picture *= (1 - np.clip(dark, 0, 0.72)[..., None] * tint).astype(np.float32)


def _turntable(picture: Array, grid: Grid, palette: Palette, middle: float, foot: float, scale: float) -> None:
    """The disc that the pot turns on, with the rings that a wet hand leaves."""
    wide, flat, thick = min(0.34 * scale, 0.9 * grid.right), 0.2, 0.035 * scale
    top = mix(rgb("8a6a50"), palette.deep, 0.2)
    rim = np.hypot(grid.x - middle, (grid.y - foot - thick) / flat) - wide
    side = np.maximum(np.abs(grid.x - middle) - wide, np.abs(grid.y - foot - thick / 2) - thick / 2)
    picture *= (1 - 0.35 * smoothstep(0.10, -0.05, rim - 0.05))[..., None].astype(np.float32)
    picture[:] = mix(picture, top * 0.62, covered(np.minimum(rim, side), grid))
    away = np.hypot(grid.x - middle, (grid.y - foot) / flat)
    rings = 1 + 0.05 * np.sin(away / wide * 60) - 0.12 * np.clip((grid.x - middle) / wide, -1, 1)
    picture[:] = mix(picture, np.clip(top * rings[..., None], 0, 1), covered(away - wide, grid))


def _stems(picture: Array, grid: Grid, palette: Palette, middle: float, top: float, scale: float, rng: Rng) -> None:
    """A few branches with leaves or round flowers, drawn large and reduced, so that their edges are smooth."""
    factor = 2
    size = (grid.width * factor, grid.height * factor)
    layer = Image.new("RGBA", size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    leaf = mix(rgb("5d7a52"), palette.deep, 0.15) if not palette.night else mix(rgb("8aa37c"), palette.deep, 0.2)
    bloom = mix(palette.accents[1], palette.paper, 0.25)
    flowers = rng.random() < 0.5

    def place(x: float, y: float) -> tuple[float, float]:
        return (x + grid.right) / grid.pixel * factor, (y + grid.bottom) / grid.pixel * factor

    for number in range(int(rng.integers(3, 6))):
        lean = (number - 2) * 0.16 + float(rng.uniform(-0.1, 0.1))
        length = scale * float(rng.uniform(0.22, 0.36))
        along = np.linspace(0, 1, 24)
        x = middle + (lean * 0.12 + lean * 0.75 * along**1.6) * length
        y = top + 0.02 - along * length
        tone = mix(leaf, palette.paper, float(rng.uniform(0, 0.25)))
        draw.line(
            [place(*point) for point in zip(x, y, strict=True)],
            fill=_ink(tone),
            width=round(3.2 * factor),
            joint="curve",
        )
        for step in range(6, 24, 4 if not flowers else 6):
            side = 1 if (step // 2 + number) % 2 else -1
            turn = np.arctan2(-1, lean) + side * float(rng.uniform(0.55, 0.9))
            _leaf(
                draw,
                place,
                float(x[step]),
                float(y[step]),
                turn,
                scale * 0.075 * (1.15 - along[step] * 0.5),
                mix(tone, palette.deep, float(rng.uniform(0, 0.22))),
            )
        if flowers:
            for _ in range(3):
                radius = scale * float(rng.uniform(0.014, 0.03))
                at = place(float(x[-1] + rng.uniform(-0.025, 0.025)), float(y[-1] + rng.uniform(-0.02, 0.03)))
                spread = radius / grid.pixel * factor
                box = (at[0] - spread, at[1] - spread, at[0] + spread, at[1] + spread)
                draw.ellipse(box, fill=_ink(mix(bloom, palette.paper, float(rng.uniform(0, 0.45)))))
    drawn = np.asarray(layer.resize((grid.width, grid.height), Image.Resampling.LANCZOS), np.float32) / 255
    picture[:] = mix(picture, drawn[..., :3], drawn[..., 3])


def _leaf(
    draw: ImageDraw.ImageDraw,
    place: Callable[[float, float], tuple[float, float]],
    x: float,
    y: float,
    turn: float,
    length: float,
    colour: Array,
) -> None:
    along = np.linspace(0, 1, 14)
    half = length * 0.2 * np.sin(np.pi * along**0.8)
    cos, sin = np.cos(turn), np.sin(turn)
    edges = [(along * length, half), (along[::-1] * length, -half[::-1])]
    points = [
        place(x + u * cos - v * sin, y + u * sin + v * cos) for us, vs in edges for u, v in zip(us, vs, strict=True)
    ]
    draw.polygon(points, fill=_ink(colour))


def _ink(colour: Array) -> tuple[int, int, int, int]:
    red, green, blue = (int(value) for value in np.clip(colour * 255, 0, 255))
    return red, green, blue, 255
