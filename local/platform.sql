-- What a Supabase project has beside the schemas auth and storage: the grants of the API roles (see roles.sql).
-- Run as the superuser, once, before the first migration; safe to run again.

create schema if not exists extensions;

grant usage on schema public, auth, storage, extensions to anon, authenticated, service_role;

-- Row level security decides; without a policy nobody but service_role sees a thing.
grant all on all tables in schema storage to anon, authenticated, service_role;
