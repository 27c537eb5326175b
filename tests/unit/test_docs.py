"""What the documents say is there: files that they link to, commands that they name."""

import re
from pathlib import Path

import pytest

from local.paths import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)")
MAKE = re.compile(r"\bmake ([a-z][a-z-]+)\b")
FILE = re.compile(r"`((?:core|ui|pages|local|bench|tests|docs)/[\w/.-]+|\*_\w+\.sql)")
MODULE = re.compile(r"python3? -m ((?:core|local|bench)(?:\.\w+)*)")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    targets = [link for link in LINK.findall(document.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in targets if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    code = " ".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(MAKE.findall(code)) - targets == set()
    missing = [
        module
        for module in MODULE.findall(code)
        if not (path := ROOT.joinpath(*module.split("."))).with_suffix(".py").exists()
        and not (path / "__main__.py").exists()
    ]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_files_that_are_named_are_there(document: Path) -> None:
    named = FILE.findall(document.read_text(encoding="utf-8"))
    assert [
        name for name in named if not any(ROOT.glob(name)) and not any(ROOT.glob(f"supabase/migrations/{name}"))
    ] == []


def test_every_screenshot_is_shown() -> None:
    shown = (ROOT / "docs" / "screenshots.md").read_text(encoding="utf-8")
    pictures = sorted(path.name for path in (ROOT / "docs" / "screenshots").iterdir())
    assert [name for name in pictures if f"(screenshots/{name})" not in shown] == []
