"""The scan for secrets: it finds what is one, in files and in history, and nothing in this repository."""

import secrets as random
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from local import leaks
from local.leaks import SHAPES, in_files, in_history, leaks_in

HEX, WORD = random.token_hex, random.token_urlsafe
# Made anew at every run: this file must not hold one either.
REAL: dict[str, Callable[[], str]] = {
    "a private key": lambda: "-----BEGIN OPENSSH " + "PRIVATE KEY-----",
    "a key of Stripe": lambda: f"sk_live_{HEX(24)}",
    "a webhook secret of Stripe": lambda: f"whsec_{HEX(16)}",
    "a secret key of Supabase": lambda: f"sb_secret_{HEX(11)}_{HEX(4)}",
    "a token of Supabase's CLI": lambda: f"sbp_{HEX(20)}",
    "a token (JWT)": lambda: f"eyJ{HEX(10)}.eyJ{HEX(20)}.{HEX(20)}",
    "a key of fal.ai": lambda: f"{uuid.uuid4()}:{HEX(16)}",
    "a webhook of Slack": lambda: f"https://hooks.slack.com/services/T{HEX(4)}/B{HEX(4)}/{HEX(12)}",
    "a token of Slack": lambda: f"xoxb-{HEX(12)}",
    "a key of AWS": lambda: f"AKIA{HEX(8).upper()}",
    "a token of GitHub": lambda: f"ghp_{HEX(18)}",
    "a token of GitLab": lambda: f"glpat-{HEX(10)}",
    "a key of Google": lambda: f"AIza{HEX(18)[:35]}",
    "a key of Anthropic or OpenAI": lambda: f"sk-ant-{HEX(20)}",
    "a token of a registry": lambda: f"npm_{HEX(18)}",
    "a password in an address": lambda: f"postgresql://postgres:{HEX(8)}@db.studio.test:5432/postgres",
}


def test_every_shape_is_tried() -> None:
    assert REAL.keys() == SHAPES.keys()


@pytest.mark.parametrize("kind", REAL)
def test_a_secret_is_found_and_not_repeated(kind: str) -> None:
    secret = REAL[kind]()
    (found,) = [leak for leak in leaks_in(f"first\nKEY = {secret}\n", "a.py") if leak.kind == kind]
    assert (found.line, str(found)) == (2, f"a.py:2: {kind}")
    assert secret not in str(found)


def test_a_random_value_for_a_secret_name_is_found() -> None:
    for line in ('app_secret = "{}"', "API_KEY: '{}'", '"password": "{}"', 'let accessToken = "{}";'):
        assert list(leaks_in(line.format("A1b" + WORD(32)), "a")), line


@pytest.mark.parametrize(
    "line",
    [
        'APP_SECRET=""',
        'password = "correct horse battery staple"',
        'LOCAL_APP_SECRET = "local-development-only-never-use-this-in-production"',
        'token = "0000000000000000000000000000000000000000"',
        'STRIPE_SECRET_KEY = "sk_test_of_this_run_0123456789"',
        "Authorization: Key id:secret",
        "https://github.com/someone/something",
        'publishable_key = "env(SUPABASE_PUBLISHABLE_KEY)"',
        "--hash=sha256:7defb6ca730676dfc99a299768e2769f51585fcb3dc960ea71aacc368929d65e",
    ],
)
def test_words_and_placeholders_are_no_secrets(line: str) -> None:
    assert list(leaks_in(line, "a")) == []


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for command in (["init", "-q"], ["config", "user.email", "a@b.test"], ["config", "user.name", "A"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_text("ignored\n")
    return tmp_path


def test_files_that_git_knows_or_would_take_are_read(repository: Path) -> None:
    for name in ("known.py", "new.py", "ignored", "picture.png"):
        (repository / name).write_text(("\0" if name.endswith("png") else "") + REAL["a key of Stripe"]())
    subprocess.run(["git", "add", "known.py"], cwd=repository, check=True)
    assert [leak.place for leak in in_files(repository)] == ["known.py", "new.py"]


def test_a_copy_without_git_is_read_too(tmp_path: Path) -> None:
    for name in ("a.py", ".env", "node_modules/b.js"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(REAL["a key of AWS"]())
    assert [leak.place for leak in in_files(tmp_path)] == ["a.py"]


def test_what_was_taken_out_again_is_found_in_history(repository: Path) -> None:
    file = repository / "settings.py"
    for text in (REAL["a key of fal.ai"](), "clean"):
        file.write_text(text)
        subprocess.run(["git", "add", "."], cwd=repository, check=True)
        subprocess.run(["git", "commit", "-qm", "x"], cwd=repository, check=True)
    assert in_files(repository) == []
    (found,) = in_history(repository)
    assert found.place.endswith(" settings.py")


def test_this_machines_own_secrets_are_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("STRIPE_WEBHOOK_SECRET=ordinary words one,ordinary words two\nAPP_PORT=8501\n")
    (tmp_path / "secrets.json").write_text(
        '{"jwt_secret": "words of the machine", "demo_passwords": {"a": "pass of Mara"}}'
    )
    monkeypatch.setattr(leaks, "ENV_FILE", tmp_path / ".env")
    monkeypatch.setattr(leaks, "state_directory", lambda: tmp_path)
    monkeypatch.setattr(leaks.os, "environ", {"FAL_KEY": "words for fal.ai", "PATH": "/usr/bin:/usr/local"})
    own = leaks.own_values()
    expected = {"ordinary words one", "ordinary words two", "words of the machine", "pass of Mara", "words for fal.ai"}
    assert set(own) == expected
    for value in expected:
        assert [leak.kind for leak in leaks_in(f"see: {value}!", "a", own)] == ["a secret of this machine"]


def test_there_is_none_in_this_repository() -> None:
    assert list(map(str, in_files())) == []
