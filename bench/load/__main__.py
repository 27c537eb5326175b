"""`make load`: webhooks at a rate while people click; prints what was reached and fails when anything was lost.

python -m bench.load [--rate 500] [--seconds 60] [--people 50] [--minutes 5] [--pause 5] [--drain 300] [--json PATH]
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from bench import report
from bench.load.figures import as_json, table
from bench.load.run import Wish, loaded
from bench.openings import MARKETERS
from local.errors import LocalError
from local.paths import state_directory
from local.processes import close_guardian


def main() -> int:
    wish, file = _options()
    os.umask(0o077)
    facts = report.machine_facts()
    folder = Path(tempfile.mkdtemp(prefix="atelier-load-"))
    try:
        with loaded(wish, _say, folder) as run:
            outcome = run.outcome
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        close_guardian()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(as_json(outcome, facts), encoding="utf-8")
    print()
    print(table(outcome))
    print()
    busy = facts["load_average"][0]
    print(f"{facts['cores']} cores of {facts['processor']}, load {busy} at the start. JSON: {file}")
    if outcome.violations:
        print(f"Everything that was written is kept in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


def _options() -> tuple[Wish, Path]:
    usual = Wish()
    parser = argparse.ArgumentParser(prog="bench.load", description="Webhooks at a rate while people click.")
    parser.add_argument("--rate", type=float, default=usual.rate, help="webhooks a second")
    parser.add_argument("--seconds", type=float, default=usual.seconds, help="of webhooks")
    parser.add_argument("--people", type=int, default=usual.people)
    parser.add_argument("--minutes", type=float, default=usual.clicking / 60, help="of clicking")
    parser.add_argument("--pause", type=float, default=usual.pause, help="seconds between two clicks, on average")
    parser.add_argument("--connections", type=int, default=usual.connections, help="of fal.ai to the companion")
    parser.add_argument("--drain", type=float, default=usual.drain, help="seconds for copying files afterwards")
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--json", type=Path, default=state_directory() / "load.json")
    given = parser.parse_args()
    if not 0 < given.people < len(MARKETERS):
        parser.error(f"--people must be from 1 to {len(MARKETERS) - 1}")
    wish = Wish(
        rate=given.rate,
        seconds=given.seconds,
        people=given.people,
        clicking=given.minutes * 60,
        pause=given.pause,
        connections=given.connections,
        drain=given.drain,
        seed=given.seed,
    )
    return wish, given.json


def _say(sentence: str) -> None:
    print(sentence, flush=True)


if __name__ == "__main__":
    sys.exit(main())
