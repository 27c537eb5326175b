"""Structured logging: one JSON line per event, on stderr, and never a secret in it.

    log = get_logger(__name__)
    log.info("job_submitted", job_id=job.id, request_id=submitted.request_id)
    {"time": "2026-11-20T20:49:57.898+00:00", "level": "info", "logger": "core.jobs", "event": "job_submitted", …}

The standard library's logging does the work, so lines of other packages come out in the same shape. Everything passes
`redact` last, just before it is written: nothing gets around it, tracebacks included.
"""

import json
import logging
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final, TextIO
from urllib.parse import quote

REDACTED: Final = "[redacted]"
MAX_TEXT: Final = 4000  # characters of one value
_MAX_DEPTH: Final = 8
# JSON lets these through, and they are no text: some end a line for who reads the log (NEL, U+2028), some are commands
# to a terminal (C1), some turn around what follows.
_UNSEEN: Final = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+")
_context: ContextVar[Mapping[str, Any]] = ContextVar("log_context")

_SECRET_NAME = re.compile(
    r"(^|[_\-.])(authorization|cookies?|set[_-]cookie|passwords?|secrets?|tokens?|jwt|credentials?|api[_-]?key|apikey)($|[_\-.])"
    r"|^key$|(fal|admin|stripe|supabase|secret|publishable|private)[_-]key$",
    re.IGNORECASE,
)
_SECRET_SHAPES: Final = (
    # `Authorization: Key …`, `Cookie: …`: to the end of the line, or of the quoted value
    (
        re.compile(
            r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie|x-api-key|apikey)([\"']?\s*[:=]\s*[\"']?)[^\r\n\"']+"
        ),
        r"\1\2" + REDACTED,
    ),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), r"\1 " + REDACTED),
    (re.compile(r"(?i)\b(key)\s+[\w-]{4,}:[\w-]{4,}"), r"\1 " + REDACTED),
    # `token=` and `token_hash=` in an address, also inside an encoded one
    (
        re.compile(
            r"(?i)((?:token(?:_hash)?|secret|password|api_?key)(?:=|%3D|%253D))[^&\s\"'#%]+(?:%(?!26)[0-9A-F]{2}[^&\s\"'#%]*)*"
        ),
        r"\1" + REDACTED,
    ),
    (
        re.compile(r"\b(?:sk|rk|pk)_(?:live|test)_\w{6,}|\bwhsec_[\w+/=-]{6,}|\bsb_(?:secret|publishable)_[\w-]{6,}"),
        REDACTED,
    ),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), REDACTED),  # a JWT
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}:[0-9A-Za-z]{16,}"), REDACTED),  # a fal key
)


class _Known:
    """The secret values of this process, longest first, so that no part of a long one is left over."""

    values: tuple[str, ...] = ()


def redact_text(text: str) -> str:
    """The text with everything that is, or looks like, a secret replaced."""
    for secret in _Known.values:
        text = text.replace(secret, REDACTED)
    for shape, replacement in _SECRET_SHAPES:
        text = shape.sub(replacement, text)
    return text


def redact(value: Any, name: str = "", depth: int = 0) -> Any:
    """A copy that JSON can hold: secrets by name and by shape replaced, long texts cut, odd types as text."""
    if name and _SECRET_NAME.search(name):
        return REDACTED if value not in (None, "") else value
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, Mapping) and depth < _MAX_DEPTH:
        return {redact_text(str(key)): redact(item, str(key), depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset) and depth < _MAX_DEPTH:
        return [redact(item, "", depth + 1) for item in value]
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    text = redact_text(str(value))
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}… ({len(text)} characters)"


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = dict(getattr(record, "fields", None) or {})
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": redact(record.getMessage()),
        }
        line |= {key: redact(value, key) for key, value in fields.items() if key not in line}
        if record.exc_info and record.exc_info[0] is not None:
            line["error_class"] = record.exc_info[0].__name__
            line["traceback"] = redact_text(self.formatException(record.exc_info))
        return _UNSEEN.sub(_escaped, json.dumps(line, ensure_ascii=False, default=str))


def _escaped(found: re.Match[str]) -> str:
    """As JSON writes it where it must."""
    return "".join(f"\\u{ord(character):04x}" for character in found.group())


class EventLog:
    """Logs events: a short name in snake case, and facts as keywords."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def debug(self, event: str, **fields: Any) -> None:
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: Any) -> None:
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, **fields: Any) -> None:
        self._write(logging.ERROR, event, fields)

    def exception(self, event: str, **fields: Any) -> None:
        """An error with the traceback of the exception being handled."""
        self._write(logging.ERROR, event, fields, exc_info=True)

    def _write(self, level: int, event: str, fields: dict[str, Any], exc_info: bool = False) -> None:
        if self._logger.isEnabledFor(level):
            extra = {"fields": {**_context.get({}), **fields}}
            self._logger.log(level, "%s", event, extra=extra, exc_info=exc_info)


def get_logger(name: str) -> EventLog:
    """The log of a module, by its dotted name; events are snake_case, facts are keywords."""
    return EventLog(logging.getLogger(name))


@contextmanager
def log_context(**fields: Any) -> Iterator[None]:
    """Adds these fields to every event inside: `with log_context(job_id=job.id): …`."""
    token = _context.set({**_context.get({}), **fields})
    try:
        yield
    finally:
        _context.reset(token)


def configure(level: str = "INFO", secrets: Iterable[str] = (), stream: TextIO | None = None) -> None:
    """Sends everything to one stream as JSON lines. `secrets` (`Settings.secrets`) are redacted wherever they are."""
    known = {part for secret in secrets if len(secret) >= 8 for part in (secret, quote(secret, safe=""))}
    _Known.values = tuple(sorted(known, key=len, reverse=True))
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Uvicorn and Streamlit write by themselves, addresses with their query and errors with their text: through our
    # handler instead, so that the secrets in them are redacted.
    for logger in list(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            logger.handlers.clear()
            logger.propagate = True
    # A line for every file of every page is a proxy's business; what matters has an event of ours.
    for chatty in ("uvicorn.access", "httpx", "httpcore", "urllib3", "stripe", "watchdog"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
