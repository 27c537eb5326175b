"""What keeps the code readable: modules of a size, nothing that nobody uses, functions that say what they give."""

import ast
import re
from pathlib import Path

import pytest

from local.paths import ROOT

PRODUCT = [
    path for folder in ("core", "ui", "pages", "local", "bench") for path in sorted((ROOT / folder).rglob("*.py"))
]
LONGEST = 310  # lines


@pytest.mark.parametrize("path", PRODUCT, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_says_one_thing(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_whatever_is_defined_is_used_by_the_product() -> None:
    """Functions, classes and methods whose name stands nowhere but where they are defined. What a framework calls by
    its own name is decorated, or overrides something."""
    sources = {path: path.read_text(encoding="utf-8") for path in [*PRODUCT, ROOT / "streamlit_app.py"]}
    others = [ROOT / "Makefile", *(ROOT / "docs").rglob("*.md"), *(ROOT / "docs" / "deploy").iterdir()]
    text = "\n".join([*sources.values(), *(path.read_text(encoding="utf-8") for path in others if path.is_file())])
    times: dict[str, int] = {}
    for word in re.findall(r"\w+", text):
        times[word] = times.get(word, 0) + 1
    unused = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path, source in sources.items()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and times[node.name] == 1
        and not node.decorator_list
        and not node.name.startswith("__")
    ]
    assert unused == []


def test_every_public_function_of_core_says_what_it_gives() -> None:
    silent = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in sorted((ROOT / "core").rglob("*.py"))
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert silent == []
