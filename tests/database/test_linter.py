"""Supabase's linter finds nothing in the migrated database; and each of its rules does find what it is for."""

import tomllib
from collections.abc import Iterator

import pytest

from local.paths import SUPABASE
from tests.database.books import Connection, connect
from tests.database.lints import NOT_ASKED, read_lints

LINTS = read_lints()

# What each rule is there to find: {rule: (the fault, a word of the finding)}.
FAULTS = {
    "unindexed_foreign_keys": (
        "create table public.fault (id int primary key, job uuid references public.generation_jobs)",
        "fault_job_fkey",
    ),
    "auth_users_exposed": (
        "create view public.fault with (security_invoker = true) as select email from auth.users;"
        " grant select on public.fault to authenticated",
        "fault",
    ),
    "auth_rls_initplan": (
        'create policy "fault" on public.profiles as restrictive for select to authenticated'
        " using (user_id = auth.uid() or (select private.is_admin()))",
        "fault",
    ),
    "no_primary_key": ("create table private.fault (id int)", "fault"),
    "multiple_permissive_policies": (
        'create policy "fault" on public.profiles to authenticated using (user_id = (select auth.uid()))',
        "profiles for SELECT to authenticated",
    ),
    "policy_exists_rls_disabled": ("alter table public.profiles disable row level security", "profiles"),
    "rls_enabled_no_policy": (
        "create table private.fault (id int primary key); alter table private.fault enable row level security",
        "fault",
    ),
    "duplicate_index": (
        "create index fault on public.profiles (user_id)",
        "fault",
    ),
    "security_definer_view": (
        "create view public.fault as select email from public.profiles; grant select on public.fault to anon",
        "fault",
    ),
    "function_search_path_mutable": (
        "create function private.fault() returns int language sql as 'select 1'",
        "fault",
    ),
    "rls_disabled_in_public": ("create table public.fault (id int primary key)", "fault"),
    "extension_in_public": ("update pg_extension set extnamespace = 'public'::regnamespace", "plpgsql"),
    "rls_references_user_metadata": (
        'create policy "fault" on public.profiles as restrictive for select to authenticated'
        " using ((select auth.jwt()) -> 'user_metadata' ->> 'role' = 'admin')",
        "fault",
    ),
    "materialized_view_in_api": (
        "create materialized view public.fault as select email from public.profiles;"
        " grant select (email) on public.fault to authenticated",
        "fault",
    ),
    "foreign_table_in_api": (
        "create foreign data wrapper fault; create server fault foreign data wrapper fault;"
        " create foreign table public.fault (id int) server fault; grant select on public.fault to authenticated",
        "fault",
    ),
    "unsupported_reg_types": ("create table private.fault (id int primary key, kind regproc)", "fault.kind"),
    "insecure_queue_exposed_in_api": (
        "create schema pgmq; create schema pgmq_public; create table pgmq.q_fault (id int primary key)",
        "q_fault",
    ),
    "fkey_to_auth_unique": (
        "alter table auth.users add unique (email);"
        " create table private.fault (email text primary key references auth.users (email))",
        "fault_email_fkey",
    ),
    "extension_versions_outdated": (
        "update pg_extension set extversion = '0.1' where extname = 'plpgsql'",
        "plpgsql is 0.1",
    ),
    "sensitive_columns_exposed": (
        "create table public.fault (id int primary key, access_token text);"
        " grant select (access_token) on public.fault to authenticated",
        "fault.access_token",
    ),
    "rls_policy_always_true": (
        'create policy "fault" on public.profiles for delete to authenticated using (true)',
        "fault",
    ),
    "public_bucket_allows_listing": ("update storage.buckets set public = true", "media"),
    "pg17_deprecated_extensions": ("update pg_extension set extname = 'pgjwt' where extname = 'plpgsql'", "pgjwt"),
    "pg_graphql_table_exposed": ("update pg_extension set extname = 'pg_graphql'", "pg_graphql"),
    "security_definer_function_executable": (
        "create function public.fault() returns int language sql security definer set search_path = '' as 'select 1';"
        " grant execute on function public.fault() to authenticated",
        "fault",
    ),
    "invalid_index": (
        "update pg_index set indisvalid = false where indexrelid = 'public.profiles_waiting'::regclass",
        "profiles_waiting",
    ),
    "autovacuum_disabled": ("alter table public.profiles set (autovacuum_enabled = false)", "profiles"),
    "rls_policy_null_auth_disjunct": (
        'create policy "fault" on public.profiles for select to authenticated'
        " using ((select auth.uid()) is null or user_id = (select auth.uid()))",
        "fault",
    ),
    "private_table_is_reachable": (
        "grant update (sealed_tokens) on private.app_sessions to authenticated",
        "app_sessions by authenticated",
    ),
    "anon_may_something": ("grant select (label) on public.generation_types to anon", "generation_types"),
    "policy_for_everybody": (
        'create policy "fault" on public.generation_types for update using (enabled)',
        "fault",
    ),
    "sequence_granted": (
        "grant usage on sequence public.admin_actions_id_seq to service_role",
        "admin_actions_id_seq to service_role",
    ),
    "history_can_be_changed": (
        "alter table public.credit_entries disable trigger append_only",
        "credit_entries without append_only",
    ),
    "table_is_published": ("create publication supabase_realtime for table public.profiles", "profiles"),
}
# Faults that cannot be made here, and why their rule is still believed.
NOT_MADE = {"unused_replication_slot": "slots need wal_level = logical and outlive the transaction"}


