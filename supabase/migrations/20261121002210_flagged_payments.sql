-- Payments that an admin has to look at: not what was ordered, or for a checkout session that we did not make.

create view private.flagged_payments as
  select p.id as purchase_id, null::bigint as event_id, coalesce(p.paid_at, p.updated_at) as flagged_at, p.flagged_reason as problem,
         p.user_id, p.credits, p.granted_credits, p.amount_cents, p.payment_intent_id
  from public.credit_purchases p where p.flagged_reason is not null and p.flag_resolved_at is null
  union all
  select w.purchase_id, w.id, w.received_at, w.error, null, null, 0, null,
         private.stripe_id(w.payload #> '{data,object,payment_intent}')
  from public.webhook_events w
  where w.provider = 'stripe' and w.result = 'not_ours' and w.error is not null and w.flag_resolved_at is null;
comment on view private.flagged_payments is 'What waits for a decision: an order (no event_id), or an event about a session that is none of ours.';
create index webhook_events_not_ours on public.webhook_events (received_at) where result = 'not_ours' and flag_resolved_at is null;

create function public.flagged_payments(p_actor uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_admin(p_actor, 'flagged_payments');
  return (
    select coalesce(jsonb_agg(to_jsonb(f) || jsonb_build_object('email', u.email) order by f.flagged_at desc), '[]')
    from (select * from private.flagged_payments order by flagged_at desc limit 100) f
    left join public.profiles u using (user_id));
end $$;
comment on function public.flagged_payments is 'Payments that wait for a decision of an admin, newest first, 100 at most.';
grant execute on function public.flagged_payments(uuid) to service_role;

create function public.resolve_flag(p_actor uuid, p_reason text, p_order uuid default null, p_event bigint default null)
returns void language plpgsql security definer set search_path = '' as $$
declare
  problem text;
begin
  perform private.require_admin(p_actor, 'resolve_flag');
  if length(trim(coalesce(p_reason, ''))) = 0 then
    perform private.refuse(422, 'INVALID_INPUT', 'Say what was done: the reason is kept.', '{"field": "reason"}');
  end if;
  select f.problem into problem from private.flagged_payments f
  where f.event_id = p_event or (f.event_id is null and f.purchase_id = p_order);
  if not found then
    perform private.refuse(404, 'NOT_FOUND', 'No such payment waits for a decision. Somebody else may have settled it.');
  end if;
  update public.credit_purchases set flag_resolved_at = now() where id = p_order and p_event is null;
  update public.webhook_events set flag_resolved_at = now() where id = p_event;
  perform private.note_action(p_actor, 'resolve_flag', coalesce(p_event::text, p_order::text), jsonb_build_object('flagged', problem), null, p_reason);
end $$;
comment on function public.resolve_flag is
  'An admin has dealt with a flagged payment (granted by hand, or refunded at Stripe) and says how: an order, or an event about a session that is none of ours.';
grant execute on function public.resolve_flag(uuid, text, uuid, bigint) to service_role;
