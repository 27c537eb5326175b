"""What everybody may do through the API is what `access_matrix.txt` says, line by line, and nothing is left unsaid."""

from collections.abc import Iterable
from pathlib import Path

import httpx
from psycopg import sql

from tests.integration.storage_deeds import DEEDS, Store
from tests.integration.world import PERSONAS, World

Matrix = dict[str, dict[str, dict[str, str]]]
MATRIX_FILE = Path(__file__).with_name("access_matrix.txt")
API_ROLES = ("anon", "authenticated", "service_role")

# Whose a row is, and which rows are shared with the team, where `user_id = me` does not say it.
_TEAM = "(select id from campaigns where visibility = 'team')"
_OF_OWN_CAMPAIGN = "campaign_id in (select id from campaigns where owner_id = {me})"
OWN = {
    "campaigns": "owner_id = {me}",
    "campaign_clips": _OF_OWN_CAMPAIGN,
    "clip_versions": _OF_OWN_CAMPAIGN,
    "campaign_runs": _OF_OWN_CAMPAIGN,
    "campaign_run_clips": f"run_id in (select id from campaign_runs where {_OF_OWN_CAMPAIGN})",
}
TEAM = {
    "budget_snapshots": "scope = 'team'",
    "campaigns": "visibility = 'team'",
    "campaign_clips": f"campaign_id in {_TEAM}",
    "clip_versions": f"campaign_id in {_TEAM}",
    "campaign_runs": f"campaign_id in {_TEAM}",
    "campaign_run_clips": f"run_id in (select id from campaign_runs where campaign_id in {_TEAM})",
    "generation_jobs": f"id in (select job_id from clip_versions where campaign_id in {_TEAM})",
    "presets": "is_shared",
    "job_outputs": f"job_id in (select job_id from clip_versions where campaign_id in {_TEAM})",
}


def read_matrix() -> Matrix:
    """{section: {what: {persona: outcome}}}."""
    matrix: Matrix = {}
    section: dict[str, dict[str, str]] = {}
    for line in MATRIX_FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = matrix[line.strip("[]")] = {}
        elif line.strip() and not line.startswith("#") and line.split() != list(PERSONAS):
            words = line.split()
            name, cells = " ".join(words[: -len(PERSONAS)]), words[-len(PERSONAS) :]
            assert name, f"a line without its outcomes: {line}"
            assert name not in section, f"said twice: {name}"
            section[name] = dict(zip(PERSONAS, cells, strict=True))
    return matrix


MATRIX = read_matrix()


def names(world: World, query: str) -> list[str]:
    return [next(iter(row.values())) for row in world.books.all(query)]


def tables(world: World) -> list[str]:
    return names(
        world,
        "select relname from pg_class where relnamespace = 'public'::regnamespace"
        " and relkind in ('r', 'p', 'v', 'm', 'f') order by 1",
    )


def arguments(world: World) -> dict[str, list[str]]:
    """{function: the names of its arguments}."""
    rows = world.books.all(
        "select proname, coalesce(proargnames[:pronargs], '{}') as names from pg_proc"
        " where pronamespace = 'public'::regnamespace"
    )
    assert len({row["proname"] for row in rows}) == len(rows), "the API cannot tell functions of one name apart"
    return {row["proname"]: row["names"] for row in rows}


def refused(answer: httpx.Response, kind: str) -> bool:
    """The database refused it for want of a grant: not because of what was sent."""
    if answer.status_code not in (401, 403):
        return False
    problem = answer.json()
    kinds = ("table", "view") if kind == "table" else (kind,)
    return problem["code"] == "42501" and problem["message"].startswith(
        tuple(f"permission denied for {k} " for k in kinds)
    )


def report(problems: Iterable[str | None]) -> None:
    """Fail with every problem, not only the first."""
    found = [problem for problem in problems if problem]
    assert not found, "\n".join(["", *found])


