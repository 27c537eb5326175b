-- How the parts are doing, for admins: workers, providers, storage, database, why jobs failed; and clearing up.

create table private.database_trouble (
  only_row boolean primary key default true check (only_row),
  last_error text,
  last_error_at timestamptz
);
comment on table private.database_trouble is
  'The last time a process of ours did not get from the database what it asked for; told by that process once it is reached again. One row.';
alter table private.database_trouble enable row level security;
create policy "Nobody by the API" on private.database_trouble to anon, authenticated using (false);
insert into private.database_trouble default values;

create function public.note_database_trouble(p_error text, p_at timestamptz) returns void
language sql security definer set search_path = '' as $$
  update private.database_trouble set last_error = left(p_error, 300), last_error_at = p_at
  where last_error_at is null or last_error_at < p_at
$$;
comment on function public.note_database_trouble is 'A process of ours tells afterwards what went wrong with the database, and when.';
grant execute on function public.note_database_trouble(text, timestamptz) to service_role;

create function public.system_health(p_actor uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_admin(p_actor, 'system_health');
  return jsonb_build_object(
    'workers', (select coalesce(jsonb_agg(jsonb_build_object(
        'worker', w.worker, 'started_at', w.started_at, 'beat_at', w.beat_at, 'is_alive', w.beat_at > now() - interval '1 minute'
      ) order by w.beat_at desc), '[]') from private.workers w),
    'providers', (select jsonb_agg(to_jsonb(p) - array['account_id', 'probe_count'] order by p.provider) from private.provider_state p),
    'storage', (select jsonb_build_object(
        'files', count(*) filter (where o.storage_path is not null), 'bytes', coalesce(sum(o.size_bytes) filter (where o.storage_path is not null), 0),
        'waiting', count(*) filter (where o.mirror_due_at is not null),
        'given_up', count(*) filter (where o.mirror_due_at is null and o.mirrored_at is null and o.deleted_at is null),
        'last_error', (array_agg(o.mirror_error order by o.created_at desc) filter (where o.mirror_error is not null))[1])
      from public.job_outputs o),
    'database', (select jsonb_build_object('bytes', pg_database_size(current_database()), 'version', current_setting('server_version'),
                                           'last_error', t.last_error, 'last_error_at', t.last_error_at)
                 from private.database_trouble t),
    'alerts', (select jsonb_build_object('waiting', count(*) filter (where delivery = 'waiting'), 'failed', count(*) filter (where delivery = 'failed'),
                                         'last_sent_at', max(delivered_at),
                                         'last_error', (array_agg(last_error order by raised_at desc) filter (where delivery in ('waiting', 'failed') and last_error is not null))[1])
               from public.budget_alerts where raised_at > now() - interval '7 days'),
    'sessions', (select count(*) from private.app_sessions s where least(s.idle_expires_at, s.expires_at) > now()));
end $$;
comment on function public.system_health is
  'Workers and their heartbeats, fal.ai and Stripe with their last error, files in Storage (bytes) and on their way, the database with its last error, alerts of the last week and whether they were posted, open sessions. For admins.';
grant execute on function public.system_health(uuid) to service_role;

create function public.failure_reasons(p_actor uuid, p_hours int default 24) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_admin(p_actor, 'failure_reasons');
  return (
    select coalesce(jsonb_agg(to_jsonb(r) order by r.count desc, r.error_type), '[]')
    from (
      select j.error_type, count(*) as count, max(l.billed_at) as last_at, (array_agg(j.id order by l.billed_at desc))[1] as last_job,
             (array_agg(j.error_message order by l.billed_at desc))[1] as last_message
      from public.generation_logs l join public.generation_jobs j on j.id = l.job_id
      where l.failed = 1 and l.billed_at > now() - make_interval(hours => greatest(1, least(p_hours, 2160)))
      group by j.error_type
    ) r);
end $$;
comment on function public.failure_reasons is 'Why jobs failed in the last hours, the most frequent first: [{error_type, count, last_at, last_job, last_message}]. For admins.';
grant execute on function public.failure_reasons(uuid, int) to service_role;

create function public.keep_house() returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  gone_workers int;
  gone_sessions int;
  gone_audits int;
begin
  delete from private.workers where beat_at < now() - interval '1 day';
  get diagnostics gone_workers = row_count;
  delete from private.app_sessions where least(idle_expires_at, expires_at) < now();
  get diagnostics gone_sessions = row_count;
  -- An audit that found something is kept for good.
  delete from public.audit_runs
  where ended_at < now() - interval '90 days' and violation_count = 0 and id <> (select max(id) from public.audit_runs);
  get diagnostics gone_audits = row_count;
  with old as (
    delete from private.webhook_counters where hour < now() - interval '90 days' and isfinite(hour) returning provider, outcome, calls
  )
  insert into private.webhook_counters as c (hour, provider, outcome, calls)
  select '-infinity', provider, outcome, sum(calls) from old group by provider, outcome order by provider, outcome
  on conflict (hour, provider, outcome) do update set calls = c.calls + excluded.calls;
  return jsonb_build_object('workers', gone_workers, 'sessions', gone_sessions, 'audits', gone_audits);
end $$;
comment on function public.keep_house is
  'Clears what nobody needs any more: workers not seen for a day, ended sessions, clean audits and hourly counts older than 90 days. Returns how many. No book is touched.';
grant execute on function public.keep_house() to service_role;
