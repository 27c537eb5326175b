-- What happens to an order: started, paid once, refunded, disputed, closed.
-- Stripe tells facts in any order and more than once. They are stored first; one function then brings the credits to
-- what all facts together say, so that the order in which they came makes no difference.
-- Locks are always taken in the same order: the names of payments, then the account, then its purchases.

create function private.euros(p_cents int) returns text language sql immutable set search_path = '' as $$
  select '€' || case when p_cents % 100 = 0 then (p_cents / 100)::text else to_char(p_cents / 100.0, 'FM999999990.00') end
$$;
comment on function private.euros is 'An amount in words: €79, €39.50.';

create function private.lock_names(p_names text[]) returns void language plpgsql set search_path = '' as $$
declare
  name text;
begin
  for name in select distinct n from unnest(p_names) n where n is not null order by n loop
    perform pg_advisory_xact_lock(hashtextextended('stripe:' || name, 0));
  end loop;
end $$;
comment on function private.lock_names is
  'Calls about the same payment or event wait for each other, also when no row of it exists yet; until the transaction ends.';

create function private.stripe_id(p_field jsonb) returns text language sql immutable set search_path = '' as $$
  select case jsonb_typeof(p_field) when 'object' then p_field ->> 'id' when 'string' then p_field #>> '{}' end
$$;
comment on function private.stripe_id is 'The id in a field of Stripe that holds an id, or the whole object when it was expanded.';

-- ---------------------------------------------------------------------------------------------------------------
-- Starting an order
-- ---------------------------------------------------------------------------------------------------------------
create function public.start_purchase(
  p_order uuid, p_user uuid, p_pack text, p_amount_cents int default null, p_check_seconds int default 900
) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  person public.profiles;
  pack public.credit_packs;
  purchase public.credit_purchases;
begin
  -- One person's orders wait for each other, so that asking twice at once makes one order.
  perform 1 from public.credit_accounts where user_id = p_user for no key update;
  select * into purchase from public.credit_purchases where id = p_order;
  if found then
    if purchase.user_id <> p_user then
      perform private.refuse(404, 'NOT_FOUND', 'There is no such order.');
    end if;
    return to_jsonb(purchase);
  end if;
  select * into person from public.profiles where user_id = p_user;
  if not found or not person.is_approved then
    perform private.refuse(403, 'NOT_APPROVED', 'Your account waits for approval by an admin. Nothing was charged.');
  end if;
  if not person.is_active then
    perform private.refuse(403, 'NOT_ACTIVE', 'Your account is switched off. Ask an admin.');
  end if;
  select * into pack from public.credit_packs where credit_packs.pack = p_pack;
  if not found or not pack.enabled then
    perform private.refuse(409, 'PACK_DISABLED', 'This pack is not on sale at the moment. Choose another one.');
  end if;
  if p_amount_cents is not null and p_amount_cents <> pack.amount_cents then
    perform private.refuse(409, 'PRICE_CHANGED',
      format('The price has changed: %s credits now cost %s. Nothing was charged.', pack.credits, private.euros(pack.amount_cents)),
      jsonb_build_object('amount_cents', pack.amount_cents));
  end if;
  if (select count(*) from public.credit_purchases
      where user_id = p_user and checkout_progress = 'open' and paid_at is null and created_at > now() - interval '1 hour') >= 20 then
    perform private.refuse(429, 'TOO_MANY_CHECKOUTS',
      'You have begun many payments without finishing one. Nothing was charged. Try again in an hour.', '{"limit": 20}');
  end if;
  insert into public.credit_purchases (id, user_id, pack, credits, amount_cents, currency, next_check_at)
  values (p_order, p_user, p_pack, pack.credits, pack.amount_cents, pack.currency, now() + make_interval(secs => p_check_seconds))
  returning * into purchase;
  insert into public.product_events (user_id, event, pack, event_key)
  values (p_user, 'checkout_started', p_pack, 'checkout_started:' || p_order);
  return to_jsonb(purchase);
end $$;
comment on function public.start_purchase is
  'Writes the order before Stripe is asked. p_order is made by the caller: asking twice gives the same order. p_amount_cents is what the person saw.';
grant execute on function public.start_purchase(uuid, uuid, text, int, int) to service_role;

create function public.attach_session(p_order uuid, p_session text, p_expires_at timestamptz) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  purchase public.credit_purchases;
begin
  select * into purchase from public.credit_purchases where id = p_order for no key update;
  if not found then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such order.');
  end if;
  if purchase.stripe_session_id is not null and purchase.stripe_session_id <> p_session then
    perform private.refuse(409, 'ORDER_IN_USE', 'This order has a checkout already. Start again from the credits page.');
  end if;
  update public.credit_purchases
  set stripe_session_id = p_session, expires_at = coalesce(expires_at, p_expires_at)
  where id = p_order returning * into purchase;
  return to_jsonb(purchase);
