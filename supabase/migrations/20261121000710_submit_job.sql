-- A job at fal.ai: stamped before it is sent, recorded after, its progress noted. Each is one transaction.

-- ---------------------------------------------------------------------------------------------------------------
-- Submit: stamped before, recorded after
-- ---------------------------------------------------------------------------------------------------------------
create function public.begin_submit(p_job uuid, p_start_seconds int, p_check_seconds int default 30) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  job public.generation_jobs;
begin
  update public.generation_jobs
  set submit_attempted_at = now(),
      give_up_at = now() + make_interval(secs => p_start_seconds + longest_seconds),
      next_check_at = now() + make_interval(secs => p_check_seconds)
  where id = p_job and status = 'pending' and submit_attempted_at is null and cancel_requested_at is null
  returning * into job;
  if not found then
    return null;
  end if;
  return private.job_json(job);
end $$;
comment on function public.begin_submit is
  'Gives the right to send a job to fal.ai, once in its life: the job, or null when somebody else has it or it is no longer wanted. p_start_seconds is the start deadline sent with it.';
grant execute on function public.begin_submit(uuid, int, int) to service_role;

create function public.record_submitted(
  p_job uuid, p_request_id text, p_status_url text, p_response_url text, p_cancel_url text,
  p_queue_position int, p_check_seconds int
) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  job public.generation_jobs;
begin
  select * into job from public.generation_jobs where id = p_job for no key update;
  if not found then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such job.');
  end if;
  if job.fal_request_id = p_request_id and job.status_url = p_status_url then
    return private.job_json(job); -- asked again after a lost answer
  end if;
  if job.fal_request_id is not null and job.fal_request_id <> p_request_id then
    perform private.refuse(409, 'ALREADY_SUBMITTED', 'This job belongs to another request at fal.ai.',
      jsonb_build_object('request_id', job.fal_request_id, 'other', p_request_id));
  end if;
  -- A webhook may have been quicker: then only the addresses are new.
  update public.generation_jobs
  set fal_request_id = p_request_id, status_url = p_status_url, response_url = p_response_url, cancel_url = p_cancel_url,
      submitted_at = coalesce(submitted_at, now()),
      status = case when status = 'pending' then 'submitted' else status end,
      queue_position = case when status = 'pending' then p_queue_position else queue_position end,
      progress_message = case when status = 'pending' then null else progress_message end,
      next_check_at = case when cancel_requested_at is not null then now()
                           when status = 'pending' then now() + make_interval(secs => p_check_seconds) else next_check_at end,
      lease_owner = null, lease_until = null
  where id = p_job returning * into job;
  perform private.log_job(job, 'submitted', p_request_id);
  -- fal.ai takes work, so neither lock nor outage holds any more. Usually there is nothing to change.
  update private.provider_state
  set locked_reason = null, locked_at = null, probe_at = null, probe_count = 0, unwell_since = null, last_ok_at = now()
  where provider = 'fal' and (locked_at is not null or unwell_since is not null);
  return private.job_json(job);
end $$;
comment on function public.record_submitted is 'Records that fal.ai has accepted a job, with the request id and the addresses it gave.';
grant execute on function public.record_submitted(uuid, text, text, text, text, int, int) to service_role;

create function private.adopt_request(p_job public.generation_jobs, p_request_id text, p_queue_url text, p_source text)
returns public.generation_jobs language plpgsql security definer set search_path = '' as $$
declare
  job public.generation_jobs;
  -- fal.ai's own addresses leave out what follows the owner and the app of an endpoint.
  base text := format('%s/%s/%s/requests/%s', p_queue_url, split_part(p_job.fal_endpoint, '/', 1), split_part(p_job.fal_endpoint, '/', 2), p_request_id);
begin
  update public.generation_jobs
  set fal_request_id = p_request_id, submitted_at = coalesce(submitted_at, now()),
      status_url = base || '/status', response_url = base, cancel_url = base || '/cancel',
      status = case when status = 'pending' then 'submitted' else status end
  where id = p_job.id returning * into job;
  perform private.log_job(job, 'found', p_request_id, p_source);
  return job;
end $$;
comment on function private.adopt_request is
  'A job whose submit ended unclearly learns which request at fal.ai is its own. The caller holds its lock.';

create function public.record_found(p_job uuid, p_request_id text, p_queue_url text) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  job public.generation_jobs;
begin
  select * into job from public.generation_jobs where id = p_job for no key update;
  if not found then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such job.');
  end if;
  if job.status <> 'pending' or job.submit_attempted_at is null or job.fal_request_id is not null then
    return private.job_json(job); -- a webhook was quicker, or it has ended
  end if;
  if exists (select 1 from public.generation_jobs where fal_request_id = p_request_id) then
    perform private.refuse(409, 'ALREADY_SUBMITTED', 'This request belongs to another job.', jsonb_build_object('request_id', p_request_id));
  end if;
  job := private.adopt_request(job, p_request_id, p_queue_url, 'poll');
  update public.generation_jobs set next_check_at = now(), lease_owner = null, lease_until = null, progress_message = null
  where id = p_job returning * into job;
  return private.job_json(job);
