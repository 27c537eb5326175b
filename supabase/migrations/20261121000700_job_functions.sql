-- The life of a job: create, submit, progress, settle, cancel. Each is one transaction.
-- Locks are always taken in the same order: job, then account, then the rollup; batches in the order of their ids.

create function private.job_json(p_job public.generation_jobs) returns jsonb
language sql stable set search_path = '' as $$
  -- Money as text, so that no reader meets a float.
  select to_jsonb(p_job) || jsonb_build_object(
    'estimated_usd', p_job.estimated_usd::text, 'actual_usd', p_job.actual_usd::text, 'spent_usd', p_job.spent_usd::text,
    'unit_price_usd', p_job.unit_price_usd::text, 'estimated_units', p_job.estimated_units::text)
$$;
comment on function private.job_json is 'A job as the functions return it.';

create function private.known_job(p_job uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  job public.generation_jobs;
begin
  select * into job from public.generation_jobs where id = p_job;
  if not found then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such job.');
  end if;
  return private.job_json(job);
end $$;
comment on function private.known_job is 'A job as it is now; 404 when there is none.';

create function private.fal_answers() returns void
language sql security definer set search_path = '' as $$
  -- Usually there is nothing to change.
  update private.provider_state set unwell_since = null, last_ok_at = now() where provider = 'fal' and unwell_since is not null
$$;
comment on function private.fal_answers is 'A question to fal.ai was answered: an outage is over. A lock is not: questions are answered all the same.';

-- ---------------------------------------------------------------------------------------------------------------
-- Create: all checks, the row and the hold together
-- ---------------------------------------------------------------------------------------------------------------
create function private.check_limits(p_user uuid, p_cap numeric, p_usd numeric) returns void
language plpgsql security definer set search_path = '' as $$
declare
  settings private.team_settings;
  snapshot public.budget_snapshots;
  room numeric;
begin
  select * into settings from private.team_settings;
  if (select count(*) from public.generation_jobs
      where user_id = p_user and status in ('pending', 'submitted', 'in_progress')) >= settings.max_open_jobs then
    perform private.refuse(429, 'TOO_MANY_OPEN_JOBS',
      format('You have %s jobs running, the most that one person may. Nothing was charged. Wait for one to finish, or cancel one.', settings.max_open_jobs),
      jsonb_build_object('limit', settings.max_open_jobs));
  end if;
  if p_cap is not null then
    room := p_cap - private.spent_this_month(p_user) - private.open_estimates(p_user);
    if p_usd > room then
      perform private.refuse(402, 'MONTHLY_CAP',
        format('This would pass your monthly cap of %s. %s is left this month. Nothing was charged. Ask an admin to raise it.', private.usd(p_cap), private.usd(greatest(room, 0))),
        jsonb_build_object('cap', p_cap::text, 'left', room::text));
    end if;
  end if;
  if settings.block_at_zero then
    -- One at a time: two creates must not both see the last dollar.
    perform pg_advisory_xact_lock(hashtext('atelier.team_budget'));
    select * into snapshot from public.budget_snapshots where scope = 'team' and user_id is null order by id desc limit 1;
    if snapshot.amount_usd is not null then
      room := snapshot.amount_usd - private.spent_since(snapshot.created_at) - private.open_estimates();
      if p_usd > room then
        perform private.refuse(402, 'TEAM_BUDGET',
          format('The team''s budget does not cover this: %s is left, open jobs included. Nothing was charged. Ask an admin.', private.usd(greatest(room, 0))),
          jsonb_build_object('left', room::text));
      end if;
    end if;
  end if;
end $$;
comment on function private.check_limits is
  'Refuses when too many jobs are open, the month''s cap or the team''s budget would be passed, estimates of open jobs included. The caller holds the person''s account lock.';

create function public.create_job(
  p_job uuid, p_user uuid, p_generation_type text, p_input_params jsonb, p_prompt text,
  p_quantity int, p_expected_credits int, p_units numeric, p_unit_price_usd numeric,
  p_longest_seconds int, p_retried_from uuid default null, p_automatic boolean default false,
  p_submit_within int default 20, p_start_seconds int default null
) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  person public.profiles;
  kind public.generation_types;
  fal private.provider_state;
  job public.generation_jobs;
  first public.generation_jobs;
  cost int;
  usd numeric;
begin
  if p_retried_from is not null then
    perform 1 from public.generation_jobs where id = p_retried_from for no key update; -- it learns of its second try
  end if;
  -- The lock makes this person's creates wait for each other, so that none reads a balance another is spending.
  perform 1 from public.credit_accounts where user_id = p_user for no key update;
  select * into job from public.generation_jobs where id = p_job;
  if found then
    if job.user_id is distinct from p_user then
      perform private.refuse(404, 'NOT_FOUND', 'There is no such job.');
    end if;
    return private.job_json(job);
  end if;
  select * into person from public.profiles where user_id = p_user;
  if not found or not person.is_approved then
    perform private.refuse(403, 'NOT_APPROVED', 'Your account waits for approval by an admin. Nothing was charged.');
  end if;
  if not person.is_active then
    perform private.refuse(403, 'NOT_ACTIVE', 'Your account is switched off. Nothing was charged. Ask an admin.');
  end if;
  select * into kind from public.generation_types where generation_type = p_generation_type;
  if not found or not kind.enabled then
    perform private.refuse(409, 'TYPE_DISABLED', 'This type is switched off at the moment. Nothing was charged. Choose another one.');
  end if;
  select * into fal from private.provider_state where provider = 'fal';
  if fal.locked_at is not null then
    -- After the pause one job may try; the others wait for what it finds.
    update private.provider_state
    set probe_at = now() + interval '2 minutes'
    where provider = 'fal' and locked_at is not null and probe_at <= now();
    if not found then
      perform private.refuse(423, 'ACCOUNT_LOCKED',
        format('fal.ai has locked the team''s account: %s Nothing was charged. Ask an admin to settle it with fal.ai.', rtrim(fal.locked_reason, '. ') || '.'),
        jsonb_build_object('reason', fal.locked_reason));
    end if;
  end if;
  cost := case when person.is_unmetered then 0 else kind.credits * p_quantity end;
  if p_expected_credits is not null and not person.is_unmetered and cost <> p_expected_credits then
    perform private.refuse(409, 'PRICE_CHANGED',
      format('The price has changed: this now costs %s %s. Nothing was charged. Look at it and press again.', cost, case when cost = 1 then 'credit' else 'credits' end),
      jsonb_build_object('credits', cost));
  end if;
  if p_units is null or p_unit_price_usd is null then
    raise exception 'A job needs its units and their price.' using errcode = '23502';
  end if;
  if p_retried_from is not null and not exists (
    select 1 from public.generation_jobs where id = p_retried_from and user_id = p_user
  ) then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such job.');
  end if;
  usd := greatest(round(p_units * p_unit_price_usd, 6), 0.000001);
  perform private.check_limits(p_user, person.monthly_cap_usd, usd);
  insert into public.generation_jobs (
    id, user_id, generation_type, media_kind, fal_endpoint, input_params, prompt, quantity, credits_held,
    estimated_units, unit_price_usd, estimated_usd, retried_from, retry_count, is_automatic_retry,
    expected_seconds, longest_seconds, submit_attempted_at, give_up_at, next_check_at
  ) values (
    p_job, p_user, p_generation_type, kind.media_kind, kind.fal_endpoint, p_input_params, left(coalesce(p_prompt, ''), 5000),
    p_quantity, cost, p_units, p_unit_price_usd, usd, p_retried_from,
    coalesce((select o.retry_count + 1 from public.generation_jobs o where o.id = p_retried_from and o.user_id = p_user), 0),
    p_automatic, kind.estimated_seconds, p_longest_seconds, case when p_start_seconds is not null then now() end,
    now() + make_interval(secs => p_start_seconds + p_longest_seconds),
    now() + make_interval(secs => case when p_start_seconds is not null then 30 else p_submit_within end)
  ) returning * into job;
  if cost > 0 then
    perform private.post_entry(p_user, 'hold', cost, 'hold:' || p_job, p_job => p_job);
  end if;
  perform private.log_job(job, 'created', p_source => case when p_automatic then 'worker' else 'person' end);
  if p_retried_from is not null then
    update public.generation_jobs set retried_as = p_job where id = p_retried_from returning * into first;
    perform private.log_job(first, 'retried', p_job::text, case when p_automatic then 'worker' else 'person' end);
  end if;
  return private.job_json(job) || case when p_start_seconds is not null then '{"may_send": true}' else '{}' end::jsonb;
end $$;
comment on function public.create_job is
  'Creates a job and sets its credits aside in one transaction, or refuses and leaves nothing. p_job is made by the caller: asking twice gives the same job. Credits are the catalogue''s price times p_quantity; p_expected_credits is what the person saw. p_start_seconds, the start deadline that will be sent with it, takes the right to send it at once, as begin_submit does: the answer has may_send for whoever made the job, and for nobody else.';
grant execute on function public.create_job(uuid, uuid, text, jsonb, text, int, int, numeric, numeric, int, uuid, boolean, int, int) to service_role;

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
