"""Is everything that gets installed named, pinned and hashed?

    python -m local.dependencies

What can be known without asking anybody: every direct dependency has its reason beside it and somebody who uses it,
every package of the locks has one version, its hashes and a licence that we may use, nothing comes from an address,
nothing runs when it is installed, the three locks agree, and what is installed is what is locked. Known vulnerabilities
are a question to others: `local/advisories.py`.
"""

import importlib.metadata
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

from local.dependency_use import installed_licences, licences_of, normal, npm_rules, unused_or_undeclared
from local.paths import ROOT

LOCKS: Final = ("app", "local", "dev")  # each holds what the one before it holds
MOST: Final = {"app": 66, "local": 74, "dev": 98, "npm": 90}  # packages with all that they bring: more is a decision
_REQUIREMENT: Final = re.compile(r"([A-Za-z0-9][\w.-]*)==([\w.!+-]+)(\s*;.+?(?=\s+--|$))?")
_HASH: Final = re.compile(r"--hash=sha256:[0-9a-f]{64}")
_NAMED: Final = re.compile(r'\s*"([A-Za-z0-9][\w.-]*)[^"]*",?\s*(#\s*\S.*)?')

Versions = dict[str, tuple[str, ...]]  # more than one where systems or Pythons differ


def complaints(root: Path = ROOT) -> list[str]:
    """Everything that is not as it should be, one line each."""
    found: list[str] = []
    locks: dict[str, Versions] = {}
    for name in LOCKS:
        text = (root / "requirements" / f"{name}.lock").read_text(encoding="utf-8")
        locks[name], problems = read_lock(text)
        found += [f"requirements/{name}.lock: {problem}" for problem in problems]
    for smaller, larger in pairwise(LOCKS):
        found += [
            f"requirements/{larger}.lock: {name} is not as in {smaller}.lock"
            for name, version in locks[smaller].items()
            if locks[larger].get(name) != version
        ]
    found += list(_unexplained((root / "pyproject.toml").read_text(encoding="utf-8"), locks))
    npm, problems = read_npm(root / "supabase")
    found += [f"supabase/package-lock.json: {problem}" for problem in (*problems, *npm_rules(root / "supabase"))]
    counts = {name: len(versions) for name, versions in locks.items()} | {"npm": len(npm)}
    found += [f"{name}: {count} packages, {MOST[name]} at most" for name, count in counts.items() if count > MOST[name]]
    return found


def read_lock(text: str) -> tuple[Versions, list[str]]:
    """The versions in a lock of pip, by normalised name, and what is wrong with it."""
    versions: Versions = {}
    problems: list[str] = []
    if address := re.search(r"(?m)^\s*(?:-\w|--(?!hash)\S+)|\b\w+://\S+| @ \S+", text):
        problems.append(f"an address or an option: {address.group().strip()[:60]}")
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _REQUIREMENT.match(line.strip())
        if match is None:
            problems.append(f"not pinned: {line.strip()[:60]}")
            continue
        name, version = normal(match[1]), match[2]
        rest = line.strip()[match.end() :].split()
        if not rest or not all(_HASH.fullmatch(part) for part in rest):
            problems.append(f"{name} has no hashes, or something else beside them")
        if name in versions and not match[3]:
            problems.append(f"{name} is there twice")
        versions[name] = (*versions.get(name, ()), version)
    return versions, problems


def read_npm(folder: Path) -> tuple[Versions, list[str]]:
    """The same for npm: every package with its SHA-512, none from elsewhere, direct ones with one exact version."""
    lock = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))
    wanted = json.loads((folder / "package.json").read_text(encoding="utf-8"))["dependencies"]
    packages = {name: facts for name, facts in lock["packages"].items() if name}
    problems = [
        f"{name} has no SHA-512"
        for name, facts in packages.items()
        if not facts.get("integrity", "").startswith("sha512-")
    ]
    problems += [f"{name} names an address" for name, facts in packages.items() if "resolved" in facts]
    problems += [
        f"{name} is wanted as {version}, locked as {packages.get(f'node_modules/{name}', {}).get('version')}"
        for name, version in wanted.items()
        if packages.get(f"node_modules/{name}", {}).get("version") != version
    ]
    return {name: (facts["version"],) for name, facts in packages.items()}, problems


def _unexplained(project: str, locks: dict[str, Versions]) -> Iterator[str]:
    """Direct dependencies without a word on what they are for, or that no lock knows."""
    told = tomllib.loads(project)
    groups = {"app": told["project"]["dependencies"], **told["dependency-groups"]}
    for group, wanted in groups.items():
        for requirement in wanted:
            if not isinstance(requirement, str):
                continue
            name = normal(re.split(r"[\[<>=!~; ]", requirement)[0])
            if name not in locks[group]:
                yield f"pyproject.toml: {name} is in no requirements/{group}.lock"
    for line in project.splitlines():
        match = _NAMED.fullmatch(line)
        if match and re.search(r"[<>=~]=", line) and not match[2]:
            yield f"pyproject.toml: {match[1]} does not say what it is for"


def differing(versions: Versions) -> list[str]:
    """What is installed here in another version than locked. What is not installed is not looked at: some packages are
    for other systems."""
    installed = {normal(found.name): found.version for found in importlib.metadata.distributions()}
    return [
        f"installed: {name} {installed[name]}, locked as {' or '.join(locked)}"
        for name, locked in versions.items()
        if name in installed and installed[name] not in locked
    ]


def main() -> int:
    versions, _ = read_lock((ROOT / "requirements" / "dev.lock").read_text(encoding="utf-8"))
    found = [*complaints(), *unused_or_undeclared(ROOT), *differing(versions), *licences_of(installed_licences())]
    for complaint in found:
        print(complaint, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
