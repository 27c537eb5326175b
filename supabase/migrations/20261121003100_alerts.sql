-- Alerts, each raised once, and the periodic chores of the worker, each done once however many workers run.

-- ---------------------------------------------------------------------------------------------------------------
-- Alerts
-- ---------------------------------------------------------------------------------------------------------------
create table public.budget_alerts (
  id bigint generated always as identity primary key,
  kind text not null,
  threshold int not null,
  snapshot_id bigint references public.budget_snapshots (id),
  user_id uuid references public.profiles (user_id),
  month date,
  limit_usd numeric(12, 6) not null check (limit_usd >= 0),
  value_usd numeric(14, 6) not null,
  raised_at timestamptz not null default now(),
  delivery text not null check (delivery in ('none', 'waiting', 'sent', 'failed')),
  attempts int not null default 0,
  next_try_at timestamptz,
  lease_owner text,
  lease_until timestamptz,
  delivered_at timestamptz,
  last_error text,
  constraint alert_is_of_its_kind check (
    case kind
      when 'team_balance' then threshold in (50, 25, 10, 0) and snapshot_id is not null and user_id is null and month is null
      when 'monthly_cap' then threshold in (80, 100) and snapshot_id is null and user_id is not null and month is not null
      when 'new_person' then threshold = 0 and snapshot_id is null and user_id is not null and month is null
                             and limit_usd = 0 and value_usd = 0
      else false
    end
  ),
  constraint waiting_has_a_time check ((delivery = 'waiting') = (next_try_at is not null)),
  constraint sent_has_a_time check ((delivery = 'sent') = (delivered_at is not null)),
  constraint team_alert_once unique (snapshot_id, threshold),
  constraint person_alert_once unique (user_id, month, threshold)
);
comment on table public.budget_alerts is
  'What is told once: a threshold that was crossed (per balance and threshold for the team, per month and threshold for a person''s cap), and a new person who waits for approval.';
comment on column public.budget_alerts.threshold is 'Percent: what is left of the team''s balance, or what is used of a person''s cap.';
comment on column public.budget_alerts.limit_usd is 'The balance that the period began with, or the cap, USD.';
comment on column public.budget_alerts.value_usd is 'What was left of the balance, or spent this month, when the alert was raised, USD.';
comment on column public.budget_alerts.delivery is 'To ALERT_WEBHOOK_URL: none when it was not set, waiting, sent, failed after the last try.';
create index budget_alerts_waiting on public.budget_alerts (next_try_at) where delivery = 'waiting';
create unique index budget_alerts_new_person_once on public.budget_alerts (user_id) where kind = 'new_person';
create index budget_alerts_newest on public.budget_alerts (raised_at desc);
alter table public.budget_alerts enable row level security;
create policy "People see alerts about their cap, admins see all" on public.budget_alerts
  for select to authenticated using (user_id = (select auth.uid()) or (select private.is_admin()));
grant select on public.budget_alerts to authenticated, service_role;

create function private.alert_json(p_alert public.budget_alerts) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'id', p_alert.id, 'kind', p_alert.kind, 'threshold', p_alert.threshold, 'user_id', p_alert.user_id, 'month', p_alert.month,
    'limit_usd', p_alert.limit_usd::text, 'value_usd', p_alert.value_usd::text, 'raised_at', p_alert.raised_at,
    'delivery', p_alert.delivery, 'attempts', p_alert.attempts, 'last_error', p_alert.last_error, 'delivered_at', p_alert.delivered_at,
    'person', (select coalesce(nullif(full_name, ''), email) from public.profiles where user_id = p_alert.user_id))
$$;
comment on function private.alert_json is 'An alert as the functions return it, with the name of the person and money as text.';

create function public.raise_due_alerts(p_deliver boolean) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  team jsonb := private.balance_state(null);
  month_start date := date_trunc('month', private.team_day(now()))::date;
  raised jsonb;
