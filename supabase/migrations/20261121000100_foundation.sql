-- Foundation: who may do nothing by default, the private schema, and how a rule says no.

-- ---------------------------------------------------------------------------------------------------------------
-- Nothing is granted by accident: every table and every function below grants for itself.
-- ---------------------------------------------------------------------------------------------------------------
alter default privileges revoke execute on functions from public;
alter default privileges in schema public revoke execute on functions from anon, authenticated, service_role;
alter default privileges in schema public revoke all on tables from anon, authenticated, service_role;
alter default privileges in schema public revoke all on sequences from anon, authenticated, service_role;

-- Hosted projects may bring it. It tells every signed-up person the names of all tables, and nothing here uses it.
drop extension if exists pg_graphql;

create schema private;
-- No table in it is granted to a role of the API. Row level security says no once more, should one ever be.
comment on schema private is 'What the API does not expose: helpers for policies, sessions, worker state.';
revoke all on schema private from public;
grant usage on schema private to authenticated, service_role;

-- Policies call auth.uid() as the signed-in person. Hosted Supabase grants this already.
do $$
begin
  if not has_schema_privilege('authenticated', 'auth', 'usage') then
    grant usage on schema auth to anon, authenticated, service_role;
  end if;
end $$;

-- ---------------------------------------------------------------------------------------------------------------
-- How a rule says no
-- ---------------------------------------------------------------------------------------------------------------
create function private.refuse(p_http int, p_code text, p_sentence text, p_detail jsonb default '{}')
returns void language plpgsql set search_path = '' as $$
begin
  raise exception using
    errcode = 'PT' || p_http::text,
    message = p_sentence,
    detail = p_detail::text,
    hint = p_code;
end $$;
comment on function private.refuse is
  'Ends the transaction with an HTTP status: message is the sentence for the person, hint the code, detail the facts as JSON.';

-- ---------------------------------------------------------------------------------------------------------------
-- Append-only tables
-- ---------------------------------------------------------------------------------------------------------------
create function private.forbid_change() returns trigger language plpgsql set search_path = '' as $$
begin
  raise exception using
    errcode = '42501',
    message = format('%s is append-only: %s is not possible.', tg_table_name, lower(tg_op));
end $$;
comment on function private.forbid_change is 'Trigger of the append-only tables: history is never edited, whoever asks.';

create function private.touch_updated_at() returns trigger language plpgsql set search_path = '' as $$
begin
  new.updated_at := now();
  return new;
end $$;
comment on function private.touch_updated_at is 'Trigger: stamps updated_at.';

-- ---------------------------------------------------------------------------------------------------------------
-- Team settings: one row
-- ---------------------------------------------------------------------------------------------------------------
create table private.team_settings (
  only_row boolean primary key default true check (only_row),
  timezone text not null default 'UTC',
  block_at_zero boolean not null default false,
  max_open_jobs int not null default 50 check (max_open_jobs > 0),
  auto_retry boolean not null default true,
  updated_at timestamptz not null default now()
);
comment on table private.team_settings is 'Settings of the whole team, one row.';
comment on column private.team_settings.timezone is 'Days in the rollup start at midnight here.';
comment on column private.team_settings.block_at_zero is 'Refuse new jobs when the team balance, less the estimates of open jobs, is used up.';
comment on column private.team_settings.max_open_jobs is 'How many jobs one person may have open at once.';
alter table private.team_settings enable row level security;
create policy "Nobody by the API" on private.team_settings to anon, authenticated using (false);
insert into private.team_settings default values;

create function private.as_uuid(p_text text) returns uuid language sql immutable set search_path = '' as $$
  select case when p_text ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then p_text::uuid end
$$;
comment on function private.as_uuid is 'A text as uuid, null when it is none: one bad element must not fail the batch that it is in.';

create function private.new_id(p_at timestamptz default clock_timestamp()) returns uuid language sql volatile set search_path = '' as $$
  -- Version 7 of RFC 9562: 48 bits of milliseconds before what chance made. The bits 52 and 53 turn the 4 of a random one into 7.
  select encode(set_bit(set_bit(
    overlay(uuid_send(gen_random_uuid()) placing substring(int8send(floor(extract(epoch from p_at) * 1000)::bigint) from 3) from 1 for 6),
    52, 1), 53, 1), 'hex')::uuid
$$;
comment on function private.new_id is
  'An id in the order of time: an index over random ones is touched in another place by every row. As core.ids makes them.';

create function private.one_line(p_text text) returns text language sql immutable set search_path = '' as $$
  select btrim(regexp_replace(p_text, '[[:cntrl:][:space:]\u202a-\u202e\u2066-\u2069]+', ' ', 'g'))
$$;
comment on function private.one_line is 'A name as it is kept: one line that reads in the direction it is written.';

create function private.team_day(p_time timestamptz) returns date language sql stable set search_path = '' as $$
  select (p_time at time zone (select timezone from private.team_settings))::date
$$;
comment on function private.team_day is 'The day that a moment belongs to, in the team''s timezone.';

create function private.team_day_start(p_day date) returns timestamptz language sql stable set search_path = '' as $$
  -- Where clocks go back to midnight (the Azores, Havana) it comes twice: the first one begins the day.
  select case when private.team_day(m - interval '1 hour') = p_day then m - interval '1 hour' else m end
  from (select p_day::timestamp at time zone (select timezone from private.team_settings) as m) midnight
$$;
comment on function private.team_day_start is 'Midnight at which a day begins, in the team''s timezone.';

-- ---------------------------------------------------------------------------------------------------------------
-- The state of fal.ai (and later of others) as we see it
-- ---------------------------------------------------------------------------------------------------------------
create table private.provider_state (
  provider text primary key check (provider in ('fal', 'stripe')),
  account_id text,
  locked_reason text,
  locked_at timestamptz,
  probe_at timestamptz,
  probe_count int not null default 0,
  unwell_since timestamptz,
  last_ok_at timestamptz,
  last_error text,
  last_error_at timestamptz
);
comment on table private.provider_state is 'How the outside services are doing, and which fal.ai account is ours.';
comment on column private.provider_state.account_id is 'Our account at the provider, pinned by the first verified call about a request that we made.';
comment on column private.provider_state.probe_at is 'While locked: from this moment one job may try whether the lock is gone.';
alter table private.provider_state enable row level security;
create policy "Nobody by the API" on private.provider_state to anon, authenticated using (false);
insert into private.provider_state (provider) values ('fal'), ('stripe');

create table private.workers (
  worker text primary key,
  started_at timestamptz not null default now(),
  beat_at timestamptz not null default now()
);
comment on table private.workers is 'Heartbeats of the worker loops.';
alter table private.workers enable row level security;
create policy "Nobody by the API" on private.workers to anon, authenticated using (false);
