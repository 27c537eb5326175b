"""A thrown vessel as a binary glTF 2.0 file (Khronos glTF 2.0, section "GLB File Format Specification")."""

import json
import math
import struct
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Array = npt.NDArray[Any]
_FLOAT, _UNSIGNED_INT, _UNSIGNED_BYTE = 5126, 5125, 5121
_VERTICES, _INDICES = 34962, 34963
_WALL = 0.035


def detail_for(mesh_simplify: float) -> int:
    """Segments around the vessel: the more is simplified, the fewer."""
    return round(64 + (0.98 - mesh_simplify) * 800)


def dominant_colour(image: Image.Image) -> tuple[float, float, float]:
    """The most colourful part of a picture, sRGB 0 to 1."""
    small = np.asarray(image.resize((32, 32)), np.float32).reshape(-1, 3) / 255
    saturation = small.max(axis=1) - small.min(axis=1)
    best = small[np.argsort(saturation)[-64:]].mean(axis=0)
    return float(best[0]), float(best[1]), float(best[2])


def vessel(seed: int, colour: tuple[float, float, float], detail: int) -> bytes:
    """A surface of revolution, a unit high, with smooth normals and a glaze that runs into bare clay at the foot."""
    outline = _outline(np.random.default_rng(seed), max(8, detail // 2))
    positions, normals, indices = _revolved(outline, max(8, detail))
    colours = _glazed(positions, np.array(colour))
    return _glb(positions, normals, colours, indices)


def _outline(rng: np.random.Generator, points: int) -> Array:
    """(n, 2) radius and height, from the middle of the foot up the outside, over the lip, down to the inner floor."""
    foot, belly, neck, lip = rng.uniform(0.16, 0.24), rng.uniform(0.3, 0.42), rng.uniform(0.1, 0.2), 0.0
    lip = neck + rng.uniform(0.02, 0.1)
    belly_at, neck_at = rng.uniform(0.3, 0.5), rng.uniform(0.78, 0.88)
    heights = np.linspace(0, 1, points * 2)
    radii = _smooth(heights, [0.0, belly_at, neck_at, 1.0], [foot, belly, neck, lip])
    outside = np.column_stack([radii, heights])
    inner = np.column_stack([np.maximum(radii - _WALL, 0.02), heights])[::-1]
    inner = inner[inner[:, 1] > 0.05]
    turn = np.linspace(0, math.pi, 8)[1:-1]
    rim = np.column_stack(
        [lip - _WALL / 2 + np.cos(turn) * _WALL / 2, 1 + np.sin(turn) * _WALL / 2]
    )  # round, so that the lip catches the light
    bottom = np.column_stack([np.linspace(0, foot, 6)[:-1], np.zeros(5)])
    floor = np.column_stack([np.linspace(inner[-1, 0], 0, 6)[1:], np.full(5, inner[-1, 1])])
    return np.concatenate([bottom, outside, rim, inner, floor])


def _smooth(at: Array, places: list[float], values: list[float]) -> Array:
    """Through the points with level tangents at the inner ones: no wiggles between them."""
    index = np.clip(np.searchsorted(places, at, side="right") - 1, 0, len(places) - 2)
    left, right = np.array(places)[index], np.array(places)[index + 1]
    part = (at - left) / (right - left)
    part = part * part * (3 - 2 * part)
    return np.asarray(np.array(values)[index] * (1 - part) + np.array(values)[index + 1] * part)


def _revolved(outline: Array, segments: int) -> tuple[Array, Array, Array]:
    angle = np.linspace(0, 2 * math.pi, segments + 1)  # the seam is doubled, as texture coordinates would need
    cos, sin = np.cos(angle), np.sin(angle)
    radius, height = outline[:, :1], outline[:, 1:]
    positions = np.stack([radius * cos, np.broadcast_to(height, (len(outline), len(angle))), radius * sin], axis=-1)
    slope = np.gradient(outline, axis=0)
    across = np.column_stack([slope[:, 1], -slope[:, 0]])
    across /= np.linalg.norm(across, axis=1, keepdims=True) + 1e-9
    normals = np.stack(
        [across[:, :1] * cos, np.broadcast_to(across[:, 1:], positions.shape[:2]), across[:, :1] * sin], -1
    )
    rows, columns = len(outline), len(angle)
    first = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    quads = np.column_stack([first, first + columns, first + 1, first + 1, first + columns, first + columns + 1])
    return positions.reshape(-1, 3), normals.reshape(-1, 3), quads.ravel()


def _glazed(positions: Array, colour: Array) -> Array:
    """Vertex colours, linear as glTF wants them, one byte a channel."""
    clay = np.array([0.80, 0.66, 0.54])
    angle = np.arctan2(positions[:, 2], positions[:, 0])
    line = 0.13 + 0.02 * np.sin(3 * angle) + 0.012 * np.sin(7 * angle + 1)
    covered = np.clip((positions[:, 1] - line) / 0.015 + 0.5, 0, 1)[:, None]
    deepened = colour * (0.82 + 0.26 * positions[:, 1:2])
    mixed = np.clip(clay * (1 - covered) + deepened * covered, 0, 1)
    linear = np.where(mixed <= 0.04045, mixed / 12.92, ((mixed + 0.055) / 1.055) ** 2.4)
    alpha = np.full((len(linear), 1), 255)
    return np.concatenate([np.rint(linear * 255), alpha], axis=1).astype(np.uint8)


def _glb(positions: Array, normals: Array, colours: Array, indices: Array) -> bytes:
    parts = [
        (positions.astype("<f4"), "VEC3", _FLOAT, _VERTICES),
        (normals.astype("<f4"), "VEC3", _FLOAT, _VERTICES),
        (colours, "VEC4", _UNSIGNED_BYTE, _VERTICES),
        (indices.astype("<u4"), "SCALAR", _UNSIGNED_INT, _INDICES),
    ]
    binary, views, accessors = b"", [], []
    for number, (values, kind, component, target) in enumerate(parts):
        data = values.tobytes()
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(data), "target": target})
        accessor: dict[str, Any] = {
            "bufferView": number,
            "componentType": component,
            "count": len(values),
            "type": kind,
        }
        if number == 0:
            accessor |= {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}
        if component == _UNSIGNED_BYTE:
            accessor["normalized"] = True
        accessors.append(accessor)
        binary += data  # every part is a multiple of four bytes long, as alignment demands
    document = {
        "asset": {"version": "2.0", "generator": "simulated Trellis"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "vessel"}],
        "meshes": [
            {
                "primitives": [
                    {"attributes": {"POSITION": 0, "NORMAL": 1, "COLOR_0": 2}, "indices": 3, "material": 0, "mode": 4}
                ]
            }
        ],
        "materials": [
            {
                "name": "glaze",
                "doubleSided": True,
                "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 0.32},
            }
        ],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(binary)}],
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    total = 12 + 8 + len(text) + 8 + len(binary)
    head = struct.pack("<4sII", b"glTF", 2, total) + struct.pack("<I4s", len(text), b"JSON")
    return head + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
