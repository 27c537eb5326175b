"""Who may do what: nobody anything by accident, people their own rows, the service the functions and nothing else."""

from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from local import migrations, supabase
from local.postgres import Postgres
from tests.database.books import (
    Books,
    as_person,
    opened,
    shared_books_fixture,  # noqa: F401
)

API_ROLES = ("anon", "authenticated")
TABLE_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
# The columns that say whose a row is.
OWNER = {"campaigns": "owner_id"}


def rights(books: Books, role: str, schema: str) -> set[tuple[str, str]]:
    """(table, right), also the rights on single columns, as `table.column`."""
    tables = books.all(
        "select c.relname as name, r.what from pg_class c, unnest(%s::text[]) as r(what)"
        " where c.relnamespace = %s::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')"
        " and has_table_privilege(%s, c.oid, r.what)",
        list(TABLE_RIGHTS),
        schema,
        role,
    )
    columns = books.all(
        "select c.relname || '.' || a.attname as name, r.what"
        " from pg_class c join pg_attribute a on a.attrelid = c.oid,"
        " unnest(array['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) as r(what)"
        " where c.relnamespace = %s::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f') and a.attnum > 0"
        " and not a.attisdropped and has_column_privilege(%s, c.oid, a.attnum, r.what)"
        " and not has_table_privilege(%s, c.oid, r.what)",
        schema,
        role,
        role,
    )
    return {(row["name"], row["what"]) for row in tables + columns}


def executable(books: Books, role: str, schema: str) -> set[str]:
    rows = books.all(
        "select proname from pg_proc where pronamespace = %s::regnamespace"
        " and has_function_privilege(%s, oid, 'EXECUTE')",
        schema,
        role,
    )
    return {row["proname"] for row in rows}


def tables(books: Books, schema: str = "public") -> set[str]:
    rows = books.all("select tablename from pg_tables where schemaname = %s", schema)
    return {row["tablename"] for row in rows}


def functions(books: Books, schema: str = "public") -> set[str]:
    rows = books.all("select proname from pg_proc where pronamespace = %s::regnamespace", schema)
    return {row["proname"] for row in rows}


# Rights, counted


def nobody_has_what_was_not_granted(books: Books) -> None:
    """What must hold after the migrations, whatever the project granted by default before them."""
    for schema in ("public", "private"):
        assert rights(books, "anon", schema) == set()
        assert executable(books, "anon", schema) == set()
    assert rights(books, "authenticated", "private") == set()
    assert executable(books, "authenticated", "public") == set()
    granted = rights(books, "authenticated", "public")
    assert {right for _, right in granted} == {"SELECT", "UPDATE"}
    assert {name for name, right in granted if right == "UPDATE"} == {"profiles.full_name"}
    assert {right for _, right in rights(books, "service_role", "public")} == {"SELECT"}
    assert rights(books, "service_role", "private") == set()
    assert executable(books, "service_role", "private") == set()


def test_nobody_has_what_was_not_granted(shared_books: Books) -> None:
    nobody_has_what_was_not_granted(shared_books)


def test_nobody_has_it_where_a_project_grants_everything_by_default(postgres: Postgres) -> None:
    """Older hosted projects grant every new table and function in `public` to the API roles."""
    url = postgres.create_database("grants_by_default")
    supabase.prepare(url)
    with psycopg.connect(url, autocommit=True) as connection:
        for what in ("tables", "functions", "sequences"):
            connection.execute(
                f"alter default privileges in schema public grant all on {what}"
                " to anon, authenticated, service_role".encode()
            )
    migrations.apply(url)
    with opened(url) as books:
        nobody_has_what_was_not_granted(books)
    postgres.drop_database("grants_by_default")


def test_people_can_execute_only_what_policies_need(shared_books: Books) -> None:
    allowed = executable(shared_books, "authenticated", "private")
    policies = " ".join(
        row["text"]
        for row in shared_books.all(
            "select concat(qual, with_check) as text from pg_policies where schemaname in ('public', 'storage')"
        )
    )
    assert "is_admin" in allowed
    assert [name for name in allowed if f"private.{name}(" not in policies] == []


def test_the_service_can_execute_every_public_function_and_read_every_public_table(shared_books: Books) -> None:
    assert executable(shared_books, "service_role", "public") == functions(shared_books)
    readable = {name for name, right in rights(shared_books, "service_role", "public") if right == "SELECT"}
    assert readable == tables(shared_books)


def test_no_view_goes_around_the_policies(shared_books: Books) -> None:
    assert (
        shared_books.all(
            "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('v', 'm')"
            " and not coalesce(reloptions && array['security_invoker=true', 'security_invoker=on'], false)"
        )
        == []
    )


# Rights, tried


