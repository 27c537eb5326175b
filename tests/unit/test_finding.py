"""Telling which of fal.ai's listed requests was sent for a job."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from core import finding
from core.errors import FalUnavailable
from core.fal.platform import FalPlatform, OwnRequest
from core.finding import _is_for
from tests.unit.fal_doubles import SETTINGS, Answer, Wire, reply

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


def lists(monkeypatch: pytest.MonkeyPatch, *answers: Answer) -> Wire:
    wire = Wire(*answers)
    monkeypatch.setattr(finding, "get_account", lambda: FalPlatform(SETTINGS, wire.http))
    finding.forget()
    return wire


NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
LATER = datetime(2099, 1, 1, tzinfo=UTC)


def test_one_answer_is_for_all_who_ask_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    item = {"request_id": "r-1", "sent_at": NOON.isoformat()}
    wire = lists(monkeypatch, reply(200, {"items": [item]}))
    for minutes in (0, 3, -4, 1):
        asked = finding._requests("a/b", NOON + timedelta(minutes=minutes), LATER)
        assert [found.request_id for found in asked] == ["r-1"]
    assert len(wire.requests) == 1
    finding._requests("a/b", NOON - timedelta(minutes=20), LATER)
    finding._requests("a/c", NOON, LATER)
    finding.forget()
    finding._requests("a/b", NOON, LATER)
    assert len(wire.requests) == 4


def test_an_answer_from_before_fal_was_done_with_it_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = lists(monkeypatch, reply(200, {"items": []}))
    finding._requests("a/b", NOON, LATER)
    done = datetime.now(UTC)
    for _ in range(2):
        finding._requests("a/b", NOON, done)
    assert len(wire.requests) == 2


def test_no_answer_is_for_all_who_ask_within_seconds_too(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = lists(monkeypatch, reply(503))
    for _ in range(3):
        with pytest.raises(FalUnavailable):
            finding._requests("a/b", NOON, LATER)
    assert len(wire.requests) == 1
    monkeypatch.setattr(finding, "FRESH", timedelta(0))
    with pytest.raises(FalUnavailable):
        finding._requests("a/b", NOON, LATER)
    assert len(wire.requests) == 2
