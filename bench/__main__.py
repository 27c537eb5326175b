"""`make bench`: measure, print one table, write JSON.

python -m bench [--jobs 1000000] [--only submit,webhook] [--json PATH] [--state FOLDER] [--write] [--list]
"""

import argparse
import os
import sys
import time
from pathlib import Path

from bench import report
from bench.openings import books_agree
from bench.plan import LINES
from bench.report import Result
from bench.studio import machine
from local.lock import exclusive
from local.paths import ROOT, state_directory
from local.processes import close_guardian

DOCUMENT = ROOT / "docs" / "performance.md"


def main() -> int:
    options = _options()
    if options.list:
        for name, line in LINES.items():
            print(f"{name:<10} {line.what}")
        return 0
    chosen = options.only.split(",") if options.only else list(LINES)
    unknown = [name for name in chosen if name not in LINES]
    if unknown:
        print(f"There is no line {', '.join(unknown)}; there are {', '.join(LINES)}.", file=sys.stderr)
        return 2
    if options.write and options.only:
        print("--write takes a whole run: figures of different runs do not belong into one table.", file=sys.stderr)
        return 2
    os.umask(0o077)
    facts, at = report.machine_facts(), report.now()
    results: list[Result] = []
    try:
        with exclusive(options.state), machine(options.state, _say) as found:
            for name in chosen:
                started = time.monotonic()
                _say(f"Measuring {name}: {LINES[name].what}")
                results += LINES[name].measure(found, options.jobs)
                _say(f"  {time.monotonic() - started:.0f} s")
                report.write(options.json, at, results, options.jobs, facts)
            for studio in found.studios:
                books_agree(studio)
    finally:
        close_guardian()
    if options.write:
        report.write_document(DOCUMENT, at, results, options.jobs, facts)
    print()
    print(report.table(results))
    print()
    load = facts["load_average"][0]
    print(f"{facts['cores']} cores of {facts['processor']}, load {load} at the start. JSON: {options.json}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Measure Atelier on a made history.")
    parser.add_argument(
        "--jobs", type=int, default=1_000_000, help="size of the large history (the small one has 1,000)"
    )
    parser.add_argument("--only", default="", metavar="LINE[,LINE]", help="these lines; all without")
    parser.add_argument("--json", type=Path, default=state_directory() / "bench.json")
    parser.add_argument(
        "--state", type=_folder, default=state_directory() / "bench", help="where the histories are kept"
    )
    parser.add_argument("--write", action="store_true", help="put the figures into docs/performance.md")
    parser.add_argument("--list", action="store_true", help="name the lines and end")
    return parser.parse_args()


def _folder(text: str) -> Path:
    """PostgreSQL runs in a folder of its own and would look for a relative one there."""
    return Path(text).resolve()


def _say(sentence: str) -> None:
    print(sentence, flush=True)


if __name__ == "__main__":
    sys.exit(main())
