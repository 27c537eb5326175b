"""What gets installed: named with a reason, pinned, hashed, from no address. And the check that says so."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from local.dependencies import complaints, differing, normal, read_lock
from local.paths import ROOT

HASH = "--hash=sha256:" + "0" * 64


def test_everything_is_as_it_should_be() -> None:
    assert complaints() == []


def test_what_is_installed_is_what_is_locked() -> None:
    versions, _ = read_lock((ROOT / "requirements" / "dev.lock").read_text())
    assert "streamlit" in versions
    assert differing(versions) == []
    assert differing({"streamlit": ("0.0.1",)}) == ["installed: streamlit 1.67.0, locked as 0.0.1"]


@pytest.mark.parametrize(
    ("lock", "said"),
    [
        (f"attrs==26.1.0 \\\n    {HASH}\n", ""),
        (f"numpy==2.4.6 ; python_full_version < '3.12' \\\n    {HASH}\nnumpy==2.5.5 ; os_name == 'x' {HASH}", ""),
        ("attrs==26.1.0\n", "no hashes"),
        (f"attrs>=26 {HASH}\n", "not pinned"),
        (f"attrs {HASH}\n", "not pinned"),
        (f"attrs==26.1.0 --hash=md5:{'0' * 32}\n", "hashes"),
        (f"attrs==26.1.0 {HASH}\nattrs==26.1.1 {HASH}\n", "twice"),
        (f"--index-url https://packages.test/simple\nattrs==26.1.0 {HASH}\n", "an address"),
        (f"--extra-index-url x\nattrs==26.1.0 {HASH}\n", "an address"),
        (f"attrs @ https://packages.test/attrs.whl {HASH}\n", "an address"),
        ("-e git+https://packages.test/attrs\n", "an address"),
        ("-r other.txt\n", "an address"),
    ],
)
def test_a_lock_is_read_strictly(lock: str, said: str) -> None:
    _, problems = read_lock(lock)
    assert said in "; ".join(problems)
    assert bool(problems) == bool(said)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The files that say what is installed, to be changed."""
    for name in (
        "pyproject.toml",
        "requirements",
        *(f"supabase/{n}" for n in ("package.json", "package-lock.json", ".npmrc")),
    ):
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    assert complaints(tmp_path) == []
    return tmp_path


def changed(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def without_integrity(root: Path) -> None:
    file = root / "supabase" / "package-lock.json"
    lock = json.loads(file.read_text())
    del lock["packages"]["node_modules/postgres"]["integrity"]
    lock["packages"]["node_modules/postgres"]["resolved"] = "https://packages.test/postgres.tgz"
    file.write_text(json.dumps(lock))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda root: changed(root / "pyproject.toml", " # payments", ""), "stripe does not say what it is for"),
        (lambda root: changed(root / "pyproject.toml", '"stripe>', '"stripes>'), "stripes is in no requirements/app"),
        (lambda root: changed(root / "requirements/dev.lock", "stripe==16", "stripe==15"), "stripe is not as in local"),
        (lambda root: changed(root / "supabase/package.json", '"3.4.9"', '"^3.4.9"'), "postgres is wanted as ^3.4.9"),
        (without_integrity, "node_modules/postgres has no SHA-512"),
        (without_integrity, "node_modules/postgres names an address"),
    ],
)
def test_what_is_not_is_said(copy: Path, change: Callable[[Path], None], said: str) -> None:
    change(copy)
    assert said in "; ".join(complaints(copy))


def test_names_are_compared_as_pip_does() -> None:
    assert normal("Typing_Extensions") == normal("typing.extensions") == "typing-extensions"
