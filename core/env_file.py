"""Putting settings into `.env`: other lines stay as they are, and nobody but the owner can read it."""

import os
import re
import secrets
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Final

from dotenv import dotenv_values

from core.errors import SettingsError

_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]*")
_PLAIN: Final = re.compile(r"[\w.:/@,+=-]+", re.ASCII)
_LINE: Final = re.compile(r"^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=")


def merged(text: str, values: Mapping[str, str]) -> str:
    """The text of an `.env` with these values: one that is there is replaced where it stands (its
    repetitions go), a new one comes at the end. Raises SettingsError for a value that such a file cannot hold."""
    lines, left = [], dict(values)
    for line in text.splitlines():
        found = _LINE.match(line)
        if found is None or found[1] not in values:
            lines.append(line)
        elif found[1] in left:
            lines.append(_line(found[1], left.pop(found[1])))
    lines += [_line(name, value) for name, value in left.items()]
    result = "\n".join([*lines, ""])
    read = dotenv_values(stream=StringIO(result), interpolate=False)
    kept = dotenv_values(stream=StringIO(text), interpolate=False)
    if dict(read) != {**kept, **values}:
        raise SettingsError("This .env holds lines that go over several lines. Nothing was written: edit it by hand.")
    return result


def write(path: Path, values: Mapping[str, str]) -> None:
    """Put these settings into the file, made if need be, readable by its owner alone from its first byte.

    One rename: whoever reads sees the old file or the new one. Raises SettingsError when it cannot be written.
    """
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        after = merged(before, values)
        if path.is_symlink():
            raise SettingsError(f"{path.name} is a link to another file. Nothing was written: edit it by hand.")
        draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                file.write(after)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be written. Nothing has changed: set these settings by hand.") from error


def _line(name: str, value: str) -> str:
    if not _NAME.fullmatch(name) or not value.isprintable():
        raise SettingsError(f"{name} cannot be kept in .env.")
    if _PLAIN.fullmatch(value):
        return f"{name}={value}"
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{name}='{quoted}'"
