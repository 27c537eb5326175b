-- The running of it, for admins: open and stuck jobs, the inbox with replay, rates, storage, workers, the audit's runs.

-- ---------------------------------------------------------------------------------------------------------------
-- Open jobs, stuck ones first
-- ---------------------------------------------------------------------------------------------------------------
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
  perform private.note_action(p_actor, 'check_job_now', p_job::text, jsonb_build_object('next_check_at', was));
  return private.job_json(job);
end $$;
comment on function public.check_job_now is 'An admin wants an open job looked at by the next worker that is free.';
grant execute on function public.check_job_now(uuid, uuid) to service_role;

create function public.cancel_job(p_actor uuid, p_job uuid, p_reason text default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  job public.generation_jobs;
  outcome jsonb;
begin
  perform private.require_admin(p_actor, 'cancel_job');
  job := private.open_job(p_job);
  outcome := public.request_cancel(p_actor, p_job);
  perform private.note_action(p_actor, 'cancel_job', p_job::text, jsonb_build_object('status', job.status),
    jsonb_build_object('status', outcome ->> 'status'), private.kept_reason(p_reason));
  return outcome;
end $$;
comment on function public.cancel_job is 'An admin stops anybody''s job, as request_cancel does, with a line in the trail.';
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

-- ---------------------------------------------------------------------------------------------------------------
-- The inbox
-- ---------------------------------------------------------------------------------------------------------------
create function public.inbox_events(
  p_actor uuid, p_status text default null, p_provider text default null, p_search text default '',
  p_before bigint default null, p_limit int default 50
) returns jsonb language plpgsql stable security definer set search_path = '' as $$
declare
  pattern text := private.like_pattern(p_search);
begin
  perform private.require_admin(p_actor, 'inbox_events');
  return (
    select coalesce(jsonb_agg(to_jsonb(e) order by e.received_at desc, e.id desc), '[]')
    from (
      select w.id, w.received_at, w.processed_at, w.provider, w.event_type, w.event_key, w.status, w.result, w.attempts, w.repeats, w.error,
             w.job_id, left(j.prompt, 200) as prompt
      from public.webhook_events w left join public.generation_jobs j on j.id = w.job_id
      where (p_status is null or w.status = p_status) and (p_provider is null or w.provider = p_provider)
        and (pattern = '%%' or concat_ws(' ', w.event_key, w.event_type, w.result, w.error, w.job_id, j.prompt) ilike pattern)
        and (p_before is null or (w.received_at, w.id) < (select b.received_at, b.id from public.webhook_events b where b.id = p_before))
      order by w.received_at desc, w.id desc limit private.page_size(p_limit)
    ) e);
end $$;
comment on function public.inbox_events is
  'Verified calls, newest first, a page at a time (p_before: the last event of the page before), without their payloads. For admins.';
grant execute on function public.inbox_events(uuid, text, text, text, bigint, int) to service_role;

create function public.inbox_event(p_actor uuid, p_event bigint) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  found_event jsonb;
begin
  perform private.require_admin(p_actor, 'inbox_event');
  select to_jsonb(w) || jsonb_build_object('prompt', left(j.prompt, 200), 'job_status', j.status) into found_event
  from public.webhook_events w left join public.generation_jobs j on j.id = w.job_id where w.id = p_event;
  if not found then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such event.');
  end if;
  return found_event;
end $$;
comment on function public.inbox_event is 'One verified call with headers and payload, for admins.';
grant execute on function public.inbox_event(uuid, bigint) to service_role;

create function public.dead_letters(p_actor uuid, p_limit int default 100) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_admin(p_actor, 'dead_letters');
  return (
    select coalesce(jsonb_agg(d.id order by d.received_at, d.id), '[]')
    from (select w.id, w.received_at from public.webhook_events w where w.status = 'dead' order by w.received_at, w.id
          limit private.page_size(p_limit)) d);
end $$;
comment on function public.dead_letters is 'The ids of the events that wait for an admin, oldest first.';
grant execute on function public.dead_letters(uuid, int) to service_role;

create function public.replay_fal_event(p_actor uuid, p_event bigint, p_verdict jsonb, p_queue_url text) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  stored public.webhook_events;
  job uuid;
  outcome text;
  problem text;
begin
  perform private.require_admin(p_actor, 'replay_fal_event');
  select * into stored from public.webhook_events where id = p_event and provider = 'fal';
  if not found then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such event of fal.ai.');
  end if;
  -- An event from before its job was known is tied to it by the request.
  job := coalesce(stored.job_id,
    (select j.id from public.generation_jobs j where j.fal_request_id = coalesce(stored.headers ->> 'request_id', stored.payload ->> 'request_id')));
  -- The same order as a call that comes in: job, account, then the event.
  perform 1 from public.generation_jobs j where j.id = job for no key update;
  perform 1 from public.credit_accounts a where a.user_id = (select j.user_id from public.generation_jobs j where j.id = job) for no key update;
  select * into stored from public.webhook_events where id = p_event for update;
  if stored.status = 'processed' then
    perform private.refuse(409, 'ALREADY_PROCESSED', 'This call has done its work already.', jsonb_build_object('result', stored.result));
  end if;
  begin
    update public.webhook_events set status = 'failed' where id = p_event;
    outcome := private.receive_fal_event(jsonb_build_object(
      'event_key', stored.event_key, 'event_type', stored.event_type, 'headers', stored.headers, 'payload', stored.payload,
      'request_id', coalesce(stored.headers ->> 'request_id', stored.payload ->> 'request_id'), 'job', job, 'verdict', p_verdict,
      'account_id', coalesce(stored.headers ->> 'user_id', (select account_id from private.provider_state where provider = 'fal')),
      'queue_url', p_queue_url, 'source', 'admin'));
    if outcome in ('wrong_account', 'wrong_request', 'never_sent') then
      raise exception '%', case outcome
        when 'wrong_account' then 'This call came from another account of fal.ai.'
        when 'wrong_request' then 'This call is about another request than the one that has the job.'
        else 'This call is about a job that was never sent.' end;
    end if;
  exception when others then
    -- The effect is undone; the try is counted and says what went wrong.
    get stacked diagnostics problem = message_text;
    outcome := null;
    update public.webhook_events set attempts = attempts + 1, error = problem where id = p_event;
  end;
  perform private.note_action(p_actor, 'replay_event', p_event::text,
    jsonb_build_object('status', stored.status, 'error', stored.error, 'attempts', stored.attempts),
    (select jsonb_build_object('status', w.status, 'result', w.result, 'error', w.error, 'attempts', w.attempts, 'job', w.job_id)
     from public.webhook_events w where w.id = p_event));
  return (
    select jsonb_build_object('status', w.status, 'result', w.result, 'error', problem, 'attempts', w.attempts, 'job', w.job_id)
    from public.webhook_events w where w.id = p_event);
end $$;
comment on function public.replay_fal_event is
  'Applies a stored call of fal.ai again (p_verdict: what its payload says, read anew), with source admin, counted and in the trail. Returns {status, result, error, attempts, job}; a try that fails leaves its error and changes nothing else.';
grant execute on function public.replay_fal_event(uuid, bigint, jsonb, text) to service_role;

-- ---------------------------------------------------------------------------------------------------------------
-- How many calls came in, also of those that leave no row
-- ---------------------------------------------------------------------------------------------------------------
create table private.webhook_counters (
  hour timestamptz not null,
  provider text not null check (provider in ('fal', 'stripe')),
  outcome text not null check (outcome in ('accepted', 'refused', 'failed', 'not_stored')),
  calls bigint not null check (calls >= 0),
  primary key (hour, provider, outcome)
);
comment on table private.webhook_counters is
  'Webhook calls per hour (UTC), added by the companions every few seconds. A refused call leaves no other trace. What is older than 90 days is kept as one sum, at -infinity.';
comment on column private.webhook_counters.outcome is
  'accepted: verified and answered 200; refused: not verified or no proper body; failed: verified and stored, its effect failed; not_stored: verified, the database was away.';
alter table private.webhook_counters enable row level security;
create policy "Nobody by the API" on private.webhook_counters to anon, authenticated using (false);

create function public.add_webhook_counts(p_counts jsonb) returns void
language sql security definer set search_path = '' as $$
  insert into private.webhook_counters as c (hour, provider, outcome, calls)
  select date_trunc('hour', now(), 'UTC'), n.provider, n.outcome, sum(n.calls)
  from jsonb_to_recordset(p_counts) as n(provider text, outcome text, calls bigint)
  group by n.provider, n.outcome order by n.provider, n.outcome
  on conflict (hour, provider, outcome) do update set calls = c.calls + excluded.calls
$$;
comment on function public.add_webhook_counts is 'Adds what a companion has counted since it last told: [{provider, outcome, calls}].';
grant execute on function public.add_webhook_counts(jsonb) to service_role;

create function public.webhook_rates(p_actor uuid, p_hours int default 24) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_admin(p_actor, 'webhook_rates');
  return (
    select jsonb_agg(jsonb_build_object(
      'hour', h.hour, 'provider', p.provider, 'received', coalesce(c.received, 0), 'verified', coalesce(c.received - c.refused, 0),
      'refused', coalesce(c.refused, 0), 'failed', coalesce(c.failed, 0)) order by h.hour, p.provider)
    from generate_series(
      date_trunc('hour', now(), 'UTC') - make_interval(hours => greatest(1, least(p_hours, 2160)) - 1),
      date_trunc('hour', now(), 'UTC'), interval '1 hour') as h(hour)
    cross join (values ('fal'), ('stripe')) as p(provider)
    left join lateral (
      select sum(w.calls) as received, coalesce(sum(w.calls) filter (where w.outcome = 'refused'), 0) as refused,
             coalesce(sum(w.calls) filter (where w.outcome in ('failed', 'not_stored')), 0) as failed
      from private.webhook_counters w where w.hour = h.hour and w.provider = p.provider
    ) c on true);
end $$;
comment on function public.webhook_rates is
  'Calls per hour and provider over the last hours (at most 90 days), empty hours too: received, verified, refused, failed. For admins.';
grant execute on function public.webhook_rates(uuid, int) to service_role;

-- ---------------------------------------------------------------------------------------------------------------
-- The audit's runs
-- ---------------------------------------------------------------------------------------------------------------
create table public.audit_runs (
  id bigint generated always as identity primary key,
  started_at timestamptz not null,
  ended_at timestamptz not null,
  actor uuid references public.profiles (user_id),
  violation_count int not null check (violation_count >= 0),
  violations jsonb not null check (jsonb_typeof(violations) = 'array'),
  check (ended_at >= started_at),
  check (jsonb_array_length(violations) = least(violation_count, 200))
);
comment on table public.audit_runs is 'Each run of audit_books(): when, by whom (empty: a worker), and what it found.';
comment on column public.audit_runs.violations is '[{rule, subject, problem}], the first 200.';
create index audit_runs_actor on public.audit_runs (actor);
alter table public.audit_runs enable row level security;
create policy "Admins see the audits" on public.audit_runs for select to authenticated using ((select private.is_admin()));
grant select on public.audit_runs to authenticated, service_role;

create function private.audit_run_json(p_run public.audit_runs) returns jsonb
language sql stable security definer set search_path = '' as $$
  select to_jsonb(p_run) || jsonb_build_object('actor_name', private.name_of(p_run.actor))
$$;
comment on function private.audit_run_json is 'A run of the audit as the functions return it.';

create function public.run_audit(p_actor uuid default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  started timestamptz := clock_timestamp();
  run public.audit_runs;
begin
  if p_actor is not null then
    perform private.require_admin(p_actor, 'run_audit');
  end if;
  -- One at a time: it reads every book.
  perform pg_advisory_xact_lock(hashtext('atelier.audit'));
  with violations as (
    select *, row_number() over (order by rule, subject, problem) as place from public.audit_books()
  )
  insert into public.audit_runs (started_at, ended_at, actor, violation_count, violations)
  select started, clock_timestamp(), p_actor, count(*),
         coalesce(jsonb_agg(jsonb_build_object('rule', rule, 'subject', subject, 'problem', problem) order by place)
                  filter (where place <= 200), '[]')
  from violations returning * into run;
  if p_actor is not null then
    perform private.note_action(p_actor, 'run_audit', 'books', null, jsonb_build_object('violations', run.violation_count));
  end if;
  return private.audit_run_json(run);
end $$;
comment on function public.run_audit is 'Audits the books now and keeps what was found. Without an actor it is a worker that does it.';
grant execute on function public.run_audit(uuid) to service_role;

create function public.last_audit(p_actor uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_admin(p_actor, 'last_audit');
  return (select private.audit_run_json(r) from public.audit_runs r order by r.id desc limit 1);
end $$;
comment on function public.last_audit is 'What the latest audit found, for admins; null before the first.';
grant execute on function public.last_audit(uuid) to service_role;

-- ---------------------------------------------------------------------------------------------------------------
-- Health, and keeping the house
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
    'storage', (select jsonb_build_object(
        'files', count(*) filter (where o.storage_path is not null), 'bytes', coalesce(sum(o.size_bytes) filter (where o.storage_path is not null), 0),
        'waiting', count(*) filter (where o.mirror_due_at is not null),
        'given_up', count(*) filter (where o.mirror_due_at is null and o.mirrored_at is null and o.deleted_at is null),
        'last_error', (array_agg(o.mirror_error order by o.created_at desc) filter (where o.mirror_error is not null))[1])
      from public.job_outputs o),
    'database', jsonb_build_object('bytes', pg_database_size(current_database()), 'version', current_setting('server_version')),
    'sessions', (select count(*) from private.app_sessions s where least(s.idle_expires_at, s.expires_at) > now()));
end $$;
comment on function public.system_health is
  'Workers and their heartbeats, fal.ai and Stripe with their last error, files in Storage (bytes) and on their way, the database, open sessions. For admins.';
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
