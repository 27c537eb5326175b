"""Backups of the stack on this machine: `python -m local backup FILE` and `restore FILE`."""
