"""Glazed spheres on a table in window light, traced ray by ray.

Soft shadows and contact shadows of spheres have closed forms (Inigo Quilez, "sphere functions"), so no sampling and no
noise: each pixel is worked out once.
"""

from dataclasses import dataclass

import numpy as np

from local.fal.paint.canvas import Array, Grid, Rng, clouds, mix, smoothstep
from local.fal.paint.palette import Palette, is_light, palette_for, words_of

_COUNTS = {"one": 1, "single": 1, "two": 2, "pair": 2, "both": 2, "three": 3, "four": 4, "five": 5}
_EYE = np.array([0.0, 1.6, 8.6], np.float32)
_TARGET = np.array([0.0, 0.78, 0.0], np.float32)
_ZOOM = 2.55  # focal length in units of the shorter side
_TO_LIGHT = np.array([-0.52, 0.72, 0.46], np.float32)
_TO_LIGHT /= np.linalg.norm(_TO_LIGHT)


@dataclass(frozen=True, slots=True)
class Sphere:
    centre: Array
    radius: float
    colour: Array  # linear
    gloss: float  # 0 matte to 1 glazed


@dataclass(frozen=True, slots=True)
class Room:
    """Linear colours of what is not a sphere."""

    wall_low: Array
    wall_high: Array
    floor: Array
    light: Array


def spheres(grid: Grid, prompt: str, rng: Rng) -> Array:
    """The picture."""
    palette = palette_for(prompt, rng)
    room = _room(palette)
    objects = _arranged(grid, prompt, palette, rng)
    rays = _rays(grid)
    picture = _room_seen(rays, objects, room, rng)
    for thing in sorted(objects, key=lambda item: float(item.centre[2])):
        _draw(picture, grid, rays, thing, [other for other in objects if other is not thing], room)
    falloff = 1 - 0.10 * smoothstep(0.5, 1.1, np.hypot(grid.x / max(grid.right, 0.5), grid.y / grid.bottom))
    return _displayed(picture * falloff[..., None])


def _linear(colour: Array) -> Array:
    return np.asarray(colour**2.2, np.float32)


def _displayed(linear: Array) -> Array:
    """With a soft shoulder, so that highlights roll off instead of clipping."""
    rolled = np.where(linear > 0.8, 0.8 + 0.2 * np.tanh((linear - 0.8) / 0.2), linear)
    return np.asarray(np.clip(rolled, 0, 1) ** (1 / 2.2), np.float32)


def _room(palette: Palette) -> Room:
    if palette.night:
        wall = mix(palette.deep, palette.paper, 0.75)
        return Room(
            _linear(wall),
            _linear(palette.deep),
            _linear(mix(palette.paper, palette.accents[-1], 0.35)),
            _linear(np.array([1.0, 0.95, 0.86], np.float32)),
        )
    low = mix(palette.paper, palette.floor, 0.35)
    return Room(
        _linear(low), _linear(palette.paper), _linear(palette.floor), _linear(np.array([1.0, 0.965, 0.91], np.float32))
    )


def _arranged(grid: Grid, prompt: str, palette: Palette, rng: Rng) -> list[Sphere]:
    words = words_of(prompt)
    asked = next((_COUNTS[word] for word in words if word in _COUNTS), 0)
    single = "sphere" in words or "ball" in words
    count = asked or (1 if single else int(rng.integers(2, 5)))
    matte = any(word in words for word in ("matte", "clay", "stone", "plaster", "linen", "chalk"))
    room_x = 0.9 * min(grid.right / 0.5, 1.7)
    sizes = sorted(
        (float(rng.uniform(0.86, 1.0)) * scale for scale in (0.92, 0.58, 0.3, 0.42, 0.24)[:count]), reverse=True
    )
    if count == 1:
        sizes = [0.95]
    pale = palette.paper if not palette.night else palette.accents[0]
    colours = [*palette.accents[:3], pale, *palette.accents[3:]]
    placed: list[Sphere] = []
    lead = -1 if rng.random() < 0.6 else 1
    for number, radius in enumerate(sizes):
        centre = _free_place(placed, radius, number, lead, room_x, rng)
        colour = colours[number % len(colours)]
        gloss = 0.12 if matte else 0.55 if is_light(colour) else 1.0
        placed.append(Sphere(centre, radius, _linear(colour), gloss))
    middle = (min(s.centre[0] - s.radius for s in placed) + max(s.centre[0] + s.radius for s in placed)) / 2
    shift = np.array([middle, 0, 0], np.float32)
    return [Sphere(s.centre - shift, s.radius, s.colour, s.gloss) for s in placed]


