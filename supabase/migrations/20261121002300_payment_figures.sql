-- What admins see of the payments: the funnel and the revenue, and what each generation type earns.

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
      from public.webhook_events where received_at >= now() - interval '30 days' group by provider) w),
    'people', (select coalesce(jsonb_agg(to_jsonb(r) order by r.revenue_cents desc, r.email), '[]') from (
      select p.user_id, f.email, f.full_name, count(*) as purchases, sum(p.credits) as credits, sum(p.amount_cents) as gross_cents,
             sum(p.amount_cents - least(p.amount_cents, p.refunded_cents + p.lost_cents)) as revenue_cents
      from public.credit_purchases p join public.profiles f using (user_id)
      where p.paid_at >= since group by p.user_id, f.email, f.full_name) r));
end $$;
comment on function public.payment_metrics is
  'Of the last days, for admins: how often the packs were seen, checkouts begun, and per person who paid: purchases, credits, gross and net revenue (cents). With the webhooks of the last 30 days by provider, received and applied.';
grant execute on function public.payment_metrics(uuid, int) to service_role;

create function public.margin_figures(p_actor uuid, p_days int default 90) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  first_day date := private.team_day(now()) - p_days;
  since timestamptz := private.team_day_start(first_day);
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
             coalesce(s.jobs, 0) as jobs, coalesce(s.credits, 0) as credits,
             coalesce(s.estimated_usd, 0)::text as estimated_usd, coalesce(s.actual_usd, 0)::text as actual_usd,
             coalesce(s.confirmed_jobs, 0) as confirmed_jobs, coalesce(s.confirmed_credits, 0) as confirmed_credits,
             coalesce(s.confirmed_usd, 0)::text as confirmed_usd
      from public.generation_types t
      left join (
        select d.generation_type, sum(d.jobs)::bigint as jobs, sum(d.credits)::bigint as credits, sum(d.estimated_usd) as estimated_usd,
               sum(d.spent_usd) as actual_usd, sum(d.confirmed_jobs)::bigint as confirmed_jobs,
               sum(d.confirmed_credits)::bigint as confirmed_credits, sum(d.confirmed_usd) as confirmed_usd
        from private.team_sales(first_day) d group by d.generation_type
      ) s using (generation_type)) r));
end $$;
comment on function public.margin_figures is
  'For admins, of the ended jobs of today and the p_days whole days before it that were paid with credits, per generation type: credits charged, USD estimated, counted (best known) and confirmed; failed jobs that fal.ai bills included. With the settings and what credits sold for.';
grant execute on function public.margin_figures(uuid, int) to service_role;
