"""The endpoints that the simulator serves: inputs, price, unit and how long a run takes.

Prices are USD from fal's pricing API (July 2026). It tells one number per endpoint even where the price has tiers;
a run in another tier then shows as a fractional number of units, and only the billing event is exact.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from local.fal import inputs
from local.fal.inputs import ModelInput

Kind = Literal["text_to_image", "image_to_image", "edit", "upscale", "video", "voice", "ambience", "transcript", "mesh"]
MEGAPIXEL = 1_000_000  # whether fal takes 1024 × 1024 for one or two is not documented: this is the dearer reading
_UNIT_DIGITS = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`seconds` is a typical run; `steps` > 0 makes the log show diffusion steps."""

    endpoint_id: str
    title: str
    category: str  # fal's word for what goes in and what comes out
    kind: Kind
    model: type[ModelInput]
    unit: str
    unit_price: Decimal
    seconds: float
    steps: int = 0
    tier: Callable[[ModelInput], Decimal] | None = None  # USD per unit for these inputs, where it differs

    def charge(self, given: ModelInput, quantity: Decimal) -> tuple[Decimal, Decimal]:
        """(billable units, exact cost in USD) of a run that produced `quantity` of the price unit."""
        cost = quantity * (self.tier(given) if self.tier else self.unit_price)
        return (cost / self.unit_price).quantize(_UNIT_DIGITS), cost


def megapixels(width: int, height: int) -> int:
    """Area in whole megapixels, rounded up."""
    return -(-width * height // MEGAPIXEL)


def _veo(silent: str, sound: str, silent_4k: str, sound_4k: str) -> Callable[[ModelInput], Decimal]:
    prices = {(False, False): silent, (False, True): sound, (True, False): silent_4k, (True, True): sound_4k}

    def tier(given: ModelInput) -> Decimal:
        assert isinstance(given, inputs.VeoImageToVideo)
        return Decimal(prices[given.resolution == "4k", given.generate_audio])

    return tier


def _nano_banana(given: ModelInput) -> Decimal:
    assert isinstance(given, inputs.NanoBananaPro)
    return Decimal("0.30") if given.resolution == "4K" else Decimal("0.15")


_ALL = (
    Endpoint(
        "fal-ai/flux/schnell",
        "FLUX.1 [schnell]",
        "text-to-image",
        "text_to_image",
        inputs.FluxSchnell,
        "megapixels",
        Decimal("0.003"),
        1.5,
        steps=4,
    ),
    Endpoint(
        "fal-ai/flux/dev",
        "FLUX.1 [dev]",
        "text-to-image",
        "text_to_image",
        inputs.FluxDev,
        "megapixels",
        Decimal("0.025"),
        2.0,
        steps=28,
    ),
    Endpoint(
        "fal-ai/flux/dev/image-to-image",
        "FLUX.1 [dev] image to image",
        "image-to-image",
        "image_to_image",
        inputs.FluxDevImageToImage,
        "megapixels",
        Decimal("0.025"),
        2.0,
        steps=40,
    ),
    Endpoint(
        "fal-ai/nano-banana-pro",
        "Nano Banana Pro",
        "text-to-image",
        "text_to_image",
        inputs.NanoBananaPro,
        "images",
        Decimal("0.15"),
        2.0,
        tier=_nano_banana,
    ),
    Endpoint(
        "fal-ai/nano-banana-pro/edit",
        "Nano Banana Pro edit",
        "image-to-image",
        "edit",
        inputs.NanoBananaProEdit,
        "images",
        Decimal("0.15"),
        2.0,
        tier=_nano_banana,
    ),
    Endpoint(
        "fal-ai/luma-dream-machine/image-to-video",
        "Luma Dream Machine",
        "image-to-video",
        "video",
        inputs.LumaImageToVideo,
        "videos",
        Decimal("0.5"),
        6.0,
        steps=50,
    ),
    Endpoint(
        "fal-ai/veo3.1/fast/image-to-video",
        "Veo 3.1 Fast",
        "image-to-video",
        "video",
        inputs.VeoImageToVideo,
        "seconds",
        Decimal("0.15"),
        6.0,
        steps=50,
        tier=_veo("0.10", "0.15", "0.30", "0.35"),
    ),
    Endpoint(
        "fal-ai/veo3.1/image-to-video",
        "Veo 3.1",
        "image-to-video",
        "video",
        inputs.VeoImageToVideo,
        "seconds",
        Decimal("0.4"),
        8.0,
        steps=50,
        tier=_veo("0.20", "0.40", "0.40", "0.60"),
    ),
    Endpoint(
        "resemble-ai/chatterboxhd/speech-to-speech",
        "Chatterbox HD speech to speech",
        "speech-to-speech",
        "voice",
        inputs.ChatterboxSpeechToSpeech,
        "compute seconds",
        Decimal("0.00125"),
        3.0,
    ),
    Endpoint(
        "fal-ai/elevenlabs/sound-effects/v2",
        "ElevenLabs sound effects V2",
        "text-to-audio",
        "ambience",
        inputs.ElevenLabsSoundEffects,
        "seconds",
        Decimal("0.002"),
        2.0,
    ),
    Endpoint(
        "fal-ai/whisper",
        "Whisper",
        "speech-to-text",
        "transcript",
        inputs.Whisper,
        "compute seconds",
        Decimal("0.0008"),
        2.0,
    ),
    Endpoint(
        "fal-ai/clarity-upscaler",
        "Clarity upscaler",
        "image-to-image",
        "upscale",
        inputs.ClarityUpscaler,
        "megapixels",
        Decimal("0.03"),
        3.0,
        steps=18,
    ),
    Endpoint(
        "fal-ai/trellis",
        "Trellis",
        "image-to-3d",
        "mesh",
        inputs.Trellis,
        "generations",
        Decimal("0.02"),
        3.0,
        steps=12,
    ),
)
ENDPOINTS: dict[str, Endpoint] = {endpoint.endpoint_id: endpoint for endpoint in _ALL}
