import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.catalog import GENERATION_TYPES, get_type, request_body, split_jobs, title, validate
from core.errors import InvalidInput, NotFound
from tests.unit.catalog_strategies import URL, minimal, type_and_inputs

KEYS = sorted(GENERATION_TYPES)
FLUX = {"prompt", "image_size", "num_images", "num_inference_steps", "guidance_scale", "seed", "enable_safety_checker"}
NANO_BANANA = {"prompt", "num_images", "aspect_ratio", "resolution", "output_format", "seed"}
VEO = {"prompt", "image_url", "duration", "resolution", "aspect_ratio", "generate_audio", "negative_prompt", "seed"}
# What each model's page at fal.ai documents.
DOCUMENTED = {
    "fal-ai/flux/schnell": FLUX - {"guidance_scale"} | {"output_format"},
    "fal-ai/flux/dev": FLUX | {"output_format"},
    "fal-ai/flux/dev/image-to-image": FLUX - {"image_size"} | {"image_url", "strength"},
    "fal-ai/nano-banana-pro": NANO_BANANA,
    "fal-ai/nano-banana-pro/edit": NANO_BANANA | {"image_urls"},
    "fal-ai/clarity-upscaler": {"image_url", "upscale_factor", "prompt", "creativity", "resemblance", "seed"},
    "fal-ai/trellis": {"image_url", "texture_size", "mesh_simplify", "seed"},
    "fal-ai/luma-dream-machine/image-to-video": {"prompt", "image_url", "end_image_url", "aspect_ratio", "loop"},
    "fal-ai/veo3.1/fast/image-to-video": VEO,
    "fal-ai/veo3.1/image-to-video": VEO,
    "resemble-ai/chatterboxhd/speech-to-speech": {
        "source_audio_url",
        "target_voice",
        "target_voice_audio_url",
        "high_quality_audio",
    },
    "fal-ai/elevenlabs/sound-effects/v2": {"text", "duration_seconds", "prompt_influence", "output_format", "loop"},
    "fal-ai/whisper": {"audio_url", "task", "language", "diarize", "chunk_level"},
}


def refused(key: str, inputs: dict[str, Any]) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        validate(key, inputs)
    return caught.value


def body(key: str, **inputs: Any) -> dict[str, Any]:
    return request_body(key, {**minimal(key), **inputs})


# The whole catalogue


def test_there_are_thirteen_types_in_four_groups() -> None:
    assert len(GENERATION_TYPES) == 13
    media = [known.media for known in GENERATION_TYPES.values()]
    assert list(dict.fromkeys(media)) == ["image", "video", "voice", "3d"]
    assert next(iter(GENERATION_TYPES)) == "image_flux_schnell"


@pytest.mark.parametrize("key", KEYS)
def test_an_entry_is_whole(key: str) -> None:
    known = GENERATION_TYPES[key]
    assert known.key == key
    assert known.endpoint in DOCUMENTED
    assert 0 < known.expected_seconds < known.longest_seconds
    names = [entry.name for entry in known.fields]
    assert len(set(names)) == len(names)
    for entry in known.fields:
        assert entry.label
        assert (entry.kind == "choice") == bool(entry.options)
        assert not (entry.required and entry.default is not None)
        if entry.kind in ("integer", "number"):
            assert entry.minimum is not None
            assert entry.maximum is not None


@pytest.mark.parametrize("key", KEYS)
def test_defaults_alone_are_valid(key: str) -> None:
    cleaned = validate(key, minimal(key))
    for entry in GENERATION_TYPES[key].fields:
        if entry.default is not None and entry.per_job:
            assert cleaned[entry.name] == entry.default
            assert entry.clean(entry.default) == entry.default


@given(type_and_inputs())
def test_a_request_has_documented_names_only_and_is_json(case: tuple[str, dict[str, Any]]) -> None:
    key, inputs = case
    sent = request_body(key, inputs)
    assert set(sent) <= DOCUMENTED[GENERATION_TYPES[key].endpoint]
    assert None not in sent.values()
    json.dumps(sent, allow_nan=False).encode()


@given(type_and_inputs())
def test_validating_twice_changes_nothing_even_through_the_database(case: tuple[str, dict[str, Any]]) -> None:
    key, inputs = case
    once = validate(key, inputs)
    stored = json.loads(json.dumps(once, allow_nan=False))
    assert validate(key, stored) == once
    assert request_body(key, stored) == request_body(key, inputs)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(KEYS), st.data())