def _free_place(placed: list[Sphere], radius: float, number: int, lead: int, room_x: float, rng: Rng) -> Array:
    """The largest stands aside, the others come near it without touching."""
    if not placed:
        return np.array([lead * 0.38 * (room_x - 0.2), radius, -0.2], np.float32)
    big = placed[0]
    best = np.array([-lead * room_x, radius, 0.0], np.float32)
    closest = np.inf
    for _ in range(60):
        angle = rng.uniform(-0.2, 1.25) if number % 2 else rng.uniform(0.5, 1.9)
        gap = rng.uniform(1.02, 1.25)
        reach = (big.radius + radius) * gap
        x = big.centre[0] - lead * np.cos(angle) * reach
        z = big.centre[2] + np.sin(angle) * reach
        spot = np.array([x, radius, z], np.float32)
        if abs(x) > room_x + 0.35 or any(np.linalg.norm(spot - s.centre) < (radius + s.radius) * 1.02 for s in placed):
            continue
        spread = float(sum(np.linalg.norm(spot - s.centre) for s in placed))
        if spread < closest:
            best, closest = spot, spread
    return best


def _rays(grid: Grid) -> Array:
    forward = _TARGET - _EYE
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0, 1, 0])
    right /= np.linalg.norm(right)
    up = np.cross(right, forward)
    x, y = np.broadcast_arrays(grid.x, grid.y - 0.06)
    rays = forward * _ZOOM + x[..., None] * right - y[..., None] * up
    return np.asarray(rays / np.linalg.norm(rays, axis=-1, keepdims=True), np.float32)


def _background(direction: Array, room: Room) -> Array:
    """What a ray that leaves the table sees: a wall, lighter above, with the glow of the window on the left."""
    height = smoothstep(-0.05, 0.6, direction[..., 1])
    wall = mix(np.broadcast_to(room.wall_low, direction.shape), room.wall_high, height[..., None])
    glow = smoothstep(-0.25, 0.45, -direction[..., 0]) * 0.16
    return np.asarray(wall * (0.92 + glow[..., None]), np.float32)


def _room_seen(rays: Array, objects: list[Sphere], room: Room, rng: Rng) -> Array:
    wall = _background(rays, room)
    slant = np.minimum(rays[..., 1], -1e-3)
    distance = -_EYE[1] / slant
    points = _EYE + rays * distance[..., None]
    floor = _floor_colour(points, objects, room)
    weave = clouds(rng, rays.shape[1], rays.shape[0], 60, 2)
    floor = floor * (1 + 0.012 * weave[..., None])
    far = smoothstep(10.5, 21.0, distance)
    seen = mix(floor, wall, far[..., None])
    return np.where((rays[..., 1] < -1e-3)[..., None], seen, wall).astype(np.float32)


def _floor_colour(points: Array, objects: list[Sphere], room: Room) -> Array:
    up = np.array([0, 1, 0], np.float32)
    key = np.ones(points.shape[:-1], np.float32)
    open_sky = np.ones_like(key)
    bounce = np.zeros(points.shape, np.float32)
    for thing in objects:
        key *= 0.12 + 0.88 * _light_left(points, thing)
        hidden = _hidden(points, up, thing)
        open_sky *= 1 - 0.9 * hidden
        bounce += hidden[..., None] * thing.colour * 0.22
    spot = 0.9 + 0.2 * smoothstep(7.0, 0.5, np.hypot(points[..., 0] + 0.8, points[..., 2]))
    lit = (0.42 * open_sky + 0.60 * key * spot)[..., None] * room.floor * room.light
    return np.asarray(lit + bounce * room.floor, np.float32)


def _light_left(points: Array, thing: Sphere) -> Array:
    """How much of the window a point sees past a sphere: 0 in full shadow, 1 in full light."""
    offset = points - thing.centre
    along = offset @ _TO_LIGHT
    clear = np.einsum("...i,...i->...", offset, offset) - along**2
    miss = np.sqrt(np.maximum(clear, 0)) - thing.radius
    ahead = -along
    penumbra = 0.16 * np.maximum(ahead, 0.05) + 0.05
    seen = smoothstep(-1.0, 1.0, miss / penumbra)
    return np.where(ahead < -thing.radius, 1.0, seen).astype(np.float32)


def _hidden(points: Array, normal: Array, thing: Sphere) -> Array:
    """The share of the sky over a surface that a sphere covers."""
    offset = thing.centre - points
    length = np.sqrt(np.einsum("...i,...i->...", offset, offset)) + 1e-6
    height = np.einsum("...i,...i->...", offset, np.broadcast_to(normal, offset.shape))
    partly = np.clip((height + thing.radius) / (2 * thing.radius), 0, 1) ** 1.5 * thing.radius
    raised = np.where(height < thing.radius, partly, height)
    return np.asarray(np.clip(raised * thing.radius**2 / length**3, 0, 1), np.float32)