def test_anon_can_do_nothing(shared_books: Books) -> None:
    for schema in ("public", "private"):
        for name in tables(shared_books, schema):
            with (
                as_person(shared_books.url, None, "anon") as connection,
                pytest.raises(InsufficientPrivilege, match="permission denied"),
            ):
                connection.execute(sql.SQL("select from {}").format(sql.Identifier(schema, name)))


@pytest.mark.parametrize("role", API_ROLES)
def test_nobody_signed_in_or_not_calls_a_function(shared_books: Books, role: str) -> None:
    calls = shared_books.all(
        "select proname, (select string_agg('null::' || t::regtype, ', ') from unnest(proargtypes) t) as arguments"
        " from pg_proc where pronamespace = 'public'::regnamespace and prorettype <> 'trigger'::regtype"
    )
    assert len(calls) > 25
    for row in calls:
        with as_person(shared_books.url, uuid4(), role) as connection, pytest.raises(InsufficientPrivilege):
            connection.execute(f"select public.{row['proname']}({row['arguments'] or ''})".encode())


def test_the_service_writes_through_functions_only(shared_books: Books) -> None:
    for name in tables(shared_books):
        table = sql.Identifier("public", name)
        for statement in ("insert into {} default values", "delete from {}", "truncate {}"):
            with pytest.raises(InsufficientPrivilege):
                shared_books.service.execute(sql.SQL(statement).format(table))
        column = shared_books.value(
            "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and attidentity = ''"
            " and attgenerated = '' and not attisdropped order by attnum limit 1",
            f"public.{name}",
        )
        with pytest.raises(InsufficientPrivilege):
            shared_books.service.execute(
                sql.SQL("update {} set {column} = {column}").format(table, column=sql.Identifier(column))
            )
    for name in tables(shared_books, "private"):
        with pytest.raises(InsufficientPrivilege):
            shared_books.service.execute(sql.SQL("select from {}").format(sql.Identifier("private", name)))


def test_the_bucket_is_private(shared_books: Books) -> None:
    assert shared_books.value("select public from storage.buckets where id = 'media'") is False


# What the linter of Supabase looks at


def test_every_public_table_has_row_level_security(shared_books: Books) -> None:
    assert shared_books.all("select tablename from pg_tables where schemaname = 'public' and not rowsecurity") == []


def test_every_table_is_explained(shared_books: Books) -> None:
    assert (
        shared_books.all(
            "select relname from pg_class where relnamespace in ('public'::regnamespace, 'private'::regnamespace)"
            " and relkind = 'r' and coalesce(obj_description(oid, 'pg_class'), '') = ''"
        )
        == []
    )


def test_every_function_is_explained(shared_books: Books) -> None:
    assert (
        shared_books.all(
            "select proname from pg_proc where pronamespace in ('public'::regnamespace, 'private'::regnamespace)"
            " and coalesce(obj_description(oid, 'pg_proc'), '') = ''"
        )
        == []
    )


def test_every_function_has_an_empty_search_path(shared_books: Books) -> None:
    assert (
        shared_books.all(
            "select proname from pg_proc where pronamespace in ('public'::regnamespace, 'private'::regnamespace)"
            " and not coalesce('search_path=\"\"' = any(proconfig), false)"
        )
        == []
    )


def test_every_foreign_key_has_an_index(shared_books: Books) -> None:
    assert (
        shared_books.all(
            "select k.conrelid::regclass::text as table, k.conname from pg_constraint k"
            " where k.contype = 'f' and k.connamespace in ('public'::regnamespace, 'private'::regnamespace)"
            " and not exists (select from pg_index i where i.indrelid = k.conrelid and i.indisvalid"
            "   and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey"
            # A partial index serves when all it leaves out are rows without the key.
            "   and (i.indpred is null or pg_get_expr(i.indpred, i.indrelid) like '(% IS NOT NULL)'))".replace(
                "%", "%%"
            )
        )
        == []
    )


def test_a_table_has_one_permissive_policy_for_each_role_and_command(shared_books: Books) -> None:
    assert (
        shared_books.all(
            "select tablename, cmd, role, count(*) from pg_policies, unnest(roles) as role"
            " where schemaname = 'public' and permissive = 'PERMISSIVE' group by 1, 2, 3 having count(*) > 1"
        )
        == []
    )


def test_policies_are_for_signed_in_people_and_look_who_it_is_once(shared_books: Books) -> None:
    policies = shared_books.all("select *, roles::text[] as roles from pg_policies where schemaname = 'public'")
    assert len(policies) > 10
    for policy in policies:
        assert policy["roles"] == ["authenticated"]
        text = f"{policy['qual']} {policy['with_check']}"
        bare = text.replace("( SELECT auth.uid() AS uid)", "").replace("( SELECT private.is_admin() AS is_admin)", "")
        assert "auth.uid()" not in bare, policy["policyname"]
        assert "is_admin()" not in bare, policy["policyname"]
