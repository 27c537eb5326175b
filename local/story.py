"""What the demo data tells: three people of a small house for ceramics bring out their winter collection.

Jonas looks for the picture of the campaign, Lea makes posters for the shops and is close to her cap, Mara leads and
pays, Tom has just signed up and waits.
"""

from decimal import Decimal
from typing import Any, Final, NamedTuple

from core.campaigns import Recipe


class Wish(NamedTuple):
    """A job that somebody asks for; its id follows from `name`."""

    name: str
    generation_type: str
    inputs: dict[str, Any]


JONAS: Final = (
    Wish("moodboard", "image_flux_schnell", {"prompt": "Terracotta dunes at first light, long shadows, low sun"}),
    Wish("glaze", "image_flux_schnell", {"prompt": "Flowing glaze in cobalt and coral, close-up, slow folds"}),
    Wish("frost", "image_flux_schnell", {"prompt": "Green hills in morning frost, pale winter sky, soft layers"}),
    Wish(
        "hero",
        "image_flux_dev",
        {"prompt": "Three glazed ceramic spheres on a linen cloth, soft window light, terracotta and cobalt"},
    ),
)
REFUSED: Final = Wish(
    "refused", "image_flux_dev", {"prompt": "A famous actor holding our vase, photorealistic [sim:fail422]"}
)
LEA: Final = (
    Wish("sale", "image_flux_schnell", {"prompt": "Winter sale poster, Bauhaus shapes in red, cobalt and ochre"}),
    Wish("night", "image_hd", {"prompt": "Night of the kilns, poster, geometric shapes, sand and ink"}),
    Wish("gift", "image_hd", {"prompt": "Citrus gradient for the gift box, warm and grainy"}),
)
MARA: Final = (
    Wish(
        "launch",
        "image_flux_schnell",
        {"prompt": "Launch poster for the winter collection, petals under water, plum and rose"},
    ),
)
LEAS_CAP: Final = Decimal("0.35")  # USD a month; what she makes takes her past nine tenths of it
BALANCE: Final = Decimal("50.00")

CAMPAIGN: Final = "Winter collection"
BRIEF: Final = (
    "Three clips of six seconds for the launch on 1 December: the clay, the fire, the table. "
    "Warm light, no people, the cobalt glaze in every one."
)


class Shot(NamedTuple):
    """A clip of the campaign; `is_filmed` has its video made, not only its first frame."""

    name: str
    title: str
    script: str
    still: str
    motion: str
    is_filmed: bool = False

    @property
    def recipes(self) -> dict[Any, Recipe]:
        return {
            "first_frame": Recipe("image_flux_dev", {"prompt": self.still, "shape": "tall"}),
            "video": Recipe("video_veo31_fast", {"prompt": self.motion, "duration": 6}),
        }


SHOTS: Final = (
    Shot(
        "clay",
        "The clay",
        "It begins with earth.",
        "A clay pot on the potter's wheel, terracotta, low sun from the left",
        "The wheel turns slowly, light runs over wet clay, no people",
        is_filmed=True,
    ),
    Shot(
        "fire",
        "The fire",
        "Then eleven hundred degrees.",
        "Molten glaze in cobalt and ember, slow folds, close-up",
        "The glaze flows and settles, light runs over it, no people",
    ),
    Shot(
        "table",
        "The table",
        "And it is yours.",
        "A table laid for four on linen, cobalt bowls, soft morning light",
        "Morning light moves across the table, slow push in from above, no people",
    ),
)
