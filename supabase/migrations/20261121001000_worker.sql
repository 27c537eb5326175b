-- The worker: claiming due work with a lease, so that any number of workers share it without doing it twice.

create function private.runs_are_open() returns boolean
language plpgsql stable security definer set search_path = '' as $$
begin
  -- Not SQL: the runs of campaigns come with a later migration.
  return exists (select 1 from public.campaign_runs where state in ('running', 'waiting'));
end $$;
comment on function private.runs_are_open is 'Whether any run of a campaign is not over.';

create function public.claim_work(p_worker text, p_jobs int, p_outputs int, p_costs int, p_lease_seconds int default 60)
returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  lease timestamptz := now() + make_interval(secs => p_lease_seconds);
  claimed_jobs jsonb;
  claimed_outputs jsonb;
  claimed_costs jsonb;
begin
  insert into private.workers (worker) values (p_worker) on conflict (worker) do update set beat_at = now();

  with due as (
    select id from public.generation_jobs
    where status in ('pending', 'submitted', 'in_progress') and next_check_at <= now()
      and (lease_until is null or lease_until < now())
    order by next_check_at limit p_jobs for no key update skip locked
  ), taken as (
    update public.generation_jobs j set lease_owner = p_worker, lease_until = lease
    from due where j.id = due.id returning j.*
  )
  select coalesce(jsonb_agg(private.job_json(t)), '[]') into claimed_jobs from taken t;

  with due as (
    select id from public.job_outputs
    where mirror_due_at is not null and mirror_due_at <= now() and (lease_until is null or lease_until < now())
    order by mirror_due_at limit p_outputs for no key update skip locked
  ), taken as (
    update public.job_outputs o set lease_owner = p_worker, lease_until = lease
    from due where o.id = due.id returning o.*
  )
  select coalesce(jsonb_agg(to_jsonb(t)), '[]') into claimed_outputs from taken t;

  -- cost_due_at itself is the lease here: it moves on while somebody looks.
  with due as (
    select id from public.generation_jobs
    where cost_due_at is not null and cost_due_at <= now()
    order by cost_due_at limit p_costs for no key update skip locked
  ), taken as (
    update public.generation_jobs j set cost_due_at = lease from due where j.id = due.id returning j.*
  )
  select coalesce(jsonb_agg(private.job_json(t)), '[]') into claimed_costs from taken t;

  return jsonb_build_object('jobs', claimed_jobs, 'outputs', claimed_outputs, 'costs', claimed_costs, 'waiting', jsonb_build_object(
    'outputs', exists (
      select 1 from public.job_outputs
      where mirror_due_at is not null and mirror_due_at <= now() and (lease_until is null or lease_until < now())),
    'runs', private.runs_are_open()));
end $$;
comment on function public.claim_work is
  'A worker''s beat: takes what is due under a lease: jobs to look at, outputs to mirror, costs to read. A lease that runs out is free for others. "waiting" says whether there is something for those who copy and for those who carry on runs, so that they need not ask while there is nothing.';
grant execute on function public.claim_work(text, int, int, int, int) to service_role;

create function public.record_mirrored(
  p_output uuid, p_storage_path text, p_media_type text, p_size_bytes bigint,
  p_width int default null, p_height int default null, p_duration_seconds numeric default null
) returns void language sql security definer set search_path = '' as $$
  update public.job_outputs
  set storage_path = p_storage_path, media_type = p_media_type, size_bytes = p_size_bytes,
      width = coalesce(p_width, width), height = coalesce(p_height, height),
      duration_seconds = coalesce(p_duration_seconds, duration_seconds),
      mirrored_at = case when deleted_at is null then now() end,
      -- Deleted while it was copied: the copy has to go again.
      mirror_due_at = case when deleted_at is not null then now() end,
      mirror_error = null, lease_owner = null, lease_until = null
  where id = p_output
$$;
comment on function public.record_mirrored is 'Our own copy of an output is in Storage.';
grant execute on function public.record_mirrored(uuid, text, text, bigint, int, int, numeric) to service_role;

