-- Reading the spend: from the rollup and the snapshots, so that a million jobs are as quick as ten. And keeping the rollup right.

-- ---------------------------------------------------------------------------------------------------------------
-- Rebuilding the rollup from the history
-- ---------------------------------------------------------------------------------------------------------------
create function public.rebuild_spend_daily() returns jsonb
language plpgsql security definer set search_path = '' as $$
begin
  -- History and rollup are written together, so one look is consistent without a lock; only a repair needs one.
  if not exists (select 1 from private.rollup_differences()) then
    return '[]';
  end if;
  return private.repair_rollup();
end $$;
comment on function public.rebuild_spend_daily is
  'Recomputes the rollup from the history and corrects it: [{day, user_id, generation_type, had, should}], empty when it was right.';
grant execute on function public.rebuild_spend_daily() to service_role;

create function public.set_team_timezone(p_actor uuid, p_timezone text) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  was text;
  moved int := 0;
begin
  perform private.require_admin(p_actor, 'set_team_timezone');
  if not exists (select 1 from pg_catalog.pg_timezone_names where name = p_timezone and name !~ '^(posix|right)/') then
    perform private.refuse(422, 'INVALID_INPUT', 'Choose a timezone such as Europe/Paris.', '{"field": "timezone"}');
  end if;
  lock table public.generation_logs in share row exclusive mode;
  lock table public.spend_daily in share row exclusive mode;
  select timezone into was from private.team_settings for update;
  if was <> p_timezone then
    update private.team_settings set timezone = p_timezone, updated_at = now();
    moved := jsonb_array_length(private.repair_rollup());
    -- Days begin at another hour: which jobs are of a day may change though its sums do not.
    delete from private.closed_days;
    -- fal.ai's usage was read for days that began at another hour: it is read again.
    delete from public.fal_usage_daily;
    delete from private.fal_usage_reads;
    perform private.note_action(p_actor, 'set_team_timezone', 'team',
      jsonb_build_object('timezone', was), jsonb_build_object('timezone', p_timezone));
  end if;
  return jsonb_build_object('timezone', p_timezone, 'rows_changed', moved);
end $$;
comment on function public.set_team_timezone is 'An admin decides where days begin at midnight; the rollup is rebuilt in the same transaction.';
grant execute on function public.set_team_timezone(uuid, text) to service_role;

-- ---------------------------------------------------------------------------------------------------------------
-- The spend page
-- ---------------------------------------------------------------------------------------------------------------
create index generation_jobs_costly_failures on public.generation_jobs (billed_at desc)
  where status in ('failed', 'cancelled') and spent_usd > 0;

create function private.whose_spend(p_actor uuid) returns uuid
language plpgsql stable security definer set search_path = '' as $$
declare
  person public.profiles;
begin
  select * into person from public.profiles where user_id = p_actor and is_active;
  if not found then
    perform private.refuse(403, 'NOT_ACTIVE', 'Your account is switched off. Ask an admin.');
  end if;
  return case when person.role = 'admin' and person.is_approved then null else p_actor end;
end $$;
comment on function private.whose_spend is 'Whose spend a person may see: null is everybody''s, for admins; else their own id.';

create function private.spend_by_type(p_user uuid, p_from date, p_to date) returns table (
  day date, generation_type text, jobs bigint, failures bigint, credits bigint, estimated_usd numeric, spent_usd numeric, seconds numeric
) language plpgsql stable security definer set search_path = '' as $$
begin
  if p_user is null then
    return query select * from private.team_spend(p_from, p_to);
  end if;
  return query
  select d.day, d.generation_type, sum(d.jobs), sum(d.failures), sum(d.credits), sum(d.estimated_usd), sum(d.spent_usd), sum(d.seconds)
  from public.spend_daily d where d.day between p_from and p_to and d.user_id = p_user group by d.day, d.generation_type;
end $$;
comment on function private.spend_by_type is 'What each day of a span cost per generation type, of one person or (null) of the team.';

create function private.spend_totals(p_user uuid, p_from date, p_to date) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'from', p_from, 'to', p_to, 'jobs', coalesce(sum(jobs), 0), 'failures', coalesce(sum(failures), 0), 'credits', coalesce(sum(credits), 0),
    'estimated', coalesce(sum(estimated_usd), 0)::text, 'spent', coalesce(sum(spent_usd), 0)::text)
  from private.spend_by_type(p_user, p_from, p_to)
