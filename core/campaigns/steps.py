"""The steps of a clip: their order, the models that make them, and what each is made from.

The order and the sources are the database's too (`private.clip_step_number`, `private.clip_step_sources`); a test
compares them.
"""

from collections.abc import Mapping
from typing import Final, Literal

Step = Literal["first_frame", "video", "voice", "ambient", "transcript"]

STEPS: Final[tuple[Step, ...]] = ("first_frame", "video", "voice", "ambient", "transcript")
LABELS: Final[dict[Step, str]] = {
    "first_frame": "First frame",
    "video": "Video",
    "voice": "Voice",
    "ambient": "Ambience",
    "transcript": "Transcript",
}
# The models that can make a step, the usual one first.
MODELS: Final[dict[Step, tuple[str, ...]]] = {
    "first_frame": (
        "first_frame",
        "image_hd",
        "image_flux_dev",
        "image_flux_schnell",
        "image_to_image_flux_dev",
        "render_highres",
    ),
    "video": ("video_veo31_fast", "video_veo31_standard", "video_luma"),
    "voice": ("voice_chatterbox",),
    "ambient": ("ambient_elevenlabs",),
    "transcript": ("transcribe_whisper",),
}
# What a step can be made from, the best first.
SOURCES: Final[dict[Step, tuple[Step, ...]]] = {
    "first_frame": (),
    "video": ("first_frame",),
    "voice": ("video",),
    "ambient": ("video",),
    "transcript": ("voice", "video"),
}
# The input that comes from the source by itself, unless the clip has one of its own.
SOURCE_INPUT: Final[dict[Step, str]] = {
    "video": "image_url",
    "voice": "source_audio_url",
    "ambient": "duration_seconds",
    "transcript": "audio_url",
}


def between(first: Step, last: Step) -> tuple[Step, ...]:
    """The steps from one to another, both included, in the order of the chain."""
    return STEPS[STEPS.index(first) : STEPS.index(last) + 1]


def own_input(step: Step, inputs: Mapping[str, object]) -> bool:
    """Whether a clip brings what this step is made from itself, so that it follows from no other step."""
    name = SOURCE_INPUT.get(step)
    return name is None or inputs.get(name) not in (None, "")
