-- People: profiles, approval, roles, and the trail of what admins did.

create table public.profiles (
  user_id uuid primary key,
  email text not null,
  full_name text not null default '' check (length(full_name) <= 120 and full_name !~ '[[:cntrl:]\u202a-\u202e\u2066-\u2069]'),
  role text not null default 'user' check (role in ('user', 'admin')),
  is_approved boolean not null default false,
  approved_at timestamptz,
  approved_by uuid references public.profiles (user_id),
  declined_at timestamptz,
  is_active boolean not null default true,
  is_unmetered boolean not null default false,
  monthly_cap_usd numeric(12, 6) check (monthly_cap_usd > 0 and monthly_cap_usd < 'NaN'),
  last_seen_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check (not is_approved or approved_at is not null),
  check (role <> 'admin' or is_approved)
);
comment on table public.profiles is 'One row a person. Outlives the sign-in: deleting a person anonymises it, because the books stay.';
comment on column public.profiles.is_approved is 'Nothing that costs is possible before an admin approves.';
comment on column public.profiles.is_active is 'Off: open jobs finish, nothing new starts.';
comment on column public.profiles.is_unmetered is 'Jobs cost no credits; their spend is still counted.';
comment on column public.profiles.monthly_cap_usd is 'What this person may spend at fal.ai in a calendar month, USD; empty is no cap.';
create index profiles_approved_by on public.profiles (approved_by);
create index profiles_waiting on public.profiles (created_at) where not is_approved and declined_at is null and is_active;
create trigger touch_updated_at before update on public.profiles
  for each row execute function private.touch_updated_at();

create function private.is_admin() returns boolean language sql stable security definer set search_path = '' as $$
  select exists (
    select 1 from public.profiles
    where user_id = (select auth.uid()) and role = 'admin' and is_approved and is_active
  )
$$;
comment on function private.is_admin is 'For policies: is the caller an approved, active admin?';
grant execute on function private.is_admin() to authenticated;

create function private.is_approved() returns boolean language sql stable security definer set search_path = '' as $$
  select exists (select 1 from public.profiles where user_id = (select auth.uid()) and is_approved and is_active)
$$;
comment on function private.is_approved is 'For policies: is the caller an approved, active person?';
grant execute on function private.is_approved() to authenticated;

alter table public.profiles enable row level security;
create policy "People see themselves, admins see everybody" on public.profiles
  for select to authenticated using (user_id = (select auth.uid()) or (select private.is_admin()));
create policy "People edit their own name" on public.profiles
  for update to authenticated using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
grant select on public.profiles to authenticated, service_role;
grant update (full_name) on public.profiles to authenticated;

create function private.person_state(p_person public.profiles) returns text
language sql stable security definer set search_path = '' as $$
  select case
    when not exists (select 1 from auth.users u where u.id = p_person.user_id) then 'deleted'
    when not p_person.is_active then 'off'
    when p_person.is_approved then 'approved'
    when p_person.declined_at is not null then 'declined'
    else 'waiting' end
$$;
comment on function private.person_state is 'Where a person stands: waiting, approved, declined, off (switched off) or deleted.';

create function private.name_of(p_user uuid) returns text language sql stable security definer set search_path = '' as $$
  select coalesce(nullif(full_name, ''), nullif(email, '')) from public.profiles where user_id = p_user
$$;
comment on function private.name_of is 'What a person is called on screen: the name, else the address.';

-- ---------------------------------------------------------------------------------------------------------------
-- The trail
-- ---------------------------------------------------------------------------------------------------------------
create table public.admin_actions (
  id bigint generated always as identity primary key,
  created_at timestamptz not null default now(),
  actor uuid references public.profiles (user_id),
  action text not null,
  target text,
  before jsonb,
  after jsonb,
  reason text
);
comment on table public.admin_actions is 'Append-only: who did what to whom, before and after, and why. An empty actor is the configuration (ADMIN_EMAILS).';
create index admin_actions_actor on public.admin_actions (actor);
create index admin_actions_created_at on public.admin_actions (created_at desc);
create trigger append_only before update or delete on public.admin_actions
  for each row execute function private.forbid_change();
create trigger append_only_truncate before truncate on public.admin_actions
  for each statement execute function private.forbid_change();