def _draw(picture: Array, grid: Grid, rays: Array, thing: Sphere, others: list[Sphere], room: Room) -> None:
    """One sphere over what is behind it, in place, with a smooth edge."""
    rows, columns = _window(rays, thing)
    direction = rays[rows, columns]
    to_centre = _EYE - thing.centre
    along = direction @ to_centre
    nearest = np.sqrt(np.maximum(to_centre @ to_centre - along**2, 0))
    pixel = grid.pixel / _ZOOM * np.linalg.norm(to_centre)
    alpha = np.clip((thing.radius - nearest) / pixel + 0.5, 0, 1)
    inside = np.sqrt(np.maximum(thing.radius**2 - nearest**2, 0))
    points = _EYE + direction * (-along - inside)[..., None]
    normal = (points - thing.centre) / thing.radius
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    shaded = _shaded(points, normal, direction, thing, others, room)
    picture[rows, columns] = mix(picture[rows, columns], shaded, alpha[..., None])


def _window(rays: Array, thing: Sphere) -> tuple[slice, slice]:
    """The rows and columns that can show the sphere."""
    toward = thing.centre - _EYE
    far = float(np.linalg.norm(toward))
    limit = np.cos(np.arcsin(min(thing.radius / far, 0.99)) + 0.01)
    hit = rays @ (toward / far) > limit
    rows, columns = np.flatnonzero(hit.any(axis=1)), np.flatnonzero(hit.any(axis=0))
    if not rows.size:
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _shaded(points: Array, normal: Array, direction: Array, thing: Sphere, others: list[Sphere], room: Room) -> Array:
    toward_light = normal @ _TO_LIGHT
    key = np.clip((toward_light + 0.18) / 1.18, 0, 1) ** 1.15
    sky = 0.5 + 0.5 * normal[..., 1]
    near_floor = np.clip(0.5 - 0.5 * normal[..., 1], 0, 1) * (1 - 0.75 * np.exp(-points[..., 1] / (0.5 * thing.radius)))
    for other in others:
        key *= 0.1 + 0.9 * _light_left(points, other)
        sky *= 1 - 0.85 * _hidden(points, normal, other)
    diffuse = (
        0.98 * key[..., None] * room.light
        + 0.30 * sky[..., None] * (0.4 + 0.6 * room.wall_high)
        + 0.42 * near_floor[..., None] * room.floor
    )
    lit = thing.colour * diffuse
    facing = np.clip(-np.einsum("...i,...i->...", direction, normal), 0, 1)
    mirrored = direction + 2 * facing[..., None] * normal
    fresnel = (0.035 + 0.55 * (1 - facing) ** 5) * (0.25 + 0.75 * thing.gloss)
    return np.asarray(
        lit * (1 - fresnel[..., None]) + _reflected(points, mirrored, fresnel, thing, others, room), np.float32
    )


def _reflected(
    points: Array, mirrored: Array, fresnel: Array, thing: Sphere, others: list[Sphere], room: Room
) -> Array:
    floor = room.floor * 0.85
    surroundings = np.where(
        (mirrored[..., 1] < 0)[..., None],
        mix(
            _background(mirrored, room),
            np.broadcast_to(floor, mirrored.shape),
            smoothstep(0, 0.35, -mirrored[..., 1])[..., None],
        ),
        _background(mirrored, room),
    )
    for other in others:
        offset = points - other.centre
        along = np.einsum("...i,...i->...", offset, mirrored)
        nearest = np.sqrt(np.maximum(np.einsum("...i,...i->...", offset, offset) - along**2, 0))
        hit = smoothstep(0.06, -0.06, (nearest - other.radius) / other.radius) * (along < 0)
        surroundings = mix(surroundings, np.broadcast_to(other.colour * 0.65, surroundings.shape), hit[..., None])
    bloom = np.clip(mirrored @ _TO_LIGHT, 0, 1)
    broad = 0.26 * bloom**9 + 0.16 * bloom**34
    pane = _window_pane(mirrored) * thing.gloss
    highlight = (broad * (0.35 + 0.65 * thing.gloss) + 0.85 * pane)[..., None] * room.light
    return np.asarray(surroundings * fresnel[..., None] * 1.25 + highlight, np.float32)


def _window_pane(direction: Array) -> Array:
    """The reflection of a window with soft edges, bright in the middle."""
    across = np.cross(_TO_LIGHT, np.array([0.0, 1.0, 0.0]))
    across /= np.linalg.norm(across)
    upward = np.cross(across, _TO_LIGHT)
    ahead = direction @ _TO_LIGHT
    u = np.abs(direction @ across) / np.maximum(ahead, 0.05)
    v = np.abs(direction @ upward) / np.maximum(ahead, 0.05)
    inside = smoothstep(0.30, 0.16, u) * smoothstep(0.36, 0.2, v)
    return np.asarray(np.where(ahead > 0, inside, 0), np.float32)