end $$;
comment on function public.attach_session is 'Notes which checkout session of Stripe belongs to an order; once.';
grant execute on function public.attach_session(uuid, text, timestamptz) to service_role;

-- ---------------------------------------------------------------------------------------------------------------
-- From facts to credits
-- ---------------------------------------------------------------------------------------------------------------
create function private.unfreeze(p_purchase uuid, p_amount int, p_reason text) returns void
language plpgsql security definer set search_path = '' as $$
declare
  purchase public.credit_purchases;
begin
  update public.credit_purchases set frozen_credits = frozen_credits - p_amount where id = p_purchase returning * into purchase;
  perform private.post_movement(purchase.user_id, 'unfreeze', p_amount,
    format('unfreeze:%s:%s', p_purchase, (select version + 1 from public.credit_accounts where user_id = purchase.user_id)),
    p_available => p_amount, p_frozen => -p_amount, p_purchase => p_purchase, p_reason => p_reason);
end $$;
comment on function private.unfreeze is 'Gives free what was kept back of a disputed purchase. The caller holds the account''s lock.';

create function private.take_back(p_purchase uuid, p_amount int, p_kind text, p_key text, p_reason text) returns void
language plpgsql security definer set search_path = '' as $$
declare
  purchase public.credit_purchases;
  frozen public.credit_purchases;
  available int;
  part int;
begin
  select * into purchase from public.credit_purchases where id = p_purchase;
  -- What this purchase may keep frozen shrinks with it; then what is frozen anywhere is used before anything is owed.
  part := purchase.frozen_credits - (purchase.granted_credits - purchase.taken_credits - p_amount);
  if part > 0 then
    perform private.unfreeze(p_purchase, part, 'Taken back');
  end if;
  select a.available into available from public.credit_accounts a where a.user_id = purchase.user_id;
  for frozen in
    select * from public.credit_purchases
    where user_id = purchase.user_id and frozen_credits > 0 order by (id = p_purchase) desc, created_at desc, id desc for no key update
  loop
    exit when available >= p_amount;
    part := least(frozen.frozen_credits, p_amount - available);
    perform private.unfreeze(frozen.id, part, 'Taken back');
    available := available + part;
  end loop;
  part := least(available, p_amount);
  update public.credit_purchases set taken_credits = taken_credits + p_amount where id = p_purchase;
  perform private.post_movement(purchase.user_id, p_kind, p_amount, p_key,
    p_available => -part, p_owed => p_amount - part, p_purchase => p_purchase, p_reason => p_reason);
end $$;
comment on function private.take_back is
  'Takes credits of a purchase back: what is available, then what is frozen; what was used already is owed. The caller holds the account''s lock.';

create function private.apply_facts(p_purchase uuid) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  purchase public.credit_purchases;
  cause record;
  refunded int;
  lost int;
  target int;
  disputed boolean;
  changed boolean := false;
