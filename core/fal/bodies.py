"""Reading JSON that somebody else wrote, and fal.ai's words for what went wrong in it."""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

MAX_BODY_BYTES: Final = 8 * 1024 * 1024  # a word-by-word transcript of hours stays below
MAX_DEPTH: Final = 40
MAX_REASON: Final = 500  # characters
# PostgreSQL's jsonb refuses NUL, and a lone surrogate cannot be written as UTF-8.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class BadBody(ValueError):
    """Not JSON, or not JSON that we are willing to hold."""


def decode(raw: bytes, *, exact: bool = False, limit: int = MAX_BODY_BYTES) -> Any:
    """The JSON value in these bytes, safe to store: no NUL, no lone surrogate, no infinity, bounded size and depth.

    Numbers with a fraction become Decimal when `exact` (money), else float. Raises BadBody.
    """
    if len(raw) > limit:
        raise BadBody(f"more than {limit} bytes")
    number: Callable[[str], Any] = _decimal if exact else _float
    try:
        value = json.loads(raw.decode("utf-8"), parse_float=number, parse_constant=_constant)
        return _storable(value, 0)
    except (ValueError, RecursionError) as error:
        raise BadBody(str(error) or "nested too deep") from error


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise BadBody("a number that cannot be read") from error
    # Beyond this, arithmetic on it would itself be an attack.
    if not value.is_finite() or abs(value.adjusted()) > 30:
        raise BadBody("a number out of range")
    return value


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise BadBody("a number out of range")
    return value


def _constant(name: str) -> Any:
    raise BadBody(f"{name} is not JSON")


def _storable(value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise BadBody("nested too deep")
    if isinstance(value, str):
        return _UNSTORABLE.sub("�", value)
    if isinstance(value, dict):
        return {_UNSTORABLE.sub("�", key): _storable(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item, depth + 1) for item in value]
    return value


@dataclass(frozen=True, slots=True)
class Complaint:
    """What fal.ai said was wrong: its type and its words in one line. `by_model`: in the shape that only models use."""

    error_type: str
    reason: str
    by_model: bool = False


def complaint(body: Any, error_type: str = "") -> Complaint:
    """Reads every documented shape: `{"detail": [{loc, msg, type}]}`, `{"detail": "…", "error_type": "…"}`,
    `{"error": {"type", "message"}}`, `{"error": "…"}`. `error_type` is that of the X-Fal-Error-Type header, if any."""
    if not isinstance(body, Mapping):
        return Complaint(error_type, "")
    detail, error = body.get("detail"), body.get("error")
    kind = error_type or _word(body.get("error_type"))
    if isinstance(detail, Mapping):
        detail = [detail]
    if isinstance(detail, list):
        items = [item for item in detail if isinstance(item, Mapping)]
        told = kind or next((word for item in items if (word := _word(item.get("type")))), "")
        return Complaint(told, plain("; ".join(filter(None, map(_item, items)))), bool(items))
    reason = plain(detail) or plain(error) or plain(body.get("message"))
    if not reason and isinstance(error, Mapping):
        return Complaint(kind or _word(error.get("type")), plain(error.get("message")))
    return Complaint(kind, reason)


def _item(item: Mapping[str, Any]) -> str:
    """`{"loc": ["body", "prompt"], "msg": "Field required"}` → `prompt: Field required`."""
    place = item.get("loc")
    parts = [str(part) for part in place if part not in ("body", "query", "path")] if isinstance(place, list) else []
    message = plain(item.get("msg"))
    return f"{'.'.join(parts)}: {message}" if parts and message else message


def _word(value: Any) -> str:
    """An error type such as `content_policy_violation`, or nothing."""
    return value if isinstance(value, str) and re.fullmatch(r"[\w.\-]{1,80}", value) else ""


def plain(value: Any, limit: int = MAX_REASON) -> str:
    """One line of text without control characters, cut at the limit; empty for what is not text."""
    if not isinstance(value, str):
        return ""
    text = " ".join("".join(char if char.isprintable() else " " for char in value).split())
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
