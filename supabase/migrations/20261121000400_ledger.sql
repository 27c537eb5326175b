-- The ledger of credits: accounts hold the balance, entries say why. Functions write, nobody else does.

create table public.credit_accounts (
  user_id uuid primary key references public.profiles (user_id),
  available int not null default 0 check (available >= 0),
  held int not null default 0 check (held >= 0),
  frozen int not null default 0 check (frozen >= 0),
  owed int not null default 0 check (owed >= 0),
  version bigint not null default 0
);
comment on table public.credit_accounts is 'What a person can spend now, and what is set aside for open jobs. Credits are whole numbers.';
comment on column public.credit_accounts.frozen is 'Credits of disputed purchases, kept back until the dispute is decided.';
comment on column public.credit_accounts.owed is 'Credits whose money went back after they were used; the next purchase settles them.';
comment on column public.credit_accounts.version is 'Counts the entries; the last entry and the account agree.';

create table public.credit_entries (
  id bigint generated always as identity primary key,
  user_id uuid not null references public.credit_accounts (user_id),
  kind text not null,
  amount int not null check (amount > 0),
  available_change int not null,
  held_change int not null,
  frozen_change int not null default 0,
  owed_change int not null default 0,
  available_after int not null check (available_after >= 0),
  held_after int not null check (held_after >= 0),
  frozen_after int not null default 0 check (frozen_after >= 0),
  owed_after int not null default 0 check (owed_after >= 0),
  version bigint not null,
  job_id uuid,
  purchase_id uuid,
  reason text,
  actor uuid references public.profiles (user_id),
  idempotency_key text not null unique,
  created_at timestamptz not null default now(),
  constraint entry_moves_what_its_kind_says check (
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
  ),
  unique (user_id, version)
);
comment on table public.credit_entries is 'Append-only ledger. available, held, frozen and owed are the sums of their changes, for every account at every moment.';
comment on column public.credit_entries.kind is
  'welcome, grant, purchase, reversal add; hold sets aside; capture spends what was set aside; release returns it; refund and chargeback take back, what is not there as owed; settlement pays what is owed, waiver forgives it; freeze keeps back during a dispute, unfreeze gives free; adjustment goes either way.';
comment on column public.credit_entries.idempotency_key is 'The same key twice is the same entry: asking again returns the first.';
create index credit_entries_user on public.credit_entries (user_id, id desc);
-- Nearly all entries are about jobs: what was bought, given or taken back is found without them.
create index credit_entries_apart on public.credit_entries (user_id, id desc) where kind not in ('hold', 'capture', 'release');
create index credit_entries_job on public.credit_entries (job_id) where job_id is not null;
create index credit_entries_actor on public.credit_entries (actor);
-- A job is held once and ends once, whatever the keys say.
create unique index credit_entries_one_hold on public.credit_entries (job_id) where kind = 'hold';
create unique index credit_entries_one_end on public.credit_entries (job_id) where kind in ('capture', 'release');
create trigger append_only before update or delete on public.credit_entries
  for each row execute function private.forbid_change();
create trigger append_only_truncate before truncate on public.credit_entries
  for each statement execute function private.forbid_change();

alter table public.credit_accounts enable row level security;
create policy "People see their balance, admins see all" on public.credit_accounts
  for select to authenticated using (user_id = (select auth.uid()) or (select private.is_admin()));
grant select on public.credit_accounts to authenticated, service_role;
alter table public.credit_entries enable row level security;
create policy "People see their entries, admins see all" on public.credit_entries
  for select to authenticated using (user_id = (select auth.uid()) or (select private.is_admin()));
grant select on public.credit_entries to authenticated, service_role;

-- ---------------------------------------------------------------------------------------------------------------
-- The one way in
-- ---------------------------------------------------------------------------------------------------------------
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
    if (entry.user_id, entry.kind, entry.amount, entry.job_id, entry.purchase_id) is distinct from (p_user, p_kind, p_amount, p_job, p_purchase) then
      perform private.refuse(409, 'KEY_REUSED', 'This key belongs to another entry of the ledger. Nothing was moved.',
        jsonb_build_object('entry', entry.id));
    end if;
    return entry;
  end if;
  if account.available + p_available < 0 then
    perform private.refuse(402, 'INSUFFICIENT_CREDITS',
      format('This needs %s %s and you have %s. Nothing was charged.', p_amount, case when p_amount = 1 then 'credit' else 'credits' end, account.available),
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
  'Posts one entry with its changes and moves the balance with it, under the account''s lock. The same key again returns the first entry; with another person, kind, amount, job or purchase it is refused with 409. 402 when the balance does not cover it.';

create function private.post_entry(
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

create function private.welcome(p_user uuid, p_credits int, p_actor uuid default null) returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform 1 from public.credit_accounts where user_id = p_user for no key update;
  if p_credits > 0 and not exists (select 1 from public.credit_entries where idempotency_key = 'welcome:' || p_user) then
    perform private.post_entry(p_user, 'welcome', p_credits, 'welcome:' || p_user, p_reason => 'Welcome', p_actor => p_actor);
  end if;
end $$;
comment on function private.welcome is 'The credits that everybody begins with: once in a life, however many they are by now.';

create function public.grant_credits(p_actor uuid, p_user uuid, p_amount int, p_reason text, p_key text)
returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  entry public.credit_entries;
  asked_before boolean;
begin
  perform private.require_admin(p_actor, 'grant_credits');
  if p_amount is null or p_amount = 0 or abs(p_amount) > 1000000 then
    perform private.refuse(422, 'INVALID_INPUT', 'Enter a number of credits other than zero, a million at most.', '{"field": "amount"}');
  end if;
  if length(trim(coalesce(p_reason, ''))) = 0 then
    perform private.refuse(422, 'INVALID_INPUT', 'Say why: the reason is kept in the trail.', '{"field": "reason"}');
  end if;
  perform 1 from public.credit_accounts where user_id = p_user for no key update;
  asked_before := exists (select 1 from public.credit_entries where idempotency_key = 'grant:' || p_key);
  entry := private.post_entry(
    p_user, case when p_amount > 0 then 'grant' else 'adjustment' end, abs(p_amount), 'grant:' || p_key,
    p_reason => p_reason, p_actor => p_actor, p_takes => p_amount < 0);
  if asked_before then
    return to_jsonb(entry);
  end if;
  perform private.note_action(p_actor, 'grant_credits', p_user::text, jsonb_build_object('available', entry.available_after - entry.available_change),
    jsonb_build_object('available', entry.available_after, 'amount', p_amount), p_reason);
  return to_jsonb(entry);
end $$;
comment on function public.grant_credits is 'An admin gives (or, negative, takes back) credits with a reason. p_key makes asking twice harmless; the same key for another person or amount is refused.';
grant execute on function public.grant_credits(uuid, uuid, int, text, text) to service_role;
