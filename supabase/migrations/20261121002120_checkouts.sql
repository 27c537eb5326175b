-- What Stripe says about a checkout session: paid grants once, whoever brings the news.

create function private.paid_words(p_session jsonb) returns text language sql immutable set search_path = '' as $$
  select private.amount_words((p_session ->> 'amount_total')::bigint, p_session ->> 'currency') || ' was paid'
$$;
comment on function private.paid_words is 'What was paid, without its full stop: €19 was paid.';

create function private.checkout_problem(p_purchase public.credit_purchases, p_session jsonb) returns text
language sql stable set search_path = '' as $$
  select nullif(concat_ws(' ',
    case when p_session ->> 'client_reference_id' is distinct from p_purchase.id::text then
      format('It names order %s.', coalesce(p_session ->> 'client_reference_id', 'nothing')) end,
    case when p_session ->> 'mode' is distinct from 'payment' then
      format('Its mode is %s.', coalesce(p_session ->> 'mode', 'nothing')) end,
    case when p_session #>> '{metadata,pack}' is distinct from p_purchase.pack then
      format('It names pack %s, ordered was %s.', coalesce(p_session #>> '{metadata,pack}', 'nothing'), p_purchase.pack) end,
    case when (p_session ->> 'amount_total') is distinct from p_purchase.amount_cents::text
           or lower(p_session ->> 'currency') is distinct from p_purchase.currency then
      format('%s, the price is %s.', private.paid_words(p_session), private.euros(p_purchase.amount_cents)) end
  ), '')
$$;
comment on function private.checkout_problem is 'Why a paid session is not what was ordered, as sentences; null when it is.';

create function private.apply_checkout(p_session jsonb, p_event text, p_source text) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  steps constant text[] := array['open', 'processing', 'expired', 'failed'];
  session text := p_session ->> 'id';
  reference text := p_session ->> 'client_reference_id';
  intent text := private.stripe_id(p_session -> 'payment_intent');
  purchase public.credit_purchases;
  was_paid boolean;
  paid boolean := coalesce(p_session ->> 'payment_status', '') in ('paid', 'no_payment_required');
  progress text;
  problem text;
begin
  select * into purchase from public.credit_purchases where stripe_session_id = session;
  if not found and p_session ->> 'status' = 'complete' and reference ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    -- The session was made, but the note of it was lost on the way. One in which nobody paid is none to wait for.
    select * into purchase from public.credit_purchases where id = reference::uuid;
  end if;
  if purchase.id is null then
    return jsonb_build_object('result', 'not_ours', 'problem',
      case when paid then format('We made no checkout session %s. %s for it.', session, private.paid_words(p_session)) end);
  end if;
  perform private.lock_names(array[intent]);
  perform 1 from public.credit_accounts where user_id = purchase.user_id for no key update;
  select * into purchase from public.credit_purchases where id = purchase.id for no key update;
  if purchase.stripe_session_id is not null and purchase.stripe_session_id <> session then
    return jsonb_build_object('result', 'not_ours', 'purchase', purchase.id,
      'problem', case when paid then
        format('Session %s names order %s, which has another session. %s for it.', session, purchase.id, private.paid_words(p_session)) end);
  end if;

  was_paid := purchase.paid_at is not null;
  problem := case when paid then private.checkout_problem(purchase, p_session) end;
  progress := case
    when p_event = 'checkout.session.async_payment_failed' then 'failed'
    when p_session ->> 'status' = 'expired' then 'expired'
    -- Stripe calls for three days; until then a payment that it does not show us may still be told.
    when p_session ->> 'status' = 'unknown' and now() > purchase.expires_at + interval '3 days' then 'expired'
    when p_session ->> 'status' = 'complete' and not paid then
      case when p_session #>> '{payment_intent,status}' in ('requires_payment_method', 'canceled') then 'failed' else 'processing' end
    else 'open' end;
  if array_position(steps, progress) < array_position(steps, purchase.checkout_progress) then
    progress := purchase.checkout_progress;
  end if;
  update public.credit_purchases
  set stripe_session_id = session,
      payment_intent_id = coalesce(payment_intent_id, intent),
      expires_at = coalesce(expires_at, to_timestamp((p_session ->> 'expires_at')::bigint)),
      checkout_progress = progress,
      paid_at = case when paid and problem is null then coalesce(paid_at, now()) else paid_at end,
      paid_through = case when paid and problem is null then coalesce(paid_through, p_source) else paid_through end,
      flagged_reason = case when problem is null then flagged_reason else private.with_problems(flagged_reason, problem) end
  where id = purchase.id returning * into purchase;
  update public.credit_purchases
  set check_count = check_count + case when p_source = 'worker' then 1 else 0 end,
      next_check_at = case
        when status = 'processing' then now() + interval '6 hours'
        when status <> 'open' then null
        when now() < expires_at then least(now() + interval '15 minutes', expires_at + interval '1 minute')
        else now() + make_interval(mins => 5 << least(check_count, 8)) end
  where id = purchase.id returning * into purchase;
  if intent is not null then
    perform private.join_payment(purchase.id, intent);
  end if;
  perform private.apply_facts(purchase.id);
  return jsonb_build_object('purchase', purchase.id, 'problem', problem, 'result', case
    when problem is not null then 'flagged'
    when paid then case when was_paid then 'already_granted' else 'granted' end
    when progress = 'failed' then 'payment_failed'
    else progress end);
end $$;
comment on function private.apply_checkout is
  'Takes a checkout session as Stripe shows it (event object or API answer) for an order of ours: paid grants once, whoever calls. Returns {result, purchase, problem}; result is granted, already_granted, processing, open, expired, payment_failed, flagged (paid, but not what was ordered: no grant) or not_ours.';

create function public.fulfil_checkout(
  p_session jsonb, p_source text, p_user uuid default null, p_receipt_url text default null
) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  outcome jsonb;
  purchase public.credit_purchases;
begin
  if p_user is not null and not exists (
    select 1 from public.credit_purchases where stripe_session_id = p_session ->> 'id' and user_id = p_user
  ) then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such order.');
  end if;
  outcome := private.apply_checkout(p_session, null, p_source);
  if p_receipt_url is not null then
    update public.credit_purchases set receipt_url = p_receipt_url where id = (outcome ->> 'purchase')::uuid;
  end if;
  select * into purchase from public.credit_purchases where id = (outcome ->> 'purchase')::uuid;
  return outcome || jsonb_build_object('purchase', case when purchase.id is not null then to_jsonb(purchase) end,
    'available', (select available from public.credit_accounts where user_id = purchase.user_id));
end $$;
comment on function public.fulfil_checkout is
  'What the success page (with the person, who must be the buyer) and the worker found at Stripe about a session. Returns {result, problem, purchase, available}.';
grant execute on function public.fulfil_checkout(jsonb, text, uuid, text) to service_role;