$$;
comment on function private.spend_totals is 'Jobs, failures, credits and USD (as text) of a span of days, of one person or all.';

create function private.costly_failures(p_user uuid, p_from date, p_to date, p_limit int) returns jsonb
language sql stable security definer set search_path = '' as $$
  with costly as materialized (
    select j.id, j.billed_at, j.user_id, j.generation_type, j.status, j.error_type, j.error_message, j.prompt, j.spent_usd, j.cost_source
    from public.generation_jobs j
    where j.status in ('failed', 'cancelled') and j.spent_usd > 0
      and j.billed_at >= private.team_day_start(p_from) and j.billed_at < private.team_day_start(p_to + 1)
      and (p_user is null or j.user_id = p_user)
  )
  select jsonb_build_object(
    'count', (select count(*) from costly), 'spent', (select coalesce(sum(spent_usd), 0)::text from costly),
    'by_reason', (select coalesce(jsonb_agg(jsonb_build_object('error_type', error_type, 'count', n, 'spent', usd::text) order by usd desc, error_type), '[]')
                  from (select error_type, count(*) as n, sum(spent_usd) as usd from costly group by error_type) r),
    'jobs', (select coalesce(jsonb_agg(jsonb_build_object(
        'job_id', c.id, 'ended_at', c.billed_at, 'person', coalesce(nullif(p.full_name, ''), p.email), 'generation_type', c.generation_type,
        'status', c.status, 'error_type', c.error_type, 'error_message', c.error_message, 'prompt', left(c.prompt, 200),
        'spent', c.spent_usd::text, 'cost_source', c.cost_source) order by c.spent_usd desc, c.billed_at desc), '[]')
      from (select * from costly order by spent_usd desc, billed_at desc limit p_limit) c
      join public.profiles p on p.user_id = c.user_id))
$$;
comment on function private.costly_failures is 'Jobs that did not complete and cost money all the same: how many, how much, by reason, and the dearest of them.';

create function private.spend_days(p_user uuid, p_from date, p_to date, p_by text) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  days jsonb;
begin
  if p_by = 'type' then
    select jsonb_agg(jsonb_build_object(
      'day', s.day, 'key', s.generation_type, 'label', g.label, 'media_kind', g.media_kind, 'jobs', s.jobs, 'failures', s.failures,
      'credits', s.credits, 'estimated', s.estimated_usd::text, 'spent', s.spent_usd::text) order by s.day, g.position) into days
    from private.spend_by_type(p_user, p_from, p_to) s
    join public.generation_types g using (generation_type);
  elsif p_by = 'person' then
    select jsonb_agg(jsonb_build_object(
      'day', s.day, 'key', s.user_id, 'label', coalesce(nullif(p.full_name, ''), p.email), 'media_kind', null, 'jobs', s.jobs, 'failures', s.failures,
      'credits', s.credits, 'estimated', s.estimated::text, 'spent', s.spent::text) order by s.day, p.full_name, p.user_id) into days
    from (select day, user_id, sum(jobs) as jobs, sum(failures) as failures, sum(credits) as credits, sum(estimated_usd) as estimated,
                 sum(spent_usd) as spent
          from public.spend_daily where day between p_from and p_to and (p_user is null or user_id = p_user) group by 1, 2) s
    join public.profiles p using (user_id);
  elsif p_by = 'campaign' then
    select jsonb_agg(jsonb_build_object(
      'day', s.day, 'key', coalesce(s.campaign_id::text, ''), 'label', coalesce(c.name, 'No campaign'), 'media_kind', null, 'jobs', s.jobs,
      'failures', s.failures, 'credits', s.credits, 'estimated', s.estimated::text, 'spent', s.spent::text)
      order by s.day, c.name nulls last, s.campaign_id) into days
    from (select day, campaign_id, sum(jobs) as jobs, sum(failures) as failures, sum(credits) as credits, sum(estimated_usd) as estimated,
                 sum(spent_usd) as spent
          from public.spend_daily where day between p_from and p_to and (p_user is null or user_id = p_user) group by 1, 2) s
    left join public.campaigns c on c.id = s.campaign_id;
  else
    perform private.refuse(422, 'INVALID_INPUT', 'Spend can be shown by type, by person or by campaign.', '{"field": "by"}');
  end if;
  return coalesce(days, '[]');
end $$;
comment on function private.spend_days is 'What each day of a span cost, by type, by person or by campaign, from the rollup: of one person or (null) all. USD as text.';