create function public.record_mirror_failed(p_output uuid, p_error text, p_check_seconds int) returns void
language sql security definer set search_path = '' as $$
  update public.job_outputs
  set mirror_tries = mirror_tries + 1, mirror_error = p_error, lease_owner = null, lease_until = null,
      mirror_due_at = case when p_check_seconds is not null then now() + make_interval(secs => p_check_seconds) end
  where id = p_output and mirror_due_at is not null
$$;
comment on function public.record_mirror_failed is 'An output could not be copied: try again later, or (null) not any more.';
grant execute on function public.record_mirror_failed(uuid, text, int) to service_role;

create function public.report_provider(p_provider text, p_ok boolean, p_error text default null, p_locked_reason text default null)
returns void language plpgsql security definer set search_path = '' as $$
begin
  if p_ok then
    update private.provider_state
    set unwell_since = null, last_ok_at = now(), locked_reason = null, locked_at = null, probe_at = null, probe_count = 0
    where provider = p_provider;
  elsif p_locked_reason is not null then
    update private.provider_state
    set locked_reason = p_locked_reason, locked_at = coalesce(locked_at, now()),
        probe_at = now() + make_interval(mins => least(15, 1 << least(probe_count, 4))), probe_count = probe_count + 1,
        last_error = p_locked_reason, last_error_at = now()
    where provider = p_provider;
  else
    update private.provider_state
    set unwell_since = coalesce(unwell_since, now()), last_error = p_error, last_error_at = now()
    where provider = p_provider;
  end if;
end $$;
comment on function public.report_provider is
  'How an outside service answered: well (which also opens a lock), unwell with its error, or locked with its reason.';
grant execute on function public.report_provider(text, boolean, text, text) to service_role;

-- ---------------------------------------------------------------------------------------------------------------
-- Deleting the files of a job: the books stay
-- ---------------------------------------------------------------------------------------------------------------
create function public.delete_media(p_user uuid, p_job uuid) returns int
language plpgsql security definer set search_path = '' as $$
declare
  job public.generation_jobs;
  marked int;
begin
  select * into job from public.generation_jobs where id = p_job for no key update;
  if not found or (job.user_id is distinct from p_user and not exists (
    select 1 from public.profiles where user_id = p_user and role = 'admin' and is_approved and is_active)) then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such job.');
  end if;
  if job.status not in ('completed', 'failed', 'cancelled') then
    perform private.refuse(409, 'STILL_RUNNING', 'This job is still running. Cancel it first.');
  end if;
  -- From here nobody sees the files; the worker takes them out of Storage, now or after a crash.
  update public.job_outputs
  set deleted_at = now(), source_url = null, mirror_due_at = now(), mirror_tries = 0, lease_owner = null, lease_until = null
  where job_id = p_job and deleted_at is null;
  get diagnostics marked = row_count;
  if job.media_deleted_at is null then
    update public.generation_jobs
    set media_deleted_at = now(), result_data = case when result_data is not null then '{"deleted": true}'::jsonb end
    where id = p_job returning * into job;
    perform private.log_job(job, 'media_deleted', null, 'person');
    if job.user_id is distinct from p_user then
      perform private.note_action(p_user, 'delete_media', p_job::text);
    end if;
  end if;
  return marked;
end $$;
comment on function public.delete_media is 'A person (or an admin) has the files of an ended job deleted. Returns how many; history and money stay.';
grant execute on function public.delete_media(uuid, uuid) to service_role;

create function public.record_removed(p_output uuid) returns void
language sql security definer set search_path = '' as $$
  update public.job_outputs
  set storage_path = null, mirrored_at = null, mirror_due_at = null, mirror_error = null, lease_owner = null, lease_until = null
  where id = p_output and deleted_at is not null
$$;
comment on function public.record_removed is 'The file of a deleted output is out of Storage.';
grant execute on function public.record_removed(uuid) to service_role;
