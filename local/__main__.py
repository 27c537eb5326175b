"""`python -m local run | status [--json] | reset | backup FILE | restore FILE`."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from local import status
from local.backup.archive import Manifest
from local.backup.bring import restore
from local.backup.take import backup
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
    taken = commands.add_parser("backup", help="database, files and secrets into one file, while it runs or not")
    taken.add_argument("file", type=Path)
    taken.add_argument("--overwrite", action="store_true", help="also when the file is there already")
    brought = commands.add_parser("restore", help="bring back a backup; the stack must be stopped")
    brought.add_argument("file", type=Path)
    brought.add_argument("--replace", action="store_true", help="put the data that is there aside")
    arguments = parser.parse_args()
    state = state_directory()
    try:
        if arguments.command == "run":
            run(state, with_parent=arguments.with_parent)
        elif arguments.command == "reset":
            reset(state)
            print(f"The data in {state} is gone; the next start begins afresh.")
        elif arguments.command == "backup":
            manifest = backup(state, arguments.file, overwrite=arguments.overwrite)
            print(f"{arguments.file}: {summary(manifest)}. Keep it as safe as the database: the secrets are in it.")
        elif arguments.command == "restore":
            manifest, done = restore(state, arguments.file, replace_data=arguments.replace)
            print(f"Brought back what was there at {manifest.created_at}: {summary(manifest)}.")
            print(
                f"Jobs that may have been sent since: {done['unclear']}, looked for and not sent again. "
                f"Open at fal.ai: {done['to_look_at']}. Campaign runs stopped: {done['runs_stopped']}."
            )
        else:
            found = status.read(state)
            print(json.dumps(asdict(found), indent=2) if arguments.json else status.as_text(found))
            return 0 if found.ready and all(found.healthy.values()) else 1
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def summary(manifest: Manifest) -> str:
    """1,234 rows, 56 files, books in balance."""
    books = f"{len(manifest.audit)} findings in the books" if manifest.audit else "books in balance"
    return f"{sum(manifest.tables.values()):,} rows, {len(manifest.objects):,} files, {books}"


if __name__ == "__main__":
    sys.exit(main())
