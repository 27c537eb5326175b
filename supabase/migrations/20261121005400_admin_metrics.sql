-- What is told about the running: the overview for admins, and figures for a monitoring system.

create function public.admin_overview(p_actor uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  today date := private.team_day(now());
begin
  perform private.require_admin(p_actor, 'admin_overview');
  return jsonb_build_object(
    'running', (select count(*) from public.generation_jobs where status in ('pending', 'submitted', 'in_progress')),
    'in_line', (select count(*) from public.generation_jobs where status in ('pending', 'submitted')),
    'stuck', (select count(*) from public.generation_jobs j
              where j.status in ('pending', 'submitted', 'in_progress') and private.stuck_reasons(j) <> '{}'),
    'done_today', (select count(*) from public.generation_logs
                   where ended = 1 and event = 'completed' and billed_at >= private.team_day_start(today)),
    'failed_today', (select coalesce(sum(failures), 0) from public.spend_daily where day = today),
    'failed_last_hour', (select count(*) from public.generation_logs where failed = 1 and billed_at > now() - interval '1 hour'),
    'spent_today', (select coalesce(sum(spent_usd), 0)::text from public.spend_daily where day = today),
    'spent_month', private.spent_this_month()::text,
    'spent_usual', (select coalesce(avg(total), 0)::numeric(14, 6)::text from (
      select sum(spent_usd) as total from private.team_spend(today - 14, today - 1) group by day) days),
    'budget', private.team_state(p_actor),
    'people_waiting', (select count(*) from public.profiles where not is_approved and declined_at is null and is_active),
    'payments_flagged', (select count(*) from private.flagged_payments),
    'worker_beat_at', (select max(beat_at) from private.workers),
    'fal', (select to_jsonb(p) - 'account_id' from private.provider_state p where provider = 'fal'),
    'audit', (select jsonb_build_object('ended_at', r.ended_at, 'violation_count', r.violation_count)
              from public.audit_runs r order by r.id desc limit 1),
    -- Processed ones are nearly all and grow for good: counted up to a thousand.
    'inbox', (select coalesce(jsonb_object_agg(status, n), '{}') from (
      select status, count(*) as n from public.webhook_events where status <> 'processed' group by status
      union all
      select 'processed', count(*) from (select 1 from public.webhook_events where status = 'processed' limit 1001) known
      having count(*) > 0) counts));
end $$;
comment on function public.admin_overview is
  'What an admin needs in five seconds: jobs running and stuck, ends, failures of the last hour, spend of today and the month (USD as text), the team''s balance, people waiting, payments to decide, worker, fal.ai, the last audit, the inbox.';
grant execute on function public.admin_overview(uuid) to service_role;

create index generation_jobs_cancelled on public.generation_jobs (id) where status = 'cancelled';

create function private.quantiles(p_seconds float8[]) returns jsonb language sql immutable set search_path = '' as $$
  select jsonb_build_object('0.5', percentile_cont(0.5) within group (order by s), '0.9', percentile_cont(0.9) within group (order by s),
                            '0.99', percentile_cont(0.99) within group (order by s))
  from unnest(p_seconds) s
$$;
comment on function private.quantiles is 'The median, the 90th and the 99th percentile of these durations.';

create function public.metrics() returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    -- Those that have ended come from the rollup: counting them one by one would take longer every day.
    'jobs', (select coalesce(jsonb_object_agg(state, n), '{}') from (
      select private.job_state(j) as state, count(*) as n from public.generation_jobs j
      where j.status in ('pending', 'submitted', 'in_progress') group by 1
      union all
      select e.state, e.n from (
        select sum(d.jobs)::bigint as ended, sum(d.failures)::bigint as failed,
               (select count(*) from public.generation_jobs where status = 'cancelled') as cancelled
        from private.team_spend('-infinity') d) ends
      cross join lateral (values ('completed', ended - failed - cancelled), ('failed', failed), ('cancelled', cancelled)) e(state, n)
      where e.n > 0) s),
    'stuck_jobs', (select coalesce(jsonb_object_agg(reason, n), '{}') from (
      select r.reason, count(*) as n from public.generation_jobs j cross join unnest(private.stuck_reasons(j)) as r(reason)
      where j.status in ('pending', 'submitted', 'in_progress') group by 1) s),
    'ended_jobs', (select coalesce(jsonb_agg(to_jsonb(t)), '[]') from (
      select d.generation_type, sum(d.jobs) as jobs, sum(d.failures) as failures, sum(d.seconds)::float8 as seconds,
             sum(d.credits) as credits, sum(d.spent_usd)::float8 as spent_usd
      from private.team_spend('-infinity') d group by d.generation_type order by d.generation_type) t),
    'job_seconds', (select coalesce(jsonb_object_agg(generation_type, q), '{}') from (
      select l.generation_type, private.quantiles(array_agg(l.seconds::float8)) as q from public.generation_logs l
      where l.billed_at > now() - interval '1 hour' and l.ended = 1 and l.seconds is not null group by 1) s),
    -- From the moment in the signature of the call to the commit that settled it.
    'webhook_seconds', (select coalesce(jsonb_object_agg(provider, q), '{}') from (
      select w.provider, private.quantiles(array_agg(greatest(0, extract(epoch from w.processed_at) - (w.headers ->> 'timestamp')::float8)::float8)) as q
      from public.webhook_events w
      where w.received_at > now() - interval '1 hour' and w.processed_at is not null and w.headers ->> 'timestamp' ~ '^[0-9]{1,12}$'
      group by 1) s),
    'webhook_calls', (select coalesce(jsonb_agg(to_jsonb(c)), '[]') from (
      select provider, outcome, sum(calls) as calls from private.webhook_counters group by 1, 2 order by 1, 2) c),
    'inbox', (select jsonb_build_object('failed', count(*) filter (where status = 'failed'), 'dead', count(*) filter (where status = 'dead'))
              from public.webhook_events where status in ('failed', 'dead')),
    'workers', (select jsonb_build_object('alive', count(*) filter (where beat_at > now() - interval '1 minute'),
                                          'beat_age_seconds', extract(epoch from now() - max(beat_at))) from private.workers),
    'due', jsonb_build_object(
      'jobs', (select jsonb_build_object('count', count(*), 'lag_seconds', coalesce(extract(epoch from now() - min(next_check_at)), 0))
               from public.generation_jobs where status in ('pending', 'submitted', 'in_progress') and next_check_at <= now()),
      'outputs', (select jsonb_build_object('count', count(*), 'lag_seconds', coalesce(extract(epoch from now() - min(mirror_due_at)), 0))
                  from public.job_outputs where mirror_due_at <= now()),
      'costs', (select jsonb_build_object('count', count(*), 'lag_seconds', coalesce(extract(epoch from now() - min(cost_due_at)), 0))
                from public.generation_jobs where cost_due_at <= now())),
    'chores', (select coalesce(jsonb_agg(jsonb_build_object('name', name, 'failures', failures,
                 'ok_age_seconds', extract(epoch from now() - last_ok_at)) order by name), '[]') from private.chores),
    'audit', (select jsonb_build_object('violations', violation_count, 'age_seconds', extract(epoch from now() - ended_at))
              from public.audit_runs order by id desc limit 1),
    'alerts_undelivered', (select count(*) from public.budget_alerts
                           where raised_at > now() - interval '7 days' and delivery in ('waiting', 'failed') and last_error is not null),
    'sessions', (select count(*) from private.app_sessions where least(idle_expires_at, expires_at) > now()),
    'people_waiting', (select count(*) from public.profiles where not is_approved and declined_at is null and is_active),
    'providers', (select jsonb_agg(jsonb_build_object('provider', provider, 'locked', locked_at is not null, 'unwell', unwell_since is not null)
                                   order by provider) from private.provider_state),
    'budget_remaining_usd', ((select private.balance_state(null)) ->> 'remaining')::float8,
    'database_bytes', pg_database_size(current_database()))
$$;
comment on function public.metrics is
  'Figures for a monitoring system, all in one look: counters since the beginning, gauges of now, quantiles of the last hour. No name, address or prompt is among them; amounts are floats, for charts and not for books.';
grant execute on function public.metrics() to service_role;

create function public.worker_beat_age() returns float8 language sql stable security definer set search_path = '' as $$
  select extract(epoch from now() - max(beat_at))::float8 from private.workers
$$;
comment on function public.worker_beat_age is 'Seconds since any worker was last heard of; null when none ever was.';
grant execute on function public.worker_beat_age() to service_role;
