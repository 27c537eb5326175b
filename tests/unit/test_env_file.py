"""What is written into `.env` is read back as it was meant, and nothing else changes."""

import stat
from io import StringIO
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from core import env_file
from core.errors import SettingsError

KEPT = "# my settings\nAPP_PORT=9501\nexport FAL_KEY=old:one\n\nFAL_KEY=old:two # again\nWELCOME_CREDITS='5'\n"


def test_a_setting_is_replaced_where_it_stands_and_a_new_one_comes_last() -> None:
    text = env_file.merged(KEPT, {"STRIPE_SECRET_KEY": "sk_test_1", "FAL_KEY": "new:key"})
    assert text.splitlines() == [
        "# my settings",
        "APP_PORT=9501",
        "FAL_KEY=new:key",
        "",
        "WELCOME_CREDITS='5'",
        "STRIPE_SECRET_KEY=sk_test_1",
    ]


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60))
def test_any_value_that_can_be_typed_comes_back(value: str) -> None:
    text = env_file.merged(KEPT, {"FAL_KEY": value})
    assert dict(dotenv_values(stream=StringIO(text), interpolate=False)) == {
        "APP_PORT": "9501",
        "FAL_KEY": value,
        "WELCOME_CREDITS": "5",
    }


def test_what_cannot_be_kept_is_refused() -> None:
    for name, value in (("FAL_KEY", "two\nlines"), ("fal key", "x")):
        with pytest.raises(SettingsError, match="cannot be kept"):
            env_file.merged("", {name: value})
    with pytest.raises(SettingsError, match="over several lines"):
        env_file.merged("NOTE='first\nFAL_KEY=not one\nlast'\n", {"FAL_KEY": "a:b"})


def test_the_file_is_its_owners_alone_and_no_draft_stays(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    env_file.write(path, {"FAL_KEY": "a:b"})
    path.chmod(0o644)
    env_file.write(path, {"STRIPE_SECRET_KEY": "sk_test_1"})
    assert path.read_text() == "FAL_KEY=a:b\nSTRIPE_SECRET_KEY=sk_test_1\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_changes_when_it_cannot_be_written(tmp_path: Path) -> None:
    other, link = tmp_path / "other", tmp_path / ".env"
    other.write_text("APP_PORT=1\n")
    link.symlink_to(other)
    with pytest.raises(SettingsError, match="is a link"):
        env_file.write(link, {"FAL_KEY": "a:b"})
    assert other.read_text() == "APP_PORT=1\n"
    with pytest.raises(SettingsError, match="cannot be written"):
        env_file.write(tmp_path / "missing" / ".env", {"FAL_KEY": "a:b"})
    assert sorted(tmp_path.iterdir()) == sorted([link, other])
