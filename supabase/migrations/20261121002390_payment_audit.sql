-- The audit of purchases, refunds, disputes and what the ledger says about them.

create function private.audit_payments() returns table (rule text, subject text, problem text)
language sql stable security definer set search_path = '' as $$
  -- what is owed and frozen is the sum of its entries
  select 'owed_and_frozen_are_sums_of_entries', a.user_id::text,
         format('owed %s, entries say %s; frozen %s, entries say %s', a.owed, coalesce(e.owed, 0), a.frozen, coalesce(e.frozen, 0))
  from public.credit_accounts a
  left join (select user_id, sum(owed_change) as owed, sum(frozen_change) as frozen from public.credit_entries group by user_id) e using (user_id)
  where a.owed <> coalesce(e.owed, 0) or a.frozen <> coalesce(e.frozen, 0)
  union all
  select 'owed_and_frozen_follow_each_other', e.user_id::text, format('entry %s: after does not follow from before', e.id)
  from (select *, lag(owed_after, 1, 0) over w as owed_before, lag(frozen_after, 1, 0) over w as frozen_before
        from public.credit_entries window w as (partition by user_id order by version)) e
  where e.owed_after <> e.owed_before + e.owed_change or e.frozen_after <> e.frozen_before + e.frozen_change
  union all
  -- I3, I6: the state of a purchase and the credits that moved for it say the same
  select 'purchase_agrees_with_ledger', p.id::text,
         format('granted %s, taken %s, frozen %s; ledger: granted %s, taken %s, frozen %s',
                p.granted_credits, p.taken_credits, p.frozen_credits, coalesce(e.granted, 0), coalesce(e.taken, 0), coalesce(e.frozen, 0))
  from public.credit_purchases p
  left join (
    select purchase_id, sum(amount) filter (where kind = 'purchase') as granted,
           coalesce(sum(amount) filter (where kind in ('refund', 'chargeback')), 0)
             - coalesce(sum(amount) filter (where kind = 'reversal'), 0) as taken,
           sum(frozen_change) as frozen
    from public.credit_entries where purchase_id is not null group by purchase_id) e on e.purchase_id = p.id
  where (p.granted_credits, p.taken_credits, p.frozen_credits)
        is distinct from (coalesce(e.granted, 0)::int, coalesce(e.taken, 0)::int, coalesce(e.frozen, 0)::int)
  union all
  select 'purchase_belongs_to_the_person', e.id::text, format('entry of %s for a purchase of %s', e.user_id, p.user_id)
  from public.credit_entries e join public.credit_purchases p on p.id = e.purchase_id
  where e.user_id <> p.user_id
  union all
  -- what was paid is granted, and what went back is taken in proportion
  select 'purchase_agrees_with_facts', p.id::text,
         format('%s, granted %s, taken %s; the facts say taken %s, refunded %s, lost %s, disputed %s',
                p.status, p.granted_credits, p.taken_credits, private.proportion_taken(p.id), f.refunded, f.lost, f.disputed)
  from public.credit_purchases p
  cross join lateral (
    select (select coalesce(sum(r.amount_cents), 0) from public.payment_refunds r
            where r.purchase_id = p.id and r.status not in ('failed', 'canceled')) as refunded,
           (select coalesce(sum(d.amount_cents), 0) from public.payment_disputes d
            where d.purchase_id = p.id and d.standing = 'lost') as lost,
           exists (select 1 from public.payment_disputes d where d.purchase_id = p.id and d.standing = 'open') as disputed) f
  where (p.granted_credits = p.credits) <> (p.paid_at is not null)
     or (p.granted_credits > 0 and p.taken_credits <> private.proportion_taken(p.id))
     or (p.refunded_cents, p.lost_cents, p.is_disputed) is distinct from (f.refunded::int, f.lost::int, f.disputed)
  union all
  select 'refund_is_applied', r.refund_id, format('%s, applied: %s, purchase %s', r.status, r.is_applied, coalesce(r.purchase_id::text, 'none'))
  from public.payment_refunds r
  join public.credit_purchases p on p.payment_intent_id = r.payment_intent_id and p.currency = r.currency
  where r.purchase_id is distinct from p.id
     or (p.granted_credits > 0 and r.is_applied <> (r.status not in ('failed', 'canceled')))
  union all
  select 'dispute_is_applied', d.dispute_id, format('%s, applied: %s, purchase %s', d.status, d.is_applied, coalesce(d.purchase_id::text, 'none'))
  from public.payment_disputes d
  join public.credit_purchases p on p.payment_intent_id = d.payment_intent_id and p.currency = d.currency
  where d.purchase_id is distinct from p.id
     or (p.granted_credits > 0 and d.is_applied <> (d.standing = 'lost'))
  union all
  select 'frozen_is_sum_of_purchases', a.user_id::text, format('frozen %s, purchases say %s', a.frozen, coalesce(p.frozen, 0))
  from public.credit_accounts a
  left join (select user_id, sum(frozen_credits) as frozen from public.credit_purchases group by user_id) p using (user_id)
  where a.frozen <> coalesce(p.frozen, 0)
$$;
comment on function private.audit_payments is 'Every violation of what purchases, refunds, disputes and the ledger must agree on; no rows when all is well. Columns as audit_books.';
