"""Inputs and measures that several types share."""

from collections.abc import Callable
from decimal import ROUND_CEILING, Decimal
from typing import Any, Final

from core.catalog.fields import Field
from core.catalog.types import Inputs

MEGAPIXEL: Final = Decimal(1_000_000)
# A source picture of which nobody has told the size yet; what is made here stays within one megapixel.
SOURCE_MEGAPIXELS: Final = Decimal(1)

# Our names for shapes → what fal.ai is told, and the pixels that come of it. The square is ours: fal.ai's own
# (1024 × 1024) is just over a million pixels, and whether that bills as one megapixel or two is not documented.
SHAPES: Final[dict[str, tuple[Any, int, int]]] = {
    "square": ({"width": 992, "height": 992}, 992, 992),
    "portrait": ("portrait_4_3", 768, 1024),
    "landscape": ("landscape_4_3", 1024, 768),
    "tall": ("portrait_16_9", 576, 1024),
    "wide": ("landscape_16_9", 1024, 576),
}


def whole_megapixels(width: int, height: int) -> Decimal:
    """The area as fal.ai bills it: rounded up to whole megapixels."""
    return (width * height / MEGAPIXEL).to_integral_value(ROUND_CEILING)


def prompt(
    placeholder: str = "What the picture shows: the subject, its surroundings, the light, the colours",
    *,
    required: bool = True,
    label: str = "Prompt",
) -> Field:
    """At most 5,000 characters, fal.ai's `prompt`."""
    return Field(name="prompt", label=label, kind="text", required=required, maximum=5000, placeholder=placeholder)


def seed() -> Field:
    """31 bits; empty is a new one each time."""
    return Field(
        name="seed",
        label="Seed",
        kind="integer",
        minimum=0,
        maximum=2**31 - 1,
        advanced=True,
        help="The same seed and settings give the same result. Leave it empty for a new one.",
    )


def shape() -> Field:
    """One of SHAPES, sent as `image_size`."""
    labels = ("Square", "Portrait 3:4", "Landscape 4:3", "Tall 9:16", "Wide 16:9")
    return Field(
        name="shape",
        label="Shape",
        kind="choice",
        default="square",
        options=tuple(zip(SHAPES, labels, strict=True)),
        fal_name="image_size",
        encode=lambda shape: SHAPES[shape][0],
    )


def ratio(*ratios: str, default: str, label: str = "Shape") -> Field:
    """Width to height as fal.ai writes it, "16:9"; `default` is one of `ratios`."""
    names = {"auto": "As the picture", "1:1": "Square", "9:16": "Tall 9:16", "16:9": "Wide 16:9"}
    options = tuple((ratio, names.get(ratio, ratio)) for ratio in ratios)
    return Field(name="aspect_ratio", label=label, kind="choice", default=default, options=options)


def image_count() -> Field:
    """1 to 4 in one batch."""
    return Field(name="num_images", label="Images", kind="integer", default=1, minimum=1, maximum=4)


def steps(default: int, minimum: int, maximum: int) -> Field:
    """Inference steps within the limits of the model."""
    return Field(
        name="steps",
        label="Steps",
        kind="integer",
        default=default,
        minimum=minimum,
        maximum=maximum,
        advanced=True,
        help="More steps take longer and add detail.",
        fal_name="num_inference_steps",
    )


def guidance() -> Field:
    """Guidance scale, 1 to 20."""
    return Field(
        name="guidance",
        label="Guidance",
        kind="number",
        default=3.5,
        minimum=1,
        maximum=20,
        advanced=True,
        help="How closely the picture follows the prompt.",
        fal_name="guidance_scale",
    )


def source(label: str = "Source picture", name: str = "image_url", *, required: bool = True, help: str = "") -> Field:
    """A picture that the model starts from, by its address."""
    return Field(name=name, label=label, kind="image", required=required, help=help)


def requested_images(inputs: Inputs) -> int:
    """How many images the inputs ask for."""
    return int(inputs["num_images"])


def shape_megapixels(images: Callable[[Inputs], int]) -> Callable[[Inputs, Decimal], Decimal]:
    """Megapixels of so many images of the chosen shape, each rounded up as fal.ai bills them."""
    return lambda inputs, _source: images(inputs) * whole_megapixels(*SHAPES[inputs["shape"]][1:])
