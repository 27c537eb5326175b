"""What a simulated service keeps between two starts: one SQLite file."""

import sqlite3
from pathlib import Path


def opened(path: Path, schema: str) -> sqlite3.Connection:
    """A connection for one event loop, each statement its own unless a transaction is begun; `schema` is applied."""
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    connection.execute("pragma journal_mode = wal")
    # Survives a killed process; only a power cut could lose the last writes, and nothing here is worth an fsync.
    connection.execute("pragma synchronous = off")
    connection.executescript(schema)
    return connection
