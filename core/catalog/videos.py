"""Videos from a first frame, portrait unless asked otherwise. Inputs and limits as fal.ai documents them per model."""

from decimal import Decimal
from typing import Final

from core.catalog.fields import Field
from core.catalog.shared import prompt, ratio, seed, source
from core.catalog.types import GenerationType, Inputs, Usage

_MOVES: Final = "What moves, how the camera moves"
_SPEAKS: Final = f"{_MOVES}, what is said and by whom"


def _veo(key: str, label: str, endpoint: str, prices: dict[str, str], expected: int, longest: int) -> GenerationType:
    """`prices`: documented USD per second, by `<resolution tier>[+audio]`. The pricing API tells the one with audio."""

    def factor(inputs: Inputs) -> Decimal:
        tier = ("4k" if inputs["resolution"] == "4k" else "hd") + ("+audio" if inputs["generate_audio"] else "")
        return Decimal(prices[tier]) / Decimal(prices["hd+audio"])

    return GenerationType(
        key=key,
        label=label,
        media="video",
        noun="video",
        endpoint=endpoint,
        fields=(
            prompt(_SPEAKS),
            source("First frame", help="The video starts with this picture."),
            Field(
                name="duration",
                label="Length",
                kind="choice",
                default=8,
                options=((4, "4 s"), (6, "6 s"), (8, "8 s")),
                encode=lambda seconds: f"{seconds}s",
            ),
            ratio("9:16", "16:9", "auto", default="9:16"),
            Field(
                name="generate_audio",
                label="Sound",
                kind="toggle",
                default=True,
                help="Voices, effects and ambience. A silent video costs less at fal.ai.",
            ),
            Field(
                name="resolution",
                label="Resolution",
                kind="choice",
                default="720p",
                options=(("720p", "720p"), ("1080p", "1080p"), ("4k", "4K, at a higher price")),
                advanced=True,
            ),
            Field(
                name="negative_prompt",
                label="Leave out",
                kind="text",
                maximum=2000,
                advanced=True,
                help="What the video should not show: writing, logos, a shaking camera.",
            ),
            seed(),
        ),
        usage=Usage(seconds=lambda inputs: Decimal(inputs["duration"]), factor=factor),
        expected_seconds=expected,
        longest_seconds=longest,
    )


VIDEOS: Final = (
    GenerationType(
        key="video_luma",
        label="Luma Dream Machine",
        media="video",
        noun="video",
        endpoint="fal-ai/luma-dream-machine/image-to-video",
        fields=(
            prompt(_MOVES),
            source("First frame", help="The video starts with this picture."),
            source("Last frame", "end_image_url", required=False, help="The video ends with this picture."),
            ratio("9:16", "16:9", "3:4", "4:3", "9:21", "21:9", default="9:16"),
            Field(name="loop", label="Loop", kind="toggle", default=False, help="The end flows into the beginning."),
        ),
        usage=Usage(),
        expected_seconds=120,
        longest_seconds=3600,
    ),
    _veo(
        "video_veo31_fast",
        "Veo 3.1 Fast",
        "fal-ai/veo3.1/fast/image-to-video",
        {"hd": "0.10", "hd+audio": "0.15", "4k": "0.30", "4k+audio": "0.35"},
        expected=120,
        longest=3600,
    ),
    _veo(
        "video_veo31_standard",
        "Veo 3.1",
        "fal-ai/veo3.1/image-to-video",
        {"hd": "0.20", "hd+audio": "0.40", "4k": "0.40", "4k+audio": "0.60"},
        expected=300,
        longest=3600,
    ),
)
