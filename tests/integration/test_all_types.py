"""Every generation type from form to books: checked inputs, fal.ai's request, the output, credits and dollars."""

from decimal import Decimal
from typing import Any

import pytest

from core import catalog, inputs, jobs
from core.catalog import GENERATION_TYPES
from core.errors import InsufficientCredits, InvalidInput
from core.models import Person
from core.offers import offers
from local.fal import inputs as documented
from local.fal.endpoints import ENDPOINTS
from tests.integration.studio import Studio, studio  # noqa: F401
from tests.pictures import jpeg, wav

SAMPLE_TEXT = {"prompt": "A terracotta cup on a wooden table", "text": "Rain on a tin roof"}
# What each type makes: media types of its outputs, in order.
MAKES = {
    "image_flux_schnell": ["image"] * 2,
    "image_flux_dev": ["image"],
    "image_to_image_flux_dev": ["image"],
    "image_hd": ["image"],
    "first_frame": ["image"],
    "render_highres": ["image"],
    "model_2d_to_3d": ["model"],
    "video_luma": ["video"],
    "video_veo31_fast": ["video"],
    "video_veo31_standard": ["video"],
    "voice_chatterbox": ["audio"],
    "ambient_elevenlabs": ["audio"],
    "transcribe_whisper": [],
}


@pytest.fixture(scope="module")
def person(studio: Studio) -> Person:  # noqa: F811
    return studio.person(5000)


def filled_in(person: Person, key: str) -> dict[str, Any]:
    """What a person puts into the form of a type: text, an uploaded picture, an uploaded recording."""
    given: dict[str, Any] = {}
    for field in GENERATION_TYPES[key].fields:
        if not field.required:
            continue
        match field.kind:
            case "text":
                given[field.name] = SAMPLE_TEXT[field.name]
            case "image":
                given[field.name] = inputs.picture(person, jpeg()).url
            case "images":
                given[field.name] = [inputs.picture(person, jpeg()).url]
            case "audio":
                given[field.name] = inputs.recording(person, wav(seconds=2)).url
    return given


def test_the_catalogue_has_thirteen_types_and_all_are_offered() -> None:
    assert set(MAKES) == set(GENERATION_TYPES)
    assert len(MAKES) == 13


@pytest.mark.parametrize("key", MAKES)
def test_from_the_form_to_the_books(studio: Studio, person: Person, key: str) -> None:  # noqa: F811
    offer = offers()[key]
    given = filled_in(person, key)
    quote = catalog.quote(offer, catalog.validate(key, given))
    assert quote.credits > 0
    assert quote.estimated_usd > 0
    before = studio.refreshed(person)

    job = jobs.submit(person, key, given, expected_credits=quote.credits)
    assert studio.refreshed(person).available == before.available - quote.credits

    request = studio.fal.request(str(jobs.get(person, job.id).fal_request_id))
    assert request["endpoint_id"] == offer.type.endpoint
    assert request["extra_fields"] == []

    done = studio.finish(person, job)
    assert (done.status, done.credits_charged) == ("completed", quote.credits), done.error_message
    assert [output.media_type.split("/")[0] for output in done.outputs] == MAKES[key]
    assert all(output.storage_path and output.size_bytes for output in done.outputs)
    if not MAKES[key]:
        assert (done.result_data or {})["text"]
    studio.work_until(lambda: jobs.get(person, job.id).cost_source != "estimated")
    paid = jobs.get(person, job.id)
    assert paid.actual_usd is not None
    assert paid.actual_usd > 0
    counted = studio.one("select sum(spent_usd) as usd from generation_logs where job_id = %s", job.id)["usd"]
    assert counted == paid.actual_usd
    assert studio.refreshed(person).available == before.available - quote.credits
    assert studio.audit() == []


@pytest.mark.parametrize("key", MAKES)
def test_every_request_uses_documented_names_and_values(person: Person, key: str) -> None:
    """The body is what fal.ai's own description of the endpoint accepts, every field of the form filled in."""
    known = GENERATION_TYPES[key]
    given = filled_in(person, key)
    for field in known.fields:
        if field.name in given:
            continue
        if field.options:
            given[field.name] = field.options[-1][0]
        elif field.kind in ("integer", "number") and field.maximum is not None:
            given[field.name] = field.maximum
        elif field.kind == "text":
            given[field.name] = "Blurred"
        elif field.kind == "toggle":
            given[field.name] = True
    body = catalog.request_body(key, given)
    model = ENDPOINTS[known.endpoint].model
    assert set(body) <= set(model.model_fields), "a name that fal.ai does not document"
    assert documented.validated(model, body).model_extra == {}


def test_too_few_credits_submit_nothing(studio: Studio) -> None:  # noqa: F811
    poor = studio.person(0)
    with pytest.raises(InsufficientCredits):
        jobs.submit(poor, "image_flux_schnell", {"prompt": "A cup"})
    assert studio.one("select count(*) as n from generation_jobs where user_id = %s", poor.user_id)["n"] == 0


@pytest.mark.parametrize(
    ("key", "field", "value"),
    [
        ("ambient_elevenlabs", "duration_seconds", 22.5),
        ("ambient_elevenlabs", "prompt_influence", 1.1),
        ("video_veo31_fast", "duration", 5),
        ("image_to_image_flux_dev", "steps", 9),
        ("image_flux_dev", "num_images", 5),
        ("first_frame", "image_urls", ["https://v3.fal.media/a.png"] * 11),
        ("voice_chatterbox", "target_voice", "Nobody"),
        ("render_highres", "upscale_factor", 5),
        ("transcribe_whisper", "audio_url", "data:audio/wav;base64,AAAA"),
        ("model_2d_to_3d", "texture_size", 1000),
    ],
)
def test_inputs_out_of_range_are_refused_before_anything_is_held(
    studio: Studio,  # noqa: F811
    person: Person,
    key: str,
    field: str,
    value: Any,
) -> None:
    before = studio.refreshed(person)
    with pytest.raises(InvalidInput) as refused:
        jobs.submit(person, key, filled_in(person, key) | {field: value})
    assert refused.value.field == field
    assert studio.refreshed(person) == before


def test_estimates_are_close_to_what_was_billed(studio: Studio, person: Person) -> None:  # noqa: F811
    """Where the inputs tell the units, the estimate is what fal.ai bills."""
    job = studio.finish(person, jobs.submit(person, "video_veo31_fast", filled_in(person, "video_veo31_fast")))
    studio.work_until(lambda: jobs.get(person, job.id).cost_source != "estimated")
    assert jobs.get(person, job.id).actual_usd == job.estimated_usd == Decimal("1.2")


def test_the_estimate_of_an_enlargement_knows_the_picture(studio: Studio, person: Person) -> None:  # noqa: F811
    """Two megapixels become eight, and cost what eight cost. It holds for what was brought and for what was made."""
    brought = inputs.picture(person, jpeg(1600, 1200)).url
    first = studio.finish(person, jobs.submit(person, "render_highres", {"image_url": brought}))
    studio.work_until(lambda: jobs.get(person, first.id).cost_source != "estimated")
    assert jobs.get(person, first.id).actual_usd == first.estimated_usd == Decimal("0.24")
    made = {"image_url": first.outputs[0].source_url, "upscale_factor": 1}
    size = inputs.source_megapixels(GENERATION_TYPES["render_highres"], made)
    assert size == Decimal((first.outputs[0].width or 0) * (first.outputs[0].height or 0)) / 1_000_000
    assert jobs.submit(person, "render_highres", made).estimated_usd == Decimal("0.03")
