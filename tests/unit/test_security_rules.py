"""What must hold for every file of the product, and for the document that promises it."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.paths import ROOT

PRODUCT = sorted(path for folder in ("core", "ui", "pages") for path in (ROOT / folder).rglob("*.py"))
DOCUMENT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
FORBIDDEN = {"eval", "exec", "__import__", "system", "popen", "import_module"}
MODULES = {"pickle", "marshal", "shelve", "subprocess", "xml", "yaml", "telnetlib", "ftplib"}


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def names_called(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


@pytest.mark.parametrize("path", PRODUCT, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_runs_text_or_opens_programs(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert set(names_called(tree)) & FORBIDDEN == set()
    assert set(imports(tree)) & MODULES == set()


def test_tables_leave_the_house_by_one_door() -> None:
    writers = [path for path in PRODUCT if "csv" in set(imports(ast.parse(path.read_text(encoding="utf-8"))))]
    assert [path.name for path in writers] == ["csv_file.py"]
    calls = {name for path in PRODUCT for name in names_called(ast.parse(path.read_text(encoding="utf-8")))}
    assert calls & {"to_csv", "to_excel", "to_clipboard", "to_html"} == set()
    assert streamlit("client")["disableDataExport"] is True  # the buttons of Streamlit's own tables disarm nothing


@pytest.mark.parametrize("path", PRODUCT, ids=lambda path: str(path.relative_to(ROOT)))
def test_streamlit_believes_markup_that_is_written_here_alone(path: Path) -> None:
    """`unsafe_…` is for a text that stands in the module as it is: no value of anybody's is in it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    written = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and any((keyword.arg or "").startswith("unsafe") for keyword in node.keywords):
            assert isinstance(node.args[0], ast.Name)
            assert node.args[0].id in written


def streamlit(section: str) -> dict[str, object]:
    found: dict[str, object] = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())[section]
    return found


def test_streamlit_is_closed_where_it_can_be() -> None:
    server = streamlit("server")
    assert (server["address"], server["enableStaticServing"], server["enableAgentApi"]) == ("127.0.0.1", False, False)
    assert server["maxUploadSize"] == 50
    assert {
        "enableCORS",
        "enableXsrfProtection",
        "corsAllowedOrigins",
    } & server.keys() == set()  # their defaults protect
    assert (streamlit("client")["showErrorDetails"], streamlit("browser")["gatherUsageStats"]) == ("none", False)


def test_every_test_that_the_document_names_exists() -> None:
    named = NAMED.findall(DOCUMENT)
    assert len(named) > 40
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not (ROOT / file).exists() or not re.search(rf"^\s*def {name}\(", (ROOT / file).read_text(), re.MULTILINE)
    ]
    assert missing == []


def test_every_promise_names_a_test() -> None:
    promises = DOCUMENT.partition("## Promises")[2].partition("## Backups")[0]
    rows = [line for line in promises.splitlines() if line.startswith("| ") and not line.startswith("| promise")]
    assert len(rows) > 25
    assert [row for row in rows if not NAMED.search(row)] == []


def test_the_count_of_direct_dependencies_is_told() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    words = ("Ten", "Eleven", "Twelve", "Thirteen", "Fourteen")
    assert f"{words[len(wanted) - 10]} direct dependencies" in DOCUMENT
