-- Days that are over, added up: whoever asks what the team has spent reads a few rows a day instead of everybody's.
-- A day is closed by a worker once it is over for a day; whatever still changes it opens it again, so the sums are
-- always exact: a day is either closed and right, or read from the rollup itself.

create table private.closed_days (
  day date primary key
);
comment on table private.closed_days is 'Days of the team''s timezone whose sums are in closed_day_spend and closed_day_sales.';

create table private.closed_day_spend (
  day date not null references private.closed_days (day) on delete cascade,
  generation_type text not null references public.generation_types (generation_type),
  jobs bigint not null,
  failures bigint not null,
  credits bigint not null,
  estimated_usd numeric not null,
  spent_usd numeric not null,
  seconds numeric not null,
  primary key (day, generation_type)
);
comment on table private.closed_day_spend is 'What spend_daily says of a closed day, of all people and campaigns together.';
create index closed_day_spend_type on private.closed_day_spend (generation_type);

create table private.closed_day_sales (
  day date not null references private.closed_days (day) on delete cascade,
  generation_type text not null references public.generation_types (generation_type),
  jobs bigint not null,
  credits bigint not null,
  estimated_usd numeric not null,
  spent_usd numeric not null,
  confirmed_jobs bigint not null,
  confirmed_credits bigint not null,
  confirmed_usd numeric not null,
  primary key (day, generation_type)
);
comment on table private.closed_day_sales is 'Of the jobs that ended on a closed day and were paid with credits: credits charged, USD estimated, counted and confirmed.';
create index closed_day_sales_type on private.closed_day_sales (generation_type);

alter table private.closed_days enable row level security;
alter table private.closed_day_spend enable row level security;
alter table private.closed_day_sales enable row level security;
create policy "Nobody by the API" on private.closed_days to anon, authenticated using (false);
create policy "Nobody by the API" on private.closed_day_spend to anon, authenticated using (false);
create policy "Nobody by the API" on private.closed_day_sales to anon, authenticated using (false);

-- ---------------------------------------------------------------------------------------------------------------
-- Opened again by whatever changes it
-- ---------------------------------------------------------------------------------------------------------------
create function private.open_day() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  if tg_op <> 'INSERT' then
    delete from private.closed_days where day = old.day;
  end if;
  if tg_op <> 'DELETE' then
    delete from private.closed_days where day = new.day;
  end if;
  return null;
end $$;
comment on function private.open_day is
  'Trigger: a day of which the rollup changes is closed no more. Every change of money of an ended job writes the rollup, so the sales of a day follow it.';

-- No closed day is that young, wherever the team is: today's many writes are spared the look.
create trigger open_day after insert or update on public.spend_daily
  for each row when (new.day < (now() at time zone 'UTC')::date) execute function private.open_day();
create trigger open_day_deleted after delete on public.spend_daily
  for each row when (old.day < (now() at time zone 'UTC')::date) execute function private.open_day();
create trigger open_day_moved after update of day on public.spend_daily
  for each row when (old.day is distinct from new.day) execute function private.open_day();

-- ---------------------------------------------------------------------------------------------------------------
-- Reading
-- ---------------------------------------------------------------------------------------------------------------
create function private.open_days(p_from date, p_to date default null) returns setof date
language sql stable security definer set search_path = '' as $$
  select g.day::date
  -- No row at all while there is no spend: a series from -infinity has no end.
  from (select min(day) as earliest, max(day) as latest from public.spend_daily having min(day) is not null) known
  cross join lateral generate_series(greatest(p_from, known.earliest), least(p_to, known.latest), interval '1 day') g(day)
  where not exists (select 1 from private.closed_days c where c.day = g.day::date)
$$;
comment on function private.open_days is 'The days of a span, without end when p_to is null, that are not closed and may have spend.';

create function private.team_spend(p_from date, p_to date default null) returns table (
  day date, generation_type text, jobs bigint, failures bigint, credits bigint, estimated_usd numeric, spent_usd numeric, seconds numeric
) language sql stable security definer set search_path = '' as $$
  select c.day, c.generation_type, c.jobs, c.failures, c.credits, c.estimated_usd, c.spent_usd, c.seconds
  from private.closed_day_spend c where c.day >= p_from and (p_to is null or c.day <= p_to)
  union all
  select o.day, s.*
  from private.open_days(p_from, p_to) o(day)
  cross join lateral (
    select d.generation_type, sum(d.jobs), sum(d.failures), sum(d.credits), sum(d.estimated_usd), sum(d.spent_usd), sum(d.seconds)
    from public.spend_daily d where d.day = o.day group by d.generation_type
  ) s
$$;
comment on function private.team_spend is 'What a span of days cost, per day and generation type, all people and campaigns together; without end when p_to is null.';

create function private.sales_of_day(p_day date) returns table (
  generation_type text, jobs bigint, credits bigint, estimated_usd numeric, spent_usd numeric,
  confirmed_jobs bigint, confirmed_credits bigint, confirmed_usd numeric
) language sql stable security definer set search_path = '' as $$
  -- Jobs of unmetered people sell no credits: they are spend, not sales.
  select j.generation_type, count(*), coalesce(sum(j.credits_charged), 0), coalesce(sum(j.estimated_usd) filter (where j.spent_usd > 0), 0),
         coalesce(sum(j.spent_usd), 0), count(*) filter (where j.cost_source = 'confirmed'),
         coalesce(sum(j.credits_charged) filter (where j.cost_source = 'confirmed'), 0),
         coalesce(sum(j.spent_usd) filter (where j.cost_source = 'confirmed'), 0)
  from public.generation_jobs j
  where j.billed_at >= private.team_day_start(p_day) and j.billed_at < private.team_day_start(p_day + 1)
    and j.credits_held > 0 and j.completed_at is not null
  group by j.generation_type
