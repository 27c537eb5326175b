-- The inbox: every verified call, stored and applied in one transaction.

create table public.webhook_events (
  id bigint generated always as identity primary key,
  provider text not null check (provider in ('fal', 'stripe')),
  event_key text not null unique,
  event_type text not null default '',
  headers jsonb not null default '{}',
  payload jsonb not null,
  status text not null check (status in ('processed', 'ignored', 'failed', 'dead')),
  result text,
  attempts int not null default 1 check (attempts > 0),
  repeats int not null default 0,
  error text,
  job_id uuid references public.generation_jobs (id),
  received_at timestamptz not null default now(),
  processed_at timestamptz
);
comment on table public.webhook_events is 'Inbox of verified calls from fal.ai and Stripe. The key is unique for good: a repeat changes nothing.';
comment on column public.webhook_events.result is 'What applying it really did: settled, already_settled, delivered_late, to_fetch, unknown_job, …';
-- How many came and what became of them is counted in the index alone.
create index webhook_events_newest on public.webhook_events (received_at desc, id desc) include (provider, status);
create index webhook_events_open on public.webhook_events (status, received_at desc) where status <> 'processed';
create index webhook_events_stripe on public.webhook_events (received_at desc, id desc) where provider = 'stripe';
create index webhook_events_job on public.webhook_events (job_id) where job_id is not null;
alter table public.webhook_events enable row level security;
create policy "Admins read the inbox" on public.webhook_events
  for select to authenticated using ((select private.is_admin()));
grant select on public.webhook_events to authenticated, service_role;

create function private.receive_fal_event(p_event jsonb) returns text
language plpgsql security definer set search_path = '' as $$
declare
  job public.generation_jobs;
  fal private.provider_state;
  stored public.webhook_events;
  caller text := p_event ->> 'account_id';
  request text := p_event ->> 'request_id';
  key text := p_event ->> 'event_key';
  job_known boolean;
  outcome text;
begin
  select * into job from public.generation_jobs where id = (p_event ->> 'job')::uuid for no key update;
  job_known := found;
  select * into fal from private.provider_state where provider = 'fal';
  -- Checked before anything is written: a call that is not ours leaves no trace.
  if caller is null or fal.account_id <> caller then
    return 'wrong_account';
  end if;
  if request is null or (job_known and job.fal_request_id <> request) then
    return 'wrong_request';
  end if;
  if job_known and job.fal_request_id is null and job.submit_attempted_at is null then
    return 'never_sent';
  end if;

  if job_known and fal.account_id is null then
    update private.provider_state set account_id = caller where provider = 'fal' and account_id is null;
    if not found and caller <> (select account_id from private.provider_state where provider = 'fal') then
      return 'wrong_account'; -- another call has pinned another account a moment ago
    end if;
  end if;

  select * into stored from public.webhook_events where event_key = key;
  if found and stored.status in ('processed', 'dead') then
    update public.webhook_events set repeats = repeats + 1 where id = stored.id;
    return case stored.status when 'dead' then 'dead' else 'repeat' end;
  end if;

  if job_known then
    if job.fal_request_id is null then
      -- The answer to our submit never arrived; this call says which request has the job.
      job := private.adopt_request(job, request, p_event ->> 'queue_url', 'webhook');
    end if;
    if jsonb_typeof(p_event -> 'verdict') = 'object' then
      outcome := private.settle(job.id, p_event -> 'verdict', coalesce(p_event ->> 'source', 'webhook')) ->> 'result';
    else
      -- Done, but the result did not fit into the call: the worker fetches it.
      update public.generation_jobs set next_check_at = now(), lease_until = null
      where id = job.id and status in ('pending', 'submitted', 'in_progress');
      if not found then
        -- We had given up: fetched together with its cost, and delivered late.
        update public.generation_jobs set cost_due_at = now()
        where id = job.id and status <> 'completed' and not is_late and cost_source = 'estimated';
      end if;
      outcome := 'to_fetch';
    end if;
  else
    outcome := 'unknown_job';
  end if;

  insert into public.webhook_events as e
    (provider, event_key, event_type, headers, payload, status, result, job_id, processed_at)
  values ('fal', key, coalesce(p_event ->> 'event_type', ''), coalesce(p_event -> 'headers', '{}'), p_event -> 'payload',
          case when job_known then 'processed' else 'ignored' end, outcome, case when job_known then job.id end, now())
  on conflict (event_key) do update
  set status = excluded.status, result = excluded.result, job_id = excluded.job_id, attempts = e.attempts + 1,
      error = null, processed_at = now();
  return outcome;
end $$;
comment on function private.receive_fal_event is
  'Stores one verified call and applies it. Returns settled, already_settled, delivered_late, to_fetch, repeat, dead, unknown_job; or, leaving no row, wrong_account, wrong_request, never_sent.';

create function public.receive_fal_events(p_events jsonb, p_max_attempts int default 10) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  event jsonb;
  results jsonb := '{}';
  outcome text;
  problem text;
  -- Arrays, not sub-selects: a plan that expects a hundred events reads whole tables while those are small.
  jobs uuid[] := array(select private.as_uuid(e ->> 'job') from jsonb_array_elements(p_events) e);
  people uuid[];
  clips uuid[];
begin
  -- All locks first: jobs, accounts, clips, each in the order of their ids, so that two batches never wait for each other in a circle.
  select array_agg(user_id), array_agg(clip_id) filter (where clip_id is not null) into people, clips
  from (select user_id, clip_id from public.generation_jobs where id = any (jobs) order by id for no key update) j;
  perform 1 from public.credit_accounts where user_id = any (people) order by user_id for no key update;
  if clips is not null then
    perform 1 from public.campaign_clips where id = any (clips) order by id for no key update;
  end if;
  for event in
    select e from jsonb_array_elements(p_events) e order by e ->> 'job', e ->> 'event_key'
  loop
    begin
      outcome := private.receive_fal_event(event);
    exception when others then
      -- The effect is undone; the call itself is kept, with what went wrong, and fal.ai is asked to call again.
      get stacked diagnostics problem = message_text;
      insert into public.webhook_events as e (provider, event_key, event_type, headers, payload, status, error, job_id)
      values ('fal', event ->> 'event_key', coalesce(event ->> 'event_type', ''), coalesce(event -> 'headers', '{}'),
              coalesce(event -> 'payload', 'null'), 'failed', problem,
              (select j.id from public.generation_jobs j where j.id = private.as_uuid(event ->> 'job')))
      on conflict (event_key) do update
      set attempts = e.attempts + 1, error = excluded.error,
          status = case when e.attempts + 1 >= p_max_attempts then 'dead' else 'failed' end
      returning e.status into outcome;
    end;
    results := results || jsonb_build_object(event ->> 'event_key', outcome);
  end loop;
  return results;
end $$;
comment on function public.receive_fal_events is
  'Stores and applies verified calls of fal.ai, several in one transaction, each on its own: [{event_key, event_type, request_id, job, account_id, verdict, headers, payload, queue_url}] gives {event_key: result}. No verdict: the job is done and its result is to be fetched. A failing effect is recorded as failed, as dead after p_max_attempts.';
grant execute on function public.receive_fal_events(jsonb, int) to service_role;
