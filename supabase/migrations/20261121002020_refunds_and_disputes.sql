-- Refunds and disputes as Stripe tells them, each by its id.

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
