"""What a model made, read from any of the documented output shapes.

Image = `{url, width?, height?, content_type?}`, File = `{url, content_type?, file_name?, file_size?}`.
"""

import mimetypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import unquote, urlsplit

# Where files stand in an answer, with the media type when neither fal.ai nor the file's name tells.
_FILE_KEYS: Final[dict[str, str]] = {
    "images": "image/png",
    "image": "image/png",
    "video": "video/mp4",
    "videos": "video/mp4",
    "audio": "audio/wav",
    "audio_file": "audio/wav",
    "model_mesh": "model/gltf-binary",
}
_SUFFIXES: Final = {
    ".glb": "model/gltf-binary",
    ".gltf": "model/gltf+json",
    ".webp": "image/webp",
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
}
_VAGUE: Final = ("", "application/octet-stream", "binary/octet-stream")
_MAX_OUTPUTS: Final = 50


@dataclass(frozen=True, slots=True)
class OutputFile:
    """One produced file: where fal.ai keeps it and what it said about it. Pixels, seconds, bytes."""

    url: str
    media_type: str
    width: int | None = None
    height: int | None = None
    duration: Decimal | None = None
    size: int | None = None
    file_name: str | None = None


def read_outputs(payload: Any) -> tuple[OutputFile, ...]:
    """Every file in an answer, in its order. Only addresses count: we never ask for files inside the JSON."""
    if not isinstance(payload, Mapping):
        return ()
    found: dict[str, OutputFile] = {}
    for item, fallback in _files(payload):
        output = _output(item, fallback)
        if output and len(found) < _MAX_OUTPUTS:
            found.setdefault(output.url, output)
    return tuple(found.values())


def small_data(payload: Any) -> dict[str, Any] | None:
    """The rest of an answer, to be kept as JSON: seed, text, chunks, description. No files and no data URIs."""
    if not isinstance(payload, Mapping):
        return None
    rest = {key: value for key, value in payload.items() if key not in _FILE_KEYS and key != "timings"}
    return _without_data_uris(rest) or None


def _files(payload: Mapping[str, Any]) -> Iterator[tuple[Any, str]]:
    for key, fallback in _FILE_KEYS.items():
        value = payload.get(key)
        for item in value if isinstance(value, list) else [value]:
            yield item, fallback


def _output(item: Any, fallback: str) -> OutputFile | None:
    facts: Mapping[str, Any] = {"url": item} if isinstance(item, str) else item if isinstance(item, Mapping) else {}
    url = facts.get("url")
    if not isinstance(url, str) or not url.startswith(("https://", "http://")) or len(url) > 4000:
        return None
    name = facts.get("file_name")
    return OutputFile(
        url=url,
        media_type=_media_type(facts.get("content_type"), url, name, fallback),
        width=_whole(facts.get("width"), 2**31),
        height=_whole(facts.get("height"), 2**31),
        duration=_seconds(facts.get("duration")),
        size=_whole(facts.get("file_size"), 2**53),
        file_name=name[:200] if isinstance(name, str) and name else None,
    )


def _media_type(told: Any, url: str, name: Any, fallback: str) -> str:
    kind = told.split(";")[0].strip().lower() if isinstance(told, str) else ""
    if kind not in _VAGUE and "/" in kind and len(kind) <= 100:
        return kind
    try:
        path = urlsplit(url).path
    except ValueError:
        path = ""
    for place in (name if isinstance(name, str) else "", unquote(path)):
        suffix = PurePosixPath(place).suffix.lower()
        guess = _SUFFIXES.get(suffix) or mimetypes.types_map.get(suffix)
        if guess:
            return guess
    return fallback


def _whole(value: Any, below: int) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < below else None


def _seconds(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1_000_000:
        return None
    return Decimal(str(value)).quantize(Decimal("0.001"))


def _without_data_uris(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_data_uris(item) for key, item in value.items() if not _is_data_uri(item)}
    if isinstance(value, list):
        return [_without_data_uris(item) for item in value if not _is_data_uri(item)]
    return value


def _is_data_uri(value: Any) -> bool:
    return isinstance(value, str) and value[:5].lower() == "data:"
