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

create function private.spent_from(p_day date, p_user uuid) returns numeric
language plpgsql stable security definer set search_path = '' as $$
begin
  if p_user is null then
    return (select coalesce(sum(t.spent_usd), 0) from private.team_spend(p_day) t);
  end if;
  return (select coalesce(sum(d.spent_usd), 0) from public.spend_daily d where d.day >= p_day and d.user_id = p_user);
end $$;
comment on function private.spent_from is 'USD counted as spend on a day and after it, for the team (null) or one person.';

create function private.spent_since(p_since timestamptz, p_user uuid default null) returns numeric
language sql stable security definer set search_path = '' as $$
  -- The rest of the first day from the history, whole days after it added up: exact, and never more than a day of rows.
  select coalesce((
    select sum(l.spent_usd) from public.generation_logs l
    where l.billed_at >= p_since and l.billed_at < private.team_day_start(private.team_day(p_since) + 1)
      and (p_user is null or l.user_id = p_user)
  ), 0) + private.spent_from(private.team_day(p_since) + 1, p_user)
$$;
comment on function private.spent_since is 'USD counted as spend for jobs that ended at or after a moment, for the team or one person.';

create function private.spent_this_month(p_user uuid default null) returns numeric
language sql stable security definer set search_path = '' as $$
  select private.spent_from(date_trunc('month', private.team_day(now()))::date, p_user)
$$;
comment on function private.spent_this_month is 'USD counted as spend since the first of the month in the team''s timezone.';

create function private.open_estimates(p_user uuid default null) returns numeric
language sql stable security definer set search_path = '' as $$
  select coalesce(sum(j.estimated_usd), 0) from public.generation_jobs j
  where j.status in ('pending', 'submitted', 'in_progress') and (p_user is null or j.user_id = p_user)
$$;
comment on function private.open_estimates is 'USD that open jobs are expected to cost.';

