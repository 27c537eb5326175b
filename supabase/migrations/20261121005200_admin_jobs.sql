-- Open jobs, for admins: stuck ones first, and what can be done about one: look now, cancel, give up.

create function private.stuck_reasons(p_job public.generation_jobs) returns text[]
language sql stable set search_path = '' as $$
  select array_remove(array[
    case when p_job.status = 'pending' and p_job.submit_attempted_at is not null and p_job.fal_request_id is null then 'unclear' end,
    case when p_job.give_up_at < now() then 'past_give_up' end,
    case when p_job.status in ('submitted', 'in_progress')
      and p_job.submitted_at < now() - make_interval(secs => greatest(120, 5 * p_job.expected_seconds)) then 'slow' end,
    case when p_job.status = 'pending' and p_job.submit_attempted_at is null and p_job.created_at < now() - interval '5 minutes' then 'not_sent' end,
    -- A look takes a lease of minutes and sets the next one: due for longer than three leases, nobody gets through with it.
    case when p_job.next_check_at < now() - interval '10 minutes' then
      case when p_job.lease_owner is not null then 'lease_loops' else 'not_looked_at' end end,
    case when p_job.cancel_requested_at < now() - interval '10 minutes' then 'cancel_unanswered' end
  ], null)
$$;
comment on function private.stuck_reasons is
  'Why an open job needs an admin''s eye, none for most: unclear (fal.ai may have it), past_give_up, slow (five times the usual, two minutes at least), not_sent, lease_loops (claimed again and again without a result), not_looked_at, cancel_unanswered.';

create function private.job_state(p_job public.generation_jobs) returns text language sql immutable set search_path = '' as $$
  select case when p_job.status = 'pending' and p_job.submit_attempted_at is not null and p_job.fal_request_id is null
    then 'unclear' else p_job.status end
$$;
comment on function private.job_state is 'The status of a job, with pending told apart from unclear: sent, and nobody knows whether fal.ai has it.';

create function public.open_jobs(
  p_actor uuid, p_state text default null, p_only_stuck boolean default false, p_user uuid default null, p_limit int default 100
) returns jsonb language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_admin(p_actor, 'open_jobs');
  return (
    with known as (
      select j.id, j.user_id, j.created_at, private.job_state(j) as state, private.stuck_reasons(j) as stuck
      from public.generation_jobs j where j.status in ('pending', 'submitted', 'in_progress')
    ), shown as (
      select k.*, row_number() over (order by (k.stuck <> '{}') desc, k.created_at, k.id) as place
      from known k
      where (p_state is null or k.state = p_state) and (not p_only_stuck or k.stuck <> '{}') and (p_user is null or k.user_id = p_user)
      order by place limit private.page_size(p_limit)
    )
    select jsonb_build_object(
      'states', (select coalesce(jsonb_object_agg(state, jsonb_build_object('count', n, 'stuck', stuck, 'oldest', oldest)), '{}')
                 from (select state, count(*) as n, count(*) filter (where k.stuck <> '{}') as stuck, min(created_at) as oldest
                       from known k group by state) by_state),
      'jobs', (select coalesce(jsonb_agg(jsonb_build_object(
          'id', j.id, 'user_id', j.user_id, 'person', private.name_of(j.user_id), 'generation_type', j.generation_type, 'label', g.label,
          'state', s.state, 'stuck', to_jsonb(s.stuck), 'prompt', left(j.prompt, 200), 'created_at', j.created_at,
          'submit_attempted_at', j.submit_attempted_at, 'submitted_at', j.submitted_at, 'expected_seconds', j.expected_seconds,
          'age_seconds', extract(epoch from now() - j.created_at)::int, 'fal_request_id', j.fal_request_id,
          'check_count', j.check_count, 'checked_at', j.checked_at, 'next_check_at', j.next_check_at, 'give_up_at', j.give_up_at,
          'cancel_requested_at', j.cancel_requested_at, 'lease_owner', j.lease_owner, 'lease_until', j.lease_until,
          'message', j.progress_message, 'credits_held', j.credits_held, 'estimated_usd', j.estimated_usd::text
        ) order by s.place), '[]')
        from shown s join public.generation_jobs j using (id) join public.generation_types g using (generation_type))));
