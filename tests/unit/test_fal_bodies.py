import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.fal.bodies import MAX_DEPTH, BadBody, Complaint, complaint, decode, plain


def floats_in(value: Any) -> list[float]:
    if isinstance(value, float):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [found for item in items for found in floats_in(item)]


def test_money_is_exact() -> None:
    assert decode(b'{"unit_price": 0.003, "n": 2}', exact=True) == {"unit_price": Decimal("0.003"), "n": 2}


@given(st.binary() | st.text().map(str.encode))
def test_bytes_decode_or_are_refused(raw: bytes) -> None:
    try:
        decode(raw)
    except BadBody:
        return


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_exact_numbers_are_never_floats(value: Any) -> None:
    try:
        decoded = decode(json.dumps(value).encode(), exact=True)
    except BadBody:
        return
    assert not floats_in(decoded)


@given(JSON)
def test_what_is_decoded_can_be_stored_as_json(value: Any) -> None:
    decoded = decode(json.dumps(value).encode())
    stored = json.dumps(decoded, allow_nan=False, ensure_ascii=False)
    assert "\\u0000" not in stored
    stored.encode("utf-8")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>",
        b"\xff\xfe",
        b"[NaN]",
        b"[-Infinity]",
        b"[1e999]",
        b"[" * (MAX_DEPTH + 2) + b"]" * (MAX_DEPTH + 2),
        b"[" * 200_000,
        b"[" + b"9" * 5000 + b"]",
    ],
)
def test_what_cannot_be_held_is_refused(raw: bytes) -> None:
    with pytest.raises(BadBody):
        decode(raw)


@pytest.mark.parametrize("raw", [b"[1.5e9999999]", b"[1.0e-500]"])
def test_numbers_that_would_choke_arithmetic_are_refused(raw: bytes) -> None:
    with pytest.raises(BadBody):
        decode(raw, exact=True)


def test_size_is_limited() -> None:
    with pytest.raises(BadBody):
        decode(b'"' + b"x" * 100 + b'"', limit=100)


def test_unstorable_characters_are_replaced() -> None:
    assert decode(rb'{"a\u0000": "b\u0000\ud800c \ud83d\ude00"}') == {"a�": "b��c 😀"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"detail": [{"loc": ["body", "prompt"], "msg": "Field required", "type": "missing"}]},
            Complaint("missing", "prompt: Field required", True),
        ),
        (
            {
                "detail": [
                    {
                        "loc": ["body", "image_size", "width"],
                        "msg": "too large",
                        "type": "less_than",
                        "input": "secret",
                    },
                    {"loc": ["body"], "msg": "second", "type": "other"},
                ]
            },
            Complaint("less_than", "image_size.width: too large; second", True),
        ),
        (
            {"detail": "Request timed out", "error_type": "request_timeout"},
            Complaint("request_timeout", "Request timed out"),
        ),
        ({"detail": "Not  found\n"}, Complaint("", "Not found")),
        ({"error": {"type": "rate_limited", "message": "Slow down"}}, Complaint("rate_limited", "Slow down")),
        ({"error": "Invalid status code: 422"}, Complaint("", "Invalid status code: 422")),
        ({"message": "odd"}, Complaint("", "odd")),
        ({"detail": {"msg": "one", "type": "t"}}, Complaint("t", "one", True)),
        ({"detail": ["text"]}, Complaint("", "")),
        ({"detail": 5, "error": [1]}, Complaint("", "")),
        ([], Complaint("", "")),
        (None, Complaint("", "")),
    ],
)
def test_every_documented_shape_of_an_error_is_read(body: Any, expected: Complaint) -> None:
    assert complaint(body) == expected


def test_the_header_names_the_type_first() -> None:
    assert complaint({"detail": "x", "error_type": "b"}, "a").error_type == "a"


@given(JSON)
def test_any_body_can_be_complained_about(body: Any) -> None:
    said = complaint(body)
    assert len(said.reason) <= 500
    assert said.reason.isprintable()


def test_plain_text_is_one_line_and_short() -> None:
    assert plain(" a\x1b[0m\n\tb ") == "a [0m b"
    assert len(plain("word " * 400)) <= 500
    assert plain(5) == ""
