-- Drift: fal.ai's usage against our spend, what nobody here asked for, and what it has not billed.

create table public.fal_usage_daily (
  day date not null,
  fal_endpoint text not null,
  fal_usd numeric(14, 6) not null check (fal_usd <> 'NaN'),
  quantity numeric(18, 6) not null,
  unit text not null,
  read_at timestamptz not null default now(),
  primary key (day, fal_endpoint)
);
comment on table public.fal_usage_daily is 'What fal.ai says each endpoint cost on a day of the team''s timezone, USD, as last read. Our side of it is spend_daily.';
alter table public.fal_usage_daily enable row level security;
create policy "Admins read fal.ai's usage" on public.fal_usage_daily for select to authenticated using ((select private.is_admin()));
grant select on public.fal_usage_daily to authenticated, service_role;

create table private.fal_usage_reads (
  day date primary key,
  read_at timestamptz not null,
  read_until timestamptz not null
);
comment on table private.fal_usage_reads is 'When fal.ai''s usage of a day was last read, days without any included.';
comment on column private.fal_usage_reads.read_until is 'What was charged before this moment was read: the end of the day, or for the present day a while ago.';
alter table private.fal_usage_reads enable row level security;
create policy "Nobody by the API" on private.fal_usage_reads to anon, authenticated using (false);

create table public.fal_foreign_charges (
  request_id text primary key,
  fal_endpoint text not null,
  charged_at timestamptz not null,
  usd numeric(14, 6) not null check (usd <> 'NaN'),
  units numeric(18, 6),
  first_seen_at timestamptz not null default now()
);
comment on table public.fal_foreign_charges is 'Requests that fal.ai billed to the account and that belong to no job here: the key is used elsewhere, or a job was never confirmed.';
create index fal_foreign_charges_time on public.fal_foreign_charges (charged_at);
alter table public.fal_foreign_charges enable row level security;
create policy "Admins read foreign charges" on public.fal_foreign_charges for select to authenticated using ((select private.is_admin()));
grant select on public.fal_foreign_charges to authenticated, service_role;

create function public.usage_days_due(p_limit int default 5) returns jsonb
language sql stable security definer set search_path = '' as $$
  -- The last three days are read again, because fal.ai's events come late; older ones once, back to our first day.
  select coalesce(jsonb_agg(jsonb_build_object('day', day, 'start', private.team_day_start(day), 'end', private.team_day_start(day + 1))
                            order by day desc), '[]')
  from (
    select d::date as day from generate_series(
      greatest(private.team_day(now()) - 30, coalesce((select min(s.day) from public.spend_daily s), private.team_day(now()))),
      private.team_day(now()), interval '1 day') d
    left join private.fal_usage_reads r on r.day = d::date
    where r.read_at is null or d::date > private.team_day(now()) - 3 and r.read_at < now() - interval '1 minute'
    order by d desc limit p_limit
  ) due
$$;
comment on function public.usage_days_due is 'Days of the team''s timezone whose usage is to be read at fal.ai, newest first: [{day, start, end}].';
grant execute on function public.usage_days_due(int) to service_role;

create function public.record_usage(p_day date, p_usage jsonb, p_until timestamptz) returns void
language plpgsql security definer set search_path = '' as $$
begin
  insert into private.fal_usage_reads (day, read_at, read_until) values (p_day, now(), p_until)
  on conflict (day) do update set read_at = now(), read_until = p_until;
  delete from public.fal_usage_daily where day = p_day;
  insert into public.fal_usage_daily (day, fal_endpoint, fal_usd, quantity, unit)
  select p_day, u.endpoint_id, sum(u.usd), sum(u.quantity), min(u.unit)
  from jsonb_to_recordset(p_usage) as u(endpoint_id text, usd numeric, quantity numeric, unit text) group by u.endpoint_id;
end $$;
comment on function public.record_usage is 'Keeps what fal.ai says a day cost, until a moment: [{endpoint_id, usd, quantity, unit}] replaces what was read before.';
grant execute on function public.record_usage(date, jsonb, timestamptz) to service_role;

create function public.record_foreign_charges(p_events jsonb) returns int
language plpgsql security definer set search_path = '' as $$
declare
  foreign_count int;
begin
  insert into public.fal_foreign_charges as f (request_id, fal_endpoint, charged_at, usd, units)
  select e.request_id, e.endpoint_id, e.charged_at, e.usd, e.units
  from jsonb_to_recordset(p_events) as e(request_id text, endpoint_id text, charged_at timestamptz, usd numeric, units numeric)
  where not exists (select 1 from public.generation_jobs j where j.fal_request_id = e.request_id)
  on conflict (request_id) do update set usd = excluded.usd, units = excluded.units;
  get diagnostics foreign_count = row_count;
  return foreign_count;
end $$;
comment on function public.record_foreign_charges is
  'Of billed requests [{request_id, endpoint_id, charged_at, usd, units}] keeps those that belong to no job here; returns how many.';
grant execute on function public.record_foreign_charges(jsonb) to service_role;

