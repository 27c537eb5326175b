-- What Stripe says about money that goes back.

create function private.apply_to_payment(p_intent text, p_currency text) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  purchase public.credit_purchases;
begin
  select * into purchase from public.credit_purchases where payment_intent_id = p_intent;
  if not found then
    return jsonb_build_object('result', 'unknown_payment');
  end if;
  perform 1 from public.credit_accounts where user_id = purchase.user_id for no key update;
  perform private.join_payment(purchase.id, p_intent);
  if p_currency <> purchase.currency then
    return jsonb_build_object('result', 'flagged', 'purchase', purchase.id,
      'problem', format('Money went back in %s, paid was in %s.', upper(p_currency), upper(purchase.currency)));
  end if;
  return jsonb_build_object('purchase', purchase.id,
    'result', case when private.apply_facts(purchase.id) then 'applied' else 'no_change' end);
end $$;
comment on function private.apply_to_payment is 'Applies what is stored about a payment to its purchase, once that is known. The caller holds the lock of the payment''s name.';

create function private.apply_refund(p_refund jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  steps constant text[] := array['pending', 'requires_action', 'succeeded', 'canceled', 'failed'];
  intent text := private.stripe_id(p_refund -> 'payment_intent');
begin
  if intent is null then
    return jsonb_build_object('result', 'not_ours');
  end if;
  perform private.lock_names(array[intent]);
  insert into public.payment_refunds as r (refund_id, payment_intent_id, amount_cents, currency, status, refunded_at)
  values (p_refund ->> 'id', intent, (p_refund ->> 'amount')::int, lower(p_refund ->> 'currency'), p_refund ->> 'status',
          to_timestamp((p_refund ->> 'created')::bigint))
  on conflict (refund_id) do update set status = excluded.status
  -- Only forward: failed and canceled are final, and an older event may come later.
  where array_position(steps, excluded.status) > array_position(steps, r.status);
  return private.apply_to_payment(intent, lower(p_refund ->> 'currency'));
end $$;
comment on function private.apply_refund is
  'Takes a refund as Stripe shows it. Returns {result, purchase, problem}; result is applied, no_change, unknown_payment (kept until the payment is known), flagged or not_ours.';

create function private.dispute_standing(p_dispute jsonb) returns text
language sql immutable set search_path = '' as $$
  select case
    when p_dispute ->> 'status' in ('won', 'warning_closed') then 'returned'
    -- An appeal begins after a loss, and the money stays away until it is won.
    when p_dispute ->> 'status' in ('lost', 'appeal_needs_response', 'appeal_under_review') then 'lost'
    -- Settled before it became a dispute; what the bank took is in the balance transactions, a refund comes by itself.
    when p_dispute ->> 'status' = 'prevented' then case when coalesce((
        select sum((t ->> 'amount')::bigint) from jsonb_array_elements(p_dispute -> 'balance_transactions') t
        where jsonb_typeof(p_dispute -> 'balance_transactions') = 'array'), 0) < 0 then 'lost' else 'returned' end
    else 'open' end
$$;
comment on function private.dispute_standing is 'What a dispute''s status means for the credits: open, returned or lost.';

create function private.apply_dispute(p_dispute jsonb, p_event_at timestamptz) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  steps constant text[] := array['open', 'returned', 'lost'];
  intent text := private.stripe_id(p_dispute -> 'payment_intent');
begin
  if intent is null then
    return jsonb_build_object('result', 'not_ours');
  end if;
  perform private.lock_names(array[intent]);
  insert into public.payment_disputes as d
    (dispute_id, payment_intent_id, amount_cents, currency, reason, status, standing, standing_at, disputed_at)
  values (p_dispute ->> 'id', intent, (p_dispute ->> 'amount')::int, lower(p_dispute ->> 'currency'),
          coalesce(p_dispute ->> 'reason', ''), p_dispute ->> 'status', private.dispute_standing(p_dispute), p_event_at,
          to_timestamp((p_dispute ->> 'created')::bigint))
  on conflict (dispute_id) do update set status = excluded.status, standing = excluded.standing, standing_at = excluded.standing_at
  -- A decision beats an open dispute whenever it comes; between decisions the later one counts.
  where (excluded.standing <> 'open', excluded.standing_at, array_position(steps, excluded.standing))
      > (d.standing <> 'open', d.standing_at, array_position(steps, d.standing));
  return private.apply_to_payment(intent, lower(p_dispute ->> 'currency'));
end $$;
comment on function private.apply_dispute is
  'Takes a dispute as Stripe shows it, with the time of the event. Returns {result, purchase, problem} as apply_refund does.';
