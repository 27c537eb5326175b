-- fal.ai's own books against ours: what each request really cost, and what nobody here asked for.

-- ---------------------------------------------------------------------------------------------------------------
-- Confirming what each request cost
-- ---------------------------------------------------------------------------------------------------------------
alter table public.generation_jobs add column confirm_due_at timestamptz, add column confirm_tries int not null default 0;
comment on column public.generation_jobs.confirm_due_at is 'When fal.ai''s billing event for this job is to be looked for; empty once it was found or is not expected any more.';
create index generation_jobs_confirm_due on public.generation_jobs (confirm_due_at) where confirm_due_at is not null;
update public.generation_jobs set confirm_due_at = now()
where completed_at > now() - interval '90 days' and fal_request_id is not null and cost_source <> 'confirmed';

create function private.expect_billing_event() returns trigger language plpgsql set search_path = '' as $$
begin
  new.confirm_due_at := now() + interval '1 minute';
  new.confirm_tries := 0;
  return new;
end $$;
comment on function private.expect_billing_event is
  'Trigger: a job that fal.ai had has ended, or turned out later to have been made: its billing event is due in a while. Failed ones too, for some are billed.';
create trigger expect_billing_event before update on public.generation_jobs
  for each row when (
    new.completed_at is not null and new.fal_request_id is not null
    and (old.completed_at is null or old.fal_request_id is null or new.is_late and not old.is_late)
  ) execute function private.expect_billing_event();

create function public.claim_confirmations(p_limit int default 50, p_lease_seconds int default 300) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  claimed jsonb;
begin
  -- The due time itself is the lease: it moves on while somebody asks. fal.ai tells events of the last 90 days.
  with due as (
    select id from public.generation_jobs
    where confirm_due_at is not null and confirm_due_at <= now() and completed_at > now() - interval '89 days'
    order by confirm_due_at limit p_limit for update skip locked
  ), taken as (
    update public.generation_jobs j set confirm_due_at = now() + make_interval(secs => p_lease_seconds)
    from due where j.id = due.id returning j.id, j.fal_request_id
  )
  select coalesce(jsonb_agg(jsonb_build_object('job', id, 'request_id', fal_request_id)), '[]') into claimed from taken;
  return claimed;
end $$;
comment on function public.claim_confirmations is 'Takes ended jobs whose billing event is to be looked for: [{job, request_id}].';
grant execute on function public.claim_confirmations(int, int) to service_role;

create function public.record_billing(p_answers jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  answer record;
  confirmed int := 0;
  waiting int := 0;
begin
  -- All locks first and in order, as every batch does.
  perform 1 from public.generation_jobs j
  where j.id in (select (a ->> 'job')::uuid from jsonb_array_elements(p_answers) a) order by j.id for no key update;
  perform 1 from public.credit_accounts c
  where c.user_id in (select j.user_id from public.generation_jobs j
                      where j.id in (select (a ->> 'job')::uuid from jsonb_array_elements(p_answers) a))
  order by c.user_id for no key update;
  for answer in
    select a.job, a.usd, a.units from jsonb_to_recordset(p_answers) as a(job uuid, usd numeric, units numeric) order by a.job
  loop
    if answer.usd is not null then
      perform public.record_cost(answer.job, answer.usd, answer.units, 'confirmed');
      update public.generation_jobs set confirm_due_at = null, confirm_tries = 0 where id = answer.job;
      confirmed := confirmed + 1;
    else
      -- A minute, two, four … six hours: for about four days. Then the cost known so far stands, as for failures never billed.
      update public.generation_jobs
      set confirm_tries = confirm_tries + 1,
          confirm_due_at = case when confirm_tries < 22 then now() + make_interval(secs => least(60 * (1 << least(confirm_tries, 9)), 21600)) end
      where id = answer.job;
      waiting := waiting + 1;
    end if;
  end loop;
  return jsonb_build_object('confirmed', confirmed, 'waiting', waiting);
end $$;
comment on function public.record_billing is
  'What fal.ai''s billing events say about jobs: [{job, usd, units}]; a cost is final, an empty one is asked for again later.';
grant execute on function public.record_billing(jsonb) to service_role;

-- ---------------------------------------------------------------------------------------------------------------
-- Drift: fal.ai's usage against ours
-- ---------------------------------------------------------------------------------------------------------------
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
  read_at timestamptz not null
);
comment on table private.fal_usage_reads is 'When fal.ai''s usage of a day was last read, days without any included.';
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
    where r.read_at is null or d::date > private.team_day(now()) - 3 and r.read_at < now() - interval '10 minutes'
    order by d desc limit p_limit
  ) due
