"""What is out of date, what a step is made from, and what many steps will cost, without a database."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from core.campaigns import making
from core.campaigns.estimates import clips_to_make, lines_of
from core.campaigns.records import Clip, Estimate, Version
from core.campaigns.rows import clip_of, outdated, source_of
from core.campaigns.steps import LABELS, MODELS, SOURCE_INPUT, SOURCES, STEPS, Step, between, own_input
from core.catalog import GENERATION_TYPES
from tests.unit.catalog_strategies import offer


def version(step: Step, made_from: Version | None = None, *, output: int = 0) -> Version:
    return Version(
        id=uuid4(),
        clip_id=UUID(int=1),
        step=step,
        number=1,
        job_id=uuid4(),
        is_current=True,
        output_position=output,
        made_from=made_from.id if made_from else None,
        made_from_output=made_from.output_position if made_from else None,
        created_at=datetime.now(UTC),
    )


def chain() -> dict[Step, Version]:
    """A clip on which everything fits."""
    frame = version("first_frame")
    video = version("video", frame)
    voice = version("voice", video)
    return {
        "first_frame": frame,
        "video": video,
        "voice": voice,
        "ambient": version("ambient", video),
        "transcript": version("transcript", voice),
    }


def clip(steps: dict[str, Any], current: dict[Step, Version] | None = None) -> Clip:
    row = {
        "id": str(uuid4()),
        "campaign_id": str(uuid4()),
        "position": 1,
        "title": "",
        "script": "",
        "revision": 1,
        "deleted_at": None,
        "steps": steps,
    }
    return clip_of(row, current)


def test_what_fits_is_up_to_date() -> None:
    assert outdated(chain()) == frozenset()


@pytest.mark.parametrize(
    ("changed", "late"),
    [
        ("first_frame", {"video", "voice", "ambient", "transcript"}),
        ("video", {"voice", "ambient", "transcript"}),
        ("voice", {"transcript"}),
        ("ambient", set()),
        ("transcript", set()),
    ],
)
def test_a_change_reaches_everything_that_follows_from_it(changed: Step, late: set[str]) -> None:
    current = chain()
    old = current[changed]
    source = source_of(changed, current)
    assert source is None or old.made_from == source.id
    assert outdated(current | {changed: version(changed, source)}) == late


def test_another_picture_of_the_same_version_is_a_change() -> None:
    current = chain()
    frame = current["first_frame"]
    other = Version(**{name: getattr(frame, name) for name in frame.__slots__} | {"output_position": 1})
    assert outdated(current | {"first_frame": other}) == {"video", "voice", "ambient", "transcript"}


def test_what_was_made_from_an_own_file_follows_from_nothing() -> None:
    current = chain() | {"voice": version("voice"), "first_frame": version("first_frame")}
    assert "voice" not in outdated(current)
    assert "video" in outdated(current)


def test_a_transcript_of_the_video_is_out_of_date_once_there_is_a_voice() -> None:
    current = {step: found for step, found in chain().items() if step in ("first_frame", "video")}
    current["transcript"] = version("transcript", current["video"])
    assert outdated(current) == frozenset()
    current["voice"] = version("voice", current["video"])
    assert outdated(current) == {"transcript"}


def test_a_source_that_is_gone_makes_what_follows_out_of_date() -> None:
    current = chain()
    del current["first_frame"]
    assert "video" in outdated(current)


def test_the_steps_are_described_completely() -> None:
    assert set(STEPS) == set(LABELS) == set(MODELS) == set(SOURCES)
    for step in STEPS:
        for model in MODELS[step]:
            field = GENERATION_TYPES[model].field_named(SOURCE_INPUT.get(step, "prompt"))
            assert field is not None or step == "first_frame"
            media = {"first_frame": "image", "video": "video"}.get(step, "voice")
            assert GENERATION_TYPES[model].media == media
        assert all(STEPS.index(source) < STEPS.index(step) for source in SOURCES[step])
    assert between("video", "ambient") == ("video", "voice", "ambient")
    assert between("voice", "voice") == ("voice",)


def test_own_inputs() -> None:
    assert own_input("first_frame", {})
    assert not own_input("video", {"prompt": "A cup", "image_url": ""})
    assert own_input("video", {"image_url": "https://v3.fal.media/a.png"})


@pytest.fixture
def _offers(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {key: offer(key) for key in GENERATION_TYPES} | {"video_luma": offer("video_luma", enabled=False)}
    monkeypatch.setattr(making, "offers", lambda: found)


def recipe(model: str, **inputs: Any) -> dict[str, Any]:
    return {"generation_type": model, "inputs": inputs}


@pytest.mark.usefixtures("_offers")
def test_one_line_for_every_wanted_step() -> None:
    wanted = {
        "first_frame": recipe("image_hd", prompt="A cup"),
        "video": recipe("video_veo31_fast", prompt="A cup turns", duration=6),
        "transcript": recipe("transcribe_whisper"),
    }
    lines = lines_of(clip(wanted), STEPS)
    assert [(line.step, line.problem) for line in lines] == [(step, None) for step in wanted]
    estimate = Estimate(tuple(lines), available=10)
    assert (estimate.credits, estimate.usd) == (10 + 12 + 1, Decimal("0.15") + Decimal("0.9") + Decimal("0.016"))


@pytest.mark.usefixtures("_offers")
def test_a_line_says_what_is_missing() -> None:
    wanted = {
        "video": recipe("video_veo31_fast", prompt="A cup"),
        "voice": recipe("voice_chatterbox"),
        "ambient": recipe("ambient_elevenlabs"),
    }
    problems = {line.step: line.problem for line in lines_of(clip(wanted), STEPS)}
    assert problems["video"] == (
        "Video: there is no first frame of this clip yet. Make it first, or choose a file of your own."
    )
    assert str(problems["voice"]).startswith("Voice: there is no video")
    assert problems["ambient"] == "Sound is missing."
    made = clip(wanted, {"first_frame": version("first_frame")})
    assert [line.problem for line in lines_of(made, ("video", "voice"))] == [None, None]
    assert "switched off" in str(lines_of(clip({"video": recipe("video_luma")}), STEPS)[0].problem)


def test_which_clips_are_still_to_be_made() -> None:
    wanted = {step: recipe(MODELS[step][0]) for step in STEPS}
    nothing, everything, without = clip(wanted), clip(wanted, chain()), clip({})
    late = clip(wanted, chain() | {"first_frame": version("first_frame")})
    clips = (nothing, everything, without, late)
    assert clips_to_make(clips, "video") == (nothing.id, everything.id, late.id)
    assert clips_to_make(clips, "video", only_missing=True) == (nothing.id, late.id)
    assert clips_to_make(clips, "first_frame", only_missing=True) == (nothing.id,)
