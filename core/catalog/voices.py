"""Voices, sounds and transcripts. Inputs and limits as fal.ai documents them per model."""

from decimal import Decimal
from typing import Final

from core.catalog.fields import Field
from core.catalog.types import GenerationType, Usage

VOICES: Final = ("Aurora", "Blade", "Britney", "Carl", "Cliff", "Richard", "Rico", "Siobhan", "Vicky")
LANGUAGES: Final = (
    ("auto", "Detect"),
    ("en", "English"),
    ("fr", "French"),
    ("de", "German"),
    ("es", "Spanish"),
    ("it", "Italian"),
    ("pt", "Portuguese"),
    ("nl", "Dutch"),
    ("pl", "Polish"),
    ("ja", "Japanese"),
    ("zh", "Chinese"),
)

VOICES_AND_SOUNDS: Final = (
    GenerationType(
        key="voice_chatterbox",
        label="Chatterbox HD · change a voice",
        media="voice",
        noun="recording",
        endpoint="resemble-ai/chatterboxhd/speech-to-speech",
        fields=(
            Field(
                name="source_audio_url",
                label="Recording",
                kind="audio",
                required=True,
                help="What is said, and how: words, pace and feeling stay, the voice changes.",
            ),
            Field(
                name="target_voice",
                label="Voice",
                kind="choice",
                default=VOICES[0],
                options=tuple((voice, voice) for voice in VOICES),
            ),
            Field(
                name="target_voice_audio_url",
                label="Voice sample",
                kind="audio",
                help="A sample of the wanted voice. It takes the place of the voice chosen above.",
            ),
            Field(
                name="high_quality_audio",
                label="High quality",
                kind="toggle",
                default=True,
                advanced=True,
                help="At 48 kHz. Takes a little longer.",
            ),
        ),
        finish=lambda body: (
            {name: value for name, value in body.items() if name != "target_voice"}
            if "target_voice_audio_url" in body
            else body
        ),
        usage=Usage(compute_seconds=Decimal(20)),
        expected_seconds=60,
        longest_seconds=1800,
    ),
    GenerationType(
        key="ambient_elevenlabs",
        label="ElevenLabs · ambience and effects",
        media="voice",
        noun="sound",
        endpoint="fal-ai/elevenlabs/sound-effects/v2",
        fields=(
            Field(
                name="text",
                label="Sound",
                kind="text",
                required=True,
                maximum=2000,
                placeholder="What one hears: rain on a tin roof, a kitchen in the morning, a door that closes",
            ),
            # fal.ai would choose a length itself: asked for, the price is known before.
            Field(
                name="duration_seconds", label="Length in seconds", kind="number", default=10, minimum=0.5, maximum=22
            ),
            Field(name="loop", label="Loop", kind="toggle", default=False, help="The end flows into the beginning."),
            Field(
                name="prompt_influence",
                label="Prompt influence",
                kind="number",
                default=0.5,
                minimum=0,
                maximum=1,
                advanced=True,
                help="How closely the sound follows the words: 1 is literal, 0 is free.",
            ),
        ),
        usage=Usage(seconds=lambda inputs: Decimal(str(inputs["duration_seconds"]))),
        expected_seconds=30,
        longest_seconds=900,
    ),
    GenerationType(
        key="transcribe_whisper",
        label="Whisper · transcript and subtitles",
        media="voice",
        noun="transcript",
        endpoint="fal-ai/whisper",
        fields=(
            Field(
                name="audio_url",
                label="Recording",
                kind="audio",
                required=True,
                help="Of a video its sound is taken.",
            ),
            Field(
                name="task",
                label="What to do",
                kind="choice",
                default="transcribe",
                options=(("transcribe", "Write down"), ("translate", "Translate to English")),
            ),
            Field(name="language", label="Language", kind="choice", default="auto", options=LANGUAGES),
            Field(
                name="chunk_level",
                label="Subtitles by",
                kind="choice",
                default="segment",
                options=(("segment", "Sentence"), ("word", "Word")),
                advanced=True,
                help="By word, each word is lit by itself while the recording plays.",
            ),
            Field(
                name="diarize",
                label="Tell speakers apart",
                kind="toggle",
                default=False,
                advanced=True,
                help="Says in text and subtitles who speaks.",
            ),
        ),
        # Without a language fal.ai detects it.
        finish=lambda body: {name: value for name, value in body.items() if (name, value) != ("language", "auto")},
        usage=Usage(compute_seconds=Decimal(20)),
        expected_seconds=30,
        longest_seconds=3600,
    ),
)
