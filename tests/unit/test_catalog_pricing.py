from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.catalog import (
    GENERATION_TYPES,
    billable_units,
    offer_from_row,
    quantity,
    quote,
    split_jobs,
    unit_price,
    validate,
)
from core.catalog.shared import SHAPES, whole_megapixels
from core.errors import InvalidInput, NotFound
from tests.unit.catalog_strategies import ROWS, minimal, offer, row, type_and_inputs

PRICES = st.decimals(min_value=Decimal("0.000001"), max_value=Decimal("999999"), places=6)


def usd(key: str, **inputs: Any) -> Decimal:
    return quote(offer(key), inputs).estimated_usd


AREAS = st.none() | st.decimals(min_value=Decimal("0.004096"), max_value=40, places=6)  # megapixels that we take


@given(type_and_inputs(), PRICES, st.integers(1, 10_000), st.none() | PRICES, AREAS)
def test_a_quote_is_never_zero_or_negative(
    case: tuple[str, dict[str, Any]], price: Decimal, credits: int, average: Decimal | None, area: Decimal | None
) -> None:
    key, inputs = case
    quoted = quote(offer(key, unit_price_usd=str(price), credits=credits, average_units=average), inputs, area)
    assert quoted.quantity >= 1
    assert quoted.credits == credits * quoted.quantity
    assert quoted.billable_units > 0
    assert quoted.estimated_usd > 0
    for number in (quoted.billable_units, quoted.unit_price_usd, quoted.estimated_usd):
        assert type(number) is Decimal
        assert number == round(number, 6)


@given(type_and_inputs())
def test_the_same_job_costs_the_same_before_and_after_it_is_checked(case: tuple[str, dict[str, Any]]) -> None:
    key, inputs = case
    assert quote(offer(key), inputs) == quote(offer(key), validate(key, inputs))


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_megapixels_are_rounded_up(width: int, height: int) -> None:
    megapixels = whole_megapixels(width, height)
    assert (megapixels - 1) * 1_000_000 < width * height <= megapixels * 1_000_000


@pytest.mark.parametrize(("width", "height", "expected"), [(1000, 1000, 1), (1024, 1024, 2), (992, 992, 1), (1, 1, 1)])
def test_megapixels(width: int, height: int, expected: int) -> None:
    assert whole_megapixels(width, height) == expected


def test_every_shape_stays_within_one_megapixel() -> None:
    assert all(whole_megapixels(width, height) == 1 for _, width, height in SHAPES.values())


@pytest.mark.parametrize(
    ("key", "inputs", "credits", "expected"),
    [
        ("image_flux_schnell", {}, 1, "0.006"),
        ("image_flux_schnell", {"batches": 3}, 1, "0.006"),  # of one job: three batches are three jobs
        ("image_flux_dev", {}, 5, "0.025"),
        ("image_flux_dev", {"num_images": 4, "shape": "wide"}, 20, "0.100"),
        ("image_to_image_flux_dev", {"num_images": 2}, 10, "0.050"),
        ("image_hd", {}, 10, "0.15"),
        ("image_hd", {"resolution": "4K", "num_images": 2}, 20, "0.60"),
        ("first_frame", {}, 10, "0.15"),
        ("render_highres", {}, 8, "0.12"),
        ("render_highres", {"upscale_factor": 1.5}, 8, "0.09"),
        ("model_2d_to_3d", {}, 15, "0.02"),
        ("video_luma", {}, 8, "0.50"),
        ("video_veo31_fast", {"duration": 4}, 8, "0.60"),
        ("video_veo31_fast", {"duration": 6, "generate_audio": False}, 12, "0.60"),
        ("video_veo31_fast", {"duration": 8, "resolution": "1080p"}, 16, "1.20"),
        ("video_veo31_fast", {"duration": 8, "resolution": "4k"}, 16, "2.80"),
        ("video_veo31_fast", {"duration": 8, "resolution": "4k", "generate_audio": False}, 16, "2.40"),
        ("video_veo31_standard", {"duration": 6}, 24, "2.40"),
        ("video_veo31_standard", {"duration": 6, "generate_audio": False}, 24, "1.20"),
        ("video_veo31_standard", {"duration": 4, "resolution": "4k"}, 16, "2.40"),
        ("ambient_elevenlabs", {}, 1, "0.020"),
        ("ambient_elevenlabs", {"duration_seconds": 22}, 1, "0.044"),
        ("ambient_elevenlabs", {"duration_seconds": 0.5}, 1, "0.001"),
        ("voice_chatterbox", {}, 2, "0.025"),
        ("transcribe_whisper", {}, 1, "0.016"),
    ],
)
def test_documented_prices(key: str, inputs: dict[str, Any], credits: int, expected: str) -> None:
    quoted = quote(offer(key), {**minimal(key), **inputs})
    assert (quoted.credits, quoted.estimated_usd) == (credits, Decimal(expected))


@pytest.mark.parametrize(("area", "factor", "expected"), [("12.2", 2, "1.47"), ("1.05", 1, "0.06"), ("0.3", 1, "0.03")])
def test_an_enlargement_costs_by_the_area_of_its_result(area: str, factor: int, expected: str) -> None:
    enlarged = quote(offer("render_highres"), {"upscale_factor": factor}, Decimal(area))
    assert (enlarged.credits, enlarged.estimated_usd) == (8, Decimal(expected))
    # What a type makes in a size of its own does not follow the source.
    assert quote(offer("image_to_image_flux_dev"), {}, Decimal(area)).estimated_usd == Decimal("0.025")