create function public.spend_report(
  p_actor uuid, p_from date, p_to date, p_before_from date, p_before_to date, p_by text default 'type', p_failures int default 50
) returns jsonb language plpgsql stable security definer set search_path = '' as $$
declare
  whose uuid := private.whose_spend(p_actor);
  month_start date := date_trunc('month', private.team_day(now()))::date;
begin
  if p_from > p_to or p_to - p_from > 3660 then
    perform private.refuse(422, 'INVALID_INPUT', 'Choose a period whose first day is not after its last, ten years at most.', '{"field": "period"}');
  end if;
  return jsonb_build_object(
    'timezone', (select timezone from private.team_settings), 'today', private.team_day(now()), 'everybody', whose is null,
    'totals', private.spend_totals(whose, p_from, p_to), 'before', private.spend_totals(whose, p_before_from, p_before_to),
    'by_day', private.spend_days(whose, p_from, p_to, p_by),
    'by_type', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'generation_type', g.generation_type, 'label', g.label, 'media_kind', g.media_kind, 'jobs', s.jobs, 'failures', s.failures,
        'credits', s.credits, 'estimated', s.estimated::text, 'spent', s.spent::text, 'seconds', s.seconds::text) order by s.spent desc, g.position), '[]')
      from (select generation_type, sum(jobs) as jobs, sum(failures) as failures, sum(credits) as credits, sum(estimated_usd) as estimated,
                   sum(spent_usd) as spent, sum(seconds) as seconds
            from private.spend_by_type(whose, p_from, p_to) group by 1) s
      join public.generation_types g using (generation_type)),
    'by_person', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'user_id', p.user_id, 'name', coalesce(nullif(p.full_name, ''), p.email), 'jobs', coalesce(s.jobs, 0), 'failures', coalesce(s.failures, 0),
        'credits', coalesce(s.credits, 0), 'estimated', coalesce(s.estimated, 0)::text, 'spent', coalesce(s.spent, 0)::text,
        'cap', p.monthly_cap_usd::text, 'this_month', coalesce(s.month, 0)::text) order by coalesce(s.spent, 0) desc, p.full_name, p.user_id), '[]')
      from public.profiles p
      left join (
        select user_id, sum(jobs) filter (where day between p_from and p_to) as jobs,
               sum(failures) filter (where day between p_from and p_to) as failures,
               sum(credits) filter (where day between p_from and p_to) as credits,
               sum(estimated_usd) filter (where day between p_from and p_to) as estimated,
               sum(spent_usd) filter (where day between p_from and p_to) as spent,
               sum(spent_usd) filter (where day >= month_start) as month
        from public.spend_daily
        where (day between p_from and p_to or day >= month_start) and (whose is null or user_id = whose)
        group by 1) s using (user_id)
      where (whose is null or p.user_id = whose) and (s.user_id is not null or p.monthly_cap_usd is not null)),
    'costly_failures', private.costly_failures(whose, p_from, p_to, p_failures));
end $$;
comment on function public.spend_report is
  'A period and the one to compare it with, from the rollup: totals, by day and type (or person), by type with estimate and actual, by person with caps, failures that cost money. USD as text. A person sees their own, an admin everything.';
grant execute on function public.spend_report(uuid, date, date, date, date, text, int) to service_role;

-- Readings come every minute: the last one of each day is found without a look at the others.
create index budget_snapshots_by_time on public.budget_snapshots (scope, created_at desc, id desc);

create function public.burn_down(p_actor uuid, p_scope text, p_from date, p_to date) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  whose uuid := case when p_scope = 'person' then p_actor end;
  today date := private.team_day(now());
