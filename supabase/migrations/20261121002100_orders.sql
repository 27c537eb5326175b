-- Orders: started before Stripe is asked, looked up while they are unfinished.
-- Locks are always taken in the same order: the names of payments, then the account, then its purchases.

create function private.euros(p_cents bigint) returns text language sql immutable set search_path = '' as $$
  select '€' || case when p_cents % 100 = 0 then to_char(p_cents / 100, 'FM999,999,999,990') else to_char(p_cents / 100.0, 'FM999,999,999,990.00') end
$$;
comment on function private.euros is 'An amount in words: €79, €39.50, €1,200.';

create function private.amount_words(p_amount bigint, p_currency text) returns text language sql immutable set search_path = '' as $$
  select case
    when p_amount is null then 'An unknown amount'
    when lower(p_currency) = 'eur' then private.euros(p_amount)
    else format('%s %s (in its smallest unit)', upper(coalesce(p_currency, 'of no currency')), p_amount) end
$$;
comment on function private.amount_words is 'Any amount as Stripe tells it; some currencies have no cents, so only euros are told in whole ones.';

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
    perform private.refuse(403, 'NOT_ACTIVE', 'Your account is switched off. Nothing was charged. Ask an admin.');
  end if;
  select * into pack from public.credit_packs where credit_packs.pack = p_pack;
  if not found or not pack.enabled then
    perform private.refuse(409, 'PACK_DISABLED', 'This pack is not on sale at the moment. Nothing was charged. Choose another one.');
  end if;
  if p_amount_cents is not null and p_amount_cents <> pack.amount_cents then
    perform private.refuse(409, 'PRICE_CHANGED',
      format('The price has changed: %s credits now cost %s. Nothing was charged. Look at it and press again.', pack.credits, private.euros(pack.amount_cents)),
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