@pytest.fixture(scope="module")
def migrated(shared_database_url: str) -> Iterator[Connection]:
    with connect(shared_database_url) as connection:
        yield connection


@pytest.mark.parametrize("name", LINTS)
def test_the_migrated_database_has_no_finding(migrated: Connection, name: str) -> None:
    assert LINTS[name].findings(migrated) == []


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(migrated: Connection, name: str) -> None:
    fault, told = FAULTS[name]
    with migrated.transaction(force_rollback=True):
        migrated.execute(fault.encode())
        findings = LINTS[name].findings(migrated)
    assert any(told in finding for finding in findings), findings
    assert LINTS[name].findings(migrated) == []


def test_every_rule_is_shown_to_find_something() -> None:
    assert set(FAULTS) | set(NOT_MADE) == set(LINTS)


def test_every_rule_of_supabase_is_asked_or_says_why_not() -> None:
    asked = {number for lint in LINTS.values() for number in lint.number.split(", ") if number != "own"}
    told = {"unused_index": "0005", "table_bloat": "0020", "auth_allow_anonymous_sign_ins": "0012"}
    assert set(told) == set(NOT_ASKED)
    assert asked | set(told.values()) == {f"{number:04}" for number in range(1, 32)}


def test_what_is_made_later_is_granted_to_nobody(migrated: Connection) -> None:
    """The default privileges: a table or function that forgets its grants is closed, not open."""
    with migrated.transaction(force_rollback=True):
        migrated.execute(
            b"create table public.later (id bigint generated always as identity primary key);"
            b" create table private.later (id int primary key);"
            b" create function public.later() returns int language sql as 'select 1';"
            b" create function private.later() returns int language sql as 'select 1'"
        )
        open_to = migrated.execute(
            b"select role, what from unnest(array['anon', 'authenticated', 'service_role']) role"
            b" cross join unnest(array['public.later', 'private.later']) what"
            b" where has_table_privilege(role, what, 'select, insert, update, delete, truncate, references, trigger')"
            b" or has_function_privilege(role, what || '()', 'execute')"
        ).fetchall()
    assert open_to == []


def test_nobody_signs_in_without_an_address() -> None:
    """Rule 0012: an anonymous sign-in would be `authenticated` as any person is."""
    config = tomllib.loads((SUPABASE / "config.toml").read_text(encoding="utf-8"))
    assert config["auth"].get("enable_anonymous_sign_ins", False) is False
