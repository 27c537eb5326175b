"""Is there a secret in the repository?

    python -m local.leaks              every file that git knows or would add
    python -m local.leaks --history    everything that was ever committed, too

Looks for the shapes of real keys, at their real lengths, so that the short made-up ones of tests need no exception; for
long random values given to names that sound secret; and for this machine's own values: those of `.env`, of
`.local/secrets.json` and of the environment. Says where, never what.
"""

import argparse
import json
import math
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dotenv import dotenv_values

from local.paths import ENV_FILE, ROOT, state_directory
from local.secrets import FILE_NAME

SHAPES: Final = {
    "a private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----",
    "a key of Stripe": r"\b(?:sk|rk)_(?:live|test)_[0-9A-Za-z]{24,}",
    "a webhook secret of Stripe": r"\bwhsec_[0-9A-Za-z+/]{32,}",
    "a secret key of Supabase": r"\bsb_secret_[\w-]{22,}",
    "a token of Supabase's CLI": r"\bsbp_(?:\w{1,10}_)?[0-9a-f]{40}\b",
    "a token (JWT)": r"\beyJ[\w-]{16,}\.eyJ[\w-]{16,}\.[\w-]{20,}",
    "a key of fal.ai": r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}:[0-9a-f]{32}\b",
    "a webhook of Slack": r"hooks\.slack\.com/services/T\w{6,}/B\w{6,}/\w{20,}",
    "a token of Slack": r"\bxox[abeoprs]-[\w-]{20,}",
    "a key of AWS": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a token of GitHub": r"\b(?:gh[opsu]_\w{36,}|github_pat_\w{40,})",
    "a token of GitLab": r"\bglpat-[\w-]{20,}",
    "a key of Google": r"\bAIza[\w-]{35}\b",
    "a key of Anthropic or OpenAI": r"\bsk-(?:ant|proj)-[\w-]{20,}",
    "a token of a registry": r"\b(?:pypi-AgE\w{20,}|npm_\w{36})",
    "a password in an address": r"\b[a-z][a-z0-9+]{2,}://[^\s/:@\"'{}<>$]+:[^\s/:@\"'{}<>$]{8,}@[\w.-]+",
}
_SHAPES: Final = {kind: re.compile(shape) for kind, shape in SHAPES.items()}
_NAMED: Final = re.compile(
    r"(?i)(?:secret|token|passw(?:or)?d|api_?key|credential)\w*[\"']?\s*[:=]\s*[\"']([\w+/=.-]{24,})[\"']"
)
RANDOM: Final = 3.7  # bits a character: above what words with hyphens have, below what random letters and digits have
_SHORTEST_OWN: Final = 12
_LARGEST: Final = 5_000_000
_MADE_HERE: Final = {".venv", ".local", ".env", "node_modules", "__pycache__", ".hypothesis", "test-results"}
_OWN_NAMES: Final = re.compile(r"(SECRET|_KEY|_TOKEN|PASSWORD|WEBHOOK_URL)$")


@dataclass(frozen=True, order=True)
class Leak:
    """`place` is a file, or a commit and a file."""

    place: str
    line: int
    kind: str

    def __str__(self) -> str:
        return f"{self.place}:{self.line}: {self.kind}"


def leaks_in(text: str, place: str, own: Iterable[str] = ()) -> Iterator[Leak]:
    """Every line that holds a secret. `own` are values that must not be anywhere."""
    for number, line in enumerate(text.splitlines(), 1):
        for kind, shape in _SHAPES.items():
            if shape.search(line):
                yield Leak(place, number, kind)
        if any(_is_random(value) for value in _NAMED.findall(line)):
            yield Leak(place, number, "a random value for a name that sounds secret")
        if any(value in line for value in own):
            yield Leak(place, number, "a secret of this machine")


def _is_random(value: str) -> bool:
    counts = Counter(value)
    entropy = -sum(count / len(value) * math.log2(count / len(value)) for count in counts.values())
    kinds = sum(bool(re.search(kind, value)) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
    return entropy > RANDOM and kinds == 3


def own_values() -> tuple[str, ...]:
    """What this machine keeps secret."""
    found = {
        name: value for name, value in {**dotenv_values(ENV_FILE, interpolate=False), **os.environ}.items() if value
    }
    values = {part for name, value in found.items() if _OWN_NAMES.search(name) for part in (value or "").split(",")}
    file = state_directory() / FILE_NAME
    if file.exists():
        kept = json.loads(file.read_text(encoding="utf-8"))
        values |= {value for value in kept.values() if isinstance(value, str)} | set(kept["demo_passwords"].values())
    return tuple(sorted(value.strip() for value in values if len(value.strip()) >= _SHORTEST_OWN))


def in_files(root: Path = ROOT, own: Iterable[str] = ()) -> list[Leak]:
    """Of every text file that git knows, or would know after `git add`."""
    own = tuple(own)
    found: list[Leak] = []
    for name in _names(root):
        path = root / name
        if not path.is_file() or path.stat().st_size > _LARGEST:
            continue
        data = path.read_bytes()
        if b"\0" not in data[:8192]:
            found += leaks_in(data.decode("utf-8", "replace"), name, own)
    return found


def in_history(root: Path = ROOT, own: Iterable[str] = ()) -> list[Leak]:
    """Of every line that any commit of any branch has added."""
    own, commit, file, found = tuple(own), "", "", set()
    log = _git(root, "log", "--all", "--unified=0", "--no-color", "--format=commit %h", "--patch", "--no-textconv")
    for line in log.splitlines():
        if line.startswith("commit "):
            commit = line.removeprefix("commit ")
        elif line.startswith("+++ b/"):
            file = line.removeprefix("+++ b/")
        elif line.startswith("+"):
            found |= {Leak(f"{commit} {file}", 0, leak.kind) for leak in leaks_in(line[1:], file, own)}
    return sorted(found)


def _names(root: Path) -> list[str]:
    """The files that git knows or would add; of a copy without git all but what is made on this machine."""
    if (root / ".git").exists():
        listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        return sorted(filter(None, listed.split("\0")))
    names = (path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    return sorted(name for name in names if not _MADE_HERE.intersection(name.split("/")))


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=True)
    return done.stdout.decode("utf-8", "replace")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.leaks", description="Is there a secret in the repository?")
    parser.add_argument("--history", action="store_true", help="look through everything that was ever committed, too")
    own = own_values()
    found = in_files(own=own) + (in_history(own=own) if parser.parse_args().history else [])
    for leak in found:
        print(leak, file=sys.stderr)
    if found:
        print("A secret that was committed is known: replace it, then remove it.", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