begin
  select * into purchase from public.credit_purchases where id = p_purchase for no key update;

  if purchase.paid_at is not null and purchase.granted_credits = 0 then
    update public.credit_purchases set granted_credits = credits where id = p_purchase returning * into purchase;
    perform private.post_entry(purchase.user_id, 'purchase', purchase.credits, 'purchase:' || purchase.stripe_session_id,
      p_purchase => p_purchase, p_reason => format('%s credits for %s', purchase.credits, private.euros(purchase.amount_cents)));
    changed := true;
  end if;

  -- Each refund and each lost dispute by itself, with an entry of its own; proportion is taken of their running sum, so that
  -- parts add up to the whole.
  if purchase.granted_credits > 0 then
    for cause in
      select 'refund' as kind, refund_id as id, status not in ('failed', 'canceled') as counts, amount_cents, 0 as changes, refunded_at as at
      from public.payment_refunds
      where purchase_id = p_purchase and is_applied <> (status not in ('failed', 'canceled'))
      union all
      select 'chargeback', dispute_id, standing = 'lost', amount_cents, changes, disputed_at
      from public.payment_disputes
      where purchase_id = p_purchase and is_applied <> (standing = 'lost')
      order by at, id
    loop
      if cause.kind = 'refund' then
        update public.payment_refunds set is_applied = cause.counts where refund_id = cause.id;
      else
        update public.payment_disputes set is_applied = cause.counts, changes = changes + 1 where dispute_id = cause.id;
      end if;
      target := private.proportion_taken(p_purchase);
      select taken_credits into purchase.taken_credits from public.credit_purchases where id = p_purchase;
      if target > purchase.taken_credits then
        perform private.take_back(p_purchase, target - purchase.taken_credits, cause.kind,
          case when cause.kind = 'refund' then 'refund:' || cause.id else format('chargeback:%s:%s', cause.id, cause.changes) end,
          format(case when cause.kind = 'refund' then 'Refund of %s' else 'Dispute over %s lost' end, private.euros(cause.amount_cents)));
      elsif target < purchase.taken_credits then
        update public.credit_purchases set taken_credits = target where id = p_purchase;
        perform private.post_entry(purchase.user_id, 'reversal', purchase.taken_credits - target,
          case when cause.kind = 'refund' then 'reversal:' || cause.id else format('reversal:%s:%s', cause.id, cause.changes) end,
          p_purchase => p_purchase,
          p_reason => format(case when cause.kind = 'refund' then 'Refund of %s failed' else 'Dispute over %s won after all' end,
                             private.euros(cause.amount_cents)));
      end if;
      changed := true;
    end loop;
  end if;

  select coalesce(sum(amount_cents) filter (where status not in ('failed', 'canceled')), 0) into refunded
  from public.payment_refunds where purchase_id = p_purchase;
  select coalesce(sum(amount_cents) filter (where standing = 'lost'), 0), coalesce(bool_or(standing = 'open'), false) into lost, disputed
  from public.payment_disputes where purchase_id = p_purchase;
  select * into purchase from public.credit_purchases where id = p_purchase;
  if purchase.is_disputed and not disputed then
    if purchase.frozen_credits > 0 then
      perform private.unfreeze(p_purchase, purchase.frozen_credits, 'The dispute is decided');
    end if;
    changed := true;
  end if;
  changed := changed or disputed <> purchase.is_disputed;
  update public.credit_purchases
  set refunded_cents = refunded, lost_cents = lost, is_disputed = disputed
  where id = p_purchase and (refunded_cents, lost_cents, is_disputed) is distinct from (refunded, lost, disputed);
  if changed then
    perform private.meet_claims(purchase.user_id);
  end if;
  return changed;
end $$;
comment on function private.apply_facts is
  'Brings the credits to what the stored facts about a purchase say: one grant when paid, refunds and lost disputes in proportion, frozen while disputed. Again changes nothing; true when it did. The caller holds the lock of the payment''s name and of the account.';

create function private.proportion_taken(p_purchase uuid) returns int
language sql stable security definer set search_path = '' as $$
  select round(p.credits::numeric * least(p.amount_cents, (
      select coalesce(sum(r.amount_cents), 0) from public.payment_refunds r where r.purchase_id = p.id and r.is_applied
    ) + (
      select coalesce(sum(d.amount_cents), 0) from public.payment_disputes d where d.purchase_id = p.id and d.is_applied
    )) / p.amount_cents)::int
  from public.credit_purchases p where p.id = p_purchase
$$;
comment on function private.proportion_taken is
  'The credits that belong to the money that went back: the purchase''s credits times applied refunds and lost disputes over its price, at most all of them.';

create function private.join_payment(p_purchase uuid, p_intent text) returns void
language sql security definer set search_path = '' as $$
  update public.payment_refunds r set purchase_id = p.id, user_id = p.user_id
  from public.credit_purchases p
  where p.id = p_purchase and r.payment_intent_id = p_intent and r.purchase_id is null and r.currency = p.currency;
  update public.payment_disputes d set purchase_id = p.id, user_id = p.user_id
  from public.credit_purchases p
  where p.id = p_purchase and d.payment_intent_id = p_intent and d.purchase_id is null and d.currency = p.currency;
  update public.credit_purchases p set flagged_reason = least(p.flagged_reason, format('Money went back in %s.', upper(f.currency)))
  from (select currency from public.payment_refunds where payment_intent_id = p_intent
        union select currency from public.payment_disputes where payment_intent_id = p_intent) f
  where p.id = p_purchase and f.currency <> p.currency
$$;
comment on function private.join_payment is
  'Refunds and disputes that came before their payment was known find their purchase. One in another currency is for an admin.';

