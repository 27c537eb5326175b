-- The inbox for Stripe: every verified event stored and applied in one transaction.

create function private.apply_stripe_event(p_event jsonb, p_source text default 'webhook') returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  event_type text := p_event ->> 'type';
  object jsonb := p_event #> '{data,object}';
begin
  return case
    when event_type in ('checkout.session.completed', 'checkout.session.async_payment_succeeded',
                        'checkout.session.async_payment_failed', 'checkout.session.expired')
      then private.apply_checkout(object, event_type, p_source)
    when event_type in ('refund.created', 'refund.updated', 'refund.failed') then private.apply_refund(object)
    when event_type like 'charge.dispute.%' then private.apply_dispute(object, to_timestamp((p_event ->> 'created')::bigint))
    else jsonb_build_object('result', 'not_needed') end;
end $$;
comment on function private.apply_stripe_event is 'Does what an event says; again changes nothing. Returns {result, purchase, problem}.';

create function private.inbox_status(p_outcome jsonb) returns text language sql immutable set search_path = '' as $$
  select case when p_outcome ->> 'result' in ('not_ours', 'unknown_payment', 'not_needed') then 'ignored' else 'processed' end
$$;
comment on function private.inbox_status is 'The status of an event that came to this outcome: ignored when there was nothing of ours to change.';

create function private.receive_stripe_event(p_call jsonb) returns text
language plpgsql security definer set search_path = '' as $$
declare
  event jsonb := p_call -> 'payload';
  key text := 'stripe:' || (event ->> 'id');
  stored public.webhook_events;
  outcome jsonb;
begin
  select * into stored from public.webhook_events where event_key = key;
  if found and stored.status <> 'failed' then
    update public.webhook_events set repeats = repeats + 1 where id = stored.id;
    return case stored.status when 'dead' then 'dead' else 'repeat' end;
  end if;
  outcome := private.apply_stripe_event(event);
  insert into public.webhook_events as e
    (provider, event_key, event_type, headers, payload, status, result, error, purchase_id, processed_at)
  values ('stripe', key, coalesce(event ->> 'type', ''), coalesce(p_call -> 'headers', '{}'), event,
          private.inbox_status(outcome), outcome ->> 'result', outcome ->> 'problem', (outcome ->> 'purchase')::uuid, now())
  on conflict (event_key) do update
  set status = excluded.status, result = excluded.result, error = excluded.error, purchase_id = excluded.purchase_id,
      attempts = e.attempts + 1, processed_at = now();
  return outcome ->> 'result';
end $$;
comment on function private.receive_stripe_event is
  'Stores one verified event and applies it. Returns what apply_checkout, apply_refund or apply_dispute did, or repeat, dead, not_needed.';

create function public.receive_stripe_events(p_events jsonb, p_max_attempts int default 10) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  call jsonb;
  results jsonb := '{}';
  outcome text;
  problem text;
begin
  -- All locks first and in order, so that two batches never wait for each other in a circle.
  perform private.lock_names(array(
    select e #>> '{payload,id}' from jsonb_array_elements(p_events) e
    union
    select private.stripe_id(e #> '{payload,data,object,payment_intent}') from jsonb_array_elements(p_events) e));
  perform 1 from public.credit_accounts a
  where a.user_id in (
    select p.user_id from public.credit_purchases p
    where p.stripe_session_id in (select e #>> '{payload,data,object,id}' from jsonb_array_elements(p_events) e)
       or p.payment_intent_id in (select private.stripe_id(e #> '{payload,data,object,payment_intent}') from jsonb_array_elements(p_events) e)
       or p.id::text in (select e #>> '{payload,data,object,client_reference_id}' from jsonb_array_elements(p_events) e))
  order by a.user_id for no key update;
  for call in
    select e from jsonb_array_elements(p_events) e order by (e #>> '{payload,created}')::bigint, e #>> '{payload,id}'
  loop
    begin
      outcome := private.receive_stripe_event(call);
    exception when others then
      -- The effect is undone; the event itself is kept, with what went wrong, and Stripe is asked to call again.
      get stacked diagnostics problem = message_text;
      insert into public.webhook_events as e (provider, event_key, event_type, headers, payload, status, error)
      values ('stripe', 'stripe:' || (call #>> '{payload,id}'), coalesce(call #>> '{payload,type}', ''),
              coalesce(call -> 'headers', '{}'), call -> 'payload', case when p_max_attempts <= 1 then 'dead' else 'failed' end, problem)
      on conflict (event_key) do update
      set attempts = e.attempts + 1, error = excluded.error,
          status = case when e.attempts + 1 >= p_max_attempts then 'dead' else 'failed' end
      returning e.status into outcome;
    end;
    results := results || jsonb_build_object(call #>> '{payload,id}', outcome);
  end loop;
  return results;
end $$;
comment on function public.receive_stripe_events is
  'Stores and applies verified events of Stripe, several in one transaction, each on its own: [{payload: the event, headers}] gives {event id: result}. A failing effect is recorded as failed, as dead after p_max_attempts.';
grant execute on function public.receive_stripe_events(jsonb, int) to service_role;

create function public.replay_stripe_event(p_actor uuid, p_event bigint) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  stored public.webhook_events;
  outcome jsonb;
  problem text;
begin
  perform private.require_admin(p_actor, 'replay_stripe_event');
  select * into stored from public.webhook_events where id = p_event and provider = 'stripe';
  if not found then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such call of Stripe.');
  end if;
  -- The same order as a call that comes in: names, account, then the event.
  perform private.lock_names(array[stored.payload ->> 'id', private.stripe_id(stored.payload #> '{data,object,payment_intent}')]);
  select * into stored from public.webhook_events where id = p_event;
  if stored.status = 'processed' then
    perform private.refuse(409, 'ALREADY_PROCESSED', 'This call has done its work already.', jsonb_build_object('result', stored.result));
  end if;
  begin
    outcome := private.apply_stripe_event(stored.payload, 'admin');
    update public.webhook_events
    set status = private.inbox_status(outcome), result = outcome ->> 'result', error = outcome ->> 'problem',
        purchase_id = (outcome ->> 'purchase')::uuid, attempts = attempts + 1, processed_at = now()
    where id = p_event;
  exception when others then
    -- The effect is undone; the try is counted and says what went wrong.
    get stacked diagnostics problem = message_text;
    update public.webhook_events set attempts = attempts + 1, error = problem where id = p_event;
  end;
  perform private.note_action(p_actor, 'replay_event', p_event::text,
    jsonb_build_object('status', stored.status, 'error', stored.error, 'attempts', stored.attempts),
    (select jsonb_build_object('status', w.status, 'result', w.result, 'error', w.error, 'attempts', w.attempts, 'purchase', w.purchase_id)
     from public.webhook_events w where w.id = p_event));
  return (
    select jsonb_build_object('status', w.status, 'result', w.result, 'error', w.error, 'attempts', w.attempts, 'purchase', w.purchase_id)
    from public.webhook_events w where w.id = p_event);
end $$;
comment on function public.replay_stripe_event is
  'Applies a stored event of Stripe again, with source admin, counted and in the trail. Returns {status, result, error, attempts, purchase}; a try that fails leaves its error and changes nothing else.';
grant execute on function public.replay_stripe_event(uuid, bigint) to service_role;
