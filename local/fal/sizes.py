"""How large a picture comes out, in pixels."""

from local.fal import inputs

_NAMED = {
    "square_hd": (1024, 1024),
    "square": (512, 512),
    "portrait_4_3": (768, 1024),
    "portrait_16_9": (576, 1024),
    "landscape_4_3": (1024, 768),
    "landscape_16_9": (1024, 576),
}
# Pixels at 1K, as Nano Banana Pro makes them; 2K and 4K double and quadruple the sides.
_ASPECTS = {
    "21:9": (1584, 672),
    "16:9": (1376, 768),
    "3:2": (1264, 848),
    "4:3": (1200, 896),
    "5:4": (1152, 928),
    "1:1": (1024, 1024),
    "4:5": (928, 1152),
    "3:4": (896, 1200),
    "2:3": (848, 1264),
    "9:16": (768, 1376),
}


def flux_size(given: inputs.FluxSchnell) -> tuple[int, int]:
    """The size that was asked for, by name or in pixels."""
    wanted = given.image_size
    return _NAMED[wanted] if isinstance(wanted, str) else (wanted.width, wanted.height)


def aspect_size(given: inputs.NanoBananaPro, like: tuple[int, int] = (1, 1)) -> tuple[int, int]:
    """Pixels of the asked aspect ratio; "auto" takes the nearest to `like`."""
    ratio = like[0] / like[1]
    nearest = min(_ASPECTS, key=lambda name: abs(_ASPECTS[name][0] / _ASPECTS[name][1] / ratio - 1))
    width, height = _ASPECTS[nearest if given.aspect_ratio == "auto" else given.aspect_ratio]
    scale = {"1K": 1, "2K": 2, "4K": 4}[given.resolution]
    return width * scale, height * scale


def within(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """The size scaled down so that no side is longer, in multiples of 8 as diffusion models want them."""
    scale = min(1.0, longest / max(size))
    return max(8, round(size[0] * scale / 8) * 8), max(8, round(size[1] * scale / 8) * 8)
