"""Recompute the rollup of the spend from the history: `python -m core.rebuild`.

Ends with 0 when there was no difference, 1 when there was one (corrected and printed), 2 when it could not be done.
"""

import sys
from typing import Any

import httpx

from core.database import Database
from core.errors import AtelierError
from core.settings import WITHOUT_DATABASE, Settings, get_settings

PATIENCE = httpx.Timeout(600.0, connect=5.0)  # a long history takes its time, and so does a lock


def rebuild(settings: Settings) -> list[dict[str, Any]]:
    """Correct the rollup; returns the differences: day, user_id, generation_type, had, should. Raises DatabaseError."""
    with httpx.Client(timeout=PATIENCE) as http:
        differences: list[dict[str, Any]] = Database(settings, http).call("rebuild_spend_daily")
        return differences


def main() -> int:
    """Rebuild and print each row that was wrong. The exit code, as above."""
    settings = get_settings()
    if not (settings.supabase_url and settings.supabase_secret_key):
        print(f"{WITHOUT_DATABASE} Nothing was changed.", file=sys.stderr)
        return 2
    try:
        differences = rebuild(settings)
    except AtelierError as error:
        print(error.sentence, file=sys.stderr)
        return 2
    for row in differences:
        place = f"{row['day']} {row['user_id']} {row['generation_type']}"
        print(f"{place}: had {row['had'] or 'nothing'}, corrected to {row['should'] or 'nothing'}")
    print(f"{len(differences)} rows were wrong and are corrected." if differences else "No difference.")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