begin
  with due as (
    select 'team_balance' as kind, t.threshold, (team ->> 'period')::bigint as snapshot_id, null::uuid as user_id, null::date as month,
           (team ->> 'amount')::numeric as limit_usd, (team ->> 'remaining')::numeric as value_usd
    from (values (50), (25), (10), (0)) t (threshold)
    where (team ->> 'remaining')::numeric * 100 <= (team ->> 'amount')::numeric * t.threshold
      and ((team ->> 'amount')::numeric > 0 or t.threshold = 0)
    union all
    select 'monthly_cap', t.threshold, null, p.user_id, month_start, p.monthly_cap_usd, s.spent
    from public.profiles p
    cross join lateral (
      select coalesce(sum(d.spent_usd), 0) as spent from public.spend_daily d where d.user_id = p.user_id and d.day >= month_start
    ) s
    cross join (values (80), (100)) t (threshold)
    where p.monthly_cap_usd is not null and s.spent * 100 >= p.monthly_cap_usd * t.threshold
  ), added as (
    insert into public.budget_alerts (kind, threshold, snapshot_id, user_id, month, limit_usd, value_usd, delivery, next_try_at)
    select kind, threshold, snapshot_id, user_id, month, greatest(limit_usd, 0), value_usd,
           case when p_deliver then 'waiting' else 'none' end, case when p_deliver then now() end
    from due order by kind, user_id, threshold
    on conflict do nothing returning *
  )
  select coalesce(jsonb_agg(private.alert_json(a::public.budget_alerts) order by id), '[]') into raised from added a;
  return raised;
end $$;
comment on function public.raise_due_alerts is
  'Raises what has crossed its threshold and was not raised before; returns what is new. p_deliver: it is to be posted.';
grant execute on function public.raise_due_alerts(boolean) to service_role;

create function public.claim_alerts(p_worker text, p_limit int default 20, p_lease_seconds int default 60) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  claimed jsonb;
begin
  with due as (
    select id from public.budget_alerts
    where delivery = 'waiting' and next_try_at <= now() and (lease_until is null or lease_until < now())
    order by next_try_at, id limit p_limit for update skip locked
  ), taken as (
    update public.budget_alerts a
    set lease_owner = p_worker, lease_until = now() + make_interval(secs => p_lease_seconds), attempts = a.attempts + 1
    from due where a.id = due.id returning a.*
  )
  select coalesce(jsonb_agg(private.alert_json(t::public.budget_alerts) order by id), '[]') into claimed from taken t;
  return claimed;
end $$;
comment on function public.claim_alerts is 'Takes alerts that are due to be posted, under a lease.';
grant execute on function public.claim_alerts(text, int, int) to service_role;

create function public.record_alert_sent(p_alert bigint, p_worker text) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  update public.budget_alerts
  set delivery = 'sent', delivered_at = now(), next_try_at = null, lease_owner = null, lease_until = null, last_error = null
  where id = p_alert and delivery = 'waiting' and lease_owner = p_worker;
  return found;
end $$;
comment on function public.record_alert_sent is 'An alert was taken by the address it goes to. False when the lease had gone to somebody else.';
grant execute on function public.record_alert_sent(bigint, text) to service_role;

create function public.record_alert_failed(p_alert bigint, p_worker text, p_error text, p_retry_seconds int) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  update public.budget_alerts
  set delivery = case when p_retry_seconds is null then 'failed' else 'waiting' end,
      next_try_at = now() + make_interval(secs => p_retry_seconds), last_error = p_error, lease_owner = null, lease_until = null
  where id = p_alert and delivery = 'waiting' and lease_owner = p_worker;
  return found;
end $$;
comment on function public.record_alert_failed is 'An alert could not be posted: try again after so many seconds, or (null) not any more.';
grant execute on function public.record_alert_failed(bigint, text, text, int) to service_role;

