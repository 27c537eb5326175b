"""One input of a generation type: what the form shows, what is accepted, and how it travels to fal.ai."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from core.errors import InvalidInput

FieldKind = Literal["text", "choice", "integer", "number", "toggle", "image", "images", "audio"]
Number = int | float

MAX_URL: Final = 2000  # characters; a signed address has several hundred
# PostgreSQL cannot store NUL, and a lone surrogate cannot be sent.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def _as_it_is(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """`minimum` and `maximum` bound a number, the length of a text in characters, or how many images there may be.

    `fal_name` is fal.ai's name where ours differs, `encode` makes fal.ai's value of ours. A field with `per_job=False`
    belongs to the form and not to a job: it is checked, then dropped, and says how many jobs the form makes.
    """

    name: str
    label: str
    kind: FieldKind
    default: Any = None
    options: tuple[tuple[Any, str], ...] = ()
    minimum: Number | None = None
    maximum: Number | None = None
    required: bool = False
    help: str = ""
    placeholder: str = ""  # what an empty text field says about what belongs there
    advanced: bool = False
    fal_name: str = ""
    encode: Callable[[Any], Any] = _as_it_is
    per_job: bool = True

    @property
    def is_file(self) -> bool:
        return self.kind in ("image", "images", "audio")

    @property
    def wire_name(self) -> str:
        return self.fal_name or self.name

    def clean(self, value: Any) -> Any:
        """The value as it is stored, ready for JSON; None when it is absent. Raises InvalidInput."""
        if self.kind == "text" and isinstance(value, str):
            value = _UNSTORABLE.sub("", value).strip()
        if value is None or value == "" or (self.kind == "images" and value in ([], ())):
            return self.default
        return _CHECKS[self.kind](self, value)

    def refused(self, sentence: str) -> InvalidInput:
        return InvalidInput(sentence, field=self.name)


def _text(field: Field, value: Any) -> str:
    if not isinstance(value, str):
        raise field.refused(f"{field.label} must be text.")
    if field.maximum is not None and len(value) > field.maximum:
        raise field.refused(f"{field.label} may have {field.maximum:,} characters at most; this has {len(value):,}.")
    if field.minimum is not None and len(value) < field.minimum:
        raise field.refused(f"{field.label} needs {field.minimum} characters at least.")
    return value


def _choice(field: Field, value: Any) -> Any:
    for option, _ in field.options:
        if type(option) is type(value) and option == value:
            return option
    labels = ", ".join(label for _, label in field.options)
    raise field.refused(f"{field.label} must be one of: {labels}.")


def _integer(field: Field, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise field.refused(f"{field.label} must be a whole number{_range(field)}.")
    _check_range(field, value)
    return value


def _number(field: Field, value: Any) -> Number:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise field.refused(f"{field.label} must be a number{_range(field)}.")
    _check_range(field, value)
    return round(value, 3)


def _check_range(field: Field, value: Number) -> None:
    below = field.minimum is not None and value < field.minimum
    above = field.maximum is not None and value > field.maximum
    if below or above:
        raise field.refused(f"{field.label} must be{_range(field)}.")


def _range(field: Field) -> str:
    if field.minimum is not None and field.maximum is not None:
        return f" from {field.minimum} to {field.maximum}"
    if field.minimum is not None:
        return f" {field.minimum} or more"
    return f" {field.maximum} or less" if field.maximum is not None else ""


def _toggle(field: Field, value: Any) -> bool:
    if not isinstance(value, bool):
        raise field.refused(f"{field.label} must be on or off.")
    return value


def _address(field: Field, value: Any) -> str:
    """An http(s) address that fal.ai can fetch. Files inside the request are refused: they would fill the books."""
    try:
        sound = isinstance(value, str) and bool(re.fullmatch(r"https?://[\x21-\x7e]+", value))
        sound = sound and len(value) <= MAX_URL and bool(urlsplit(value).hostname)
    except ValueError:
        sound = False
    if not sound:
        what = "recording" if field.kind == "audio" else "picture"
        raise field.refused(f"{field.label} must be a {what} that you upload, or the result of an earlier job.")
    return str(value)


def _addresses(field: Field, value: Any) -> list[str]:
    if not isinstance(value, list | tuple):
        raise field.refused(f"{field.label} must be a list of pictures.")
    if field.maximum is not None and len(value) > field.maximum:
        raise field.refused(f"{field.label}: {field.maximum} pictures at most.")
    return [_address(field, item) for item in value]


_CHECKS: Final[dict[FieldKind, Callable[[Field, Any], Any]]] = {
    "text": _text,
    "choice": _choice,
    "integer": _integer,
    "number": _number,
    "toggle": _toggle,
    "image": _address,
    "images": _addresses,
    "audio": _address,
}
