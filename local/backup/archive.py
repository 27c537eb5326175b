"""The file of a backup: a ZIP of the database (`pg_dump`), the files of Storage, the secrets, and a manifest.

manifest.json    what is in it, with sizes and SHA-256, and what the database said of itself
database.dump    pg_dump's custom format
secrets.json     the secrets of the machine: without them nobody signs in and no webhook is believed
storage/…        the files, as Storage keeps them: storage/<bucket>/<name>
"""

import hashlib
import json
import os
import shutil
import zipfile
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

from local.errors import LocalError

FORMAT = 1
MANIFEST, DATABASE, SECRETS, STORAGE = "manifest.json", "database.dump", "secrets.json", "storage/"
_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Member:
    size: int
    sha256: str


@dataclass
class Manifest:
    """`tables` counts rows, `objects` are the sizes of the files that the database knows, by bucket/name, `audit` what
    `audit_books()` found: nothing, when all is well."""

    created_at: str
    migration: str
    tables: dict[str, int]
    objects: dict[str, int]
    audit: list[str]
    members: dict[str, Member] = field(default_factory=dict)
    format: int = FORMAT


class Writer:
    """Writes a backup beside its place; `close` checks it and moves it there, readable by its owner only."""

    def __init__(self, file: Path) -> None:
        self._file, self._draft = file, file.with_name(f"{file.name}.part")
        self._draft.unlink(missing_ok=True)
        descriptor = os.open(self._draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self._raw = os.fdopen(descriptor, "w+b")
        self._zip = zipfile.ZipFile(self._raw, "w", zipfile.ZIP_STORED, allowZip64=True)
        self.members: dict[str, Member] = {}

    def add(self, name: str, source: Path) -> None:
        """Raises FileNotFoundError when it is gone."""
        digest, size = hashlib.sha256(), 0
        with source.open("rb") as read, self._zip.open(name, "w", force_zip64=True) as written:
            while chunk := read.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
                written.write(chunk)
        self.members[name] = Member(size, digest.hexdigest())

    def close(self, manifest: Manifest) -> None:
        """Raises LocalError when what was written does not read back."""
        manifest.members = self.members
        self._zip.writestr(MANIFEST, json.dumps(asdict(manifest), indent=1))
        self._zip.close()
        self._raw.flush()
        os.fsync(self._raw.fileno())
        self._raw.close()
        with Reader(self._draft) as reader:
            reader.verify()
        self._draft.replace(self._file)

    def abandon(self) -> None:
        with suppress(ValueError, OSError):  # closed already, or the disk is full
            self._zip.close()
        self._raw.close()
        self._draft.unlink(missing_ok=True)


class Reader:
    """Reads a backup. Nothing of it is believed before `verify`."""

    def __init__(self, file: Path) -> None:
        """Raises LocalError for what is no backup of ours."""
        try:
            self._zip = zipfile.ZipFile(file)
            told: dict[str, Any] = json.loads(self._zip.read(MANIFEST))
            members = {name: Member(**member) for name, member in told.pop("members").items()}
            self.manifest = Manifest(**told, members=members)
        except FileNotFoundError:
            raise LocalError(f"There is no {file}.") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
            raise LocalError(f"{file} is not a backup of Atelier, or is damaged ({error}).") from error
        self._file = file
        if self.manifest.format != FORMAT:
            raise LocalError(f"{file} has format {self.manifest.format}; this Atelier reads format {FORMAT}.")

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def verify(self) -> None:
        """Every file is there as it was written, and there is nothing else. Raises LocalError."""
        listed = [name for name in self._zip.namelist() if name != MANIFEST]
        if sorted(listed) != sorted(self.manifest.members):
            raise LocalError(f"{self._file} is damaged: its list and its contents differ.")
        for name, member in self.manifest.members.items():
            if not _is_safe(name):
                raise LocalError(f"{self._file} holds a file with an impossible name: {name[:80]!r}.")
            digest, size = hashlib.sha256(), 0
            try:
                with self._zip.open(name) as read:
                    while chunk := read.read(_CHUNK):
                        digest.update(chunk)
                        size += len(chunk)
            except (zipfile.BadZipFile, OSError, EOFError) as error:
                raise LocalError(f"{self._file} is damaged: {name} cannot be read ({error}).") from error
            if Member(size, digest.hexdigest()) != member:
                raise LocalError(f"{self._file} is damaged: {name} is not what was written.")
        for name, size in self.manifest.objects.items():
            if self.manifest.members.get(f"{STORAGE}{name}", Member(-1, "")).size != size:
                raise LocalError(f"{self._file} is not complete: {name} is missing or has another size. Take it again.")

    def extract(self, name: str, target: Path) -> None:
        """One file, readable by its owner only. After `verify`."""
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with self._zip.open(name) as read, os.fdopen(descriptor, "wb") as written:
            _copy(read, written)

    def files(self) -> list[str]:
        """The names of the files of Storage, `storage/<bucket>/<name>`."""
        return [name for name in self.manifest.members if name.startswith(STORAGE)]


def _copy(read: IO[bytes], written: IO[bytes]) -> None:
    shutil.copyfileobj(read, written, _CHUNK)


def _is_safe(name: str) -> bool:
    """A file of a backup has one of three names, or lies below storage/: no road leads out of there."""
    if name in (DATABASE, SECRETS):
        return True
    parts = PurePosixPath(name).parts
    return name.startswith(STORAGE) and name == "/".join(parts) and ".." not in parts and "\\" not in name