def test_units_times_price_is_the_estimate() -> None:
    """As the database computes it again: a tier weighs the units, the price stays the one that fal.ai tells."""
    silent = quote(offer("video_veo31_fast"), {"duration": 6, "generate_audio": False})
    assert (silent.billable_units, silent.unit_price_usd) == (Decimal(4), Decimal("0.15"))
    assert unit_price(offer("video_veo31_fast"), {"generate_audio": False}) == Decimal("0.10")


@given(type_and_inputs())
def test_the_database_arrives_at_the_same_estimate(case: tuple[str, dict[str, Any]]) -> None:
    key, inputs = case
    quoted = quote(offer(key), inputs)
    assert round(quoted.billable_units * quoted.unit_price_usd, 6) == quoted.estimated_usd


def test_a_synced_price_carries_over_to_every_tier() -> None:
    dearer = offer("video_veo31_fast", unit_price_usd="0.30")
    assert quote(dearer, {"duration": 6, "generate_audio": False}).estimated_usd == Decimal("1.20")
    assert unit_price(dearer, {"resolution": "4k"}) == Decimal("0.70")


def test_a_price_is_shown_before_the_prompt_is_written_but_not_for_wrong_inputs() -> None:
    for key in GENERATION_TYPES:
        assert quote(offer(key), {}).credits > 0
    with pytest.raises(InvalidInput):
        quote(offer("image_flux_dev"), {"num_images": 99})
    with pytest.raises(InvalidInput):
        quote(offer("image_flux_dev"), {"pictures": 1})


def test_several_batches_cost_the_sum_of_their_jobs() -> None:
    jobs = split_jobs("image_flux_schnell", {"prompt": "a lamp", "batches": 3})
    assert sum(quote(offer("image_flux_schnell"), job).credits for job in jobs) == 3


def test_what_no_input_tells_comes_from_history_else_from_a_stated_default() -> None:
    learnt = offer("transcribe_whisper", average_units=12.5)
    assert billable_units(learnt, minimal("transcribe_whisper")) == Decimal("12.5")
    assert billable_units(offer("transcribe_whisper"), {}) == Decimal(20)
    # What the inputs tell is not overruled by history.
    assert billable_units(offer("video_veo31_fast", average_units=3), {"duration": 8}) == Decimal(8)


def test_a_price_unit_may_change_at_fal() -> None:
    assert billable_units(offer("image_flux_dev", price_unit="images"), {"num_images": 3}) == Decimal(3)
    assert billable_units(offer("video_veo31_fast", price_unit="minutes"), {"duration": 6}) == Decimal("0.1")
    assert billable_units(offer("voice_chatterbox", price_unit="minutes"), {}) == Decimal(1)
    assert billable_units(offer("video_luma", price_unit="Videos"), {}) == Decimal(1)
    assert billable_units(offer("video_luma", price_unit="tokens", average_units=7), {}) == Decimal(7)


def test_credits_may_be_sold_by_another_unit() -> None:
    assert quantity(offer("image_flux_schnell", credit_unit="image"), {}) == 2
    assert quantity(offer("ambient_elevenlabs", credit_unit="second"), {"duration_seconds": 3.2}) == 4
    assert quantity(offer("image_flux_dev", credit_unit="request"), {"num_images": 4}) == 1


# Offers


@pytest.mark.parametrize("key", sorted(ROWS))
def test_a_row_becomes_an_offer(key: str) -> None:
    found = offer(key)
    credits, credit_unit, price_unit, price = ROWS[key]
    assert (found.credits, found.credit_unit, found.price_unit) == (credits, credit_unit, price_unit)
    assert found.unit_price_usd == Decimal(price)
    assert found.type.fields == GENERATION_TYPES[key].fields


def test_the_row_names_the_offer_and_its_endpoint() -> None:
    found = offer("video_luma", label="Luma · moving picture", fal_endpoint="fal-ai/luma/next", enabled=False)
    assert (found.label, found.type.endpoint, found.enabled) == ("Luma · moving picture", "fal-ai/luma/next", False)
    assert GENERATION_TYPES["video_luma"].endpoint == "fal-ai/luma-dream-machine/image-to-video"


@pytest.mark.parametrize(
    "changes",
    [{"credits": 0}, {"credits": -1}, {"unit_price_usd": 0}, {"unit_price_usd": -0.1}, {"credit_unit": "image"}],
)
def test_an_offer_that_would_cost_nothing_or_cannot_be_counted_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        offer("video_luma", **changes)


def test_an_unknown_credit_unit_is_refused() -> None:
    with pytest.raises(InvalidInput):
        offer("video_luma", credit_unit="pound")


def test_a_row_that_the_code_does_not_know_is_not_found() -> None:
    with pytest.raises(NotFound):
        offer_from_row(row("video_luma", generation_type="video_unknown"))


def test_a_form_starts_with_the_rows_defaults_where_they_are_still_valid() -> None:
    found = offer("video_veo31_fast", default_params={"duration": 4, "resolution": "8k", "gone": 1})
    assert found.defaults()["duration"] == 4
    assert found.defaults()["resolution"] == "720p"
    assert "gone" not in found.defaults()
