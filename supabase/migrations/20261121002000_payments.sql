-- Payments: packs, purchases with their refunds and disputes, and what the ledger needs to follow them.
-- Money here is whole cents of EUR, credits are whole numbers.

create table public.credit_packs (
  pack text primary key check (pack ~ '^[a-z0-9_]+$'),
  credits int not null check (credits > 0),
  amount_cents int not null check (amount_cents > 0),
  currency text not null default 'eur' check (currency = 'eur'),
  is_best_value boolean not null default false,
  enabled boolean not null default true,
  position int not null,
  updated_at timestamptz not null default now()
);
comment on table public.credit_packs is 'What is on sale. The Stripe Price that belongs to a pack is a setting, STRIPE_PRICE_<PACK>.';
comment on column public.credit_packs.amount_cents is 'Price in cents.';
create unique index credit_packs_one_best_value on public.credit_packs (is_best_value) where is_best_value;
create trigger touch_updated_at before update on public.credit_packs
  for each row execute function private.touch_updated_at();
alter table public.credit_packs enable row level security;
create policy "Everybody signed in reads the packs" on public.credit_packs
  for select to authenticated using (true);
grant select on public.credit_packs to authenticated, service_role;

insert into public.credit_packs (position, pack, credits, amount_cents, is_best_value) values
  (1, 'credits_100', 100, 1900, false),
  (2, 'credits_500', 500, 7900, true),
  (3, 'credits_1000', 1000, 13900, false);

-- ---------------------------------------------------------------------------------------------------------------
-- Purchases: the facts that Stripe told us, and what they did to the credits
-- ---------------------------------------------------------------------------------------------------------------
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
comment on column public.credit_purchases.flagged_reason is 'Paid, but not what was ordered: nothing was granted for it, an admin decides.';
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
  return new;
end $$;
comment on function private.keep_order is 'Trigger: person, pack, price, session and payment of an order are fixed, a grant is final.';
create trigger keep_order before update on public.credit_purchases
  for each row execute function private.keep_order();

alter table public.credit_purchases enable row level security;
create policy "People see their purchases, admins see all" on public.credit_purchases
  for select to authenticated using (user_id = (select auth.uid()) or (select private.is_admin()));
grant select on public.credit_purchases to authenticated, service_role;

create table public.payment_refunds (
  refund_id text primary key,
  payment_intent_id text not null,
  purchase_id uuid references public.credit_purchases (id),
  user_id uuid references public.profiles (user_id),
  amount_cents int not null check (amount_cents > 0),
  currency text not null,
  status text not null check (status in ('pending', 'requires_action', 'succeeded', 'canceled', 'failed')),
  is_applied boolean not null default false,
  refunded_at timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check (not is_applied or purchase_id is not null)
);
comment on table public.payment_refunds is 'Every refund that Stripe told us about, by its id. One may come before the payment it belongs to is known; it is matched then.';
comment on column public.payment_refunds.is_applied is 'Its credits are taken back. A refund that failed or was canceled gives them back.';
create index payment_refunds_intent on public.payment_refunds (payment_intent_id);
create index payment_refunds_purchase on public.payment_refunds (purchase_id);
create index payment_refunds_user on public.payment_refunds (user_id);
create trigger touch_updated_at before update on public.payment_refunds
  for each row execute function private.touch_updated_at();
alter table public.payment_refunds enable row level security;
create policy "People see their refunds, admins see all" on public.payment_refunds
  for select to authenticated using (user_id = (select auth.uid()) or (select private.is_admin()));
grant select on public.payment_refunds to authenticated, service_role;