-- ---------------------------------------------------------------------------------------------------------------
-- What Stripe says about a checkout session
-- ---------------------------------------------------------------------------------------------------------------
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
      format('Paid were %s %s cents, the price is %s %s cents.', coalesce(p_session ->> 'amount_total', 'no'),
        upper(coalesce(p_session ->> 'currency', '')), p_purchase.amount_cents, upper(p_purchase.currency)) end
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
  if not found and reference ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    -- The session was made, but the note of it was lost on the way.
    select * into purchase from public.credit_purchases where id = reference::uuid;
  end if;
  if purchase.id is null then
    return jsonb_build_object('result', 'not_ours', 'problem', format('We made no checkout session %s.', session));
  end if;
  perform private.lock_names(array[intent]);
  perform 1 from public.credit_accounts where user_id = purchase.user_id for no key update;
  select * into purchase from public.credit_purchases where id = purchase.id for no key update;
  if purchase.stripe_session_id is not null and purchase.stripe_session_id <> session then
    return jsonb_build_object('result', 'not_ours', 'purchase', purchase.id,
      'problem', format('Session %s names order %s, which has another session.', session, purchase.id));
  end if;

  was_paid := purchase.paid_at is not null;
  problem := case when paid then private.checkout_problem(purchase, p_session) end;
  progress := case
    when p_event = 'checkout.session.async_payment_failed' then 'failed'
    when p_session ->> 'status' = 'expired' then 'expired'
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
      flagged_reason = least(flagged_reason, problem)
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

-- ---------------------------------------------------------------------------------------------------------------
-- Refunds and disputes
-- ---------------------------------------------------------------------------------------------------------------
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

-- ---------------------------------------------------------------------------------------------------------------
-- The worker: orders that nobody told us about
-- ---------------------------------------------------------------------------------------------------------------
create function public.claim_purchases(p_limit int, p_lease_seconds int default 120) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  claimed jsonb;
begin
  -- An order that never got a session cannot be paid: nobody was sent to one. If a session exists after all, its event finds the order.
  update public.credit_purchases set checkout_progress = 'expired', next_check_at = null
  where id in (
    select id from public.credit_purchases
    where next_check_at <= now() and stripe_session_id is null order by next_check_at limit p_limit for no key update skip locked);
  with due as (
    select id from public.credit_purchases
    where next_check_at <= now() order by next_check_at limit p_limit for no key update skip locked
  ), taken as (
    update public.credit_purchases p set next_check_at = now() + make_interval(secs => p_lease_seconds)
    from due where p.id = due.id returning p.*
  )
  select coalesce(jsonb_agg(to_jsonb(t)), '[]') into claimed from taken t;
  return claimed;
end $$;
comment on function public.claim_purchases is 'Takes unfinished orders that are due for a look at Stripe, each for one worker until its lease ends.';
grant execute on function public.claim_purchases(int, int) to service_role;

create function public.record_receipt(p_order uuid, p_url text) returns void
language sql security definer set search_path = '' as $$
  update public.credit_purchases set receipt_url = p_url where id = p_order
$$;
comment on function public.record_receipt is 'Keeps the address of Stripe''s receipt, the latest one that Stripe gave.';
grant execute on function public.record_receipt(uuid, text) to service_role;

create function public.note_product_event(p_user uuid, p_event text, p_key text) returns void
language sql security definer set search_path = '' as $$
  insert into public.product_events (user_id, event, event_key)
  values (p_user, p_event, p_event || ':' || p_user || ':' || p_key)
  on conflict (event_key) do nothing
$$;
comment on function public.note_product_event is 'Counts that a person saw the packs; p_key (one a visit) makes it count once.';
grant execute on function public.note_product_event(uuid, text, text) to service_role;

create function public.resolve_flag(p_actor uuid, p_order uuid, p_reason text) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  purchase public.credit_purchases;
begin
  perform private.require_admin(p_actor, 'resolve_flag');
  if length(trim(coalesce(p_reason, ''))) = 0 then
    perform private.refuse(422, 'INVALID_INPUT', 'Say what was done: the reason is kept.', '{"field": "reason"}');
  end if;
  select * into purchase from public.credit_purchases where id = p_order for no key update;
  if not found or purchase.flagged_reason is null then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such flagged purchase.');
  end if;
  if purchase.flag_resolved_at is null then
    update public.credit_purchases set flag_resolved_at = now() where id = p_order returning * into purchase;
    perform private.note_action(p_actor, 'resolve_flag', p_order::text, jsonb_build_object('flagged', purchase.flagged_reason), null, p_reason);
  end if;
  return to_jsonb(purchase);
end $$;
comment on function public.resolve_flag is 'An admin has dealt with a flagged purchase (granted by hand, or refunded at Stripe) and says how.';
grant execute on function public.resolve_flag(uuid, uuid, text) to service_role;
