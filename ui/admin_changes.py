"""What an action changed, in a few words: from the states before and after that the trail keeps. Pure functions."""

import json
from collections.abc import Mapping
from typing import Any

_LONGEST = 60
_NAMES = {
    "unit_price_usd": "price",
    "default_params": "defaults",
    "is_approved": "approved",
    "is_active": "switched on",
    "is_unmetered": "no credits needed",
    "monthly_cap_usd": "cap",
    "price_source": "price from",
    "next_check_at": "next look",
}


def difference(before: Any, after: Any) -> str:
    """credits 1 → 2, enabled yes → no; only what differs, and nothing that was and is empty. Not escaped."""
    old, new = _fields(before), _fields(after)
    names = [*new, *(name for name in old if name not in new)]
    return ", ".join(
        part for name in names if (part := _part(name, old.get(name), new.get(name))) and old.get(name) != new.get(name)
    )


def _fields(state: Any) -> Mapping[str, Any]:
    if state is None:
        return {}
    return state if isinstance(state, Mapping) else {"": state}


def _part(name: str, old: Any, new: Any) -> str:
    label = _NAMES.get(name, name.replace("_", " "))
    if old is None:
        return f"{label} {_value(new)}".strip() if new is not None else ""
    return f"{label} {_value(old)} → {_value(new)}".strip()


def _value(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
