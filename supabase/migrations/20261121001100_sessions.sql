-- Sessions of the browser: an opaque cookie here, the tokens of Supabase sealed behind it.

create table private.app_sessions (
  cookie_hash text primary key check (length(cookie_hash) = 64),
  user_id uuid not null references public.profiles (user_id),
  sealed_tokens text not null,
  token_version int not null default 1,
  token_expires_at timestamptz not null,
  refreshing_until timestamptz,
  user_agent text not null default '',
  address text not null default '',
  created_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  idle_expires_at timestamptz not null,
  expires_at timestamptz not null
);
comment on table private.app_sessions is 'One row a signed-in browser. Holds the hash of the cookie, never the cookie; tokens are sealed with APP_SECRET.';
create index app_sessions_user on private.app_sessions (user_id);
create index app_sessions_expires on private.app_sessions (expires_at);
alter table private.app_sessions enable row level security;
create policy "Nobody by the API" on private.app_sessions to anon, authenticated using (false);

create table private.sign_in_attempts (
  id bigint generated always as identity primary key,
  kind text not null check (kind in ('sign_in', 'sign_up', 'reset', 'link')),
  email_hash text not null,
  address text not null,
  succeeded boolean not null default false,
  created_at timestamptz not null default now()
);
comment on table private.sign_in_attempts is 'Recent tries to sign in, to sign up, to get a new password and to use a link of a mail, for throttling per account (or link) and per address.';
create index sign_in_attempts_email on private.sign_in_attempts (email_hash, created_at desc);
create index sign_in_attempts_address on private.sign_in_attempts (address, created_at desc);
create index sign_in_attempts_oldest on private.sign_in_attempts (created_at);
alter table private.sign_in_attempts enable row level security;
create policy "Nobody by the API" on private.sign_in_attempts to anon, authenticated using (false);

create function public.begin_attempt(p_kind text, p_email_hash text, p_address text) returns bigint
language plpgsql security definer set search_path = '' as $$
declare
  since timestamptz := now() - interval '15 minutes';
  by_email int;
  by_address int := 0;
  by_email_at_most int := case p_kind when 'sign_in' then 10 else 5 end;
  by_address_at_most int := case p_kind when 'sign_in' then 50 else 100 end;
  attempt bigint;
begin
  -- One after the other, account before address: tries that come at once are counted like tries in a row.
  perform pg_advisory_xact_lock(hashtextextended('attempt by account ' || p_email_hash, 0));
  if p_address <> '' then
    perform pg_advisory_xact_lock(hashtextextended('attempt by address ' || p_address, 0));
  end if;
  delete from private.sign_in_attempts where created_at < now() - interval '1 day';
  select count(*) into by_email from private.sign_in_attempts a
  where a.kind = p_kind and a.email_hash = p_email_hash and not a.succeeded and a.created_at > since
    and not exists (select 1 from private.sign_in_attempts s
                    where s.kind = p_kind and s.email_hash = a.email_hash and s.succeeded and s.id > a.id);
  if p_address <> '' then
    select count(*) into by_address from private.sign_in_attempts a
    where a.kind = p_kind and a.address = p_address and not a.succeeded and a.created_at > since;
  end if;
  if by_email >= by_email_at_most or by_address >= by_address_at_most then
    return null;
  end if;
  insert into private.sign_in_attempts (kind, email_hash, address) values (p_kind, p_email_hash, p_address)
  returning id into attempt;
  return attempt;
end $$;
comment on function public.begin_attempt is
  'Counts a try before it is made and returns its id; null when this account or address has to wait: within 15 minutes 10 refused sign-ins an account and 50 an address, 5 sign-ups, new passwords or uses of a link an account and 100 an address. An empty address is not counted.';
grant execute on function public.begin_attempt(text, text, text) to service_role;

create function public.end_attempt(p_attempt bigint, p_succeeded boolean) returns void
language plpgsql security definer set search_path = '' as $$
begin
  if p_succeeded then
    update private.sign_in_attempts set succeeded = true where id = p_attempt;
  else
    delete from private.sign_in_attempts where id = p_attempt and not succeeded;
  end if;
