"""Reads `lints.sql`: the rules of Supabase's database linter as queries, each a list of findings."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from local.paths import SUPABASE
from tests.database.books import Connection

OURS = ("public", "private")
# Rules of Supabase that are no query on a migrated database, and why.
NOT_ASKED = {
    "unused_index": "counts scans: a fresh database has none, production's statistics tell it",
    "table_bloat": "measures dead rows: a fresh database has none",
    "auth_allow_anonymous_sign_ins": "is about the settings of sign-in: see the test of config.toml",
}


@dataclass(frozen=True)
class Lint:
    name: str
    number: str  # Supabase's, or "own"
    query: str

    def findings(self, connection: Connection) -> list[str]:
        return [next(iter(row.values())) for row in connection.execute(self.query.encode()).fetchall()]


def exposed_schemas() -> tuple[str, ...]:
    """The schemas that the API shows."""
    config = tomllib.loads((SUPABASE / "config.toml").read_text(encoding="utf-8"))
    return tuple(config["api"]["schemas"])


def _oids(schemas: tuple[str, ...]) -> str:
    return f"('{{{','.join(schemas)}}}'::regnamespace[]::oid[])"


def read_lints() -> dict[str, Lint]:
    """Every rule of `lints.sql` by its name."""
    text = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    text = text.replace("(ours)", _oids(OURS)).replace("(exposed)", _oids(exposed_schemas()))
    parts = re.split(r"^-- lint: (\w+) \(([\w, ]+)\)$", text, flags=re.MULTILINE)[1:]
    lints = [Lint(*part) for part in zip(parts[0::3], parts[1::3], parts[2::3], strict=True)]
    return {lint.name: lint for lint in lints}