end $$;
comment on function public.record_found is
  'The worker has found the request of an unclear job in fal.ai''s own list: it is looked at now. p_queue_url is where fal.ai''s queue is.';
grant execute on function public.record_found(uuid, text, text) to service_role;

create function public.record_unsent(p_job uuid, p_message text, p_check_seconds int) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  job public.generation_jobs;
begin
  update public.generation_jobs
  set submit_attempted_at = null, give_up_at = null, unsent_count = unsent_count + 1, progress_message = p_message,
      next_check_at = now() + make_interval(secs => p_check_seconds), lease_until = null
  where id = p_job and status = 'pending' and fal_request_id is null and submit_attempted_at is not null
  returning * into job;
  if not found then
    return private.known_job(p_job);
  end if;
  if job.cancel_requested_at is not null then
    -- Asked for while it was on its way; it never left, so it ends here.
    perform private.settle(p_job, jsonb_build_object('outcome', 'cancelled', 'error_type', 'cancelled',
      'error_message', 'Cancelled before it was sent. Nothing was charged.'), 'person');
    return private.known_job(p_job);
  end if;
  if job.unsent_count = 1 then
    perform private.log_job(job, 'waiting', p_message);
  end if;
  return private.job_json(job);
end $$;
comment on function public.record_unsent is 'Nothing left this machine, or fal.ai said "later": the job may be sent again, at the given time.';
grant execute on function public.record_unsent(uuid, text, int) to service_role;

create function public.record_unclear(p_job uuid, p_message text, p_check_seconds int) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  job public.generation_jobs;
begin
  update public.generation_jobs
  set progress_message = p_message, next_check_at = now() + make_interval(secs => p_check_seconds), lease_until = null
  where id = p_job and status = 'pending' and fal_request_id is null
  returning * into job;
  if not found then
    return private.known_job(p_job);
  end if;
  perform private.log_job(job, 'unclear', p_message);
  return private.job_json(job);
end $$;
comment on function public.record_unclear is 'fal.ai may or may not have the job: it keeps its hold, is looked for, and is never sent again.';
grant execute on function public.record_unclear(uuid, text, int) to service_role;

create function private.note_progress(p_updates jsonb) returns int
language plpgsql security definer set search_path = '' as $$
declare
  changed int;
begin
  perform 1 from public.generation_jobs j
  where j.id in (select (u ->> 'job')::uuid from jsonb_array_elements(p_updates) u) order by j.id for no key update;
  update public.generation_jobs j
  set status = case when u.state = 'running' or j.status = 'in_progress' then 'in_progress'
                    when u.state = 'queued' then 'submitted' else j.status end,
      started_at = case when u.state = 'running' then coalesce(j.started_at, now()) else j.started_at end,
      queue_position = case when u.state = 'queued' then u.queue_position
                            when u.state = 'running' then null else j.queue_position end,
      progress = coalesce(u.progress, j.progress),
      progress_message = coalesce(u.message, j.progress_message),
      check_count = j.check_count + 1, checked_at = now(),
      next_check_at = now() + make_interval(secs => u.check_seconds),
      lease_owner = null, lease_until = null
  from jsonb_to_recordset(p_updates)
    as u(job uuid, state text, queue_position int, progress numeric, message text, check_seconds float8)
  where j.id = u.job and j.status in ('pending', 'submitted', 'in_progress')
    and (u.state = 'unknown' or j.fal_request_id is not null);
  get diagnostics changed = row_count;
  if exists (select from jsonb_array_elements(p_updates) u where u ->> 'state' in ('queued', 'running')) then
    perform private.fal_answers();
  end if;
  return changed;
end $$;
comment on function private.note_progress is 'record_progress, all or nothing.';

create function public.record_progress(p_updates jsonb) returns int
language plpgsql security definer set search_path = '' as $$
declare
  item jsonb;
  changed int := 0;
  problem text;
begin
  return private.note_progress(p_updates);
exception when others then
  -- One that makes no sense must not keep the others from being seen: each for itself, and that one is looked at later.
  for item in select u from jsonb_array_elements(p_updates) u order by private.as_uuid(u ->> 'job') loop
    begin
      changed := changed + private.note_progress(jsonb_build_array(item));
    exception when others then
      get stacked diagnostics problem = message_text;
      raise warning 'progress of job % makes no sense: %', item ->> 'job', problem;
      update public.generation_jobs
      set check_count = check_count + 1, checked_at = now(), next_check_at = now() + interval '1 minute', lease_owner = null, lease_until = null
      where id = private.as_uuid(item ->> 'job') and status in ('pending', 'submitted', 'in_progress');
    end;
  end loop;
  return changed;
end $$;
comment on function public.record_progress is
  'What a look at fal.ai found, for many jobs at once: [{job, state: queued|running|unknown, queue_position, progress 0..1, message, check_seconds}]. Ended jobs are left alone; what makes no sense is looked at again a minute later.';
grant execute on function public.record_progress(jsonb) to service_role;