# Nothing is left unsaid


def test_every_table_and_function_has_its_line(world: World) -> None:
    assert sorted(MATRIX["tables"]) == tables(world)
    missing = sorted(set(arguments(world)) - set(MATRIX["functions"]))
    assert not missing, f"add a line for each to [functions] of {MATRIX_FILE.name}: {missing}"
    gone = sorted(set(MATRIX["functions"]) - set(arguments(world)))
    assert not gone, f"take these lines out of {MATRIX_FILE.name}: {gone}"
    assert set(MATRIX["storage"]) == set(DEEDS)


def test_every_column_that_may_be_written_has_its_line(world: World) -> None:
    granted = world.books.all(
        "select distinct c.relname || ' ' || lower(what) || ' ' || a.attname as name"
        " from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
        " cross join unnest(%s::text[]) role cross join unnest(array['INSERT', 'UPDATE']) what"
        " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')"
        " and has_column_privilege(role, c.oid, a.attnum, what)",
        list(API_ROLES),
    )
    assert {row["name"] for row in granted} == set(MATRIX["writes"])


# Reading


def keys_of(world: World, table: str, where: str = "true") -> set[str]:
    """The primary keys of the rows for which this holds, as text."""
    query = sql.SQL("select {} as key from {} where {}").format(
        sql.SQL(" || '/' || ").join(sql.SQL("{}::text").format(sql.Identifier(column)) for column in key(world, table)),
        sql.Identifier(table),
        sql.SQL(where),  # type: ignore[arg-type]
    )
    return {row["key"] for row in world.books.owner.execute(query).fetchall()}


def key(world: World, table: str) -> list[str]:
    """The columns that tell its rows apart; a view has no primary key, its rows have an `id`."""
    query = (
        "select a.attname from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)"
        f" where i.indisprimary and i.indrelid = 'public.{table}'::regclass order by a.attnum"
    )
    return names(world, query) or ["id"]


def rows_for(world: World, persona: str, table: str, outcome: str) -> set[str]:
    """The rows that an outcome of the matrix stands for; each another set, or it would prove nothing."""
    everything = keys_of(world, table)
    if outcome in ("none", "all"):
        assert everything, f"there is no row in {table}"
        return everything if outcome == "all" else set()
    me = f"'{world.people[persona]}'"
    own = keys_of(world, table, OWN.get(table, "user_id = {me}").format(me=me))
    team = keys_of(world, table, TEAM.get(table, "false"))
    assert own, f"{persona} has nothing in {table}"
    assert own | team < everything, f"there is nothing that {persona} must not see in {table}"
    if outcome == "own":
        return own
    assert outcome == "team"
    assert team - own, f"nothing in {table} is shared with {persona}"
    return own | team


def test_everybody_sees_their_rows(world: World) -> None:
    def look(table: str, persona: str, outcome: str) -> str | None:
        answer = world.ask(persona, "GET", f"/rest/v1/{table}", params={"select": "*"})
        if outcome == "-":
            return None if refused(answer, "table") else f"{table}, {persona}: {answer.status_code} {answer.text[:200]}"
        if answer.status_code != 200:
            return f"{table}, {persona}: {answer.status_code} {answer.text[:200]}"
        seen = {"/".join(str(row[column]) for column in columns[table]) for row in answer.json()}
        wanted = expected[table, persona]
        if seen == wanted:
            return None
        return f"{table}, {persona}: {outcome} is {len(wanted)} rows, not these: {sorted(seen ^ wanted)[:5]}"

    cells = [(t, p, outcome) for t, line in MATRIX["tables"].items() for p, outcome in line.items()]
    columns = {table: key(world, table) for table in MATRIX["tables"]}
    expected = {(t, p): rows_for(world, p, t, outcome) for t, p, outcome in cells if outcome != "-"}
    report(world.threads.map(lambda cell: look(*cell), cells))


# Writing


