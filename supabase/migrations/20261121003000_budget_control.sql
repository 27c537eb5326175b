-- Budget control: balances of the team and of one's own allowance, read at fal.ai or entered by hand, and the limits.

-- ---------------------------------------------------------------------------------------------------------------
-- Readings and periods
-- ---------------------------------------------------------------------------------------------------------------
-- fal.ai lets an account go below zero; a person who types a balance cannot.
alter table public.budget_snapshots drop constraint budget_snapshots_amount_usd_check;
alter table public.budget_snapshots add constraint budget_snapshots_amount_usd_check check (
  abs(amount_usd) < 1000000 and (amount_usd >= 0 or source = 'fal'));
alter table public.budget_snapshots add column starts_period boolean not null default true;
alter table public.budget_snapshots add constraint only_a_reading_continues_a_period check (starts_period or source = 'fal');
alter table public.budget_snapshots add constraint only_the_team_has_readings check (scope = 'team' or source = 'manual');
comment on column public.budget_snapshots.starts_period is
  'An entry by hand, the first reading and a top-up start a period: their amount is the 100 % that shares and alerts refer to. The readings in between only say what is left.';
create index budget_snapshots_periods on public.budget_snapshots (scope, user_id, id desc) where starts_period;

create function private.usd(p_amount numeric) returns text language sql immutable set search_path = '' as $$
  -- Cut, not rounded: what is said to be left is there.
  select case when p_amount < 0 then '−' else '' end || '$' || case
    when p_amount = 0 or abs(p_amount) >= 0.1 then to_char(trunc(abs(p_amount), 2), 'FM999,999,990.00')
    else to_char(trunc(abs(p_amount), 3), 'FM0.000') end
$$;
comment on function private.usd is 'An amount as it stands in a sentence: two decimals, three below ten cents, never more than there is.';

