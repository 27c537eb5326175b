"""Stripe's form encoding, as the official package writes it and the simulator reads it."""

from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stripe._encode import _api_encode

from local.stripe.failures import ApiError
from local.stripe.forms import decode, flag, texts, whole_number

NAMES = st.text("abcdefgh_", min_size=1, max_size=6)
VALUES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)
TREES = st.recursive(
    VALUES,
    lambda parts: st.lists(parts, min_size=1, max_size=3) | st.dictionaries(NAMES, parts, min_size=1, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(NAMES, TREES, max_size=4))
def test_what_the_package_encodes_is_read_back(params: dict[str, Any]) -> None:
    encoded = [(name, str(value)) for name, value in _api_encode(params)]
    assert decode(encoded) == params


@pytest.mark.parametrize("query", ["[a]=1", "a[=1", "a]b=1", "a[b]c=1", "a=1&a[b]=2", "a" + "[b]" * 9 + "=1"])
def test_a_key_that_is_none_is_refused(query: str) -> None:
    with pytest.raises(ApiError) as refused:
        decode(parse_qsl(query))
    assert refused.value.status == 400


def test_values_are_read_as_what_they_are() -> None:
    params: dict[str, Any] = {"amount": "12", "on": "true", "metadata": {"pack": "x"}, "odd": {"a": ["b"]}}
    assert whole_number(params, "amount", minimum=1) == 12
    assert whole_number(params, "none", minimum=1) is None
    assert (flag(params, "on", False), flag(params, "none", True)) == (True, True)
    assert texts(params, "metadata") == {"pack": "x"}
    for call in (
        lambda: whole_number(params, "on", minimum=1),
        lambda: whole_number(params, "amount", minimum=13),
        lambda: flag(params, "amount", False),
        lambda: texts(params, "odd"),
    ):
        with pytest.raises(ApiError):
            call()
