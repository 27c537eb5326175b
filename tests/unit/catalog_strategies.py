"""Inputs for the catalogue's property tests: any that the form can produce, and rows as the database has them."""

from typing import Any

from hypothesis import strategies as st

from core.catalog import GENERATION_TYPES, Field, Offer, offer_from_row

URL = "https://v3.fal.media/files/a/b.png"
# generation type → credits, credit unit, price unit, USD per price unit
ROWS = {
    "image_flux_schnell": (1, "batch", "megapixels", "0.003"),
    "image_flux_dev": (5, "image", "megapixels", "0.025"),
    "image_to_image_flux_dev": (5, "image", "megapixels", "0.025"),
    "image_hd": (10, "image", "images", "0.15"),
    "first_frame": (10, "image", "images", "0.15"),
    "render_highres": (8, "image", "megapixels", "0.03"),
    "model_2d_to_3d": (15, "request", "generations", "0.02"),
    "video_luma": (8, "request", "videos", "0.5"),
    "video_veo31_fast": (2, "second", "seconds", "0.15"),
    "video_veo31_standard": (4, "second", "seconds", "0.4"),
    "voice_chatterbox": (2, "request", "compute seconds", "0.00125"),
    "ambient_elevenlabs": (1, "request", "seconds", "0.002"),
    "transcribe_whisper": (1, "request", "compute seconds", "0.0008"),
}


def row(key: str, **changes: Any) -> dict[str, Any]:
    credits, credit_unit, price_unit, price = ROWS[key]
    known = GENERATION_TYPES[key]
    return {
        "generation_type": key,
        "label": known.label,
        "media_kind": known.media,
        "fal_endpoint": known.endpoint,
        "credits": credits,
        "credit_unit": credit_unit,
        "price_unit": price_unit,
        "unit_price_usd": float(price),  # as PostgREST sends a numeric
        "estimated_seconds": known.expected_seconds,
        "default_params": {},
        "enabled": True,
        "average_units": None,
        **changes,
    }


def offer(key: str, **changes: Any) -> Offer:
    return offer_from_row(row(key, **changes))


def minimal(key: str) -> dict[str, Any]:
    """What a type cannot do without."""
    samples = {
        "text": "A lamp on a table",
        "image": URL,
        "images": [URL],
        "audio": "https://v3.fal.media/files/a/b.wav",
    }
    return {known.name: samples[known.kind] for known in GENERATION_TYPES[key].fields if known.required}


def values(known: Field) -> st.SearchStrategy[Any]:
    """Every value that this field accepts."""
    match known.kind:
        case "choice":
            return st.sampled_from([value for value, _ in known.options])
        case "integer":
            return st.integers(int(known.minimum or 0), int(known.maximum or 0))
        case "number":
            assert known.minimum is not None
            assert known.maximum is not None
            return st.floats(known.minimum, known.maximum) | st.sampled_from([known.minimum, known.maximum])
        case "toggle":
            return st.booleans()
        case "text":
            return st.text(min_size=1, max_size=200).map(lambda text: f"a{text}")
        case "images":
            return st.lists(st.just(URL), min_size=1, max_size=int(known.maximum or 1))
        case _:
            return st.just(URL)


@st.composite
def type_and_inputs(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A generation type with valid inputs: what is required, and any choice of the rest."""
    key = draw(st.sampled_from(sorted(GENERATION_TYPES)))
    chosen = {
        known.name: draw(values(known))
        for known in GENERATION_TYPES[key].fields
        if known.required or draw(st.booleans())
    }
    return key, chosen