$$;
comment on function public.usage_days_due is 'Days of the team''s timezone whose usage is to be read at fal.ai, newest first: [{day, start, end}].';
grant execute on function public.usage_days_due(int) to service_role;

create function public.record_usage(p_day date, p_usage jsonb) returns void
language plpgsql security definer set search_path = '' as $$
begin
  insert into private.fal_usage_reads (day, read_at) values (p_day, now()) on conflict (day) do update set read_at = now();
  delete from public.fal_usage_daily where day = p_day;
  insert into public.fal_usage_daily (day, fal_endpoint, fal_usd, quantity, unit)
  select p_day, u.endpoint_id, sum(u.usd), sum(u.quantity), min(u.unit)
  from jsonb_to_recordset(p_usage) as u(endpoint_id text, usd numeric, quantity numeric, unit text) group by u.endpoint_id;
end $$;
comment on function public.record_usage is 'Keeps what fal.ai says a day cost: [{endpoint_id, usd, quantity, unit}] replaces what was read before.';
grant execute on function public.record_usage(date, jsonb) to service_role;

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

create function public.fal_drift(p_actor uuid, p_from date, p_to date) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_admin(p_actor, 'fal_drift');
  return (
    with ours as (
      select s.day, g.fal_endpoint, sum(s.spent_usd) as usd
      from public.spend_daily s join public.generation_types g using (generation_type)
      where s.day between p_from and p_to group by 1, 2
    ), theirs as (
      select u.day, u.fal_endpoint, u.fal_usd as usd from public.fal_usage_daily u where u.day between p_from and p_to
    ), elsewhere as (
      select private.team_day(f.charged_at) as day, f.fal_endpoint, count(*) as requests, sum(f.usd) as usd
      from public.fal_foreign_charges f
      where f.charged_at >= private.team_day_start(p_from) and f.charged_at < private.team_day_start(p_to + 1)
        and not exists (select 1 from public.generation_jobs j where j.fal_request_id = f.request_id)
      group by 1, 2
    )
    select coalesce(jsonb_agg(jsonb_build_object(
      'day', day, 'endpoint', fal_endpoint, 'ours', coalesce(ours.usd, 0)::text, 'fal', coalesce(theirs.usd, 0)::text,
      'drift', (coalesce(theirs.usd, 0) - coalesce(ours.usd, 0))::text,
      'foreign', coalesce(elsewhere.usd, 0)::text, 'foreign_requests', coalesce(elsewhere.requests, 0), 'read_at', r.read_at)
      order by day desc, fal_endpoint), '[]')
    from ours full join theirs using (day, fal_endpoint) full join elsewhere using (day, fal_endpoint)
    join private.fal_usage_reads r using (day)
    where coalesce(ours.usd, 0) <> 0 or coalesce(theirs.usd, 0) <> 0 or coalesce(elsewhere.usd, 0) <> 0);
end $$;
comment on function public.fal_drift is
  'Per day and endpoint, for days that were read: our spend, fal.ai''s, their difference (positive: fal.ai billed more) and how much of it are requests made elsewhere. USD as text. For admins.';
grant execute on function public.fal_drift(uuid, date, date) to service_role;

create function public.foreign_charges(p_actor uuid, p_from date, p_to date, p_limit int default 200) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_admin(p_actor, 'foreign_charges');
  return (
    select coalesce(jsonb_agg(jsonb_build_object(
      'request_id', f.request_id, 'endpoint', f.fal_endpoint, 'charged_at', f.charged_at, 'usd', f.usd::text, 'units', f.units::text)
      order by f.charged_at desc, f.request_id), '[]')
    from (
      select * from public.fal_foreign_charges c
      where c.charged_at >= private.team_day_start(p_from) and c.charged_at < private.team_day_start(p_to + 1)
        and not exists (select 1 from public.generation_jobs j where j.fal_request_id = c.request_id)
      order by c.charged_at desc, c.request_id limit p_limit
    ) f);
end $$;
comment on function public.foreign_charges is 'Requests billed to the account that belong to no job here, newest first, for admins. USD as text.';
grant execute on function public.foreign_charges(uuid, date, date, int) to service_role;
