"""python -m local.chaos [--jobs 2000] [--seed N]: prints what was done and what was found, fails on any violation."""

import argparse
import random
import sys

from local.chaos.run import Outcome, run
from local.errors import LocalError

SHOWN = 20  # violations of one check


def table(outcome: Outcome) -> str:
    """The figures of a run, for a terminal."""
    lines = []
    for title, figures in (("done to it", outcome.done), ("what came of it", outcome.found)):
        lines += ["", title, *(f"  {count:>8}  {what}" for what, count in sorted(figures.items()))]
    lines += ["", "found"]
    for check in outcome.checks:
        verdict = f"{len(check.violations)} VIOLATIONS" if check.violations else "none violated"
        lines.append(f"  {check.cases:>8}  {check.name}: {verdict}")
        lines += [f"            {violation}" for violation in check.violations[:SHOWN]]
    times = ", ".join(f"{what} {seconds:.0f} s" for what, seconds in outcome.seconds.items())
    return "\n".join([*lines, "", f"seed {outcome.seed} · {times}"])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.chaos", description="Everything goes wrong at once.")
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=None, help="the same seed does the same to the same jobs")
    arguments = parser.parse_args()
    seed = random.SystemRandom().randrange(1_000_000) if arguments.seed is None else arguments.seed
    try:
        outcome = run(arguments.jobs, seed, lambda text: print(text, flush=True))
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    print(table(outcome))
    return 1 if outcome.violations else 0


if __name__ == "__main__":
    sys.exit(main())
