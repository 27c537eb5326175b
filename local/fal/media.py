"""Files of the simulator: outputs and uploads, served without a key like fal's public media."""

import hashlib
import mimetypes
import os
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

ROUTE = "/media/files"
_SUFFIXES = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "audio/wav": ".wav",
    "audio/x-wav": ".wav",
    "audio/mpeg": ".mp3",
    "video/mp4": ".mp4",
    "model/gltf-binary": ".glb",
}


class Media:
    """Published files live in a folder each, with an unguessable name; what was rendered once is linked, not remade."""

    def __init__(self, folder: Path) -> None:
        self._files = folder / "files"
        self._cache = folder / "cache"
        for made in (self._files, self._cache):
            made.mkdir(parents=True, exist_ok=True)

    def rendered(self, key: str, suffix: str, render: Callable[[], bytes]) -> Path:
        """The file for these parameters, rendered now if it never was. Blocking: not for the event loop."""
        path = self._cache / (hashlib.sha256(key.encode()).hexdigest()[:32] + suffix)
        if not path.exists():
            part = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
            part.write_bytes(render())
            # The first one stays: a file that is replaced while somebody links it cannot be linked (ENOENT).
            with suppress(FileExistsError):
                os.link(part, path)
            part.unlink()
        return path

    def publish(self, path: Path, name: str) -> str:
        """The path of a new URL for a rendered file."""
        token = secrets.token_urlsafe(16)
        folder = self._files / token
        folder.mkdir()
        os.link(path, folder / name)
        return f"{ROUTE}/{token}/{name}"

    def reserve(self, file_name: str, content_type: str) -> tuple[str, str]:
        """(token, name) of a place that an upload may fill once."""
        token = secrets.token_urlsafe(16)
        (self._files / token).mkdir()
        stem, suffix = os.path.splitext(re.sub(r"[^A-Za-z0-9._-]+", "_", os.path.basename(file_name)))
        if mimetypes.guess_type("x" + suffix)[0] != content_type:
            suffix = _SUFFIXES.get(content_type) or mimetypes.guess_extension(content_type) or suffix
        return token, (stem.strip("._") or "upload") + suffix

    def upload_target(self, token: str, name: str) -> Path | None:
        """Where to put an upload; None when it was not reserved or is there already."""
        folder = self._files / token
        if not _plain(token, name) or not folder.is_dir() or any(folder.iterdir()):
            return None
        return folder / name

    def find(self, token: str, name: str) -> Path | None:
        path = self._files / token / name
        return path if _plain(token, name) and path.is_file() else None

    def find_url(self, url: str, base_url: str) -> Path | None:
        """The file behind one of our own URLs, without asking ourselves over HTTP."""
        start = base_url.rstrip("/") + ROUTE + "/"
        token, _, name = url.removeprefix(start).partition("/")
        return self.find(token, name) if url.startswith(start) else None


def content_type(name: str) -> str:
    known = {suffix: media_type for media_type, suffix in _SUFFIXES.items()}
    known[".wav"] = "audio/wav"
    return known.get(os.path.splitext(name)[1]) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def _plain(*parts: str) -> bool:
    return all(re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", part) for part in parts)
