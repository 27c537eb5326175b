"""Telling which of fal.ai's listed requests was sent for a job."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from core.fal.platform import OwnRequest
from core.finding import _is_for

SENT = {"prompt": "A hill", "guidance_scale": 3.5, "strength": 0.95, "urls": ["a", "b"], "size": {"width": 8}}


def listed(inputs: dict[str, Any] | None) -> OwnRequest:
    return OwnRequest("r-1", datetime(2026, 11, 1, tzinfo=UTC), inputs)


def test_numbers_are_the_same_however_they_were_read() -> None:
    assert _is_for(listed({**SENT, "strength": Decimal("0.95"), "guidance_scale": Decimal("3.50")}), SENT)


def test_defaults_of_the_model_beside_it_do_not_matter() -> None:
    assert _is_for(listed({**SENT, "seed": None, "sync_mode": False}), SENT)


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "a hill"},
        {"guidance_scale": 3},
        {"guidance_scale": "3.5"},
        {"urls": ["b", "a"]},
        {"urls": ["a"]},
        {"size": {"width": 8, "height": 8}},
        {"size": None},
    ],
)
def test_anything_else_is_another_request(change: dict[str, Any]) -> None:
    assert not _is_for(listed({**SENT, **change}), SENT)


def test_one_without_its_inputs_cannot_be_told() -> None:
    assert not _is_for(listed(None), SENT)
    assert not _is_for(listed({}), SENT)


def test_yes_is_not_one() -> None:
    assert not _is_for(listed({"loop": 1}), {"loop": True})
