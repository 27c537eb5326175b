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

-- ---------------------------------------------------------------------------------------------------------------
-- What is in Storage: counted as files come and go, a row a person so that nobody waits for another's file
-- ---------------------------------------------------------------------------------------------------------------
create table private.stored_files (
  user_id uuid primary key references public.profiles (user_id),
  files bigint not null check (files >= 0),
  bytes bigint not null check (bytes >= 0)
);
comment on table private.stored_files is 'How many outputs of a person are in Storage, and their bytes. The last lock of whoever changes an output.';
alter table private.stored_files enable row level security;
create policy "Nobody by the API" on private.stored_files to anon, authenticated using (false);

create function private.count_stored_files() returns trigger language plpgsql security definer set search_path = '' as $$
declare
  more_files int := (new.storage_path is not null)::int;
  more_bytes bigint := case when new.storage_path is not null then coalesce(new.size_bytes, 0) else 0 end;
begin
  if tg_op = 'UPDATE' then
    more_files := more_files - (old.storage_path is not null)::int;
    more_bytes := more_bytes - case when old.storage_path is not null then coalesce(old.size_bytes, 0) else 0 end;
  end if;
  if more_files <> 0 or more_bytes <> 0 then
    -- Two steps: a check of what would be inserted comes before the conflict, and a file that goes counts minus one.
    insert into private.stored_files (user_id, files, bytes) values (new.user_id, 0, 0) on conflict (user_id) do nothing;
    update private.stored_files set files = files + more_files, bytes = bytes + more_bytes where user_id = new.user_id;
  end if;
  return null;
end $$;
comment on function private.count_stored_files is 'Trigger: keeps stored_files the sum of what the outputs say.';
create trigger count_stored_files_new after insert on public.job_outputs
  for each row when (new.storage_path is not null) execute function private.count_stored_files();
create trigger count_stored_files after update of storage_path, size_bytes on public.job_outputs
  for each row when ((old.storage_path, old.size_bytes) is distinct from (new.storage_path, new.size_bytes))
  execute function private.count_stored_files();

create index job_outputs_given_up on public.job_outputs (id) where mirror_due_at is null and mirrored_at is null and deleted_at is null;
create index job_outputs_trouble on public.job_outputs (created_at desc) where mirror_error is not null;

create function private.audit_storage() returns table (rule text, subject text, problem text)
language sql stable security definer set search_path = '' as $$
  select 'stored_files_are_sum_of_outputs', coalesce(s.user_id, o.user_id)::text,
         format('counted %s files of %s bytes, outputs say %s of %s', coalesce(s.files, 0), coalesce(s.bytes, 0), coalesce(o.files, 0), coalesce(o.bytes, 0))
  from private.stored_files s
  full join (select user_id, count(*) as files, sum(coalesce(size_bytes, 0)) as bytes
             from public.job_outputs where storage_path is not null group by user_id) o using (user_id)
  where (coalesce(s.files, 0), coalesce(s.bytes, 0)) <> (coalesce(o.files, 0), coalesce(o.bytes, 0))
$$;
comment on function private.audit_storage is 'People of whom another number of files was counted than their outputs have in Storage.';

-- ---------------------------------------------------------------------------------------------------------------
-- How everything is doing
-- ---------------------------------------------------------------------------------------------------------------
create function public.system_health(p_actor uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_admin(p_actor, 'system_health');
  return jsonb_build_object(
    'workers', (select coalesce(jsonb_agg(jsonb_build_object(
        'worker', w.worker, 'started_at', w.started_at, 'beat_at', w.beat_at, 'is_alive', w.beat_at > now() - interval '1 minute'
      ) order by w.beat_at desc), '[]') from private.workers w),
    'providers', (select jsonb_agg(to_jsonb(p) - array['account_id', 'probe_count'] order by p.provider) from private.provider_state p),
    'storage', jsonb_build_object(
        'files', (select coalesce(sum(s.files), 0) from private.stored_files s), 'bytes', (select coalesce(sum(s.bytes), 0) from private.stored_files s),
        'waiting', (select count(*) from public.job_outputs o where o.mirror_due_at is not null),
        'given_up', (select count(*) from public.job_outputs o where o.mirror_due_at is null and o.mirrored_at is null and o.deleted_at is null),
        'last_error', (select o.mirror_error from public.job_outputs o where o.mirror_error is not null order by o.created_at desc limit 1)),
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
