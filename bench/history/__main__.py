"""`python -m bench.history URL --jobs N`: fill a migrated database that holds no jobs yet."""

import argparse

from bench.history.filling import fill


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.history", description="Fill a migrated database with a made history.")
    parser.add_argument("url", help="the superuser's connection string")
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    fill(options.url, options.jobs, options.seed, report=print)


main()