def test_anything_else_is_refused_with_a_field_and_a_sentence(key: str, data: st.DataObject) -> None:
    names = st.sampled_from([entry.name for entry in GENERATION_TYPES[key].fields]) | st.text(max_size=10)
    inputs = {**minimal(key), **data.draw(st.dictionaries(names, ANY, max_size=3))}
    outcome: Any
    try:
        outcome = validate(key, inputs)
    except InvalidInput as refusal:
        outcome = refusal
    if isinstance(outcome, InvalidInput):
        assert outcome.sentence.endswith(".")
        assert outcome.field in {str(name)[:40] for name in inputs} | {e.name for e in GENERATION_TYPES[key].fields}
    else:
        json.dumps(outcome, allow_nan=False)


@pytest.mark.parametrize("key", KEYS)
def test_what_is_required_is_required(key: str) -> None:
    for entry in GENERATION_TYPES[key].fields:
        if entry.required:
            empty: dict[str, list[Any]] = {"text": [None, "", "  "], "images": [None, "", []]}
            for missing in empty.get(entry.kind, [None, ""]):
                assert refused(key, {**minimal(key), entry.name: missing}).field == entry.name


def test_an_unknown_type_is_not_found() -> None:
    for call in (validate, request_body, title, split_jobs):
        with pytest.raises(NotFound):
            call("image_unknown", {})


# Single fields


@pytest.mark.parametrize(
    ("key", "name", "value", "said"),
    [
        ("image_flux_schnell", "batches", 4, "from 1 to 3"),
        ("image_flux_schnell", "batches", 0, "from 1 to 3"),
        ("image_flux_schnell", "batches", True, "whole number"),
        ("image_flux_schnell", "batches", "2", "whole number"),
        ("image_flux_schnell", "batches", 2.0, "whole number"),
        ("image_flux_schnell", "num_images", 4, "no setting called"),
        ("image_flux_schnell", "prompt", 5, "text"),
        ("image_flux_schnell", "prompt", "x" * 5001, "5,000 characters"),
        ("image_flux_schnell", "shape", "round", "Square"),
        ("image_flux_dev", "num_images", 5, "from 1 to 4"),
        ("image_flux_dev", "guidance", float("nan"), "number"),
        ("image_flux_dev", "guidance", float("inf"), "number"),
        ("image_flux_dev", "seed", -1, "from 0"),
        ("image_to_image_flux_dev", "steps", 9, "from 10 to 50"),
        ("video_veo31_fast", "duration", 5, "4 s, 6 s, 8 s"),
        ("video_veo31_fast", "duration", "6s", "4 s, 6 s, 8 s"),
        ("video_veo31_fast", "duration", 6.0, "4 s, 6 s, 8 s"),
        ("video_veo31_fast", "generate_audio", "yes", "on or off"),
        ("video_veo31_fast", "generate_audio", 1, "on or off"),
        ("ambient_elevenlabs", "duration_seconds", 22.5, "from 0.5 to 22"),
        ("ambient_elevenlabs", "duration_seconds", 0.4, "from 0.5 to 22"),
        ("ambient_elevenlabs", "prompt", "rain", "no setting called"),
        ("first_frame", "image_urls", URL, "list"),
        ("first_frame", "image_urls", [URL] * 11, "10 pictures at most"),
        ("first_frame", "image_urls", [URL, "x"], "upload"),
        ("voice_chatterbox", "target_voice", "aurora", "Aurora"),
    ],
)
def test_wrong_values_are_refused_with_their_limits(key: str, name: str, value: Any, said: str) -> None:
    refusal = refused(key, {**minimal(key), name: value})
    assert refusal.field == name
    assert said in refusal.sentence


@pytest.mark.parametrize(
    "url",
    [
        "lamp.png",
        "ftp://x.test/a.png",
        "https://",
        "https:///a.png",
        "https://x.test/a b.png",
        "https://x.test/a\n.png",
        "https://[::1",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        f"https://x.test/{'a' * 2000}",
        5,
    ],
)
def test_only_addresses_that_fal_can_fetch_are_taken(url: Any) -> None:
    assert refused("video_luma", {**minimal("video_luma"), "image_url": url}).field == "image_url"


def test_text_is_trimmed_and_cleaned() -> None:
    assert validate("image_flux_dev", {"prompt": " \x00 a lamp\ud800 \n"})["prompt"] == "a lamp"


# Requests, one by one