create table public.payment_disputes (
  dispute_id text primary key,
  payment_intent_id text not null,
  purchase_id uuid references public.credit_purchases (id),
  user_id uuid references public.profiles (user_id),
  amount_cents int not null check (amount_cents > 0),
  currency text not null,
  reason text not null default '',
  status text not null,
  standing text not null check (standing in ('open', 'returned', 'lost')),
  standing_at timestamptz not null,
  is_applied boolean not null default false,
  changes int not null default 0,
  disputed_at timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check (not is_applied or purchase_id is not null)
);
comment on table public.payment_disputes is 'Every dispute that Stripe told us about, by its id.';
comment on column public.payment_disputes.status is 'Stripe''s word for it.';
comment on column public.payment_disputes.standing is 'What it means: open freezes, returned gives free, lost takes.';
comment on column public.payment_disputes.standing_at is 'Time of the event that says so; an older one changes nothing.';
comment on column public.payment_disputes.is_applied is 'Its credits are taken.';
comment on column public.payment_disputes.changes is 'How often is_applied has changed: each change has an entry of its own.';
create index payment_disputes_intent on public.payment_disputes (payment_intent_id);
create index payment_disputes_purchase on public.payment_disputes (purchase_id);
create index payment_disputes_user on public.payment_disputes (user_id);
create trigger touch_updated_at before update on public.payment_disputes
  for each row execute function private.touch_updated_at();
alter table public.payment_disputes enable row level security;
create policy "People see their disputes, admins see all" on public.payment_disputes
  for select to authenticated using (user_id = (select auth.uid()) or (select private.is_admin()));
grant select on public.payment_disputes to authenticated, service_role;

create table public.product_events (
  id bigint generated always as identity primary key,
  user_id uuid not null references public.profiles (user_id),
  event text not null check (event in ('packs_seen', 'checkout_started')),
  pack text references public.credit_packs (pack),
  event_key text not null unique,
  created_at timestamptz not null default now()
);
comment on table public.product_events is 'The few counters that the purchase funnel needs, and nothing else about what people look at.';
comment on column public.product_events.event_key is 'Counts once: one key a visit, one an order.';
create index product_events_counted on public.product_events (event, created_at);
create index product_events_user on public.product_events (user_id);
create index product_events_pack on public.product_events (pack);
alter table public.product_events enable row level security;
create policy "Admins read the counters" on public.product_events
  for select to authenticated using ((select private.is_admin()));
grant select on public.product_events to authenticated, service_role;

alter table public.webhook_events add column purchase_id uuid references public.credit_purchases (id);
comment on column public.webhook_events.purchase_id is 'The purchase that a call of Stripe was about.';
create index webhook_events_purchase on public.webhook_events (purchase_id) where purchase_id is not null;

-- ---------------------------------------------------------------------------------------------------------------
-- Settings
-- ---------------------------------------------------------------------------------------------------------------
alter table private.team_settings
  add column low_balance_credits int not null default 20 check (low_balance_credits >= 0),
  add column usd_per_eur numeric(8, 4) not null default 1.1000 check (usd_per_eur > 0),
  add column margin_warning numeric(4, 3) not null default 0.300 check (margin_warning between 0 and 1);
comment on column private.team_settings.low_balance_credits is 'Below this many credits a person is reminded to buy some; 0 reminds nobody.';
comment on column private.team_settings.usd_per_eur is 'The rate at which margins compare what fal.ai bills (USD) with what credits sell for (EUR).';
comment on column private.team_settings.margin_warning is 'A generation type that earns a smaller share than this is marked.';

-- ---------------------------------------------------------------------------------------------------------------
-- The ledger follows: credits can be owed after a refund, and frozen during a dispute
-- ---------------------------------------------------------------------------------------------------------------
alter table public.credit_accounts
  add column owed int not null default 0 check (owed >= 0),
  add column frozen int not null default 0 check (frozen >= 0);
comment on column public.credit_accounts.owed is 'Credits whose money went back after they were used; the next purchase settles them.';
comment on column public.credit_accounts.frozen is 'Credits of disputed purchases, kept back until the dispute is decided.';

