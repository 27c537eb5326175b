"""The secrets of one machine are made once, whoever asks first."""

import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local import secrets
from local.errors import LocalError


def test_who_asks_at_the_same_moment_gets_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = secrets._write

    def slowly(path: Path, values: dict[str, object]) -> None:
        time.sleep(0.05)  # between reading that there are none and writing them
        write(path, values)

    monkeypatch.setattr(secrets, "_write", slowly)
    path = tmp_path / "new" / secrets.FILE_NAME
    with ThreadPoolExecutor(4) as pool:
        loaded = list(pool.map(lambda _: secrets.load(path, ("a@studio.example",)), range(4)))
    assert loaded[1:] == loaded[:-1]
    assert secrets.load(path) == loaded[0]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_damaged_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / secrets.FILE_NAME
    path.write_text("{", encoding="utf-8")
    with pytest.raises(LocalError, match="is damaged"):
        secrets.load(path)
