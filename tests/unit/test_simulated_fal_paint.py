"""The pictures of the simulated fal.ai: real files, repeatable, and about what the prompt says."""

import io

import numpy as np
import pytest
from PIL import Image

from local import story
from local.fal import paint
from local.fal.paint.palette import named_colours, palette_for, rgb

FAMILIES = {
    "spheres": "Three glazed ceramic spheres, muted terracotta and cobalt",
    "landscape": "Terracotta dunes at first light",
    "water": "Slow dolly over a misty fjord",
    "poster": "Autumn sale poster, Bauhaus shapes",
    "arch": "Night arch, limited edition",
    "silk": "Flowing silk in cobalt and coral",
    "petals": "Petals under water",
    "gradient": "Citrus gradient for packaging",
    "vase": "Ceramic vase with dry grass",
    "bottle": "Perfume bottle, blush",
    "wheel": "A potter at the wheel",
    "table": "A table laid for four on linen",
    "cup": "A cup of coffee on a wooden table",
    "town": "Skyline at sunset",
    "somebody": "Our founder at her desk",
    "unnamed": "Sneakers, hard shadows",
}


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, np.float32) / 255


@pytest.mark.parametrize("prompt", FAMILIES.values(), ids=FAMILIES.keys())
@pytest.mark.parametrize("size", [(256, 256), (144, 256), (300, 128)])
def test_every_family_fills_any_shape_with_something_to_see(prompt: str, size: tuple[int, int]) -> None:
    image = paint.picture(prompt, 3, *size)
    assert (image.size, image.mode) == (size, "RGB")
    colours = pixels(image)
    assert colours.std() > 0.03
    assert 0.02 < colours.mean() < 0.98


@pytest.mark.parametrize("prompt", FAMILIES.values(), ids=FAMILIES.keys())
def test_the_same_prompt_and_seed_paint_the_same_and_another_seed_does_not(prompt: str) -> None:
    first, again, other = (paint.picture(prompt, seed, 128, 128) for seed in (7, 7, 8))
    assert first.tobytes() == again.tobytes()
    assert np.abs(pixels(first) - pixels(other)).mean() > 0.01


def test_the_words_of_the_prompt_choose_what_is_painted() -> None:
    small = [pixels(paint.picture(prompt, 1, 64, 64)) for prompt in FAMILIES.values()]
    for number, first in enumerate(small):
        for second in small[number + 1 :]:
            assert np.abs(first - second).mean() > 0.04


@pytest.mark.parametrize(
    ("prompt", "about"),
    [
        ("Three glazed ceramic spheres on a linen cloth, soft window light", "Three glazed ceramic spheres"),
        ("Night arch, limited edition poster, geometric shapes", "Poster, geometric shapes"),
        ("Launch poster for the winter collection, petals under water", "Poster"),
        ("A table laid for four on linen, cobalt bowls, soft window light", "Dinner table"),
        ("A clay pot on the potter's wheel, terracotta, low sun", "A vase"),
        ("Flowing glaze, no people, without a landscape", "Flowing glaze"),
    ],
)
def test_what_most_of_the_words_say_is_painted(prompt: str, about: str) -> None:
    assert paint.painter_for(prompt) == paint.painter_for(about)


@pytest.mark.parametrize("number", range(12))
def test_what_no_word_names_is_no_mountain_and_no_house(number: int) -> None:
    painter, _ = paint.painter_for(f"Sneakers {number * 'x'}")
    assert painter in (paint.poster, paint.silk, paint.gradient)


@pytest.mark.parametrize("shot", story.SHOTS, ids=[shot.name for shot in story.SHOTS])
def test_the_clips_of_the_demo_show_what_they_are_about(shot: story.Shot) -> None:
    expected = {"clay": paint.product, "fire": paint.silk, "table": paint.table}
    assert paint.painter_for(shot.still)[0] is expected[shot.name]


def test_colour_words_come_first_in_the_palette_and_light_ones_become_the_paper() -> None:
    palette = palette_for("cobalt and coral shapes on cream", np.random.default_rng(1))
    assert [tuple(colour) for colour in palette.accents[:2]] == [tuple(rgb("2a3bbd")), tuple(rgb("e8836a"))]
    assert palette.paper.mean() > 0.8
    assert not palette.night
    assert len(named_colours("cobalt, cobalt and navy")) == 2


@pytest.mark.parametrize("prompt", ["red", "red rust brick scarlet", "olive moss", "night", "white", ""])
def test_a_palette_always_has_enough_accents(prompt: str) -> None:
    for seed in range(12):
        assert len(palette_for(prompt, np.random.default_rng(seed)).accents) >= 4


@pytest.mark.parametrize(("file_format", "name"), [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP")])
def test_files_are_what_they_say(file_format: str, name: str) -> None:
    opened = Image.open(io.BytesIO(paint.encoded(paint.picture("dunes", 1, 64, 48), file_format)))
    assert (opened.format, opened.size) == (name, (64, 48))


def half_and_half() -> Image.Image:
    """Black on the left, white on the right: easy to find again."""
    image = Image.new("RGB", (120, 80), "black")
    image.paste("white", (60, 0, 120, 80))
    return image


def test_image_to_image_keeps_the_composition_and_moves_towards_the_prompt() -> None:
    source = half_and_half()
    gentle, strong = (paint.reimagined(source, "sage and plum", 1, strength, 120, 80) for strength in (0.1, 0.95))
    for image in (gentle, strong):
        assert pixels(image)[:, 80:].mean() > pixels(image)[:, :40].mean() + 0.2
    original = pixels(source)
    assert np.abs(pixels(strong) - original).mean() > np.abs(pixels(gentle) - original).mean()


def test_an_edit_shows_every_reference() -> None:
    frame = paint.edited([half_and_half(), Image.new("RGB", (50, 50), (255, 0, 0))], "at the window", 1, 180, 320)
    assert frame.size == (180, 320)
    alone = paint.edited([half_and_half()], "at the window", 1, 180, 320)
    red = pixels(frame) - pixels(alone)
    assert red[200:, :100, 0].max() > 0.4  # the second picture lies at the lower left


def test_upscaling_keeps_the_picture() -> None:
    source = paint.picture("three spheres", 1, 96, 96)
    large = paint.upscaled(source, 192, 192, 0.35)
    assert large.size == (192, 192)
    assert np.abs(pixels(large.resize((96, 96))) - pixels(source)).mean() < 0.05
