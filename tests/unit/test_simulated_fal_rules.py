"""What the simulated fal.ai charges, refuses and decides by chance."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from local.fal.behaviour import QUIRKS, UNCLEAR_SUBMITS, Behaviour, UnknownQuirk, named_quirks, without_tags
from local.fal.endpoints import ENDPOINTS, megapixels
from local.fal.inputs import ModelInput, validated
from local.fal.progress import log_lines
from local.fal.records import ModelError, QueuedRequest
from local.fal.sizes import aspect_size, within
from local.fal.store import Store

IMAGE = "https://example.test/a.png"
MINIMAL: dict[str, dict[str, Any]] = {
    "fal-ai/flux/schnell": {"prompt": "a"},
    "fal-ai/flux/dev": {"prompt": "a"},
    "fal-ai/flux/dev/image-to-image": {"prompt": "a", "image_url": IMAGE},
    "fal-ai/nano-banana-pro": {"prompt": "abc"},
    "fal-ai/nano-banana-pro/edit": {"prompt": "abc", "image_urls": [IMAGE]},
    "fal-ai/luma-dream-machine/image-to-video": {"prompt": "a", "image_url": IMAGE},
    "fal-ai/veo3.1/fast/image-to-video": {"prompt": "a", "image_url": IMAGE},
    "fal-ai/veo3.1/image-to-video": {"prompt": "a", "image_url": IMAGE},
    "resemble-ai/chatterboxhd/speech-to-speech": {"source_audio_url": "https://example.test/a.wav"},
    "fal-ai/elevenlabs/sound-effects/v2": {"text": "rain"},
    "fal-ai/whisper": {"audio_url": "https://example.test/a.wav"},
    "fal-ai/clarity-upscaler": {"image_url": IMAGE},
    "fal-ai/trellis": {"image_url": IMAGE},
}


def given(endpoint_id: str, **fields: Any) -> ModelInput:
    return validated(ENDPOINTS[endpoint_id].model, MINIMAL[endpoint_id] | fields)


def test_all_thirteen_endpoints_are_there_and_take_their_required_inputs() -> None:
    assert ENDPOINTS.keys() == MINIMAL.keys()
    for endpoint_id in ENDPOINTS:
        assert given(endpoint_id).model_extra == {}


@pytest.mark.parametrize("endpoint_id", MINIMAL)
def test_each_required_input_is_missed(endpoint_id: str) -> None:
    for field in MINIMAL[endpoint_id]:
        rest = {name: value for name, value in MINIMAL[endpoint_id].items() if name != field}
        with pytest.raises(ModelError) as refused:
            validated(ENDPOINTS[endpoint_id].model, rest)
        assert refused.value.status_code == 422
        assert [(entry["loc"], entry["type"]) for entry in refused.value.detail] == [(["body", field], "missing")]


@pytest.mark.parametrize(
    ("endpoint_id", "fields", "error_type"),
    [
        ("fal-ai/flux/schnell", {"num_images": 5}, "less_than_equal"),
        ("fal-ai/flux/schnell", {"num_images": 0}, "greater_than_equal"),
        ("fal-ai/flux/dev", {"prompt": 7}, "string_type"),
        ("fal-ai/flux/dev/image-to-image", {"num_inference_steps": 9}, "greater_than_equal"),
        ("fal-ai/nano-banana-pro", {"aspect_ratio": "7:5"}, "literal_error"),
        ("fal-ai/nano-banana-pro/edit", {"image_urls": []}, "too_short"),
        ("fal-ai/veo3.1/fast/image-to-video", {"duration": "5s"}, "literal_error"),
        ("fal-ai/veo3.1/image-to-video", {"resolution": "480p"}, "literal_error"),
        ("resemble-ai/chatterboxhd/speech-to-speech", {"target_voice": "Nobody"}, "literal_error"),
        ("fal-ai/elevenlabs/sound-effects/v2", {"duration_seconds": 22.5}, "less_than_equal"),
        ("fal-ai/whisper", {"task": "sing"}, "literal_error"),
        ("fal-ai/clarity-upscaler", {"upscale_factor": 4.5}, "less_than_equal"),
        ("fal-ai/trellis", {"texture_size": 600}, "literal_error"),
    ],
)
def test_inputs_out_of_range_are_refused_as_pydantic_does(
    endpoint_id: str, fields: dict[str, Any], error_type: str
) -> None:
    with pytest.raises(ModelError) as refused:
        given(endpoint_id, **fields)
    entry = refused.value.detail[0]
    assert entry["type"] == error_type
    assert entry["loc"][:2] == ["body", next(iter(fields))]
    assert {"msg", "input", "url"} <= entry.keys()


def test_an_unknown_field_is_accepted_and_remembered() -> None:
    assert given("fal-ai/elevenlabs/sound-effects/v2", prompt="rain").model_extra == {"prompt": "rain"}


@pytest.mark.parametrize(
    ("size", "expected"), [((512, 512), 1), ((1000, 1000), 1), ((1024, 1024), 2), ((1024, 768), 1), ((2048, 2048), 5)]
)
def test_megapixels_are_rounded_up(size: tuple[int, int], expected: int) -> None:
    assert megapixels(*size) == expected


@pytest.mark.parametrize(
    ("endpoint_id", "fields", "quantity", "units", "cost"),
    [
        ("fal-ai/flux/schnell", {}, "2", "2", "0.006"),
        ("fal-ai/flux/dev", {}, "1", "1", "0.025"),
        ("fal-ai/nano-banana-pro", {}, "2", "2", "0.30"),
        ("fal-ai/nano-banana-pro", {"resolution": "4K"}, "1", "2", "0.30"),
        ("fal-ai/luma-dream-machine/image-to-video", {}, "1", "1", "0.50"),
        ("fal-ai/veo3.1/fast/image-to-video", {}, "8", "8", "1.20"),
        ("fal-ai/veo3.1/fast/image-to-video", {"generate_audio": False}, "8", "5.333333", "0.80"),
        ("fal-ai/veo3.1/fast/image-to-video", {"resolution": "4k"}, "4", "9.333333", "1.40"),
        ("fal-ai/veo3.1/fast/image-to-video", {"resolution": "4k", "generate_audio": False}, "4", "8", "1.20"),
        ("fal-ai/veo3.1/image-to-video", {}, "6", "6", "2.40"),
        ("fal-ai/veo3.1/image-to-video", {"generate_audio": False}, "6", "3", "1.20"),
        ("fal-ai/veo3.1/image-to-video", {"resolution": "4k"}, "8", "12", "4.80"),
        ("fal-ai/elevenlabs/sound-effects/v2", {}, "22", "22", "0.044"),
        ("fal-ai/whisper", {}, "1.14", "1.14", "0.000912"),
        ("fal-ai/trellis", {}, "1", "1", "0.02"),
    ],
)
def test_charges_follow_the_price_list_and_its_tiers(
    endpoint_id: str, fields: dict[str, Any], quantity: str, units: str, cost: str
) -> None:
    charged = ENDPOINTS[endpoint_id].charge(given(endpoint_id, **fields), Decimal(quantity))
    assert charged == (Decimal(units), Decimal(cost))


def test_sizes_follow_the_aspect_ratio() -> None:
    portrait = given("fal-ai/nano-banana-pro/edit", aspect_ratio="9:16", resolution="2K")
    assert aspect_size(portrait) == (1536, 2752)  # type: ignore[arg-type]
    like_the_source = given("fal-ai/nano-banana-pro/edit")
    assert aspect_size(like_the_source, like=(1080, 1920)) == (768, 1376)  # type: ignore[arg-type]
    assert within((3000, 1500), 1024) == (1024, 512)


# Misbehaviour


def test_words_in_a_prompt_name_quirks_and_are_not_painted() -> None:
    prompt = "A vase on a table [sim:lose, slow=2.5] [sim:reorder]"
    assert named_quirks({"prompt": prompt}) == {"lose": "", "slow": "2.5", "delay": QUIRKS["delay"][0]}
    assert without_tags(prompt) == "A vase on a table"
    assert named_quirks({"text": "rain [sim:fail]", "sim": "repeat=5"}, "forge") == {
        "fail": "", "repeat": "5", "forge": "",
    }  # fmt: skip


@pytest.mark.parametrize("word", ["loose", "slow=soon", "infra=tired", "repeat=-1"])
def test_a_quirk_that_means_nothing_is_refused(word: str) -> None:
    with pytest.raises(UnknownQuirk):
        named_quirks({"prompt": f"[sim:{word}]"})


def test_chance_is_repeatable_with_a_seed_and_follows_the_probability() -> None:
    behaviour = Behaviour(seed=4, lose=0.3, delay=0.5, submit_unclear=0.2)
    decisions = [behaviour.decide({}, "", ordinal) for ordinal in range(1, 401)]
    assert decisions == [behaviour.decide({}, "", ordinal) for ordinal in range(1, 401)]
    assert decisions != [behaviour.model_copy(update={"seed": 5}).decide({}, "", ordinal) for ordinal in range(1, 401)]
    shares = {name: sum(name in decision for decision in decisions) / 400 for name in ("lose", "delay")}
    assert shares == pytest.approx({"lose": 0.3, "delay": 0.5}, abs=0.08)
    unclear = [name for decision in decisions for name in decision if name in UNCLEAR_SUBMITS]
    assert set(unclear) == set(UNCLEAR_SUBMITS)
    assert all(0.1 <= float(decision["delay"]) <= 1.0 for decision in decisions if "delay" in decision)


def test_without_probabilities_nothing_happens() -> None:
    assert Behaviour().decide({"prompt": "a vase"}, "", 1) == {}


# The log and the store


def request(**changes: Any) -> QueuedRequest:
    fields: dict[str, Any] = {
        "request_id": "r", "gateway_request_id": "r", "endpoint_id": "fal-ai/flux/dev", "inputs": {"prompt": "a"},
        "base_url": "", "ordinal": 1, "submission_key": "k", "created_at": 99.0, "ready_at": 99.0,
    }  # fmt: skip
    return QueuedRequest(**(fields | changes))


def test_the_log_grows_with_the_clock_and_reaches_the_end_only_when_done() -> None:
    dev = ENDPOINTS["fal-ai/flux/dev"]
    assert log_lines(request(), dev, 100.0) == []
    running = request(status="IN_PROGRESS", started_at=100.0, planned_seconds=10.0)
    lines = [[line["message"] for line in log_lines(running, dev, at)] for at in (100.0, 104.5, 109.9, 500.0)]
    assert [len(part) for part in lines] == sorted(len(part) for part in lines)
    assert " 42%|####      | 12/28 [00:04, 2.80it/s]" in lines[1]
    assert not any("100%" in message for message in lines[-1])
    done = request(status="COMPLETED", started_at=100.0, ended_at=110.0, planned_seconds=10.0, status_code=200)
    finished = log_lines(done, dev, 500.0)
    assert "100%|##########| 28/28" in finished[-2]["message"]
    assert (
        finished[-1].items()
        >= {"message": "Finished", "level": "INFO", "timestamp": "1970-01-01T00:01:50.000Z"}.items()
    )


def test_a_charge_and_its_request_are_saved_together_and_survive(tmp_path: Path) -> None:
    store = Store(tmp_path / "fal.sqlite3")
    kept = request(inputs={"prompt": "ä" * 10})
    store.add(kept)
    kept.status, kept.ended_at, kept.status_code = "COMPLETED", 120.0, 200
    kept.units, kept.cost_usd = "2", "0.05"
    store.settle(kept, Decimal("0.025"))
    store.close()
    store = Store(tmp_path / "fal.sqlite3")
    (loaded,) = store.load()
    assert (loaded.inputs, loaded.status, loaded.cost_usd) == ({"prompt": "ä" * 10}, "COMPLETED", "0.05")
    (charge,) = store.charges(["r"])
    assert (charge.units, charge.cost_usd) == (Decimal(2), Decimal("0.05"))
    assert store.balance() == Decimal("49.95")
    assert store.charges(["other"]) == []
    store.close()