end $$;
comment on function public.end_attempt is 'A try succeeded, or could not be made at all (false), which is nobody''s fault. A refused one stays as it is.';
grant execute on function public.end_attempt(bigint, boolean) to service_role;

create function public.open_session(
  p_cookie_hash text, p_user uuid, p_sealed_tokens text, p_token_seconds int,
  p_idle_seconds int, p_absolute_seconds int, p_user_agent text, p_address text, p_is_admin_email boolean,
  p_welcome_credits int
) returns void language plpgsql security definer set search_path = '' as $$
declare
  person public.profiles;
begin
  delete from private.app_sessions where least(idle_expires_at, expires_at) < now();
  select * into person from public.profiles where user_id = p_user for no key update;
  if not found then
    perform private.refuse(404, 'NOT_FOUND', 'There is no profile for this account.');
  end if;
  -- The configuration names the first admins; the address must be proved, or anybody could claim it.
  if p_is_admin_email and person.is_active and (person.role <> 'admin' or not person.is_approved) and exists (
    select 1 from auth.users u where u.id = p_user and u.email_confirmed_at is not null
  ) then
    update public.profiles
    set role = 'admin', is_approved = true, approved_at = coalesce(approved_at, now()), declined_at = null
    where user_id = p_user;
    perform private.note_action(null, 'admin_by_configuration', p_user::text,
      jsonb_build_object('role', person.role, 'is_approved', person.is_approved), '{"role": "admin", "is_approved": true}', 'ADMIN_EMAILS');
    perform private.welcome(p_user, p_welcome_credits);
  end if;
  insert into private.app_sessions (
    cookie_hash, user_id, sealed_tokens, token_expires_at, user_agent, address, idle_expires_at, expires_at
  ) values (
    p_cookie_hash, p_user, p_sealed_tokens, now() + make_interval(secs => p_token_seconds), left(p_user_agent, 300),
    left(p_address, 64), now() + make_interval(secs => p_idle_seconds), now() + make_interval(secs => p_absolute_seconds)
  );
  update public.profiles set last_seen_at = now() where user_id = p_user;
end $$;
comment on function public.open_session is 'Keeps a signed-in browser. An address named in ADMIN_EMAILS, once proved, becomes an approved admin here.';
grant execute on function public.open_session(text, uuid, text, int, int, int, text, text, boolean, int) to service_role;

create function public.session_context(
  p_cookie_hash text, p_idle_seconds int, p_watching boolean default false, p_settings boolean default false,
  p_on_offer boolean default false
) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  session private.app_sessions;
  person public.profiles;
  account public.credit_accounts;