def test_flux_schnell_makes_two_images_per_job() -> None:
    assert body("image_flux_schnell", batches=3, seed=5, shape="tall") == {
        "prompt": "A lamp on a table",
        "image_size": "portrait_16_9",
        "num_images": 2,
        "num_inference_steps": 4,
        "seed": 5,
    }


def test_flux_dev_and_image_to_image_defaults() -> None:
    assert body("image_flux_dev")["guidance_scale"] == 3.5
    assert body("image_flux_dev")["num_inference_steps"] == 28
    changed = body("image_to_image_flux_dev")
    assert (changed["num_inference_steps"], changed["guidance_scale"], changed["strength"]) == (28, 3.5, 0.95)
    assert changed["image_url"] == URL


def test_first_frame_is_portrait_from_a_list() -> None:
    assert body("first_frame")["image_urls"] == [URL]
    assert body("first_frame")["aspect_ratio"] == "9:16"


@pytest.mark.parametrize("key", ["video_veo31_fast", "video_veo31_standard"])
def test_veo_gets_its_duration_with_a_unit(key: str) -> None:
    assert body(key, duration=6)["duration"] == "6s"
    assert body(key)["aspect_ratio"] == "9:16"
    assert body(key)["generate_audio"] is True
    assert body(key, generate_audio=False)["generate_audio"] is False


def test_luma_is_portrait() -> None:
    assert body("video_luma")["aspect_ratio"] == "9:16"
    assert body("video_luma", end_image_url=URL)["end_image_url"] == URL


def test_a_voice_sample_takes_the_place_of_the_named_voice() -> None:
    assert body("voice_chatterbox")["target_voice"] == "Aurora"
    assert body("voice_chatterbox")["high_quality_audio"] is True
    sampled = body("voice_chatterbox", target_voice_audio_url=URL, target_voice="Rico")
    assert "target_voice" not in sampled


def test_ambience_is_asked_for_with_text_and_a_length() -> None:
    assert body("ambient_elevenlabs") == {
        "text": "A lamp on a table",
        "duration_seconds": 10,
        "loop": False,
        "prompt_influence": 0.5,
    }


def test_whisper_detects_the_language_unless_told() -> None:
    assert "language" not in body("transcribe_whisper")
    assert body("transcribe_whisper", language="fr", task="translate")["language"] == "fr"


# Forms and titles


def test_each_batch_is_a_job_and_a_seed_counts_up() -> None:
    form = {"prompt": "a lamp", "batches": 3, "seed": 2**31 - 1}
    jobs = split_jobs("image_flux_schnell", form)
    assert [job["seed"] for job in jobs] == [2**31 - 1, 0, 1]
    assert all("batches" not in job and validate("image_flux_schnell", job) == job for job in jobs)
    assert len(split_jobs("image_flux_schnell", {"prompt": "a lamp", "batches": 2})) == 2
    assert len(split_jobs("image_flux_schnell", {"prompt": "a lamp"})) == 1
    assert len(split_jobs("video_luma", minimal("video_luma"))) == 1
    with pytest.raises(InvalidInput):
        split_jobs("image_flux_schnell", {"prompt": "a lamp", "batches": 4})


@pytest.mark.parametrize(
    ("key", "inputs", "expected"),
    [
        ("image_flux_dev", {"prompt": "Three spheres on linen"}, "Three spheres on linen"),
        ("image_flux_dev", {"prompt": "one\n two  three"}, "one two three"),
        ("image_flux_dev", {"prompt": "word, " * 30}, "word, word, word, word, word, word, word, word, word, word…"),
        ("image_flux_dev", {"prompt": "x" * 90}, "x" * 60 + "…"),
        ("ambient_elevenlabs", {"text": "Rain on a roof"}, "Rain on a roof"),
        ("model_2d_to_3d", {}, "Model from a picture"),
        ("transcribe_whisper", {}, "Transcript and subtitles"),
    ],
)
def test_titles(key: str, inputs: dict[str, Any], expected: str) -> None:
    assert title(key, inputs) == expected


def test_inputs_of_another_day_are_kept_as_far_as_they_are_accepted() -> None:
    known = get_type("image_flux_dev")
    old = {"prompt": " A hill ", "shape": "hexagon", "steps": 900, "seed": None, "num_images": 2, "sparkle": True}
    kept, sentences = known.acceptable(old)
    assert kept == {"prompt": "A hill", "num_images": 2}
    assert len(sentences) == 3
    assert "no setting called 'sparkle' any more" in sentences[-1]
