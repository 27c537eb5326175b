"""The trail in words: what was done, to whom, and what it changed. Pure functions; nothing is escaped."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from uuid import UUID

from core.admin.trail import TrailLine
from core.chores import CHORES
from ui import words

_LONGEST = 60
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*")
_ACTIONS: Final = {
    "admin_by_configuration": "Made admin",
    "edit_generation_type": "Edit type",
    "hurry_chore": "Do chore now",
    "mark_job_failed": "Mark job as failed",
    "refused": "Was refused",
    "replay_event": "Replay call",
    "run_audit": "Audit the books",
    "set_role": "Change role",
    "set_unmetered": "Change metering",
    "write_settings": "Write settings",
    "sync_prices": "Read prices",
}
_TARGETS: Final = {"page:admin": "Admin page"}
_FIELDS: Final = {
    "available": "credits",
    "default_params": "defaults",
    "due_at": "due",
    "is_active": "switched on",
    "is_approved": "approved",
    "is_unmetered": "no credits needed",
    "monthly_cap_usd": "cap",
    "next_check_at": "next look",
    "price_source": "price from",
    "unit_price_usd": "price",
}
_USD: Final = {"unit_price_usd", "monthly_cap_usd", "cap", "amount"}
_VALUES: Final = {
    "role": {"user": "member"},
    "price_source": {"synced": "fal.ai", "manual": "by hand", "documented": "the documentation"},
}
_CHORES: Final = {chore.name: chore.label for chore in CHORES}


def action(name: str) -> str:
    """approve_person → Approve person."""
    return _ACTIONS.get(name, name.replace("_", " ").capitalize())


def target(line: TrailLine) -> str:
    """Whom or what it was done to: a name where there is one, never a bare function name or number."""
    if line.target_name or not line.target:
        return line.target_name or ""
    if line.target in _TARGETS:
        return _TARGETS[line.target]
    if line.action == "refused":
        return action(line.target)
    if line.action == "hurry_chore" and line.target in _CHORES:
        return _CHORES[line.target]
    if line.action == "replay_event":
        return f"Call {line.target}"
    return words.short_id(line.target) if _is_id(line.target) else line.target.capitalize()


def difference(before: Any, after: Any) -> str:
    """credits 1 → 2, enabled yes → no; only what differs, and nothing that was and is empty."""
    old, new = _fields(before), _fields(after)
    if "available" in new:  # the balance says it already
        new = {name: value for name, value in new.items() if name != "amount"}
    # Money first, then the status, then what there was before.
    names = [*new, *(name for name in old if name not in new)]
    names.sort(key=lambda name: (name not in _USD, name != "status", old.get(name) is None))
    return ", ".join(
        part for name in names if old.get(name) != new.get(name) and (part := _part(name, old.get(name), new.get(name)))
    )


def _fields(state: Any) -> Mapping[str, Any]:
    if state is None:
        return {}
    return state if isinstance(state, Mapping) else {"": state}


def _part(name: str, old: Any, new: Any) -> str:
    label = _FIELDS.get(name, name.replace("_", " "))
    if old is None:
        return f"{label} {_value(name, new)}".strip()
    return f"{label} {_value(name, old)} → {_value(name, new)}".strip()


def _value(name: str, value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return words.number(value)
    if not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False)
    elif name in _USD:
        return _usd(value)
    elif _MOMENT.fullmatch(value):
        return f"{datetime.fromisoformat(value).astimezone(UTC):%-d %b %H:%M} UTC"
    elif _is_id(value):
        return words.short_id(value)
    text = _VALUES.get(name, {}).get(value, value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _usd(text: str) -> str:
    try:
        return words.usd_exact(Decimal(text))
    except InvalidOperation:
        return text


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
