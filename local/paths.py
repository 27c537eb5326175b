"""Where things are: the sources, and the folder that holds everything a running stack writes."""

import os
from pathlib import Path

from dotenv import dotenv_values

ROOT = Path(__file__).resolve().parent.parent
SUPABASE = ROOT / "supabase"
MIGRATIONS = SUPABASE / "migrations"
ENV_FILE = ROOT / ".env"


def state_directory() -> Path:
    """`.local/` beside the sources, or `LOCAL_DIR`: databases, secrets, logs, produced files."""
    configured = os.environ.get("LOCAL_DIR") or dotenv_values(ENV_FILE, interpolate=False).get("LOCAL_DIR")
    return Path(configured).expanduser().resolve() if configured else ROOT / ".local"
