"""`make db-reset`: forget the database, the media and what the simulators keep; the secrets stay."""

import shutil
from pathlib import Path

from local import lock
from local.run import SEEDED

DATA = ("postgres", "supabase", "fal", "stripe", "logs")


def reset(state: Path) -> None:
    """Raises `LocalError` when the stack runs."""
    with lock.exclusive(state):
        (state / SEEDED).unlink(missing_ok=True)
        for name in DATA:
            if (state / name).exists():
                shutil.rmtree(state / name)