alter table public.credit_entries
  add column frozen_change int not null default 0,
  add column owed_change int not null default 0,
  add column frozen_after int not null default 0 check (frozen_after >= 0),
  add column owed_after int not null default 0 check (owed_after >= 0),
  add foreign key (purchase_id) references public.credit_purchases (id),
  drop constraint entry_moves_what_its_kind_says,
  add constraint entry_moves_what_its_kind_says check (
    (frozen_change = 0 or kind in ('freeze', 'unfreeze'))
    and (owed_change = 0 or kind in ('refund', 'chargeback', 'settlement', 'waiver'))
    and case kind
      when 'welcome' then available_change = amount and held_change = 0
      when 'grant' then available_change = amount and held_change = 0
      when 'purchase' then available_change = amount and held_change = 0
      when 'reversal' then available_change = amount and held_change = 0
      when 'refund' then owed_change - available_change = amount and available_change <= 0 and owed_change >= 0 and held_change = 0
      when 'chargeback' then owed_change - available_change = amount and available_change <= 0 and owed_change >= 0 and held_change = 0
      when 'settlement' then available_change = -amount and owed_change = -amount and held_change = 0
      when 'waiver' then available_change = 0 and owed_change = -amount and held_change = 0
      when 'freeze' then available_change = -amount and frozen_change = amount and held_change = 0 and purchase_id is not null
      when 'unfreeze' then available_change = amount and frozen_change = -amount and held_change = 0 and purchase_id is not null
      when 'hold' then available_change = -amount and held_change = amount and job_id is not null
      when 'capture' then available_change = 0 and held_change = -amount and job_id is not null
      when 'release' then available_change = amount and held_change = -amount and job_id is not null
      when 'adjustment' then abs(available_change) = amount and held_change = 0
      else false
    end
  );
comment on column public.credit_entries.kind is
  'welcome, grant, purchase, reversal add; hold sets aside; capture spends what was set aside; release returns it; refund and chargeback take back, what is not there as owed; settlement pays what is owed, waiver forgives it; freeze keeps back during a dispute, unfreeze gives free; adjustment goes either way.';
create index credit_entries_purchase on public.credit_entries (purchase_id) where purchase_id is not null;
-- A checkout session grants once, whatever the keys say.
create unique index credit_entries_one_grant on public.credit_entries (purchase_id) where kind = 'purchase';

create function private.post_movement(
  p_user uuid, p_kind text, p_amount int, p_key text,
  p_available int default 0, p_held int default 0, p_frozen int default 0, p_owed int default 0,
  p_job uuid default null, p_reason text default null, p_actor uuid default null, p_purchase uuid default null
) returns public.credit_entries language plpgsql security definer set search_path = '' as $$
declare
  account public.credit_accounts;
  entry public.credit_entries;
begin
  select * into account from public.credit_accounts where user_id = p_user for no key update;
  if not found then
    perform private.refuse(404, 'NOT_FOUND', 'There is no credit account for this person.');
  end if;
  -- Looked up under the lock: whoever came first has committed, and its entry is the answer.
  select * into entry from public.credit_entries where idempotency_key = p_key;
  if found then
    return entry;
  end if;
  if account.available + p_available < 0 then
    perform private.refuse(402, 'INSUFFICIENT_CREDITS',
      format('This needs %s %s and you have %s.', p_amount, case when p_amount = 1 then 'credit' else 'credits' end, account.available),
      jsonb_build_object('needed', p_amount, 'available', account.available));
  end if;
  update public.credit_accounts
  set available = available + p_available, held = held + p_held, frozen = frozen + p_frozen, owed = owed + p_owed,
      version = version + 1
  where user_id = p_user returning * into account;
  insert into public.credit_entries (
    user_id, kind, amount, available_change, held_change, frozen_change, owed_change,
    available_after, held_after, frozen_after, owed_after, version, job_id, purchase_id, reason, actor, idempotency_key
  ) values (
    p_user, p_kind, p_amount, p_available, p_held, p_frozen, p_owed,
    account.available, account.held, account.frozen, account.owed, account.version, p_job, p_purchase, p_reason, p_actor, p_key
  ) returning * into entry;
  if p_kind = 'release' then
    -- A refund could not reach what was set aside; it does when that comes back.
    perform private.meet_claims(p_user, p_amount);
  end if;
  return entry;
end $$;
comment on function private.post_movement is
  'Posts one entry with its changes and moves the balance with it, under the account''s lock. The same key again returns the first entry. 402 when the balance does not cover it.';

