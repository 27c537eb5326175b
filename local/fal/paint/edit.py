"""What becomes of a picture that is handed in: graded towards a prompt, mixed with a new one, combined, enlarged."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from local.fal.paint.canvas import Array, Rng, mix, smoothstep
from local.fal.paint.palette import palette_for


def as_array(image: Image.Image) -> Array:
    return np.asarray(image, np.float32) / 255


def as_image(colours: Array) -> Image.Image:
    return Image.fromarray((np.clip(colours, 0, 1) * 255 + 0.5).astype(np.uint8))


def graded(image: Image.Image, prompt: str, rng: Rng, strength: float) -> Image.Image:
    """With the tones of the prompt's palette: shadows towards its deep, lights towards its paper."""
    palette = palette_for(prompt, rng)
    source = as_array(image)
    luma = source @ np.array([0.299, 0.587, 0.114], np.float32)
    toned = mix(
        mix(palette.deep, palette.accents[0], smoothstep(0.05, 0.55, luma)), palette.paper, smoothstep(0.4, 0.95, luma)
    )
    kept = source + (luma[..., None] - source) * (0.35 * strength)
    contrast = smoothstep(-0.06, 1.06, mix(kept, toned, 0.75 * strength))
    return as_image(mix(mix(kept, toned, 0.75 * strength), contrast, 0.4))


def relit(image: Image.Image, painted: Image.Image, strength: float) -> Image.Image:
    """The composition of the first under the colours and the light of the second, which is blurred beyond its forms."""
    field = painted.resize((24, 24)).filter(ImageFilter.GaussianBlur(4)).resize(image.size, Image.Resampling.BICUBIC)
    base, light = as_array(image), as_array(field)
    soft = np.where(
        light < 0.5, base - (1 - 2 * light) * base * (1 - base), base + (2 * light - 1) * (np.sqrt(base) - base)
    )
    return as_image(mix(base, mix(soft, light, 0.22), 0.85 * strength))


def composed(sources: list[Image.Image], size: tuple[int, int]) -> Image.Image:
    """The first picture fills the frame; the others lie on it as prints with round corners and a soft shadow."""
    frame = ImageOps.fit(sources[0], size, Image.Resampling.LANCZOS, centering=(0.5, 0.45))
    shorter = min(size)
    for number, source in enumerate(sources[1:4]):
        side = round(shorter * 0.34)
        card = ImageOps.fit(source, (side, round(side * 1.2)), Image.Resampling.LANCZOS)
        x = round(shorter * 0.06) + number * round(side * 0.62)
        y = size[1] - card.height - round(shorter * (0.07 + 0.03 * number))
        _lay_card(frame, card, (x, y), shorter)
    return frame


def _lay_card(frame: Image.Image, card: Image.Image, place: tuple[int, int], shorter: int) -> None:
    mask = Image.new("L", card.size, 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, card.width - 1, card.height - 1), round(shorter * 0.02), fill=255)
    shadow = Image.new("L", frame.size, 0)
    shadow.paste(mask.point(lambda value: value * 0.45), (place[0], place[1] + round(shorter * 0.012)))
    shadow = shadow.filter(ImageFilter.GaussianBlur(shorter * 0.02))
    frame.paste((16, 14, 24), (0, 0), shadow)
    frame.paste(card, place, mask)


def sunlit(image: Image.Image, rng: Rng) -> Image.Image:
    """Warm light from one side and a gentle vignette, as a photographer would finish it."""
    source = as_array(image)
    height, width = source.shape[:2]
    x, y = np.linspace(0, 1, width)[None, :], np.linspace(0, 1, height)[:, None]
    side = x if rng.random() < 0.5 else 1 - x
    leak = np.clip(1 - np.hypot(side * 1.1, y - 0.15), 0, 1) ** 2 * 0.26
    warm = np.array([1.0, 0.86, 0.66], np.float32)
    lit = 1 - (1 - source) * (1 - leak[..., None] * warm)
    edge = smoothstep(0.45, 0.85, np.hypot(x - 0.5, y - 0.5)) * 0.16
    return as_image(lit * (1 - edge[..., None]))


def enlarged(image: Image.Image, size: tuple[int, int], creativity: float) -> Image.Image:
    """Resampled and sharpened; more creativity, more local contrast."""
    large = image.resize(size, Image.Resampling.LANCZOS)
    radius = max(1.0, size[0] / image.width)
    return large.filter(ImageFilter.UnsharpMask(radius, round(50 + 60 * creativity), 2))