end $$;
comment on function public.open_jobs is
  'Open jobs of everybody: {states: {state: {count, stuck, oldest}}, jobs: [stuck ones first, then the oldest]}. States as private.job_state, reasons as private.stuck_reasons. USD as text. For admins.';
grant execute on function public.open_jobs(uuid, text, boolean, uuid, int) to service_role;

create function private.open_job(p_job uuid) returns public.generation_jobs
language plpgsql security definer set search_path = '' as $$
declare
  job public.generation_jobs;
begin
  select * into job from public.generation_jobs where id = p_job for no key update;
  if not found then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such job.');
  end if;
  if job.status in ('completed', 'failed', 'cancelled') then
    perform private.refuse(409, 'ALREADY_ENDED', 'This job has ended meanwhile. Its end does not change.', jsonb_build_object('status', job.status));
  end if;
  return job;
end $$;
comment on function private.open_job is 'Locks a job that has not ended. 404 for none, 409 for one that has.';

create function public.check_job_now(p_actor uuid, p_job uuid) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  job public.generation_jobs;
  was timestamptz;
begin
  perform private.require_admin(p_actor, 'check_job_now');
  job := private.open_job(p_job);
  was := job.next_check_at;
  update public.generation_jobs set next_check_at = least(next_check_at, now()) where id = p_job returning * into job;
  perform private.note_action(p_actor, 'check_job_now', p_job::text, jsonb_build_object('next_check_at', was),
    jsonb_build_object('next_check_at', job.next_check_at));
  return private.job_json(job);
end $$;
comment on function public.check_job_now is 'An admin wants an open job looked at by the next worker that is free.';
grant execute on function public.check_job_now(uuid, uuid) to service_role;

create function public.cancel_job(p_actor uuid, p_job uuid, p_reason text default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
begin
  perform private.require_admin(p_actor, 'cancel_job');
  perform private.open_job(p_job);
  return public.request_cancel(p_actor, p_job, p_reason);
end $$;
comment on function public.cancel_job is 'An admin stops anybody''s job, as request_cancel does, which writes the line in the trail. 409 for one that has ended.';
grant execute on function public.cancel_job(uuid, uuid, text) to service_role;

create function public.mark_job_failed(p_actor uuid, p_job uuid, p_reason text) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  job public.generation_jobs;
  reason text;
  outcome jsonb;
begin
  perform private.require_admin(p_actor, 'mark_job_failed');
  reason := private.kept_reason(p_reason, true);
  job := private.open_job(p_job);
  outcome := private.settle(p_job, jsonb_build_object(
    'outcome', 'failed', 'error_type', 'closed_by_admin',
    'error_message', format('An admin has closed this job: %s %s If the result still arrives, it is yours at no charge.',
      case when reason ~ '[.!?]$' then reason else reason || '.' end,
      case when job.credits_held > 0 then 'Your credits are back.' else 'Nothing was charged.' end),
    -- What fal.ai has, it may bill: counted until its billing says otherwise.
    'billable', job.fal_request_id is not null), 'admin');
  perform private.note_action(p_actor, 'mark_job_failed', p_job::text,
    jsonb_build_object('status', job.status, 'stuck', to_jsonb(private.stuck_reasons(job))),
    jsonb_build_object('status', outcome ->> 'status', 'credits_returned', job.credits_held), reason);
  select * into job from public.generation_jobs where id = p_job;
  return private.job_json(job);
end $$;
comment on function public.mark_job_failed is
  'An admin gives up on an open job, with a reason that the person reads: its credits are returned, once. A result that comes later is delivered and not charged.';
grant execute on function public.mark_job_failed(uuid, uuid, text) to service_role;
