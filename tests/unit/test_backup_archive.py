"""The file of a backup: what was written is what is read, and nothing else is believed."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from local.backup.archive import DATABASE, MANIFEST, SECRETS, STORAGE, Manifest, Reader, Writer
from local.backup.bring import _compare
from local.errors import LocalError

PICTURE = f"{STORAGE}media/ada/job x/0.png"


def manifest(**changes: object) -> Manifest:
    facts: dict[str, object] = {
        "created_at": "2026-11-20T12:00:00+00:00",
        "migration": "20261121000100",
        "tables": {"public.profiles": 2},
        "objects": {"media/ada/job x/0.png": 7},
        "audit": [],
    }
    return Manifest(**(facts | changes))  # type: ignore[arg-type]


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    source, file = tmp_path / "source", tmp_path / "a.backup"
    source.write_bytes(b"content")
    writer = Writer(file)
    for name in (DATABASE, SECRETS, PICTURE):
        writer.add(name, source)
    writer.close(manifest())
    return file


def rewritten(file: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """A copy whose files were changed, manifest included, in a ZIP that is sound as such."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    other = file.with_name("b.backup")
    with zipfile.ZipFile(other, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return other


def retold(members: dict[str, bytes], change: Callable[[dict[str, object]], None]) -> None:
    told = json.loads(members[MANIFEST])
    change(told)
    members[MANIFEST] = json.dumps(told).encode()


def test_what_was_written_is_read(sound: Path, tmp_path: Path) -> None:
    assert sound.stat().st_mode & 0o777 == 0o600
    assert not sound.with_name("a.backup.part").exists()
    with Reader(sound) as reader:
        reader.verify()
        assert reader.files() == [PICTURE]
        assert reader.manifest.tables == {"public.profiles": 2}
        reader.extract(PICTURE, tmp_path / "out" / "0.png")
    assert (tmp_path / "out" / "0.png").read_bytes() == b"content"
    assert (tmp_path / "out" / "0.png").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("where", range(0, 100, 7))
def test_a_damaged_file_is_noticed_wherever_it_is(sound: Path, where: int) -> None:
    """Except in what says nothing: the times and flags of the ZIP itself."""
    data = bytearray(sound.read_bytes())
    place = data.index(b"content") + where if where < 7 else data.index(b'"members"') + where
    data[place] ^= 0x01
    sound.write_bytes(data)
    with pytest.raises(LocalError), Reader(sound) as reader:
        reader.verify()


@pytest.mark.parametrize("keep", [0, 10, 200, -1])
def test_a_file_that_ends_too_early_is_no_backup(sound: Path, keep: int) -> None:
    sound.write_bytes(sound.read_bytes()[:keep])
    with pytest.raises(LocalError, match="not a backup"):
        Reader(sound)


@pytest.mark.parametrize(
    "change",
    [
        lambda members: members.pop(PICTURE),
        lambda members: members.update({PICTURE: b"CONTENT"}),
        lambda members: members.update({f"{STORAGE}media/more.png": b"more"}),
        lambda members: retold(members, lambda told: told["objects"].update({"media/lost.png": 3})),  # type: ignore[attr-defined]
    ],
    ids=["a file is missing", "a file was changed", "a file was added", "the database knows of another file"],
)
def test_what_does_not_fit_together_is_refused(sound: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    with pytest.raises(LocalError), Reader(rewritten(sound, change)) as reader:
        reader.verify()


@pytest.mark.parametrize(
    "name",
    ["../evil", f"{STORAGE}../../evil", "/etc/evil", f"{STORAGE}/etc/evil", f"{STORAGE}a\\..\\b", STORAGE, "evil"],
)
def test_no_name_leads_out_of_the_place_for_files(sound: Path, name: str) -> None:
    def change(members: dict[str, bytes]) -> None:
        members[name] = members.pop(PICTURE)

        def tell(told: dict[str, object]) -> None:
            told["members"][name] = told["members"].pop(PICTURE)  # type: ignore[index,attr-defined]
            told["objects"] = {}

        retold(members, tell)

    with pytest.raises(LocalError, match="impossible name"), Reader(rewritten(sound, change)) as reader:
        reader.verify()


def test_what_another_atelier_wrote_is_said_to_be_so(sound: Path) -> None:
    other = rewritten(sound, lambda members: retold(members, lambda told: told.update({"format": 2})))
    with pytest.raises(LocalError, match="format 2"):
        Reader(other)


def test_what_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a.backup"
    Writer(file).abandon()
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_did_not_come_back_whole_is_not_used() -> None:
    told = manifest(audit=["I1: ada: known before"])
    _compare(manifest(audit=["I1: ada: known before"]), told)
    _compare(manifest(audit=[]), told)
    for changes in (
        {"tables": {"public.profiles": 1}},
        {"tables": {}},
        {"tables": {"public.profiles": 2, "public.more": 0}},
        {"objects": {}},
        {"audit": ["I2: ben: new"]},
    ):
        with pytest.raises(LocalError):
            _compare(manifest(**changes), told)
