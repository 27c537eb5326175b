-- The webhook inbox, for admins: calls with their payloads, and replaying what failed for good.

create function public.inbox_events(
  p_actor uuid, p_status text default null, p_provider text default null, p_search text default '',
  p_before bigint default null, p_limit int default 50, p_search_days int default 30
) returns jsonb language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  pattern text := private.like_pattern(p_search);
  -- No index helps to find a text anywhere in a call: only the calls of some days are looked through.
  since timestamptz := case when pattern <> '%%' then now() - make_interval(days => p_search_days) end;
begin
  perform private.require_admin(p_actor, 'inbox_events');
  return (
    select coalesce(jsonb_agg(to_jsonb(e) order by e.received_at desc, e.id desc), '[]')
    from (
      select w.id, w.received_at, w.processed_at, w.provider, w.event_type, w.event_key, w.status, w.result, w.attempts, w.repeats, w.error,
             w.job_id, (select left(j.prompt, 200) from public.generation_jobs j where j.id = w.job_id) as prompt
      from public.webhook_events w
      where (p_status is null or w.status = p_status) and (p_provider is null or w.provider = p_provider)
        and (since is null or w.received_at >= since)
        and (pattern = '%%' or concat_ws(' ', w.event_key, w.event_type, w.result, w.error, w.job_id,
                                             (select j.prompt from public.generation_jobs j where j.id = w.job_id)) ilike pattern)
        and (p_before is null or (w.received_at, w.id) < (select b.received_at, b.id from public.webhook_events b where b.id = p_before))
      order by w.received_at desc, w.id desc limit private.page_size(p_limit)
    ) e);
end $$;
comment on function public.inbox_events is
  'Verified calls, newest first, a page at a time (p_before: the last event of the page before), without their payloads. A text is looked for in those of the last p_search_days. For admins.';
grant execute on function public.inbox_events(uuid, text, text, text, bigint, int, int) to service_role;

create function public.inbox_event(p_actor uuid, p_event bigint) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  found_event jsonb;
begin
  perform private.require_admin(p_actor, 'inbox_event');
  select to_jsonb(w) || jsonb_build_object('prompt', left(j.prompt, 200), 'job_status', j.status) into found_event
  from public.webhook_events w left join public.generation_jobs j on j.id = w.job_id where w.id = p_event;
  if not found then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such call.');
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
    perform private.refuse(404, 'NOT_FOUND', 'There is no such call of fal.ai.');
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