create or replace function private.post_entry(
  p_user uuid, p_kind text, p_amount int, p_key text,
  p_job uuid default null, p_reason text default null, p_actor uuid default null, p_purchase uuid default null,
  p_takes boolean default false
) returns public.credit_entries language sql security definer set search_path = '' as $$
  select private.post_movement(
    p_user, p_kind, p_amount, p_key,
    p_available => case p_kind
      when 'capture' then 0 when 'hold' then -p_amount when 'refund' then -p_amount
      when 'adjustment' then case when p_takes then -p_amount else p_amount end
      else p_amount end,
    p_held => case p_kind when 'hold' then p_amount when 'capture' then -p_amount when 'release' then -p_amount else 0 end,
    p_job => p_job, p_reason => p_reason, p_actor => p_actor, p_purchase => p_purchase)
$$;
comment on function private.post_entry is
  'Posts one entry of a kind whose changes follow from its amount, and moves the balance with it, under the account''s lock. The same key again returns the first entry. 402 when the balance does not cover it.';

create function private.meet_claims(p_user uuid, p_limit int default null) returns void
language plpgsql security definer set search_path = '' as $$
declare
  account public.credit_accounts;
  purchase public.credit_purchases;
  room int;
  part int;
begin
  select * into account from public.credit_accounts where user_id = p_user for no key update;
  room := least(coalesce(p_limit, account.available), account.available);
  part := least(account.owed, room);
  if part > 0 then
    perform private.post_movement(p_user, 'settlement', part, format('settlement:%s:%s', p_user, account.version + 1),
      p_available => -part, p_owed => -part, p_reason => 'Owed since a refund');
    room := room - part;
  end if;
  for purchase in
    select * from public.credit_purchases
    where user_id = p_user and is_disputed and taken_credits + frozen_credits < granted_credits
    order by created_at, id for no key update
  loop
    exit when room <= 0;
    part := least(purchase.granted_credits - purchase.taken_credits - purchase.frozen_credits, room);
    update public.credit_purchases set frozen_credits = frozen_credits + part where id = purchase.id;
    perform private.post_movement(p_user, 'freeze', part,
      format('freeze:%s:%s', purchase.id, (select version + 1 from public.credit_accounts where user_id = p_user)),
      p_available => -part, p_frozen => part, p_purchase => purchase.id, p_reason => 'The payment is disputed');
    room := room - part;
  end loop;
end $$;
comment on function private.meet_claims is
  'Uses available credits, p_limit at most (null: all), for what has a claim on them: first what is owed, then purchases in dispute, oldest first.';

create function public.waive_owed(p_actor uuid, p_user uuid, p_amount int, p_reason text, p_key text) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  account public.credit_accounts;
  entry public.credit_entries;
begin
  perform private.require_admin(p_actor, 'waive_owed');
  if length(trim(coalesce(p_reason, ''))) = 0 then
    perform private.refuse(422, 'INVALID_INPUT', 'Say why: the reason is kept in the history.', '{"field": "reason"}');
  end if;
  select * into account from public.credit_accounts where user_id = p_user for no key update;
  select * into entry from public.credit_entries where idempotency_key = 'waiver:' || p_key;
  if found then
    return to_jsonb(entry);
  end if;
  if coalesce(p_amount, 0) <= 0 or p_amount > coalesce(account.owed, 0) then
    perform private.refuse(422, 'INVALID_INPUT', format('This person owes %s credits.', coalesce(account.owed, 0)), '{"field": "amount"}');
  end if;
  entry := private.post_movement(p_user, 'waiver', p_amount, 'waiver:' || p_key,
    p_owed => -p_amount, p_reason => p_reason, p_actor => p_actor);
  perform private.note_action(p_actor, 'waive_owed', p_user::text, jsonb_build_object('owed', account.owed),
    jsonb_build_object('owed', entry.owed_after), p_reason);
  return to_jsonb(entry);
end $$;
comment on function public.waive_owed is 'An admin forgives credits that a person owes since a refund, with a reason. p_key makes asking twice harmless.';
grant execute on function public.waive_owed(uuid, uuid, int, text, text) to service_role;