create function private.balance_state(p_user uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  latest public.budget_snapshots;
  first public.budget_snapshots;
  remaining numeric;
begin
  if p_user is null then
    select * into latest from public.budget_snapshots where scope = 'team' and user_id is null order by id desc limit 1;
  else
    select * into latest from public.budget_snapshots where scope = 'person' and user_id = p_user order by id desc limit 1;
  end if;
  if latest.amount_usd is null then
    return null;
  end if;
  first := latest;
  if not latest.starts_period then
    select * into first from public.budget_snapshots where scope = 'team' and user_id is null and starts_period order by id desc limit 1;
  end if;
  remaining := latest.amount_usd - private.spent_since(latest.created_at, p_user);
  return jsonb_build_object(
    'scope', latest.scope, 'spent', (first.amount_usd - remaining)::text, 'amount', first.amount_usd::text,
    'taken_at', first.created_at, 'remaining', remaining::text,
    'source', latest.source, 'read_at', latest.created_at, 'period', first.id);
end $$;
comment on function private.balance_state is
  'What is left of the latest balance of the team (null) or of a person''s own allowance, USD as text; null when none is set. amount is what the period began with, spent is what has gone since, elsewhere too when fal.ai tells the balance.';

create function private.team_state(p_user uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  person public.profiles;
  state jsonb;
begin
  select * into person from public.profiles where user_id = p_user;
  if person.is_approved and person.is_active then
    state := private.balance_state(null);
  end if;
  if state is null then
    state := jsonb_build_object('spent', private.spent_this_month(case when person.role = 'admin' and person.is_active then null else p_user end)::text);
  end if;
  return state;
end $$;
comment on function private.team_state is
  'The team''s balance for an approved, active person; without one what was spent this month, by the team for admins and by oneself for others.';

create function private.budget_state(p_user uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select case when p_user is null then '{"spent": "0"}' else coalesce(private.balance_state(p_user), private.team_state(p_user)) end
$$;
comment on function private.budget_state is
  'What the header says: one''s own allowance when it is set, else the team''s balance, else what was spent this month. USD as text; scope says whose balance it is.';

-- ---------------------------------------------------------------------------------------------------------------
-- Entering a balance
-- ---------------------------------------------------------------------------------------------------------------
create function private.check_amount(p_amount numeric, p_minimum numeric) returns void
language plpgsql set search_path = '' as $$
begin
  if p_amount < p_minimum or p_amount > 999999 or p_amount <> round(p_amount, 2) then
    perform private.refuse(422, 'INVALID_INPUT',
      format('Enter an amount between %s and 999,999 dollars, with two decimals at most.', p_minimum), '{"field": "amount"}');
  end if;
end $$;
comment on function private.check_amount is 'Refuses an amount of dollars that a person cannot mean; an empty one passes.';

create function public.set_team_balance(p_actor uuid, p_amount numeric) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  before_state jsonb;
begin
  perform private.require_admin(p_actor, 'set_team_balance');
  perform private.check_amount(p_amount, 0);
  perform pg_advisory_xact_lock(hashtext('atelier.team_balance'));
  before_state := private.balance_state(null);
  insert into public.budget_snapshots (scope, amount_usd, source, actor) values ('team', p_amount, 'manual', p_actor);
  perform private.note_action(p_actor, 'set_team_balance', 'team', before_state, jsonb_build_object('amount', p_amount::text));
  return private.team_state(p_actor);
end $$;
comment on function public.set_team_balance is 'An admin enters the balance read at fal.ai, USD; null clears it. Returns the team''s state.';
grant execute on function public.set_team_balance(uuid, numeric) to service_role;

create function public.set_own_balance(p_actor uuid, p_amount numeric) returns jsonb
language plpgsql security definer set search_path = '' as $$
begin
  if not exists (select 1 from public.profiles where user_id = p_actor and is_approved and is_active) then
    perform private.refuse(403, 'NOT_APPROVED', 'Your account waits for approval by an admin.');
  end if;
  perform private.check_amount(p_amount, 0);
  insert into public.budget_snapshots (scope, user_id, amount_usd, source, actor)
  values ('person', p_actor, p_amount, 'manual', p_actor);
  return private.budget_state(p_actor);
end $$;
comment on function public.set_own_balance is 'A person sets their own allowance, USD; null clears it. It is a guide, not a limit. Returns what the header says now.';
grant execute on function public.set_own_balance(uuid, numeric) to service_role;

create function public.record_fal_balance(p_amount numeric) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  latest public.budget_snapshots;
  state jsonb;
  tops_up boolean;
begin
  if p_amount is null or abs(p_amount) > 999999 then
    raise exception 'A balance is a number of dollars below a million, not %.', coalesce(p_amount::text, 'nothing');
  end if;
  -- One at a time, so that two workers do not both see the change.
  perform pg_advisory_xact_lock(hashtext('atelier.team_balance'));
  select * into latest from public.budget_snapshots where scope = 'team' and user_id is null order by id desc limit 1;
  if latest.source = 'fal' and latest.amount_usd = round(p_amount, 6) then
    state := private.balance_state(null);
    -- The same reading again says something new only when spend that we have counted since is in it already: fal.ai had
    -- charged it before we knew. Its own books may lag by minutes, so that is believed once the spend is old enough.
    if (state ->> 'remaining')::numeric = latest.amount_usd or exists (
      select 1 from public.generation_logs where billed_at > now() - interval '10 minutes' and spent_usd <> 0
    ) then
      return state || '{"recorded": false}';
    end if;
  end if;
  -- Refunds of cents happen; a dollar more than last time is money that somebody paid in.
  tops_up := latest.amount_usd is null or p_amount >= latest.amount_usd + 1;
  insert into public.budget_snapshots (scope, amount_usd, source, starts_period) values ('team', p_amount, 'fal', tops_up);
  return private.balance_state(null) || '{"recorded": true}';
end $$;
comment on function public.record_fal_balance is
  'Keeps a balance that fal.ai told, USD, when it says something new. Returns the team''s state and whether it was recorded.';
grant execute on function public.record_fal_balance(numeric) to service_role;

create function public.balance_entries(p_actor uuid, p_scope text, p_limit int default 20) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  if not exists (select 1 from public.profiles where user_id = p_actor and is_approved and is_active) then
    perform private.refuse(403, 'NOT_APPROVED', 'Your account waits for approval by an admin.');
  end if;
  return (
    select coalesce(jsonb_agg(jsonb_build_object(
      'created_at', s.created_at, 'amount', s.amount_usd::text, 'source', s.source,
      'actor_name', coalesce(nullif(p.full_name, ''), p.email)) order by s.id desc), '[]')
    from (
      select * from public.budget_snapshots b
      where b.starts_period and b.scope = p_scope and (p_scope = 'team' and b.user_id is null or b.user_id = p_actor)
      order by b.id desc limit p_limit
    ) s left join public.profiles p on p.user_id = s.actor);
end $$;
comment on function public.balance_entries is
  'The previous balances, newest first: of the team, or (scope person) of the acting person''s own allowance. An empty amount is a clearing.';
grant execute on function public.balance_entries(uuid, text, int) to service_role;

-- ---------------------------------------------------------------------------------------------------------------
-- Limits
-- ---------------------------------------------------------------------------------------------------------------
create function public.set_monthly_cap(p_actor uuid, p_user uuid, p_cap numeric, p_reason text default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  before_cap numeric;
begin
  perform private.require_admin(p_actor, 'set_monthly_cap');
  perform private.check_amount(p_cap, 0.01);
  -- Profile before account, as everywhere; new jobs, which refer to the profile, are not held up by this lock.
  select monthly_cap_usd into before_cap from public.profiles where user_id = p_user for no key update;
  if not found then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such person.');
  end if;
  -- The lock that create_job takes: a job that is being created counts, or is judged by the new cap.
  perform 1 from public.credit_accounts where user_id = p_user for no key update;
  if before_cap is distinct from p_cap then
    update public.profiles set monthly_cap_usd = p_cap where user_id = p_user;
    perform private.note_action(p_actor, 'set_monthly_cap', p_user::text,
      jsonb_build_object('cap', before_cap::text), jsonb_build_object('cap', p_cap::text), private.kept_reason(p_reason));
  end if;
  return private.month_state(p_user);
end $$;
comment on function public.set_monthly_cap is 'An admin limits what a person may spend in a calendar month, USD; null lifts the limit. Returns the person''s month.';
grant execute on function public.set_monthly_cap(uuid, uuid, numeric, text) to service_role;

create function private.month_state(p_user uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'spent', spent::text, 'open', open::text, 'cap', cap::text, 'left', (cap - spent - open)::text)
  from (select private.spent_this_month(p_user) as spent, private.open_estimates(p_user) as open,
               (select monthly_cap_usd from public.profiles where user_id = p_user) as cap) month
$$;
comment on function private.month_state is 'A person''s calendar month: spent, estimates of open jobs, the cap and what it leaves, USD as text.';

create function public.set_block_at_zero(p_actor uuid, p_on boolean) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  was boolean;
begin
  perform private.require_admin(p_actor, 'set_block_at_zero');
  select block_at_zero into was from private.team_settings for update;
  if was <> p_on then
    update private.team_settings set block_at_zero = p_on, updated_at = now();
    perform private.note_action(p_actor, 'set_block_at_zero', 'team',
      jsonb_build_object('block_at_zero', was), jsonb_build_object('block_at_zero', p_on));
  end if;
  return p_on;
end $$;
comment on function public.set_block_at_zero is 'An admin decides whether new jobs are refused once the team''s balance is used up.';
grant execute on function public.set_block_at_zero(uuid, boolean) to service_role;

-- ---------------------------------------------------------------------------------------------------------------
-- The budget page in one call
-- ---------------------------------------------------------------------------------------------------------------
create function public.budget_overview(p_actor uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  person public.profiles;
  settings private.team_settings;
begin
  select * into person from public.profiles where user_id = p_actor;
  if not found then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such person.');
  end if;
  select * into settings from private.team_settings;
  return jsonb_build_object(
    'header', private.budget_state(p_actor),
    'team', case when person.is_approved and person.is_active then private.balance_state(null) end,
    'own', private.balance_state(p_actor),
    'month', private.month_state(p_actor),
    'timezone', settings.timezone, 'today', private.team_day(now()), 'block_at_zero', settings.block_at_zero);
end $$;
comment on function public.budget_overview is
  'The header''s figure, the team''s balance, one''s own allowance, one''s month under the cap, and the settings that explain them. USD as text.';
grant execute on function public.budget_overview(uuid) to service_role;
