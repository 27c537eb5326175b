"""Admin, Trail: who did what to whom, in words."""

import json
from typing import Any

import pytest

from tests.unit.ui.office import (
    LEA,
    Office,
    line,
    office_fixture,  # noqa: F401
    section_fixture,  # noqa: F401
)
from ui import trail_words


def test_the_trail_is_searched(office: Office, section: Any) -> None:
    office.lines = (
        line(before={"role": "user"}, after={"role": "admin"}, reason="Mara is away"),
        line(id=2, target_name="Tom", action="refused", actor=None, actor_name=None),
    )
    app = section("Trail")
    table = app.dataframe[0].value
    assert list(table["Change"]) == ["role member → admin", ""]
    assert list(table["Who"]) == ["Mara Costa", "Configuration"]
    app.session_state["trail-chosen"] = office.lines[0]
    app.run()
    assert [json.loads(part.value) for part in app.json] == [{"role": "user"}, {"role": "admin"}]
    assert app.table[0].value.iloc[:, -1].tolist()[-1] == "Mara is away"
    del app.session_state["trail-chosen"]
    app.text_input(key="trail-text").input("Tom").run()
    app.selectbox(key="trail-action").select("set_role").run()
    assert office.calls[-1] == ("trail", "Tom", "set_role", 50)
    assert len(app.dataframe[0].value) == 1


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"enabled": True}, {"enabled": False}, "enabled yes → no"),
        (
            {"unit_price_usd": "0.025000", "label": "A"},
            {"unit_price_usd": "0.03", "label": "A"},
            "price $0.025 → $0.03",
        ),
        (None, {"sessions": 2}, "sessions 2"),
        (
            {"error": "Away", "status": "dead", "attempts": 2},
            {"job": "3f2b0000-0000-4000-8000-00000000a91e", "error": None, "status": "processed", "attempts": 3},
            "status dead → processed, error Away → nothing, attempts 2 → 3, job 3f2b…a91e",
        ),
        (
            {"next_check_at": "2026-11-20T12:04:05.123456+02:00"},
            {"next_check_at": "2026-11-20T12:00:00+00:00"},
            "next look 20 Nov 10:04 UTC → 20 Nov 12:00 UTC",
        ),
        ({"available": 1200}, {"available": 1197, "amount": -3}, "credits 1,200 → 1,197"),
        (
            {"price_source": "synced", "cap": None},
            {"price_source": "manual", "cap": "5.000000"},
            "cap $5.00, price from fal.ai → by hand",
        ),
        ({"cap": "5"}, {"cap": None}, "cap $5.00 → nothing"),
        ({"a": None}, {"a": None}, ""),
        (None, None, ""),
        ("x", "y", "x → y"),
    ],
)
def test_a_change_in_words(before: Any, after: Any, said: str) -> None:
    assert trail_words.difference(before, after) == said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "Lea Martin"),
        ({"target_name": None}, f"{str(LEA)[:4]}…{str(LEA)[-4:]}"),
        ({"target_name": None, "target": "team"}, "Team"),
        ({"target_name": None, "target": None}, ""),
        ({"target_name": None, "target": "42", "action": "replay_event"}, "Call 42"),
        ({"target_name": None, "target": "edit_generation_type", "action": "refused"}, "Edit type"),
        ({"target_name": None, "target": "page:admin", "action": "refused"}, "Admin page"),
        ({"target_name": None, "target": "billing", "action": "hurry_chore"}, "Confirmed costs"),
    ],
    ids=["name", "id", "team", "nothing", "call", "function", "page", "chore"],
)
def test_whom_it_was_done_to(changes: dict[str, Any], said: str) -> None:
    assert trail_words.target(line(**changes)) == said