create function private.foreign_charges_between(p_from date, p_to date) returns setof public.fal_foreign_charges
language sql stable security definer set search_path = '' as $$
  -- A request can be found to be a job's after all, so the question is asked again.
  select f.* from public.fal_foreign_charges f
  where f.charged_at >= private.team_day_start(p_from) and f.charged_at < private.team_day_start(p_to + 1)
    and not exists (select 1 from public.generation_jobs j where j.fal_request_id = f.request_id)
$$;
comment on function private.foreign_charges_between is 'Requests billed to the account in a span of days that belong to no job here.';

create function public.fal_drift(p_actor uuid, p_from date, p_to date) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_admin(p_actor, 'fal_drift');
  return (
    with read as materialized (
      select r.day, r.read_at, r.read_until, r.read_until < private.team_day_start(r.day + 1) as in_part
      from private.fal_usage_reads r where r.day between p_from and p_to
    ), ours as (
      select s.day, g.fal_endpoint, sum(s.spent_usd) as usd
      from read join private.team_spend(p_from, p_to) s using (day) join public.generation_types g using (generation_type)
      where not read.in_part group by 1, 2
      union all
      -- A day that is not over is compared up to the moment until which fal.ai's side is known.
      select read.day, g.fal_endpoint, sum(l.spent_usd)
      from read
      join public.generation_logs l on l.billed_at >= private.team_day_start(read.day) and l.billed_at < read.read_until
      join public.generation_types g using (generation_type)
      where read.in_part group by 1, 2
    ), theirs as (
      select u.day, u.fal_endpoint, u.fal_usd as usd from public.fal_usage_daily u where u.day between p_from and p_to
    ), elsewhere as (
      select private.team_day(f.charged_at) as day, f.fal_endpoint, count(*) as requests, sum(f.usd) as usd
      from private.foreign_charges_between(p_from, p_to) f group by 1, 2
    )
    select coalesce(jsonb_agg(jsonb_build_object(
      'day', day, 'endpoint', fal_endpoint, 'ours', coalesce(ours.usd, 0)::text, 'fal', coalesce(theirs.usd, 0)::text,
      'drift', (coalesce(theirs.usd, 0) - coalesce(ours.usd, 0))::text,
      'foreign', coalesce(elsewhere.usd, 0)::text, 'foreign_requests', coalesce(elsewhere.requests, 0), 'read_at', read.read_at, 'until', case when read.in_part then read.read_until end)
      order by day desc, fal_endpoint), '[]')
    from ours full join theirs using (day, fal_endpoint) full join elsewhere using (day, fal_endpoint)
    join read using (day)
    where coalesce(ours.usd, 0) <> 0 or coalesce(theirs.usd, 0) <> 0 or coalesce(elsewhere.usd, 0) <> 0);
end $$;
comment on function public.fal_drift is
  'Per day and endpoint, for days that were read: our spend, fal.ai''s, their difference (positive: fal.ai billed more) and how much of it are requests made elsewhere; until is set while a day is compared in part. USD as text. For admins.';
grant execute on function public.fal_drift(uuid, date, date) to service_role;

create function public.foreign_charges(p_actor uuid, p_from date, p_to date, p_limit int default 200) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_admin(p_actor, 'foreign_charges');
  return (
    select coalesce(jsonb_agg(jsonb_build_object(
      'request_id', f.request_id, 'endpoint', f.fal_endpoint, 'charged_at', f.charged_at, 'usd', f.usd::text, 'units', f.units::text)
      order by f.charged_at desc, f.request_id), '[]')
    from (select * from private.foreign_charges_between(p_from, p_to) order by charged_at desc, request_id limit p_limit) f);
end $$;
comment on function public.foreign_charges is 'Requests billed to the account that belong to no job here, newest first, for admins. USD as text.';
grant execute on function public.foreign_charges(uuid, date, date, int) to service_role;

create index generation_jobs_unconfirmed on public.generation_jobs (billed_at desc) where cost_source <> 'confirmed' and spent_usd > 0;

create function public.unbilled_jobs(p_actor uuid, p_from date, p_to date, p_limit int default 200) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_admin(p_actor, 'unbilled_jobs');
  return (
    select coalesce(jsonb_agg(jsonb_build_object(
      'job_id', j.id, 'ended_at', j.billed_at, 'endpoint', j.fal_endpoint, 'request_id', j.fal_request_id, 'status', j.status,
      'usd', j.spent_usd::text, 'cost_source', j.cost_source, 'is_expected', j.confirm_due_at is not null) order by j.billed_at desc, j.id), '[]')
    from (
      -- Day by day, newest first, until there are enough: what was read of a day is a span of time, so that no job has
      -- to be asked for its day.
      select j.* from (select * from private.fal_usage_reads where day between p_from and p_to order by day desc) r
      cross join lateral (
        select u.* from public.generation_jobs u
        where u.cost_source <> 'confirmed' and u.spent_usd > 0
          and u.billed_at >= private.team_day_start(r.day) and u.billed_at < least(private.team_day_start(r.day + 1), r.read_until)
        order by u.billed_at desc, u.id limit p_limit
      ) j
      limit p_limit
    ) j);
end $$;
comment on function public.unbilled_jobs is
  'Jobs whose cost is counted and for which fal.ai has told no billing event, on days that were read, newest first, for admins; is_expected while the event is still looked for. USD as text.';
grant execute on function public.unbilled_jobs(uuid, date, date, int) to service_role;