create function public.current_alerts(p_actor uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  person public.profiles;
  team jsonb := private.balance_state(null);
  month_start date := date_trunc('month', private.team_day(now()))::date;
  is_admin boolean;
begin
  select * into person from public.profiles where user_id = p_actor and is_approved and is_active;
  is_admin := coalesce(person.role = 'admin', false);
  return (
    select coalesce(jsonb_agg(
      private.alert_json(a) || jsonb_build_object(
        'value_now', n.value::text, 'limit_now', n.total::text,
        'is_current', coalesce(case a.kind when 'team_balance' then n.value * 100 <= n.total * a.threshold else n.value * 100 >= n.total * a.threshold end, false))
      order by a.raised_at desc, a.threshold), '[]')
    from public.budget_alerts a
    cross join lateral (
      select (team ->> 'remaining')::numeric as value, (team ->> 'amount')::numeric as total where a.kind = 'team_balance'
      union all
      select private.spent_this_month(a.user_id), (select p.monthly_cap_usd from public.profiles p where p.user_id = a.user_id)
      where a.kind = 'monthly_cap'
    ) n
    where a.snapshot_id = (team ->> 'period')::bigint and person.user_id is not null
       or a.month = month_start and (is_admin or a.user_id = p_actor));
end $$;
comment on function public.current_alerts is
  'The alerts of the present balance, for everybody approved, and of the month: their own cap''s, for admins all; newest first. value_now and limit_now are how it stands now, is_current whether the threshold is crossed still.';
grant execute on function public.current_alerts(uuid) to service_role;

-- ---------------------------------------------------------------------------------------------------------------
-- Chores
-- ---------------------------------------------------------------------------------------------------------------
create table private.chores (
  name text primary key check (name ~ '^[a-z_]+$'),
  due_at timestamptz not null default now(),
  lease_owner text,
  lease_until timestamptz,
  started_at timestamptz,
  last_ok_at timestamptz,
  last_error text,
  last_error_at timestamptz,
  failures int not null default 0,
  facts jsonb not null default '{}'
);
comment on table private.chores is 'What the workers do from time to time: when it is due, who does it now, how it went.';
comment on column private.chores.failures is 'In a row; 0 once it went well.';
comment on column private.chores.facts is 'What the last run that went well found.';
alter table private.chores enable row level security;
create policy "Nobody by the API" on private.chores to anon, authenticated using (false);

create function public.claim_chores(p_worker text, p_names jsonb, p_lease_seconds int default 300) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  claimed jsonb;
begin
  insert into private.chores (name)
  select n from jsonb_array_elements_text(p_names) n where not exists (select 1 from private.chores c where c.name = n)
  on conflict do nothing;
  with due as (
    select name from private.chores
    where name in (select jsonb_array_elements_text(p_names)) and due_at <= now() and (lease_until is null or lease_until < now())
    order by due_at, name for update skip locked
  ), taken as (
    update private.chores c
    set lease_owner = p_worker, lease_until = now() + make_interval(secs => p_lease_seconds), started_at = now()
    from due where c.name = due.name returning c.name, c.failures, c.due_at
  )
  select coalesce(jsonb_agg(jsonb_build_object('name', name, 'failures', failures) order by due_at, name), '[]') into claimed from taken;
  return claimed;
end $$;
comment on function public.claim_chores is 'Takes those of the named chores that are due, under a lease: [{name, failures}]. A new name is due at once.';
grant execute on function public.claim_chores(text, jsonb, int) to service_role;

create function public.finish_chore(p_worker text, p_name text, p_next_seconds int, p_error text, p_facts jsonb default '{}') returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  update private.chores
  set due_at = now() + make_interval(secs => p_next_seconds), lease_owner = null, lease_until = null,
      last_ok_at = case when p_error is null then now() else last_ok_at end,
      facts = case when p_error is null then coalesce(p_facts, '{}') else facts end,
      failures = case when p_error is null then 0 else failures + 1 end,
      last_error = p_error,
      last_error_at = case when p_error is null then last_error_at else now() end
  where name = p_name and lease_owner = p_worker;
  return found;
end $$;
comment on function public.finish_chore is 'How a claimed chore went (an error in plain words, or null) and in how many seconds it is due again. False when the lease had gone to somebody else.';
grant execute on function public.finish_chore(text, text, int, text, jsonb) to service_role;

create function public.hurry_chore(p_actor uuid, p_name text) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  was timestamptz;
begin
  perform private.require_admin(p_actor, 'hurry_chore');
  select due_at into was from private.chores where name = p_name for no key update;
  if not found then
    return false;
  end if;
  update private.chores set due_at = now() where name = p_name;
  perform private.note_action(p_actor, 'hurry_chore', p_name, jsonb_build_object('due_at', was), jsonb_build_object('due_at', now()));
  return true;
end $$;
comment on function public.hurry_chore is 'An admin wants a chore done now rather than at its time. False when no worker has ever seen it.';
grant execute on function public.hurry_chore(uuid, text) to service_role;

create function public.chore_states(p_actor uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_admin(p_actor, 'chore_states');
  return (select coalesce(jsonb_agg(to_jsonb(c) - array['lease_owner', 'lease_until'] order by c.name), '[]') from private.chores c);
end $$;
comment on function public.chore_states is 'How the chores are doing, for admins.';
grant execute on function public.chore_states(uuid) to service_role;
