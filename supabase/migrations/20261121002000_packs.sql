-- Packs of credits: what is on sale, the settings about money, and the counters of the purchase funnel.
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

alter table private.team_settings
  add column low_balance_credits int not null default 5 check (low_balance_credits >= 0),
  add column usd_per_eur numeric(8, 4) not null default 1.1000 check (usd_per_eur > 0),
  add column margin_warning numeric(4, 3) not null default 0.300 check (margin_warning between 0 and 1);
comment on column private.team_settings.low_balance_credits is 'Below this many credits a person is reminded to buy some; 0 reminds nobody.';
comment on column private.team_settings.usd_per_eur is 'The rate at which margins compare what fal.ai bills (USD) with what credits sell for (EUR).';
comment on column private.team_settings.margin_warning is 'A generation type that earns a smaller share than this is marked.';

create function public.credit_terms() returns jsonb language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'low_balance_credits', s.low_balance_credits,
    'packs', (select coalesce(jsonb_agg(to_jsonb(p) order by p.position), '[]') from public.credit_packs p where p.enabled))
  from private.team_settings s
$$;
comment on function public.credit_terms is 'The packs on sale, and the balance below which a person is reminded. The same for everybody.';
grant execute on function public.credit_terms() to service_role;

create function public.note_product_event(p_user uuid, p_event text, p_key text) returns void
language sql security definer set search_path = '' as $$
  insert into public.product_events (user_id, event, event_key)
  values (p_user, p_event, p_event || ':' || p_user || ':' || p_key)
  on conflict (event_key) do nothing
$$;
comment on function public.note_product_event is 'Counts that a person saw the packs; p_key (one a visit) makes it count once.';
grant execute on function public.note_product_event(uuid, text, text) to service_role;

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