begin
  select * into session from private.app_sessions
  where cookie_hash = p_cookie_hash and idle_expires_at > now() and expires_at > now();
  if not found then
    return null;
  end if;
  if session.last_seen_at < now() - interval '1 minute' then
    update private.app_sessions set last_seen_at = now(), idle_expires_at = now() + make_interval(secs => p_idle_seconds)
    where cookie_hash = p_cookie_hash;
    update public.profiles set last_seen_at = now() where user_id = session.user_id;
  end if;
  if p_watching then
    -- Somebody has these jobs on screen: look at them soon, but not more often than every few seconds.
    update public.generation_jobs set next_check_at = now()
    where id in (
      select j.id from public.generation_jobs j
      where j.user_id = session.user_id and j.status in ('submitted', 'in_progress')
        and j.next_check_at > now() + interval '2 seconds'
        and coalesce(j.checked_at, j.submitted_at) < now() - interval '4 seconds'
      for no key update skip locked);
  end if;
  select * into person from public.profiles where user_id = session.user_id;
  select * into account from public.credit_accounts where user_id = session.user_id;
  return jsonb_build_object(
    'sealed_tokens', session.sealed_tokens, 'token_version', session.token_version,
    'token_seconds_left', extract(epoch from session.token_expires_at - now()),
    'user_id', person.user_id, 'email', person.email, 'full_name', person.full_name, 'role', person.role,
    'is_approved', person.is_approved, 'is_unmetered', person.is_unmetered, 'is_active', person.is_active,
    'is_declined', person.declined_at is not null,
    'available', account.available, 'held', account.held,
    'open_jobs', (select count(*) from public.generation_jobs j
                  where j.user_id = person.user_id and j.status in ('pending', 'submitted', 'in_progress')),
    'running', (
      select coalesce(jsonb_agg(private.job_json(j) order by j.created_at desc, j.id desc), '[]')
      from (select * from public.generation_jobs where user_id = person.user_id and status in ('pending', 'submitted', 'in_progress')
            order by created_at desc, id desc limit 100) j),
    'alerts', public.current_alerts(person.user_id),
    'on_offer', case when p_on_offer then jsonb_build_object(
      'types', (select jsonb_agg(to_jsonb(g) order by g.position) from public.generation_types g), 'terms', public.credit_terms()) end,
    'last_settings', case when p_settings then private.last_settings(person.user_id) end,
    'budget', case when person.is_approved then private.budget_state(person.user_id) else '{"spent": "0"}'::jsonb end,
    'people_waiting', case when person.role = 'admin' and person.is_approved then
      (select count(*) from public.profiles p where not p.is_approved and p.declined_at is null and p.is_active) else 0 end,
    'fal_lock_reason', (select locked_reason from private.provider_state where provider = 'fal' and locked_at is not null));
end $$;
comment on function public.session_context is 'Everything a page needs to know about who is looking, their running jobs and alerts included, in one call; null when the session has ended. p_watching: the person''s running jobs are on screen, look at them sooner. p_settings: a visit begins, bring what was set last. p_on_offer: bring what is the same for everybody as well, the generation types and the terms of credits.';
grant execute on function public.session_context(text, int, boolean, boolean, boolean) to service_role;

create function public.lease_refresh(p_cookie_hash text, p_token_version int) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  session private.app_sessions;
begin
  select * into session from private.app_sessions
  where cookie_hash = p_cookie_hash and idle_expires_at > now() and expires_at > now() for update;
  if not found then
    return null;
  end if;
  if session.token_version = p_token_version and (session.refreshing_until is null or session.refreshing_until < now()) then
    update private.app_sessions set refreshing_until = now() + interval '15 seconds' where cookie_hash = p_cookie_hash;
    return jsonb_build_object('yours', true, 'sealed_tokens', session.sealed_tokens, 'token_version', session.token_version);
  end if;
  return jsonb_build_object('yours', false, 'sealed_tokens', session.sealed_tokens, 'token_version', session.token_version);
end $$;
comment on function public.lease_refresh is
  'Refresh tokens rotate, so one caller at a time may use one: says whether it is yours to do, else what is stored now.';
grant execute on function public.lease_refresh(text, int) to service_role;

create function public.store_tokens(p_cookie_hash text, p_token_version int, p_sealed_tokens text, p_token_seconds int) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  update private.app_sessions
  set sealed_tokens = p_sealed_tokens, token_version = token_version + 1, refreshing_until = null,
      token_expires_at = now() + make_interval(secs => p_token_seconds)
  where cookie_hash = p_cookie_hash and token_version = p_token_version;
  return found;
end $$;
comment on function public.store_tokens is 'Keeps refreshed tokens, unless somebody else has kept newer ones.';
grant execute on function public.store_tokens(text, int, text, int) to service_role;

create function public.close_session(p_cookie_hash text) returns text
language plpgsql security definer set search_path = '' as $$
declare
  sealed text;
begin
  delete from private.app_sessions where cookie_hash = p_cookie_hash returning sealed_tokens into sealed;
  return sealed;
end $$;
comment on function public.close_session is 'Ends the session of one browser; returns its sealed tokens so that Supabase can be told.';
grant execute on function public.close_session(text) to service_role;
