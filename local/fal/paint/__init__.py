"""Paints pictures that are worth looking at from a prompt and a seed; the same two always give the same picture.

The words of the prompt choose what is painted and in which colours. Nothing is looked up anywhere: it is all computed.
"""

import io
import re
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image

from local.fal.paint import edit
from local.fal.paint.canvas import Array, Grid, Rng, grained, to_image
from local.fal.paint.fluid import gradient, petals, silk
from local.fal.paint.graphic import arch, poster
from local.fal.paint.landscape import landscape
from local.fal.paint.palette import words_of
from local.fal.paint.product import product
from local.fal.paint.scenes import portrait, skyline
from local.fal.paint.still_life import spheres
from local.fal.paint.table import table

VERSION = 3  # part of every cache key: raise it when the same parameters paint something else
_GRAIN = 2.2

Painter = Callable[[Grid, str, Rng], Array]

# The family with the most words in the prompt wins, the first one of equals; `detail` is how many pixels are worth
# computing.
_FAMILIES: tuple[tuple[Painter, int, str], ...] = (
    (poster, 1_100_000, "poster posters bauhaus geometric shapes graphic print collage abstract grid logo typography"),
    (arch, 1_100_000, "arch arches doorway door architecture facade stairs house interior room window"),
    (product, 700_000, "vase vases bottle perfume serum cosmetic cosmetics product products packshot jar jug pitcher"
     " flowers flower bouquet plant can oil lamp pot pots potter clay throwing tulips roses lemonade juice"),
    (table, 700_000, "table tablecloth laid dinner breakfast lunch supper brunch meal dish dishes plate plates cutlery"
     " crockery tableware napkin food soup ramen noodles pasta salad pizza bread cheese cake croissant coffee tea"
     " espresso cappuccino latte matcha cup cups mug mugs bowl bowls kitchen guests"),
    (skyline, 900_000, "city town street skyline skyscraper skyscrapers building buildings rooftop rooftops downtown"
     " urban neon traffic office"),
    (portrait, 900_000, "woman man girl boy person people portrait face founder chef actor actress child children"
     " mother father team smiling couple friends barista customer she he her his"),
    (spheres, 520_000, "sphere spheres ball balls orb glazed ceramic ceramics porcelain still stopper stoppers glass"
     " marbles pottery studio"),
    (petals, 520_000, "petal petals rose peony underwater water-lily bloom blossom coral reef"),
    (silk, 520_000, "silk satin fabric cloth textile flowing ribbon liquid smoke marble fluid swirl velvet wave ink"),
    (landscape, 900_000, "dune dunes desert hill hills fjord mist misty landscape mountain mountains valley sunrise"
     " dawn sunset sea lake coast island forest meadow field beach horizon sky sun moon winter snow autumn spring"
     " summer"),
    (gradient, 300_000, "gradient gradients soft background backdrop colour color wallpaper blur aura glow packaging"),
)  # fmt: skip
# What is named nowhere is painted as nothing in particular: a shape is never wrong, mountains for sneakers are.
_UNNAMED: tuple[Painter, ...] = (poster, silk, gradient)

_NEGATED = re.compile(r"\b(?:no|without)(?: an?| the)? [a-z]+")


def picture(prompt: str, seed: int, width: int, height: int) -> Image.Image:
    """The picture for a prompt: RGB, of exactly that size."""
    painter, detail = painter_for(prompt)
    rng = _rng(prompt, seed)
    scale = min(1.0, (detail / (width * height)) ** 0.5)
    grid = Grid.of(max(16, round(width * scale)), max(16, round(height * scale)))
    return grained(to_image(painter(grid, prompt, rng), width, height), rng, _GRAIN)


def reimagined(source: Image.Image, prompt: str, seed: int, strength: float, width: int, height: int) -> Image.Image:
    """The source in the colours and the light of the prompt; `strength` from 0 (as it was) to 1."""
    rng = _rng(prompt, seed)
    base = source.resize((width, height), Image.Resampling.LANCZOS)
    toned = edit.graded(base, prompt, rng, strength)
    return grained(edit.relit(toned, picture(prompt, seed, 256, 256), strength), rng, _GRAIN)


def edited(sources: list[Image.Image], prompt: str, seed: int, width: int, height: int) -> Image.Image:
    """A new frame out of reference pictures, graded lightly towards the prompt."""
    rng = _rng(prompt, seed)
    frame = edit.composed(sources, (width, height))
    return grained(edit.sunlit(edit.graded(frame, prompt, rng, 0.22), rng), rng, _GRAIN)


def upscaled(source: Image.Image, width: int, height: int, creativity: float) -> Image.Image:
    """The same picture, larger and crisper; `creativity` from 0 to 1."""
    return edit.enlarged(source, (width, height), creativity)


def encoded(image: Image.Image, file_format: str) -> bytes:
    """The file: "png", "jpeg" or "webp"."""
    options = {"png": {"compress_level": 3}, "jpeg": {"quality": 90}, "webp": {"quality": 88, "method": 2}}
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options[file_format])
    return buffer.getvalue()


def _rng(prompt: str, seed: int) -> Rng:
    return np.random.default_rng([seed, zlib.crc32(prompt.strip().lower().encode())])


def painter_for(prompt: str) -> tuple[Painter, int]:
    """By the words of the prompt: the light from a window makes no house of three spheres. Without any, by its sum."""
    words = set(words_of(_NEGATED.sub("", prompt.lower())))
    matches = [len(words & set(listed.split())) for _, _, listed in _FAMILIES]
    if most := max(matches):
        painter, detail, _ = _FAMILIES[matches.index(most)]
        return painter, detail
    painter = _UNNAMED[zlib.crc32(prompt.strip().lower().encode()) % len(_UNNAMED)]
    return painter, next(detail for known, detail, _ in _FAMILIES if known is painter)
