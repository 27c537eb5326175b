-- People, for admins: finding them, deciding about many, roles, switching off, signing out; and telling of new ones.

create function private.like_pattern(p_text text) returns text language sql immutable set search_path = '' as $$
  select '%' || replace(replace(replace(left(trim(coalesce(p_text, '')), 200), '\', '\\'), '%', '\%'), '_', '\_') || '%'
$$;
comment on function private.like_pattern is 'A pattern for ILIKE that finds this text anywhere, its wildcards taken as themselves.';

create function private.page_size(p_limit int) returns int language sql immutable set search_path = '' as $$
  select greatest(1, least(coalesce(p_limit, 50), 500))
$$;
comment on function private.page_size is 'How many rows one call returns: at least 1, at most 500.';

create function private.name_of(p_user uuid) returns text language sql stable security definer set search_path = '' as $$
  select coalesce(nullif(full_name, ''), nullif(email, '')) from public.profiles where user_id = p_user
$$;
comment on function private.name_of is 'What a person is called on screen: the name, else the address.';

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
-- The list
-- ---------------------------------------------------------------------------------------------------------------
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

create function public.list_people(
  p_actor uuid, p_search text default '', p_filter text default 'all', p_after uuid default null, p_limit int default 50
) returns jsonb language plpgsql stable security definer set search_path = '' as $$
declare
  month_start date := date_trunc('month', private.team_day(now()))::date;
  pattern text := private.like_pattern(p_search);
  size int := private.page_size(p_limit);
  found_people jsonb;
begin
  perform private.require_admin(p_actor, 'list_people');
  if p_filter not in ('all', 'waiting', 'approved', 'declined', 'off', 'deleted', 'admins', 'unmetered', 'capped') then
    perform private.refuse(422, 'INVALID_INPUT', 'There is no such filter.', '{"field": "filter"}');
  end if;
  with everybody as (
    select p.user_id, p.created_at, p.role, p.is_unmetered, p.monthly_cap_usd, private.person_state(p) as state
    from public.profiles p where p.full_name ilike pattern or p.email ilike pattern
  ), page as (
    select e.*, row_number() over (order by e.created_at desc, e.user_id desc) as place
    from everybody e
    where case p_filter
        when 'all' then e.state <> 'deleted'
        when 'admins' then e.role = 'admin' and e.state = 'approved'
        when 'unmetered' then e.is_unmetered and e.state <> 'deleted'
        when 'capped' then e.monthly_cap_usd is not null and e.state <> 'deleted'
        else e.state = p_filter end
      and (p_after is null or (e.created_at, e.user_id) < (select a.created_at, a.user_id from public.profiles a where a.user_id = p_after))
    order by e.created_at desc, e.user_id desc limit size + 1
  )
  select jsonb_build_object(
    'people', coalesce(jsonb_agg(jsonb_build_object(
      'user_id', p.user_id, 'email', p.email, 'full_name', p.full_name, 'role', p.role, 'state', page.state,
      'is_unmetered', p.is_unmetered, 'cap', p.monthly_cap_usd::text, 'created_at', p.created_at,
      'approved_at', p.approved_at, 'approved_by', private.name_of(p.approved_by), 'declined_at', p.declined_at,
      'last_seen_at', p.last_seen_at, 'available', a.available, 'held', a.held, 'spent_month', month.spent::text,
      'open_jobs', (select count(*) from public.generation_jobs j
                    where j.user_id = p.user_id and j.status in ('pending', 'submitted', 'in_progress')),
      'sessions', (select count(*) from private.app_sessions s
                   where s.user_id = p.user_id and least(s.idle_expires_at, s.expires_at) > now())
    ) order by page.place) filter (where page.place <= size), '[]'),
    'more', count(*) > size)
  into found_people
  from page
  join public.profiles p on p.user_id = page.user_id
  join public.credit_accounts a on a.user_id = page.user_id
  cross join lateral (
    select coalesce(sum(d.spent_usd), 0) as spent from public.spend_daily d where d.user_id = p.user_id and d.day >= month_start
  ) month;
  if p_after is not null then
    return found_people;
  end if;
  return found_people || jsonb_build_object('counts', (
    select jsonb_build_object(
      'all', count(*) filter (where state <> 'deleted'),
      'waiting', count(*) filter (where state = 'waiting'), 'approved', count(*) filter (where state = 'approved'),
      'declined', count(*) filter (where state = 'declined'), 'off', count(*) filter (where state = 'off'),
      'deleted', count(*) filter (where state = 'deleted'),
      'admins', count(*) filter (where role = 'admin' and state = 'approved'),
      'unmetered', count(*) filter (where is_unmetered and state <> 'deleted'),
      'capped', count(*) filter (where monthly_cap_usd is not null and state <> 'deleted'))
    from (select p.role, p.is_unmetered, p.monthly_cap_usd, private.person_state(p) as state from public.profiles p) people));
end $$;
comment on function public.list_people is
  'People for admins, newest first, a page at a time (p_after: the last person of the page before), with balance, spend of the month (USD as text), open jobs and sessions; the first page also counts each filter: all, waiting, approved, declined, off, deleted, admins, unmetered, capped.';
grant execute on function public.list_people(uuid, text, text, uuid, int) to service_role;

-- ---------------------------------------------------------------------------------------------------------------
-- Deciding about many
-- ---------------------------------------------------------------------------------------------------------------
create function private.decide_people(p_actor uuid, p_users jsonb, p_approve boolean, p_welcome_credits int) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  who uuid;
  person public.profiles;
  changed uuid[] := '{}';
  unchanged uuid[] := '{}';
  unknown uuid[] := '{}';
begin
  if jsonb_array_length(p_users) not between 1 and 500 then
    perform private.refuse(422, 'INVALID_INPUT', 'Choose between 1 and 500 people.', '{"field": "users"}');
  end if;
  -- One person after the other, in the order of their ids, so that nobody waits in a circle.
  for who in select distinct u::uuid from jsonb_array_elements_text(p_users) u order by 1 loop
    select * into person from public.profiles where user_id = who for no key update;
    if not found or private.person_state(person) = 'deleted' then
      unknown := unknown || who;
    elsif person.is_approved or not p_approve and person.declined_at is not null then
      unchanged := unchanged || who;
    else
      if p_approve then
        perform public.approve_person(p_actor, who, p_welcome_credits);
      else
        perform public.decline_person(p_actor, who);
      end if;
      changed := changed || who;
    end if;
  end loop;
  return jsonb_build_object('changed', to_jsonb(changed), 'unchanged', to_jsonb(unchanged), 'unknown', to_jsonb(unknown));
end $$;
comment on function private.decide_people is 'Approves or declines several people in one transaction; who is past that decision is left as they are.';

create function public.approve_people(p_actor uuid, p_users jsonb, p_welcome_credits int) returns jsonb
language plpgsql security definer set search_path = '' as $$
begin
  perform private.require_admin(p_actor, 'approve_people');
  return private.decide_people(p_actor, p_users, true, p_welcome_credits);
end $$;
comment on function public.approve_people is 'Approves several people at once, each with their own line in the trail: {changed, unchanged, unknown}, arrays of ids.';
grant execute on function public.approve_people(uuid, jsonb, int) to service_role;

create function public.decline_people(p_actor uuid, p_users jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
begin
  perform private.require_admin(p_actor, 'decline_people');
  return private.decide_people(p_actor, p_users, false, 0);
end $$;
comment on function public.decline_people is
  'Takes several people off the waiting list at once: {changed, unchanged, unknown}, arrays of ids. Who is approved stays so.';
grant execute on function public.decline_people(uuid, jsonb) to service_role;

-- ---------------------------------------------------------------------------------------------------------------
-- Roles and switches
-- ---------------------------------------------------------------------------------------------------------------
create function private.require_admin_in_turn(p_actor uuid, p_action text) returns void
language plpgsql security definer set search_path = '' as $$
begin
  -- Who waited here may have lost the role meanwhile, so the role is looked at under the lock.
  perform pg_advisory_xact_lock(hashtext('atelier.admins'));
  perform private.require_admin(p_actor, p_action);
end $$;
comment on function private.require_admin_in_turn is
  'As require_admin, for what may take an admin away: one at a time. As nobody does it to themselves, the acting admin always remains, so the last one cannot go.';

create function private.person_json(p_user uuid) returns jsonb language sql stable security definer set search_path = '' as $$
  select jsonb_build_object('user_id', p.user_id, 'role', p.role, 'is_unmetered', p.is_unmetered, 'state', private.person_state(p))
  from public.profiles p where p.user_id = p_user
$$;
comment on function private.person_json is 'What the functions that change a person return: user_id, role, is_unmetered, state.';

create function private.person_to_change(p_user uuid) returns public.profiles
language plpgsql security definer set search_path = '' as $$
declare
  person public.profiles;
begin
  -- Profile before account, as everywhere.
  select * into person from public.profiles where user_id = p_user for no key update;
  if not found or private.person_state(person) = 'deleted' then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such person.');
  end if;
  -- The lock that create_job takes: a job that is being created comes before the change, the next one after it.
  perform 1 from public.credit_accounts where user_id = p_user for no key update;
  return person;
end $$;
comment on function private.person_to_change is 'Locks a person for a change that new jobs must see. 404 for nobody and for a deleted person.';

create function public.set_role(
  p_actor uuid, p_user uuid, p_role text, p_reason text default null, p_admin_emails jsonb default '[]'
) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  person public.profiles;
begin
  perform private.require_admin_in_turn(p_actor, 'set_role');
  if p_role is null or p_role not in ('user', 'admin') then
    perform private.refuse(422, 'INVALID_INPUT', 'A role is user or admin.', '{"field": "role"}');
  end if;
  if p_user = p_actor then
    perform private.refuse(409, 'OWN_ROLE', 'You cannot change your own role. Ask another admin.');
  end if;
  person := private.person_to_change(p_user);
  if p_role = 'admin' and not (person.is_approved and person.is_active) then
    perform private.refuse(409, 'NOT_YET', 'Only somebody who is approved and switched on can become an admin.');
  end if;
  if p_role = 'user' and p_admin_emails ? lower(person.email) then
    perform private.refuse(409, 'ADMIN_BY_CONFIGURATION',
      'The address of this person is in ADMIN_EMAILS: the next sign-in would make them an admin again. Take it out of that setting first.');
  end if;
  if person.role <> p_role then
    update public.profiles set role = p_role where user_id = p_user;
    perform private.note_action(p_actor, 'set_role', p_user::text, jsonb_build_object('role', person.role),
      jsonb_build_object('role', p_role), private.kept_reason(p_reason));
  end if;
  return private.person_json(p_user);
end $$;
comment on function public.set_role is
  'Makes somebody an admin, or a user again; never oneself, so there is always an admin. p_admin_emails: lower-case addresses that the configuration makes admins.';
grant execute on function public.set_role(uuid, uuid, text, text, jsonb) to service_role;

create function public.set_unmetered(p_actor uuid, p_user uuid, p_on boolean, p_reason text default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  person public.profiles;
begin
  perform private.require_admin(p_actor, 'set_unmetered');
  if p_on is null then
    perform private.refuse(422, 'INVALID_INPUT', 'Unmetered is on or off.', '{"field": "on"}');
  end if;
  person := private.person_to_change(p_user);
  if person.is_unmetered <> p_on then
    update public.profiles set is_unmetered = p_on where user_id = p_user;
    perform private.note_action(p_actor, 'set_unmetered', p_user::text, jsonb_build_object('is_unmetered', person.is_unmetered),
      jsonb_build_object('is_unmetered', p_on), private.kept_reason(p_reason));
  end if;
  return private.person_json(p_user);
end $$;
comment on function public.set_unmetered is 'Jobs of this person cost no credits from now on, or do again. Open jobs keep what was agreed; spend in USD is counted either way.';
grant execute on function public.set_unmetered(uuid, uuid, boolean, text) to service_role;

create function public.set_active(p_actor uuid, p_user uuid, p_on boolean, p_reason text default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  person public.profiles;
begin
  perform private.require_admin_in_turn(p_actor, 'set_active');
  if p_on is null then
    perform private.refuse(422, 'INVALID_INPUT', 'An account is on or off.', '{"field": "on"}');
  end if;
  if p_user = p_actor then
    perform private.refuse(409, 'OWN_ACCOUNT', 'You cannot switch off your own account. Ask another admin.');
  end if;
  person := private.person_to_change(p_user);
  if person.is_active <> p_on then
    update public.profiles set is_active = p_on where user_id = p_user;
    perform private.note_action(p_actor, case when p_on then 'reactivate_person' else 'deactivate_person' end, p_user::text,
      jsonb_build_object('is_active', person.is_active), jsonb_build_object('is_active', p_on), private.kept_reason(p_reason));
  end if;
  return private.person_json(p_user);
end $$;
comment on function public.set_active is 'Switches a person off (open jobs finish, nothing new starts) or on again; never oneself.';
grant execute on function public.set_active(uuid, uuid, boolean, text) to service_role;

create function public.sign_out_everywhere(p_actor uuid, p_user uuid) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  sealed jsonb;
begin
  perform private.require_admin(p_actor, 'sign_out_everywhere');
  if not exists (select 1 from public.profiles where user_id = p_user) then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such person.');
  end if;
  with ended as (
    delete from private.app_sessions where user_id = p_user returning sealed_tokens, token_expires_at
  )
  select coalesce(jsonb_agg(sealed_tokens order by token_expires_at desc), '[]') into sealed from ended;
  perform private.note_action(p_actor, 'sign_out_everywhere', p_user::text, null,
    jsonb_build_object('sessions', jsonb_array_length(sealed)));
  return sealed;
end $$;
comment on function public.sign_out_everywhere is
  'Ends every session of a person here; returns their sealed tokens, the freshest first, so that Supabase can be told. Nobody else ever sees these.';
grant execute on function public.sign_out_everywhere(uuid, uuid) to service_role;

-- ---------------------------------------------------------------------------------------------------------------
-- Telling of new sign-ups, once each, on the road that alerts already take
-- ---------------------------------------------------------------------------------------------------------------
alter table public.budget_alerts drop constraint alert_is_of_its_kind;
alter table public.budget_alerts add constraint alert_is_of_its_kind check (
  case kind
    when 'team_balance' then threshold in (50, 25, 10, 0) and snapshot_id is not null and user_id is null and month is null
    when 'monthly_cap' then threshold in (80, 100) and snapshot_id is null and user_id is not null and month is not null
    when 'new_person' then threshold = 0 and snapshot_id is null and user_id is not null and month is null
                           and limit_usd = 0 and value_usd = 0
    else false
  end
);
comment on table public.budget_alerts is
  'What is told once: a threshold that was crossed (per balance and threshold for the team, per month and threshold for a person''s cap), and a new person who waits for approval.';
create unique index budget_alerts_new_person_once on public.budget_alerts (user_id) where kind = 'new_person';

create function public.raise_sign_up_alerts(p_deliver boolean) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  raised jsonb;
begin
  -- Only addresses that are proved: else anybody could fill the channel with names.
  with added as (
    insert into public.budget_alerts (kind, threshold, user_id, limit_usd, value_usd, delivery, next_try_at)
    select 'new_person', 0, p.user_id, 0, 0, case when p_deliver then 'waiting' else 'none' end, case when p_deliver then now() end
    from public.profiles p join auth.users u on u.id = p.user_id
    where not p.is_approved and p.declined_at is null and p.is_active and u.email_confirmed_at is not null
      and not exists (select 1 from public.budget_alerts a where a.user_id = p.user_id and a.kind = 'new_person')
    order by p.user_id
    on conflict do nothing returning *
  )
  select coalesce(jsonb_agg(private.alert_json(a::public.budget_alerts) order by id), '[]') into raised from added a;
  return raised;
end $$;
comment on function public.raise_sign_up_alerts is
  'Raises an alert for each person who waits for approval and was not told of before; returns what is new. p_deliver: it is to be posted.';
grant execute on function public.raise_sign_up_alerts(boolean) to service_role;
