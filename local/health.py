"""Whether a server on loopback is well."""

from collections.abc import Mapping

import httpx
import psycopg

from local.errors import LocalError

SECONDS = 2.0


def answers(url: str, headers: Mapping[str, str] | None = None) -> bool:
    """Whether a GET is answered with success."""
    try:
        return httpx.get(url, headers=headers, timeout=SECONDS).is_success
    except httpx.TransportError:
        return False


def accepts(database_url: str) -> bool:
    """Whether PostgreSQL takes connections; it does not while it recovers. Raises `LocalError` when it refuses us."""
    try:
        psycopg.connect(database_url, connect_timeout=int(SECONDS)).close()
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            raise LocalError(
                "PostgreSQL refuses our password: its data belongs to other secrets (`make db-reset` starts afresh)."
            ) from error
        return False
    return True
