-- What a Supabase project has beside the schemas auth and storage: the API roles and their grants.
-- Run as the superuser, once, before the first migration; safe to run again.

do $$
begin
    if to_regrole('anon') is null then
        create role anon nologin noinherit;
    end if;
    if to_regrole('authenticated') is null then
        create role authenticated nologin noinherit;
    end if;
    if to_regrole('service_role') is null then
        create role service_role nologin noinherit bypassrls;
    end if;
    if to_regrole('authenticator') is null then
        create role authenticator nologin noinherit;
    end if;
end
$$;
alter role service_role bypassrls;
grant anon, authenticated, service_role to authenticator;

create schema if not exists extensions;

grant usage on schema public, auth, storage, extensions to anon, authenticated, service_role;

-- Row level security decides; without a policy nobody but service_role sees a thing.
grant all on all tables in schema storage to anon, authenticated, service_role;