begin
  if p_scope = 'team' then
    perform private.require_admin(p_actor, 'burn_down');
  elsif p_scope = 'person' then
    perform private.whose_spend(p_actor);
  else
    perform private.refuse(422, 'INVALID_INPUT', 'A balance is the team''s or a person''s.', '{"field": "scope"}');
  end if;
  return (
    with days as (
      select d::date as day from generate_series(p_from, least(p_to, today), interval '1 day') d
    ), latest as (
      select d.day, s.id, s.amount_usd, s.created_at, private.team_day(s.created_at) as taken_on
      from days d
      left join lateral (
        select b.id, b.amount_usd, b.created_at from public.budget_snapshots b
        where b.scope = p_scope and b.user_id is not distinct from whose and b.created_at < private.team_day_start(d.day + 1)
        order by b.created_at desc, b.id desc limit 1
      ) s on true
    ), first_days as materialized (
      -- What was spent in the rest of the day of each snapshot that a day ends with: a handful of looks at the history.
      select s.id, (
        select coalesce(sum(l.spent_usd), 0) from public.generation_logs l
        where l.billed_at >= s.created_at and l.billed_at < private.team_day_start(s.taken_on + 1) and (whose is null or l.user_id = whose)
      ) as usd
      from (select distinct id, created_at, taken_on from latest where amount_usd is not null) s
    ), spend as materialized (
      select day, sum(spent_usd) as usd
      from private.spend_by_type(whose, (select coalesce(least(min(taken_on), p_from), p_from) from latest), p_to)
      group by day
    )
    select jsonb_build_object(
      'today', today,
      'days', (
        select coalesce(jsonb_agg(jsonb_build_object(
          'day', l.day, 'spent', coalesce(s.usd, 0)::text,
          'left', (l.amount_usd - f.usd - coalesce((select sum(x.usd) from spend x where x.day > l.taken_on and x.day <= l.day), 0))::text)
          order by l.day), '[]')
        from latest l left join first_days f using (id) left join spend s on s.day = l.day),
      'balances', (
        select coalesce(jsonb_agg(jsonb_build_object('at', b.created_at, 'amount', b.amount_usd::text, 'source', b.source) order by b.id), '[]')
        from public.budget_snapshots b
        where b.starts_period and b.scope = p_scope and (whose is null and b.user_id is null or b.user_id = whose)
          and b.created_at >= private.team_day_start(p_from) and b.created_at < private.team_day_start(p_to + 1)))
  );
end $$;
comment on function public.burn_down is
  'Per day what was spent and what was left when it ended (empty before the first balance), and the balances entered or topped up in between. USD as text. The team''s is for admins, a person sees their own allowance.';
grant execute on function public.burn_down(uuid, text, date, date) to service_role;

-- ---------------------------------------------------------------------------------------------------------------
-- The audit of the budget
-- ---------------------------------------------------------------------------------------------------------------
create function private.audit_budget() returns table (rule text, subject text, problem text)
language sql stable security definer set search_path = '' as $$
  select 'spend_is_actual_cost', j.id::text, format('counts $%s, the %s cost is $%s', j.spent_usd, j.cost_source, j.actual_usd)
  from public.generation_jobs j where j.actual_usd is not null and j.actual_usd <> j.spent_usd
  union all
  select 'open_job_has_no_spend', j.id::text, format('%s, but counts $%s', j.status, j.spent_usd)
  from public.generation_jobs j where j.status in ('pending', 'submitted', 'in_progress') and j.spent_usd <> 0
  union all
  select 'spend_has_a_day', j.id::text, format('counts $%s, but has no billing time', j.spent_usd)
  from public.generation_jobs j where j.spent_usd <> 0 and j.billed_at is null
  union all
  select 'price_follows_its_changes', g.generation_type, format('price $%s, its last change says $%s', g.unit_price_usd, c.after_usd)
  from public.generation_types g
  join (select distinct on (generation_type) generation_type, after_usd from public.price_changes order by generation_type, id desc) c
    using (generation_type)
  where g.unit_price_usd <> c.after_usd
  union all
  select 'price_changes_follow_each_other', c.id::text, format('starts at $%s, the change before ended at $%s', c.before_usd, c.before_that)
  from (select *, lag(after_usd) over (partition by generation_type order by id) as before_that from public.price_changes) c
  where c.before_usd <> c.before_that
  union all
  select 'reading_continues_a_period', s.id::text, 'a reading without a balance before it'
  from public.budget_snapshots s
  where not s.starts_period and not exists (
    select 1 from public.budget_snapshots b where b.scope = 'team' and b.starts_period and b.amount_usd is not null and b.id < s.id)
  union all
  select 'alert_was_due', a.id::text, format('%s %% of $%s raised at $%s', a.threshold, a.limit_usd, a.value_usd)
  from public.budget_alerts a
  where case a.kind when 'team_balance' then a.value_usd * 100 > a.limit_usd * a.threshold else a.value_usd * 100 < a.limit_usd * a.threshold end
$$;
comment on function private.audit_budget is 'Violations of the invariants of spend, prices, balances and alerts; the same columns as audit_books.';
