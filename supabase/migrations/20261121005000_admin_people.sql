-- People, for admins: the list, and deciding about many at once.

create function private.like_pattern(p_text text) returns text language sql immutable set search_path = '' as $$
  select '%' || replace(replace(replace(left(trim(coalesce(p_text, '')), 200), '\', '\\'), '%', '\%'), '_', '\_') || '%'
$$;
comment on function private.like_pattern is 'A pattern for ILIKE that finds this text anywhere, its wildcards taken as themselves.';

create function private.page_size(p_limit int) returns int language sql immutable set search_path = '' as $$
  select greatest(1, least(coalesce(p_limit, 50), 500))
$$;
comment on function private.page_size is 'How many rows one call returns: at least 1, at most 500.';

-- ---------------------------------------------------------------------------------------------------------------
-- The list
-- ---------------------------------------------------------------------------------------------------------------
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
create function private.decide_people(
  p_actor uuid, p_users jsonb, p_approve boolean, p_welcome_credits int, p_reason text
) returns jsonb
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
        perform public.approve_person(p_actor, who, p_welcome_credits, p_reason);
      else
        perform public.decline_person(p_actor, who, p_reason);
      end if;
      changed := changed || who;
    end if;
  end loop;
  return jsonb_build_object('changed', to_jsonb(changed), 'unchanged', to_jsonb(unchanged), 'unknown', to_jsonb(unknown));
end $$;
comment on function private.decide_people is 'Approves or declines several people in one transaction; who is past that decision is left as they are.';

create function public.approve_people(p_actor uuid, p_users jsonb, p_welcome_credits int, p_reason text default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
begin
  perform private.require_admin(p_actor, 'approve_people');
  return private.decide_people(p_actor, p_users, true, p_welcome_credits, p_reason);
end $$;
comment on function public.approve_people is 'Approves several people at once, each with their own line in the trail: {changed, unchanged, unknown}, arrays of ids.';
grant execute on function public.approve_people(uuid, jsonb, int, text) to service_role;

create function public.decline_people(p_actor uuid, p_users jsonb, p_reason text default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
begin
  perform private.require_admin(p_actor, 'decline_people');
  return private.decide_people(p_actor, p_users, false, 0, p_reason);
end $$;
comment on function public.decline_people is
  'Takes several people off the waiting list at once: {changed, unchanged, unknown}, arrays of ids. Who is approved stays so.';
grant execute on function public.decline_people(uuid, jsonb, text) to service_role;