def writable_columns(world: World, table: str) -> list[str]:
    """Columns to which a value could be given, were it granted."""
    return names(
        world,
        f"select attname from pg_attribute where attrelid = 'public.{table}'::regclass and attnum > 0"
        " and not attisdropped and attgenerated = '' and attidentity = '' order by attnum",
    )


def test_everybody_writes_what_is_theirs_to_write_and_nothing_else(world: World) -> None:
    def attempt(persona: str, table: str, method: str, column: str) -> str | None:
        every_row = {f"{key_columns[table]}": "not.is.null"}
        answer = world.ask(
            persona,
            method,
            f"/rest/v1/{table}",
            params=None if method == "POST" else every_row,
            json=None if method == "DELETE" else {column: "x" if said.get(table) == {column} else None},
            headers={"Prefer": "return=representation"},
        )
        what = {"POST": "insert", "PATCH": "update", "DELETE": "delete"}[method]
        outcome = MATRIX["writes"].get(f"{table} {what} {column}", {}).get(persona, "-")
        if outcome == "-":
            # A view of several tables is written by nobody, whatever is granted: PostgreSQL says so first.
            fine = refused(answer, "table") or (table in views and answer.json()["code"] == "55000")
        else:
            assert outcome == "own"
            fine = answer.status_code == 200 and [row["user_id"] for row in answer.json()] == [
                str(world.people[persona])
            ]
        return None if fine else f"{what} {table}.{column}, {persona}: {answer.status_code} {answer.text[:200]}"

    views = names(world, "select viewname from pg_views where schemaname = 'public'")
    key_columns = {table: key(world, table)[0] for table in tables(world)}
    said = {words.split()[0]: {words.split()[2]} for words in MATRIX["writes"]}
    attempts: list[tuple[str, str, str, str]] = []
    for table in tables(world):
        columns = writable_columns(world, table)
        # Where something is granted every column is tried; elsewhere the grants, which are checked, speak for the rest.
        tried = columns if table in said else columns[:1]
        for persona in PERSONAS:
            attempts += [(persona, table, "DELETE", ""), (persona, table, "POST", columns[0])]
            attempts += [(persona, table, "PATCH", column) for column in tried]
    before = world.books.contents()
    report(world.threads.map(lambda each: attempt(*each), attempts))
    changed = {table for table, rows in world.books.contents().items() if rows != before[table]}
    assert changed == set(said)


# Storage


def test_everybody_does_to_files_what_is_theirs_to_do(world: World) -> None:
    store = Store(world)
    problems = []
    for persona in PERSONAS:  # the secret key last
        for name, deed in DEEDS.items():
            worked = store.did(persona, deed)
            if worked != (MATRIX["storage"][name][persona] == "yes"):
                problems.append(f"{name}, {persona}: {'works' if worked else 'does not work'}")
    report(problems)


# Calling


def test_everybody_calls_the_functions_that_are_theirs_to_call(world: World) -> None:
    def call(function: str, persona: str, outcome: str) -> str | None:
        answer = world.ask(persona, "POST", f"/rest/v1/rpc/{function}", json=dict.fromkeys(known[function]))
        if outcome == "-":
            fine = refused(answer, "function")
        else:
            assert outcome == "runs"
            # Nothing was given to it, so it may well say no: by a rule, or for want of a value. But it was called.
            fine = not refused(answer, "function") and "PGRST" not in answer.text
        return None if fine else f"{function}, {persona}: {answer.status_code} {answer.text[:200]}"

    known = arguments(world)
    cells = [(f, p, outcome) for f, line in MATRIX["functions"].items() for p, outcome in line.items()]
    closed = [cell for cell in cells if cell[2] == "-"]
    with world.books.unchanged():
        report(world.threads.map(lambda cell: call(*cell), closed))
    # What runs may change something: last, one after the other.
    report(call(*cell) for cell in cells if cell[2] != "-")
