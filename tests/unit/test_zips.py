"""Archives that are made while they are read: every reader opens them, and no name leaves its folder."""

import io
import itertools
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import DatabaseUnavailable
from core.zips import Entry, slug, stream

NOON = datetime(2026, 11, 21, 12, 0, 1, tzinfo=UTC)


def entry(name: str, *pieces: bytes, stored: bool = True) -> Entry:
    return Entry(name, lambda: pieces, NOON, stored=stored)


def opened(pieces: Iterable[bytes]) -> zipfile.ZipFile:
    archive = zipfile.ZipFile(io.BytesIO(b"".join(pieces)))
    assert archive.testzip() is None
    return archive


@given(st.lists(st.tuples(st.lists(st.binary(max_size=200), max_size=4), st.booleans()), max_size=6))
def test_what_goes_in_comes_out(files: list[tuple[list[bytes], bool]]) -> None:
    entries = [entry(f"{n}.bin", *pieces, stored=stored) for n, (pieces, stored) in enumerate(files)]
    archive = opened(stream(entries))
    assert [archive.read(name) for name in archive.namelist()] == [b"".join(pieces) for pieces, _ in files]
    assert len(archive.namelist()) == len(files)


def test_files_are_read_when_their_turn_has_come() -> None:
    turns: list[str] = []

    def read(name: str) -> Iterator[bytes]:
        turns.append(name)
        yield b"x" * 1000

    def entries() -> Iterator[Entry]:
        for name in ("a", "b"):
            yield Entry(name, lambda name=name: read(name), NOON)  # type: ignore[misc]
        yield entry("listing", " ".join(turns).encode())

    pieces = stream(entries())
    next(pieces)
    assert turns in (["a"], [])
    assert opened(itertools.chain([b""], stream(entries()))).read("listing").endswith(b"a b")


def test_large_files_never_stand_whole_in_memory() -> None:
    block = b"\x00" * 1_000_000
    seen = [len(piece) for piece in stream([Entry("zeros", lambda: itertools.repeat(block, 20), NOON)])]
    assert sum(seen) > 20_000_000
    assert max(seen) <= 1_000_000


def test_the_same_name_twice_gets_a_number() -> None:
    archive = opened(
        stream([entry("a.png", b"1"), entry("A.PNG", b"2"), entry("a.png", b"3"), entry("b", b"4"), entry("b", b"5")])
    )
    assert archive.namelist() == ["a.png", "A-2.PNG", "a-3.png", "b", "b-2"]


def test_a_file_that_cannot_be_read_breaks_the_archive() -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise DatabaseUnavailable("Not now.")

    pieces = stream([entry("a", b"1"), Entry("b", broken, NOON)])
    with pytest.raises(DatabaseUnavailable):
        list(pieces)


@pytest.mark.parametrize("year", [1970, 2026, 2200])
def test_times_are_kept_as_far_as_the_format_goes(year: int) -> None:
    moment = datetime(year, 3, 4, 5, 6, 8, tzinfo=UTC)
    (facts,) = opened(stream([Entry("a", lambda: (b"",), moment)])).infolist()
    assert facts.date_time == (min(max(year, 1980), 2107), 3, 4, 5, 6, 8)


@given(st.text())
def test_any_text_becomes_a_safe_part_of_a_name(text: str) -> None:
    name = slug(text)
    assert 0 < len(name) <= 40
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not name.startswith("-")
    assert not name.endswith("-")


@pytest.mark.parametrize(
    ("text", "name"),
    [("Éclair & café", "eclair-cafe"), ("../../etc/passwd", "etc-passwd"), ("日本", "untitled"), ("", "untitled")],
)
def test_names(text: str, name: str) -> None:
    assert slug(text) == name
