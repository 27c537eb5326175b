-- What admins see of the payments, and the audit of them.

create function public.credit_terms() returns jsonb language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'low_balance_credits', s.low_balance_credits,
    'packs', (select coalesce(jsonb_agg(to_jsonb(p) order by p.position), '[]') from public.credit_packs p where p.enabled))
  from private.team_settings s
$$;
comment on function public.credit_terms is 'The packs on sale, and the balance below which a person is reminded. The same for everybody.';
grant execute on function public.credit_terms() to service_role;

create function public.set_payment_settings(
  p_actor uuid, p_low_balance_credits int default null, p_usd_per_eur numeric default null, p_margin_warning numeric default null
) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  before_state jsonb;
  after_state jsonb;
begin
  perform private.require_admin(p_actor, 'set_payment_settings');
  if p_low_balance_credits < 0 or p_low_balance_credits > 1000000 then
    perform private.refuse(422, 'INVALID_INPUT', 'Enter a number of credits from 0 to a million.', '{"field": "low_balance_credits"}');
  end if;
  if p_usd_per_eur <= 0 or p_usd_per_eur > 100 then
    perform private.refuse(422, 'INVALID_INPUT', 'Enter the dollars that one euro is worth, such as 1.10.', '{"field": "usd_per_eur"}');
  end if;
  if p_margin_warning < 0 or p_margin_warning > 1 then
    perform private.refuse(422, 'INVALID_INPUT', 'Enter a margin from 0% to 100%.', '{"field": "margin_warning"}');
  end if;
  before_state := private.payment_settings();
  update private.team_settings
  set low_balance_credits = coalesce(p_low_balance_credits, low_balance_credits),
      usd_per_eur = coalesce(p_usd_per_eur, usd_per_eur),
      margin_warning = coalesce(p_margin_warning, margin_warning),
      updated_at = now();
  after_state := private.payment_settings();
  if after_state <> before_state then
    perform private.note_action(p_actor, 'set_payment_settings', 'team', before_state, after_state);
  end if;
  return after_state;
end $$;
comment on function public.set_payment_settings is
  'An admin sets the low balance (credits), the rate (USD for one EUR) and the margin below which a type is marked (0 to 1); null leaves one as it is.';
grant execute on function public.set_payment_settings(uuid, int, numeric, numeric) to service_role;

create function private.payment_settings() returns jsonb language sql stable security definer set search_path = '' as $$
  select jsonb_build_object('low_balance_credits', low_balance_credits, 'usd_per_eur', usd_per_eur::text, 'margin_warning', margin_warning::text)
  from private.team_settings
$$;
comment on function private.payment_settings is 'The settings about payments, decimals as text.';

create function public.payment_metrics(p_actor uuid, p_days int default 30) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  since timestamptz := now() - make_interval(days => p_days);
begin
  perform private.require_admin(p_actor, 'payment_metrics');
  return jsonb_build_object(
    'days', p_days,
    'seen', (select count(*) from public.product_events where event = 'packs_seen' and created_at >= since),
    'seen_by', (select count(distinct user_id) from public.product_events where event = 'packs_seen' and created_at >= since),
    'checkouts', (select count(*) from public.product_events where event = 'checkout_started' and created_at >= since),
    'webhooks', (select coalesce(jsonb_agg(to_jsonb(w) order by w.provider), '[]') from (
      select provider, count(*) as received, count(*) filter (where status in ('processed', 'ignored')) as succeeded
      from public.webhook_events where received_at >= since group by provider) w),
    'people', (select coalesce(jsonb_agg(to_jsonb(r) order by r.revenue_cents desc, r.email), '[]') from (
      select p.user_id, f.email, f.full_name, count(*) as purchases, sum(p.credits) as credits, sum(p.amount_cents) as gross_cents,
             sum(p.amount_cents - least(p.amount_cents, p.refunded_cents + p.lost_cents)) as revenue_cents
      from public.credit_purchases p join public.profiles f using (user_id)
      where p.paid_at >= since group by p.user_id, f.email, f.full_name) r));
end $$;
comment on function public.payment_metrics is
  'Of the last days, for admins: how often the packs were seen, checkouts begun, webhooks received and applied by provider, and per person who paid: purchases, credits, gross and net revenue (cents).';
grant execute on function public.payment_metrics(uuid, int) to service_role;

create function public.margin_figures(p_actor uuid, p_days int default 90) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  since timestamptz := now() - make_interval(days => p_days);
begin
  perform private.require_admin(p_actor, 'margin_figures');
  return private.payment_settings() || jsonb_build_object(
    'days', p_days,
    -- the dearest promise: what a credit brings when everybody buys the pack that is cheapest per credit
    'lowest_cents_per_credit', (select min(amount_cents::numeric / credits)::numeric(12, 6)::text from public.credit_packs where enabled),
    'sold', (select jsonb_build_object('credits', coalesce(sum(granted_credits - taken_credits), 0),
                                       'cents', coalesce(sum(amount_cents - least(amount_cents, refunded_cents + lost_cents)), 0))
             from public.credit_purchases where paid_at >= since),
    'types', (select coalesce(jsonb_agg(to_jsonb(r) order by r.position), '[]') from (
      select t.position, t.generation_type, t.label, t.credits as credits_per_unit, t.credit_unit, t.enabled,
             count(j.id) as jobs,
             coalesce(sum(j.credits_charged), 0) as credits,
             coalesce(sum(case when j.spent_usd > 0 then j.estimated_usd end), 0)::text as estimated_usd,
             coalesce(sum(j.spent_usd), 0)::text as actual_usd,
             count(j.id) filter (where j.cost_source = 'confirmed') as confirmed_jobs,
             coalesce(sum(j.credits_charged) filter (where j.cost_source = 'confirmed'), 0) as confirmed_credits,
             coalesce(sum(j.spent_usd) filter (where j.cost_source = 'confirmed'), 0)::text as confirmed_usd
      from public.generation_types t
      -- jobs of unmetered people sell no credits: they are spend, not sales
      left join public.generation_jobs j on j.generation_type = t.generation_type and j.completed_at >= since and j.credits_held > 0
      group by t.generation_type) r));
end $$;
comment on function public.margin_figures is
  'For admins, of the ended jobs of the last days that were paid with credits, per generation type: credits charged, USD estimated, counted (best known) and confirmed; failed jobs that fal.ai bills included. With the settings and what credits sold for.';
grant execute on function public.margin_figures(uuid, int) to service_role;

-- ---------------------------------------------------------------------------------------------------------------
-- The audit
-- ---------------------------------------------------------------------------------------------------------------
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
