"""`python -m local run | status [--json] | reset`."""

import argparse
import json
import sys
from dataclasses import asdict

from local import status
from local.errors import LocalError
from local.paths import state_directory
from local.reset import reset
from local.run import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local", description="Atelier on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    runs = commands.add_parser("run", help="start everything and keep it running until Ctrl-C")
    runs.add_argument("--with-parent", action="store_true", help="stop as well when the calling process ends")
    asked = commands.add_parser("status", help="what runs, where, who can sign in; fails when something is not well")
    asked.add_argument("--json", action="store_true", help="for programs")
    commands.add_parser("reset", help="forget the database and all files, keep the secrets")
    arguments = parser.parse_args()
    state = state_directory()
    try:
        if arguments.command == "run":
            run(state, with_parent=arguments.with_parent)
        elif arguments.command == "reset":
            reset(state)
            print(f"The data in {state} is gone; the next start begins afresh.")
        else:
            found = status.read(state)
            print(json.dumps(asdict(found), indent=2) if arguments.json else status.as_text(found))
            return 0 if found.ready and all(found.healthy.values()) else 1
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
