"""Pictures: from words, from pictures, and larger ones. Inputs and limits as fal.ai documents them per model."""

from decimal import ROUND_CEILING, Decimal
from typing import Final

from core.catalog.fields import Field
from core.catalog.shared import (
    SOURCE_MEGAPIXELS,
    guidance,
    image_count,
    prompt,
    ratio,
    requested_images,
    seed,
    shape,
    shape_megapixels,
    source,
    steps,
)
from core.catalog.types import GenerationType, Usage


def nano_banana_resolution() -> Field:
    """What the model is asked for; 4K doubles the price (see `nano_banana_usage`)."""
    options = (("1K", "1K"), ("2K", "2K"), ("4K", "4K, at twice the price"))
    return Field(name="resolution", label="Resolution", kind="choice", default="1K", options=options, advanced=True)


def nano_banana_usage() -> Usage:
    """fal.ai bills each image, and twice for 4K."""
    return Usage(images=requested_images, factor=lambda inputs: Decimal(2 if inputs["resolution"] == "4K" else 1))


IMAGES: Final = (
    GenerationType(
        key="image_flux_schnell",
        label="Flux Schnell · fast draft",
        media="image",
        noun="image",
        endpoint="fal-ai/flux/schnell",
        fields=(
            prompt(),
            shape(),
            # Each batch is a job of its own, with its own credits and its own end: see split_jobs.
            Field(
                name="batches",
                label="Batches of 2",
                kind="integer",
                default=1,
                minimum=1,
                maximum=3,
                help="Each batch makes two images and is a job of its own.",
                per_job=False,
            ),
            steps(4, 1, 12),
            seed(),
        ),
        fixed={"num_images": 2},
        usage=Usage(images=lambda _inputs: 2, megapixels=shape_megapixels(lambda _inputs: 2)),
        expected_seconds=5,
        longest_seconds=900,
    ),
    GenerationType(
        key="image_flux_dev",
        label="Flux Dev · finer detail",
        media="image",
        noun="image",
        endpoint="fal-ai/flux/dev",
        fields=(prompt(), shape(), image_count(), steps(28, 1, 50), guidance(), seed()),
        usage=Usage(images=requested_images, megapixels=shape_megapixels(requested_images)),
        expected_seconds=12,
        longest_seconds=900,
    ),
    GenerationType(
        key="image_to_image_flux_dev",
        label="Flux Dev · from a picture",
        media="image",
        noun="image",
        endpoint="fal-ai/flux/dev/image-to-image",
        fields=(
            prompt("What the picture becomes: the subject, the style, the light, the colours"),
            source(),
            image_count(),
            Field(
                name="strength",
                label="Change",
                kind="number",
                default=0.95,
                minimum=0.01,
                maximum=1,
                help="How far the result may leave the source: 1 is free, a small number stays close.",
            ),
            steps(28, 10, 50),
            guidance(),
            seed(),
        ),
        usage=Usage(
            images=requested_images, megapixels=lambda inputs, _source: requested_images(inputs) * SOURCE_MEGAPIXELS
        ),
        expected_seconds=15,
        longest_seconds=900,
    ),
    GenerationType(
        key="image_hd",
        label="Nano Banana Pro · high quality",
        media="image",
        noun="image",
        endpoint="fal-ai/nano-banana-pro",
        fields=(
            prompt(),
            ratio("1:1", "9:16", "16:9", "4:5", "5:4", "3:4", "4:3", "2:3", "3:2", "21:9", default="1:1"),
            image_count(),
            nano_banana_resolution(),
            seed(),
        ),
        usage=nano_banana_usage(),
        expected_seconds=25,
        longest_seconds=900,
    ),
    GenerationType(
        key="first_frame",
        label="First frame · from references",
        media="image",
        noun="image",
        endpoint="fal-ai/nano-banana-pro/edit",
        fields=(
            prompt("Who and what of the pictures is where, what they do, the light"),
            Field(
                name="image_urls",
                label="Reference pictures",
                kind="images",
                required=True,
                maximum=10,
                help="The people, products and places that the frame should show.",
            ),
            ratio("9:16", "16:9", "1:1", "4:5", "3:4", "auto", default="9:16"),
            image_count(),
            nano_banana_resolution(),
            seed(),
        ),
        usage=nano_banana_usage(),
        expected_seconds=15,
        longest_seconds=900,
    ),
    GenerationType(
        key="render_highres",
        label="Clarity · upscale",
        media="image",
        noun="image",
        endpoint="fal-ai/clarity-upscaler",
        fields=(
            source(),
            Field(
                name="upscale_factor",
                label="Enlarge",
                kind="number",
                default=2,
                minimum=1,
                maximum=4,
                help="How many times as wide and as high. The cost follows the area of the result.",
            ),
            prompt("What the picture shows, to guide the detail. May stay empty", required=False, label="Description"),
            Field(
                name="creativity",
                label="Creativity",
                kind="number",
                default=0.35,
                minimum=0,
                maximum=1,
                advanced=True,
                help="How much detail may be invented.",
            ),
            Field(
                name="resemblance",
                label="Resemblance",
                kind="number",
                default=0.6,
                minimum=0,
                maximum=1,
                advanced=True,
                help="How closely the result keeps to the source.",
            ),
            seed(),
        ),
        usage=Usage(
            images=lambda _inputs: 1,
            megapixels=lambda inputs, source: (source * Decimal(str(inputs["upscale_factor"])) ** 2).to_integral_value(
                ROUND_CEILING
            ),
            sized_by="image_url",
        ),
        expected_seconds=45,
        longest_seconds=1800,
    ),
)
