-- Budget: what was read as the balance at fal.ai, and what is left of it.

create table public.budget_snapshots (
  id bigint generated always as identity primary key,
  scope text not null check (scope in ('team', 'person')),
  user_id uuid references public.profiles (user_id),
  amount_usd numeric(12, 6) check (amount_usd >= 0 and amount_usd < 'NaN'),
  source text not null check (source in ('manual', 'fal')),
  actor uuid references public.profiles (user_id),
  created_at timestamptz not null default now(),
  check ((scope = 'person') = (user_id is not null))
);
comment on table public.budget_snapshots is 'Append-only: a balance as it was read at a moment, USD; an empty amount clears it. The latest counts.';
create index budget_snapshots_latest on public.budget_snapshots (scope, user_id, id desc);
create index budget_snapshots_user on public.budget_snapshots (user_id);
create index budget_snapshots_actor on public.budget_snapshots (actor);
create trigger append_only before update or delete on public.budget_snapshots
  for each row execute function private.forbid_change();
create trigger append_only_truncate before truncate on public.budget_snapshots
  for each statement execute function private.forbid_change();
alter table public.budget_snapshots enable row level security;
create policy "Approved people see the team's balance, and their own" on public.budget_snapshots
  for select to authenticated using (
    scope = 'team' and (select private.is_approved())
    or user_id = (select auth.uid()) or (select private.is_admin()));
grant select on public.budget_snapshots to authenticated, service_role;

create function private.spent_since(p_since timestamptz, p_user uuid default null) returns numeric
language sql stable security definer set search_path = '' as $$
  -- The rest of the first day from the history, whole days after it from the rollup: exact, and never more than a day of rows.
  select coalesce((
    select sum(l.spent_usd) from public.generation_logs l
    where l.billed_at >= p_since and l.billed_at < private.team_day_start(private.team_day(p_since) + 1)
      and (p_user is null or l.user_id = p_user)
  ), 0) + coalesce((
    select sum(d.spent_usd) from public.spend_daily d
    where d.day > private.team_day(p_since) and (p_user is null or d.user_id = p_user)
  ), 0)
$$;
comment on function private.spent_since is 'USD counted as spend for jobs that ended at or after a moment, for the team or one person.';

create function private.spent_this_month(p_user uuid default null) returns numeric
language sql stable security definer set search_path = '' as $$
  select coalesce(sum(d.spent_usd), 0) from public.spend_daily d
  where d.day >= date_trunc('month', private.team_day(now()))::date and (p_user is null or d.user_id = p_user)
$$;
comment on function private.spent_this_month is 'USD counted as spend since the first of the month in the team''s timezone.';

create function private.open_estimates(p_user uuid default null) returns numeric
language sql stable security definer set search_path = '' as $$
  select coalesce(sum(j.estimated_usd), 0) from public.generation_jobs j
  where j.status in ('pending', 'submitted', 'in_progress') and (p_user is null or j.user_id = p_user)
$$;
comment on function private.open_estimates is 'USD that open jobs are expected to cost.';

create function private.budget_state(p_user uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  snapshot public.budget_snapshots;
  spent numeric;
  sees_all boolean;
begin
  select * into snapshot from public.budget_snapshots where scope = 'team' order by id desc limit 1;
  if snapshot.amount_usd is null then
    sees_all := exists (select 1 from public.profiles where user_id = p_user and role = 'admin');
    if not sees_all and p_user is null then
      return jsonb_build_object('spent', '0');
    end if;
    return jsonb_build_object('spent', private.spent_this_month(case when not sees_all then p_user end)::text);
  end if;
  spent := private.spent_since(snapshot.created_at);
  return jsonb_build_object(
    'spent', spent::text, 'amount', snapshot.amount_usd::text, 'taken_at', snapshot.created_at,
    'remaining', (snapshot.amount_usd - spent)::text);
end $$;
comment on function private.budget_state is
  'What the header says: the latest balance, spend since it and what is left (USD as text); without a balance what was spent this month, by the team for admins and by oneself for others.';

create function public.set_team_balance(p_actor uuid, p_amount numeric) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  before_state jsonb := private.budget_state(p_actor);
begin
  perform private.require_admin(p_actor, 'set_team_balance');
  if p_amount is not null and (p_amount < 0 or p_amount > 999999 or p_amount <> round(p_amount, 2)) then
    perform private.refuse(422, 'INVALID_INPUT', 'Enter an amount between 0 and 999,999 dollars, with two decimals at most.', '{"field": "amount"}');
  end if;
  insert into public.budget_snapshots (scope, amount_usd, source, actor) values ('team', p_amount, 'manual', p_actor);
  perform private.note_action(p_actor, 'set_team_balance', 'team', before_state, jsonb_build_object('amount', p_amount::text));
  return private.budget_state(p_actor);
end $$;
comment on function public.set_team_balance is 'An admin enters the balance read at fal.ai, USD; null clears it.';
grant execute on function public.set_team_balance(uuid, numeric) to service_role;
