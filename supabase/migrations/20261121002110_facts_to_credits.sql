-- From facts to credits. Stripe tells facts in any order and more than once: they are stored first, and one function then
-- brings the credits to what all facts together say, so that the order in which they came makes no difference.

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
      p_purchase => p_purchase, p_reason => format('%s credits for %s', to_char(purchase.credits, 'FM999,999,999'), private.euros(purchase.amount_cents)));
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
  update public.credit_purchases p set flagged_reason = private.with_problems(p.flagged_reason, variadic f.problems)
  from (select array_agg(distinct format('Money went back in %s.', upper(b.currency))) as problems
        from (select currency from public.payment_refunds where payment_intent_id = p_intent
              union select currency from public.payment_disputes where payment_intent_id = p_intent) b
        where b.currency <> (select currency from public.credit_purchases where id = p_purchase)) f
  where p.id = p_purchase and f.problems is not null
$$;
comment on function private.join_payment is
  'Refunds and disputes that came before their payment was known find their purchase. One in another currency is for an admin.';
