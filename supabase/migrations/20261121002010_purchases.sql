-- Purchases: one row an order, the facts that Stripe told us about it, and what they did to the credits.

create table public.credit_purchases (
  id uuid primary key,
  user_id uuid not null references public.profiles (user_id),
  pack text not null references public.credit_packs (pack),
  credits int not null check (credits > 0),
  amount_cents int not null check (amount_cents > 0),
  currency text not null check (currency = 'eur'),

  -- at Stripe
  stripe_session_id text unique,
  payment_intent_id text unique,
  receipt_url text,
  expires_at timestamptz,

  -- the facts
  checkout_progress text not null default 'open' check (checkout_progress in ('open', 'processing', 'expired', 'failed')),
  paid_at timestamptz,
  paid_through text check (paid_through in ('webhook', 'page', 'worker', 'admin')),
  flagged_reason text,
  flag_resolved_at timestamptz,
  refunded_cents int not null default 0 check (refunded_cents >= 0),
  lost_cents int not null default 0 check (lost_cents >= 0),
  is_disputed boolean not null default false,

  -- what they did
  granted_credits int not null default 0,
  taken_credits int not null default 0 check (taken_credits >= 0),
  frozen_credits int not null default 0 check (frozen_credits >= 0),

  -- times
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  next_check_at timestamptz,
  check_count int not null default 0,

  status text not null generated always as (
    case
      when paid_at is null and flagged_reason is not null then 'flagged'
      when paid_at is null then checkout_progress
      when is_disputed then 'disputed'
      when lost_cents > 0 then 'dispute_lost'
      when refunded_cents >= amount_cents then 'refunded'
      when refunded_cents > 0 then 'partially_refunded'
      else 'paid'
    end
  ) stored,
  constraint granted_once_when_paid check (granted_credits in (0, credits) and (granted_credits = 0 or paid_at is not null)),
  constraint never_takes_more_than_granted check (taken_credits + frozen_credits <= granted_credits),
  constraint frozen_only_in_dispute check (frozen_credits = 0 or is_disputed),
  constraint unfinished_is_looked_at check (
    next_check_at is not null or paid_at is not null or flagged_reason is not null or checkout_progress in ('expired', 'failed'))
);
comment on table public.credit_purchases is 'One row an order, written before Stripe is asked. The order id is our idempotency key at Stripe; status follows from the facts.';
comment on column public.credit_purchases.paid_through is 'Who brought the news first.';
comment on column public.credit_purchases.flagged_reason is 'Paid, but not what was ordered: nothing was granted for it, an admin decides. One problem a line.';
comment on column public.credit_purchases.refunded_cents is 'Sum of the refunds that did not fail.';
comment on column public.credit_purchases.lost_cents is 'Sum of the disputes that were lost.';
comment on column public.credit_purchases.taken_credits is 'Credits taken back in proportion to refunds and lost disputes, what had to be owed included.';
comment on column public.credit_purchases.frozen_credits is 'Credits of this purchase kept back while it is disputed.';
comment on column public.credit_purchases.next_check_at is 'When the worker asks Stripe about an unfinished order; while somebody asks it is their lease.';
create index credit_purchases_user on public.credit_purchases (user_id, created_at desc);
create index credit_purchases_newest on public.credit_purchases (created_at desc);
create index credit_purchases_pack on public.credit_purchases (pack);
create index credit_purchases_due on public.credit_purchases (next_check_at) where next_check_at is not null;
create index credit_purchases_disputed on public.credit_purchases (user_id) where is_disputed;
create index credit_purchases_paid on public.credit_purchases (paid_at) where paid_at is not null;
create trigger touch_updated_at before update on public.credit_purchases
  for each row execute function private.touch_updated_at();

create function private.with_problems(p_known text, variadic p_problems text[]) returns text
language sql immutable set search_path = '' as $$
  select string_agg(distinct line, E'\n' order by line) from unnest(string_to_array(p_known, E'\n') || p_problems) line
$$;
comment on function private.with_problems is 'Problems that are known, one a line, and more of them: the same in whatever order they came.';

create function private.keep_order() returns trigger language plpgsql set search_path = '' as $$
begin
  if (new.id, new.user_id, new.pack, new.credits, new.amount_cents, new.currency)
     is distinct from (old.id, old.user_id, old.pack, old.credits, old.amount_cents, old.currency)
     or (old.stripe_session_id is not null and new.stripe_session_id is distinct from old.stripe_session_id)
     or (old.payment_intent_id is not null and new.payment_intent_id is distinct from old.payment_intent_id)
     or (old.paid_at is not null and new.paid_at is distinct from old.paid_at)
     or new.granted_credits < old.granted_credits then
    raise exception 'Order %: what was agreed and paid stays.', old.id using errcode = '23514';
  end if;
  if new.flagged_reason is distinct from old.flagged_reason then
    new.flag_resolved_at := null;
  end if;
  return new;
end $$;
comment on function private.keep_order is 'Trigger: person, pack, price, session and payment of an order are fixed, a grant is final; a new problem is to be decided again.';
create trigger keep_order before update on public.credit_purchases
  for each row execute function private.keep_order();

alter table public.credit_purchases enable row level security;
create policy "People see their purchases, admins see all" on public.credit_purchases
  for select to authenticated using (user_id = (select auth.uid()) or (select private.is_admin()));
grant select on public.credit_purchases to authenticated, service_role;

alter table public.credit_entries add foreign key (purchase_id) references public.credit_purchases (id);
create index credit_entries_purchase on public.credit_entries (purchase_id) where purchase_id is not null;
-- A checkout session grants once, whatever the keys say.
create unique index credit_entries_one_grant on public.credit_entries (purchase_id) where kind = 'purchase';

alter table public.webhook_events
  add column purchase_id uuid references public.credit_purchases (id),
  add column flag_resolved_at timestamptz;
comment on column public.webhook_events.purchase_id is 'The purchase that a call of Stripe was about.';
comment on column public.webhook_events.flag_resolved_at is 'When an admin dealt with a payment that is none of ours.';
create index webhook_events_purchase on public.webhook_events (purchase_id) where purchase_id is not null;
