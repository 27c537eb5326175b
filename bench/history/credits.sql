-- One order for each six hundred jobs, by whom the job is; it brings 500 credits.
insert into public.credit_purchases (id, user_id, pack, credits, amount_cents, currency, stripe_session_id, payment_intent_id, receipt_url,
                                     checkout_progress, paid_at, paid_through, granted_credits, created_at)
select md5('order ' || j.n)::uuid, j.user_id, 'credits_500', 500, 7900, 'eur', 'cs_bench_' || j.n, 'pi_bench_' || j.n,
       'https://pay.stripe.com/receipts/' || j.n, 'open', j.created_at + interval '1 minute', 'webhook', 500, j.created_at
from bench.job j where j.n % 600 = 0 order by j.n;

insert into public.product_events (user_id, event, pack, event_key, created_at)
select p.user_id, e.event, case when e.event = 'checkout_started' then p.pack end, e.event || ':' || p.id, p.created_at
from public.credit_purchases p, (values ('packs_seen'), ('checkout_started')) e (event);

-- A grant at the first of each month covers what the month will hold, so no balance ever goes below zero.
create unlogged table bench.entry as
select e.*, row_number() over (partition by e.user_id order by e.at, e.place, e.key) as version
from (
  select j.user_id, 'grant' as kind, sum(j.credits)::int as amount, sum(j.credits)::int as available_change, 0 as held_change,
         null::uuid as job_id, null::uuid as purchase_id, 'Monthly credits' as reason, md5('person 1')::uuid as actor,
         format('grant:%s %s', j.user_id, date_trunc('month', j.created_at)::date) as key,
         greatest(date_trunc('month', j.created_at), (select ends_at - make_interval(days => days) from bench.plan)) as at, 0 as place
  from bench.job j group by j.user_id, date_trunc('month', j.created_at)
  union all
  select p.user_id, 'purchase', p.credits, p.credits, 0, null, p.id, null, null, 'purchase:' || p.id, p.paid_at, 1 from public.credit_purchases p
  union all
  select j.user_id, 'hold', j.credits, -j.credits, j.credits, j.id, null, null, null, 'hold:' || j.id, j.created_at, 2 from bench.job j
  union all
  select j.user_id, case when j.status = 'completed' then 'capture' else 'release' end, j.credits,
         case when j.status = 'completed' then 0 else j.credits end, -j.credits, j.id, null, null, null, 'end:' || j.id, j.completed_at, 3
  from bench.job j
) e;

insert into public.credit_entries (user_id, kind, amount, available_change, held_change, available_after, held_after, version, job_id,
                                   purchase_id, reason, actor, idempotency_key, created_at)
select e.user_id, e.kind, e.amount, e.available_change, e.held_change,
       sum(e.available_change) over w, sum(e.held_change) over w, e.version, e.job_id, e.purchase_id, e.reason, e.actor, e.key, e.at
from bench.entry e window w as (partition by e.user_id order by e.version rows unbounded preceding)
order by e.at, e.place, e.key;

update public.credit_accounts a
set available = s.available, held = s.held, version = s.entries
from (select user_id, sum(available_change) as available, sum(held_change) as held, count(*) as entries from bench.entry group by user_id) s
where s.user_id = a.user_id;

insert into public.admin_actions (created_at, actor, action, target, after, reason)
select e.at, e.actor, 'grant_credits', e.user_id::text, jsonb_build_object('amount', e.amount), e.reason
from bench.entry e where e.kind = 'grant' order by e.at;
