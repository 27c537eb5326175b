"""A campaign in words: how a step stands, and what is in the way of a run."""

from dataclasses import replace
from uuid import uuid4

from core.campaigns import EstimateLine, Recipe, Step
from core.campaigns.making import missing_source
from tests.unit.ui import campaign_doubles as made
from ui import campaign_words


def test_a_step_without_its_prompt_says_so_before_anybody_starts_a_run() -> None:
    clip = made.clip()
    silent = replace(clip.step("ambient"), recipe=Recipe("ambient_elevenlabs", {"text": "  "}))
    assert campaign_words.state(silent) == "Needs a prompt"
    written = replace(silent, recipe=Recipe("ambient_elevenlabs", {"text": "Rain on slate"}))
    assert campaign_words.state(written) == "Not made yet"
    assert campaign_words.state(replace(silent, recipe=Recipe("transcribe_whisper", {}))) == "Not made yet"
    assert campaign_words.state(replace(silent, recipe=Recipe("left_long_ago", {}))) == "Not made yet"
    assert campaign_words.state(replace(silent, recipe=None)) == "Left out"


def test_what_is_in_the_way_of_a_run_is_told_once_and_without_what_follows_from_it() -> None:
    bottle, table = uuid4(), uuid4()

    def line(clip_id: object, name: str, step: Step, key: str, problem: str) -> EstimateLine:
        return EstimateLine(clip_id, name, step, key, None, problem)  # type: ignore[arg-type]

    said = campaign_words.problems(
        [
            line(bottle, "The bottle", "ambient", "ambient_elevenlabs", "Sound is missing."),
            line(table, "The table", "video", "video_veo31_fast", "Prompt is missing."),
            line(table, "The table", "voice", "voice_chatterbox", missing_source("voice")),
            line(table, "The table", "transcript", "transcribe_whisper", missing_source("transcript")),
        ]
    )
    assert said == ["The bottle · ambience needs a prompt.", "The table · video needs a prompt."]
    [alone] = campaign_words.problems([line(table, "The table", "voice", "voice_chatterbox", missing_source("voice"))])
    assert alone.startswith("The table · voice: there is no video of this clip yet.")


def test_a_chain_names_the_clips_that_are_further_and_how_to_go_on_with_them() -> None:
    new, clip = made.clip(), made.clip()
    begun = made.clip({"first_frame": made.made(clip.id)}, id=clip.id, title="The clay")
    assert campaign_words.begun([new, begun], [new.id], "first_frame", "video") == [
        "The clay has its first frame. Choose video to go on with it."
    ]
    assert campaign_words.begun([new, begun], [new.id], "first_frame", "first_frame") == []
    assert campaign_words.begun([new, begun], [new.id, begun.id], "first_frame", "video") == []