alter table public.admin_actions enable row level security;
create policy "Admins read the trail" on public.admin_actions
  for select to authenticated using ((select private.is_admin()));
grant select on public.admin_actions to authenticated, service_role;

create function private.require_admin(p_actor uuid, p_action text) returns void
language plpgsql security definer set search_path = '' as $$
begin
  if not exists (
    select 1 from public.profiles where user_id = p_actor and role = 'admin' and is_approved and is_active
  ) then
    -- The refusal undoes the transaction and any row with it; the server's log keeps this line whichever door was tried.
    raise log 'atelier: % was refused %', coalesce(p_actor::text, 'nobody'), p_action;
    perform private.refuse(403, 'NOT_ALLOWED', 'Only an admin can do this.', jsonb_build_object('action', p_action));
  end if;
end $$;
comment on function private.require_admin is
  'Ends the transaction with 403 unless the acting person is an approved, active admin. Who called it notes the refusal afterwards (note_refusal).';

create function private.note_action(
  p_actor uuid, p_action text, p_target text, p_before jsonb default null, p_after jsonb default null, p_reason text default null
) returns void language sql security definer set search_path = '' as $$
  insert into public.admin_actions (actor, action, target, before, after, reason)
  values (p_actor, p_action, p_target, p_before, p_after, p_reason)
$$;
comment on function private.note_action is 'Writes one line of the trail, in the transaction of the action itself.';

create function private.kept_reason(p_reason text, p_required boolean default false) returns text
language plpgsql set search_path = '' as $$
declare
  reason text := nullif(trim(coalesce(p_reason, '')), '');
begin
  if p_required and reason is null then
    perform private.refuse(422, 'INVALID_INPUT', 'Say why: the reason is kept in the trail.', '{"field": "reason"}');
  end if;
  if length(reason) > 500 then
    perform private.refuse(422, 'INVALID_INPUT', 'Keep the reason to 500 characters.', '{"field": "reason"}');
  end if;
  return reason;
end $$;
comment on function private.kept_reason is 'A reason as it is kept, trimmed; null for an empty one. Refuses a missing or too long one.';

-- ---------------------------------------------------------------------------------------------------------------
-- Following auth.users
-- ---------------------------------------------------------------------------------------------------------------
create function private.follow_new_user() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into public.profiles (user_id, email, full_name)
  values (
    new.id,
    coalesce(new.email, ''),
    -- Whoever signs up without our page writes what they like: no line breaks, nothing that turns the line around.
    -- Of single sign-on, most providers say "name".
    left(trim(regexp_replace(coalesce(nullif(new.raw_user_meta_data ->> 'full_name', ''), new.raw_user_meta_data ->> 'name', ''), '[[:cntrl:]\u202a-\u202e\u2066-\u2069]+', ' ', 'g')), 120)
  );
  insert into public.credit_accounts (user_id) values (new.id);
  return new;
end $$;
comment on function private.follow_new_user is 'A new sign-in gets a profile that waits for approval, and an empty credit account.';

create function private.follow_changed_user() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  update public.profiles set email = coalesce(new.email, '') where user_id = new.id;
  return new;
end $$;
comment on function private.follow_changed_user is 'Keeps the email of the profile the one that signs in.';

create function private.follow_new_password() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  delete from private.app_sessions where user_id = new.id;
  return new;
end $$;
comment on function private.follow_new_password is 'Whoever got in with the old password is out, in the transaction that sets the new one and whoever set it.';

create function private.follow_deleted_user() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  update public.profiles
  set email = '', full_name = 'Deleted person', role = 'user', is_approved = false, is_active = false
  where user_id = old.id;
  delete from private.app_sessions where user_id = old.id;
  return old;
end $$;
comment on function private.follow_deleted_user is 'Books outlive people: the profile is anonymised, ledger and logs stay.';

create trigger atelier_new_user after insert on auth.users
  for each row execute function private.follow_new_user();
create trigger atelier_changed_user after update of email on auth.users
  for each row when (old.email is distinct from new.email) execute function private.follow_changed_user();
create trigger atelier_new_password after update of encrypted_password on auth.users
  for each row when (old.encrypted_password is distinct from new.encrypted_password) execute function private.follow_new_password();
create trigger atelier_deleted_user after delete on auth.users
  for each row execute function private.follow_deleted_user();
