"""A hosted Supabase project gives its owner less than a superuser has: the migrations must get by with that."""

from collections.abc import Iterator
from secrets import token_hex

import psycopg
import pytest

from local import migrations, supabase
from local.postgres import Postgres

# what the role `postgres` of a hosted project is and may do, as Supabase documents it
OWNER = """
create role {role} login password '{password}' nosuperuser createrole createdb bypassrls;
grant anon, authenticated, service_role to {role} with admin option;
alter database {database} owner to {role};
alter schema public owner to {role};
alter schema supabase_migrations owner to {role};
alter table supabase_migrations.schema_migrations owner to {role};
grant usage on schema auth, storage to {role} with grant option;
grant all on all tables in schema auth, storage to {role} with grant option;
grant all on all routines in schema auth, storage to {role} with grant option;
-- hosted projects let this role write policies on these tables without owning them (supautils.policy_grants)
alter table storage.objects owner to {role};
"""


@pytest.fixture
def project(postgres: Postgres) -> Iterator[tuple[str, str]]:
    """The connection strings of a new project: its owner's and the superuser's."""
    name = f"hosted_{token_hex(4)}"
    url = postgres.create_database(name)
    supabase.prepare(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(OWNER.format(role=name, password=name, database=name).encode())
    yield psycopg.conninfo.make_conninfo(url, user=name, password=name), url
    postgres.drop_database(name)


def test_its_owner_can_apply_every_migration(project: tuple[str, str]) -> None:
    owner, superuser = project
    with psycopg.connect(owner) as connection:
        assert connection.execute("select rolsuper from pg_roles where rolname = current_user").fetchone() == (False,)
    assert len(migrations.apply(owner).applied) == len(migrations.find())
    assert migrations.apply(owner).applied == ()
    with psycopg.connect(owner) as connection:
        assert connection.execute("select * from public.audit_books()").fetchall() == []
    with psycopg.connect(superuser, autocommit=True) as connection:
        # a sign-up reaches our tables through triggers that this role has made
        connection.execute("insert into auth.users (id, email) values (gen_random_uuid(), 'new@studio.example')")
        rows = connection.execute("select email, is_approved from public.profiles").fetchall()
        assert rows == [("new@studio.example", False)]
