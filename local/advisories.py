"""Does anything that gets installed have a known vulnerability?

    python -m local.advisories             `make check`: asks when it can, and says so when it could not
    python -m local.advisories --insist    `make audit`: not having been able to ask is a failure

One question to OSV (`POST /v1/querybatch`, the public database that pip-audit and npm's advisories feed into as well)
about every version in our locks, of PyPI and of npm. An answer is believed only if it also knows two versions that are
known to be vulnerable: a mirror or a proxy that knows nothing would otherwise look like good news.

What cannot be helped yet is accepted in `pyproject.toml`, with a reason and an end:

    [tool.atelier.accepted-advisories]
    GHSA-xxxx-xxxx-xxxx = { until = 2027-01-31, because = "only reached through a function that we do not call" }
"""

import argparse
import json
import os
import sys
import threading
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple

import httpx

from local.dependencies import LOCKS, read_lock, read_npm
from local.paths import ROOT

SERVICE: Final = "https://api.osv.dev"
SECONDS: Final = 15.0  # for everything: a check must end, whatever the network does
_MOST: Final = 1000  # questions in one call, by OSV's documentation
_LARGEST: Final = 4_000_000  # bytes of one answer


class Package(NamedTuple):
    ecosystem: str  # as OSV spells it
    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.ecosystem})"


# In OSV's own documentation, and among the best known of npm's.
KNOWN_BAD: Final = (Package("PyPI", "jinja2", "2.4.1"), Package("npm", "lodash", "4.17.15"))


class NotAsked(Exception):
    """The service cannot be reached, or its answer cannot be believed. One sentence."""


def locked() -> list[Package]:
    """Every version that our locks install anywhere."""
    found: set[Package] = set()
    for name in LOCKS:
        versions, _ = read_lock((ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8"))
        found |= {Package("PyPI", name, version) for name, each in versions.items() for version in each}
    npm, _ = read_npm(ROOT / "supabase")
    found |= {
        Package("npm", path.rpartition("node_modules/")[2], version) for path, each in npm.items() for version in each
    }
    return sorted(found)


def ask(packages: Sequence[Package], service: str = SERVICE, seconds: float = SECONDS) -> dict[Package, list[str]]:
    """The ids of what is known about each, for those about which something is. Raises NotAsked, within `seconds`."""
    outcome: list[dict[Package, list[str]] | Exception] = []

    def work() -> None:
        try:
            outcome.append(_asked(packages, service, seconds))
        except Exception as error:
            outcome.append(error)

    # A thread that is left behind: neither a slow name server nor an answer that drips holds anybody up.
    asking = threading.Thread(target=work, daemon=True)
    asking.start()
    asking.join(seconds)
    if not outcome:
        raise NotAsked(f"{service} did not answer within {seconds:g} seconds.")
    answer = outcome[0]
    if isinstance(answer, httpx.HTTPError | OSError):
        raise NotAsked(f"{service} cannot be reached ({type(answer).__name__}).") from answer
    if isinstance(answer, Exception):
        raise answer
    return answer


def _asked(packages: Sequence[Package], service: str, seconds: float) -> dict[Package, list[str]]:
    questions = [*KNOWN_BAD, *packages]
    if len(questions) > _MOST:
        raise ValueError(f"More than {_MOST} packages at once.")
    body = {
        "queries": [{"package": {"name": p.name, "ecosystem": p.ecosystem}, "version": p.version} for p in questions]
    }
    with httpx.stream(
        "POST", f"{service}/v1/querybatch", json=body, timeout=httpx.Timeout(seconds, connect=5), follow_redirects=False
    ) as answer:
        if answer.status_code != 200:
            raise NotAsked(f"{service} answers {answer.status_code}.")
        raw = b""
        for chunk in answer.iter_bytes():
            raw += chunk
            if len(raw) > _LARGEST:
                raise NotAsked(f"{service} answers with more than {_LARGEST} bytes.")
    found = _read(raw, questions, service)
    for package in KNOWN_BAD:
        if not found.pop(package, None):
            raise NotAsked(f"{service} does not know that {package} is vulnerable, so its silence says nothing.")
    return found


def _read(raw: bytes, questions: Sequence[Package], service: str) -> dict[Package, list[str]]:
    """`{"results": [{"vulns": [{"id": …}]}, {}, …]}`, in the order of the questions."""
    try:
        results = json.loads(raw)["results"]
        ids = [[str(vulnerability["id"]) for vulnerability in result.get("vulns", [])] for result in results]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise NotAsked(f"{service} gives no usable answer.") from error
    if len(ids) != len(questions):
        raise NotAsked(f"{service} answers {len(ids)} of {len(questions)} questions.")
    return {package: sorted(each) for package, each in zip(questions, ids, strict=True) if each}


def verdict(
    found: Mapping[Package, Sequence[str]], accepted: Mapping[str, Mapping[str, Any]], today: date
) -> list[str]:
    """What stands in the way, one line each: vulnerabilities that nobody accepted, or not for so long."""
    complaints = []
    for package, ids in sorted(found.items()):
        for each in ids:
            terms = accepted.get(each)
            if terms is None:
                complaints.append(f"{package}: {each} ({SERVICE.replace('api.', '')}/{each})")
            elif type(terms.get("until")) is not date or not str(terms.get("because", "")).strip():
                complaints.append(f"{package}: {each} is accepted without an end or a reason")
            elif terms["until"] < today:
                complaints.append(f"{package}: {each} was accepted until {terms['until']}")
    return complaints


def accepted_advisories(project: str) -> dict[str, Any]:
    """What pyproject.toml accepts, by id."""
    return dict(tomllib.loads(project).get("tool", {}).get("atelier", {}).get("accepted-advisories", {}))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m local.advisories", description="Known vulnerabilities?")
    parser.add_argument("--insist", action="store_true", help="fail when nobody could be asked")
    insists = parser.parse_args(arguments).insist
    packages = locked()
    try:
        found = ask(packages, os.environ.get("OSV_URL") or SERVICE)
    except NotAsked as error:
        print(f"Known vulnerabilities were not looked up: {error}", file=sys.stderr)
        return 1 if insists else 0
    accepted = accepted_advisories((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    complaints = verdict(found, accepted, datetime.now(UTC).date())
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    if not complaints:
        print(f"No known vulnerabilities in {len(packages)} packages.")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