$$;
comment on function private.sales_of_day is 'Of the jobs that ended on a day and were paid with credits, per generation type: credits charged, USD estimated, counted and confirmed.';

-- Everything that the sums need is in the index: a day of jobs is read without one look at the jobs themselves.
create index generation_jobs_sold on public.generation_jobs (billed_at)
  include (generation_type, credits_charged, estimated_usd, spent_usd, cost_source) where credits_held > 0 and completed_at is not null;

create function private.team_sales(p_from date) returns table (
  day date, generation_type text, jobs bigint, credits bigint, estimated_usd numeric, spent_usd numeric,
  confirmed_jobs bigint, confirmed_credits bigint, confirmed_usd numeric
) language sql stable security definer set search_path = '' as $$
  select c.day, c.generation_type, c.jobs, c.credits, c.estimated_usd, c.spent_usd, c.confirmed_jobs, c.confirmed_credits, c.confirmed_usd
  from private.closed_day_sales c where c.day >= p_from
  union all
  select o.day, s.* from private.open_days(p_from) o(day) cross join lateral private.sales_of_day(o.day) s
$$;
comment on function private.team_sales is 'The sales of the days since one, per day and generation type.';

-- ---------------------------------------------------------------------------------------------------------------
-- Closing
-- ---------------------------------------------------------------------------------------------------------------
create function public.close_days(p_most int default 31) returns int
language plpgsql security definer set search_path = '' set lock_timeout = '500ms' as $$
declare
  days date[];
begin
  select array_agg(o.day) into days from (
    select o.day from private.open_days('-infinity', private.team_day(now()) - 2) o(day) order by o.day desc limit p_most
  ) o;
  if days is null then
    return 0;
  end if;
  -- Whoever is about to change one of these days ends first or comes after: between the sum and its mark nothing moves.
  lock table public.spend_daily in share row exclusive mode;
  insert into private.closed_days select unnest(days) on conflict (day) do nothing;
  delete from private.closed_day_spend where day = any (days);
  delete from private.closed_day_sales where day = any (days);
  insert into private.closed_day_spend
  select d.day, d.generation_type, sum(d.jobs), sum(d.failures), sum(d.credits), sum(d.estimated_usd), sum(d.spent_usd), sum(d.seconds)
  from public.spend_daily d where d.day = any (days) group by d.day, d.generation_type;
  insert into private.closed_day_sales
  select o.day, s.* from unnest(days) o(day) cross join lateral private.sales_of_day(o.day) s;
  return cardinality(days);
exception when lock_not_available then
  return 0; -- somebody takes long: another time
end $$;
comment on function public.close_days is
  'Adds up days that have been over for a day, the newest first, p_most at a time; returns how many. Jobs that end meanwhile wait for milliseconds; when the lock cannot be had at once nothing is done.';
grant execute on function public.close_days(int) to service_role;

create function private.audit_closed_days() returns table (rule text, subject text, problem text)
language sql stable security definer set search_path = '' as $$
  select 'closed_days_are_sums_of_the_rollup', format('%s %s', coalesce(c.day, d.day), coalesce(c.generation_type, d.generation_type)),
         format('closed with $%s in %s jobs, the rollup says $%s in %s', c.spent_usd, c.jobs, d.spent_usd, d.jobs)
  from private.closed_day_spend c
  full join (
    select s.day, s.generation_type, sum(s.jobs) as jobs, sum(s.failures) as failures, sum(s.credits) as credits,
           sum(s.estimated_usd) as estimated_usd, sum(s.spent_usd) as spent_usd, sum(s.seconds) as seconds
    from public.spend_daily s join private.closed_days x on x.day = s.day group by s.day, s.generation_type
  ) d on d.day = c.day and d.generation_type = c.generation_type
  where (c.jobs, c.failures, c.credits, c.estimated_usd, c.spent_usd, c.seconds)
        is distinct from (d.jobs, d.failures, d.credits, d.estimated_usd, d.spent_usd, d.seconds)
  union all
  select 'closed_days_are_sums_of_their_jobs', format('%s %s', coalesce(c.day, s.day), coalesce(c.generation_type, s.generation_type)),
         format('closed with %s credits and $%s, its jobs say %s and $%s', c.credits, c.spent_usd, s.credits, s.spent_usd)
  from private.closed_day_sales c
  full join (
    select x.day, s.* from private.closed_days x cross join lateral private.sales_of_day(x.day) s
  ) s on s.day = c.day and s.generation_type = c.generation_type
  where (c.jobs, c.credits, c.estimated_usd, c.spent_usd, c.confirmed_jobs, c.confirmed_credits, c.confirmed_usd)
        is distinct from (s.jobs, s.credits, s.estimated_usd, s.spent_usd, s.confirmed_jobs, s.confirmed_credits, s.confirmed_usd)
$$;
comment on function private.audit_closed_days is 'Closed days whose sums are not what the rollup or their jobs say; the same columns as audit_books.';
