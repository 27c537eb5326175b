-- What fal.ai charges: its prices, and what runs usually take.

-- ---------------------------------------------------------------------------------------------------------------
-- Prices
-- ---------------------------------------------------------------------------------------------------------------
create table public.price_changes (
  id bigint generated always as identity primary key,
  generation_type text not null references public.generation_types (generation_type),
  price_unit text not null,
  before_usd numeric(12, 6) not null,
  after_usd numeric(12, 6) not null,
  source text not null,
  created_at timestamptz not null default now(),
  check (before_usd <> after_usd)
);
comment on table public.price_changes is 'Append-only: every change of a unit price, whoever made it. Jobs keep the price they were made at.';
create index price_changes_type on public.price_changes (generation_type, id desc);
create trigger append_only before update or delete on public.price_changes
  for each row execute function private.forbid_change();
create trigger append_only_truncate before truncate on public.price_changes
  for each statement execute function private.forbid_change();
alter table public.price_changes enable row level security;
create policy "Approved people read price changes" on public.price_changes for select to authenticated using ((select private.is_approved()));
grant select on public.price_changes to authenticated, service_role;

create function private.note_price_change() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into public.price_changes (generation_type, price_unit, before_usd, after_usd, source)
  values (new.generation_type, new.price_unit, old.unit_price_usd, new.unit_price_usd, new.price_source);
  return new;
end $$;
comment on function private.note_price_change is 'Trigger: no unit price changes without a line in price_changes.';
create trigger note_price_change after update on public.generation_types
  for each row when (old.unit_price_usd is distinct from new.unit_price_usd) execute function private.note_price_change();

create function public.record_prices(p_prices jsonb, p_actor uuid default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  kind public.generation_types;
  told record;
  price numeric;
  changed jsonb := '[]';
  problems jsonb := '[]';
  same int := 0;
begin
  if p_actor is not null then
    perform private.require_admin(p_actor, 'sync_prices');
  end if;
  for kind in select * from public.generation_types order by generation_type for update loop
    select p ->> 'unit' as unit, (p ->> 'unit_price')::numeric as unit_price, p ->> 'currency' as currency into told
    from jsonb_array_elements(p_prices) p where p ->> 'endpoint_id' = kind.fal_endpoint limit 1;
    price := round(told.unit_price, 6);
    if not found then
      problems := problems || jsonb_build_object('label', kind.label, 'problem', 'fal.ai tells no price for it.');
    elsif kind.price_source = 'manual' then
      if price is distinct from kind.unit_price_usd then
        problems := problems || jsonb_build_object('label', kind.label, 'problem',
          format('the price was set by hand (%s) and stays; fal.ai says %s.', trim_scale(kind.unit_price_usd), coalesce(trim_scale(price)::text, 'nothing')));
      else
        same := same + 1;
      end if;
    elsif told.currency <> 'USD' then
      problems := problems || jsonb_build_object('label', kind.label, 'problem', format('fal.ai tells its price in %s, not in USD.', told.currency));
    elsif rtrim(lower(told.unit), 's') <> rtrim(lower(kind.price_unit), 's') then
      problems := problems || jsonb_build_object('label', kind.label, 'problem',
        format('fal.ai now bills per "%s", the catalogue counts "%s". The old price stays.', told.unit, kind.price_unit));
    elsif price is null or price <= 0 or price >= 1000 then
      problems := problems || jsonb_build_object('label', kind.label, 'problem', format('fal.ai tells the price %s, which cannot be.', coalesce(told.unit_price::text, 'nothing')));
    else
      if price = kind.unit_price_usd then
        same := same + 1;
      else
        changed := changed || jsonb_build_object('generation_type', kind.generation_type, 'label', kind.label, 'unit', kind.price_unit,
          'before', kind.unit_price_usd::text, 'after', price::text);
      end if;
      update public.generation_types
      set unit_price_usd = price, price_source = 'synced', price_synced_at = now() where generation_type = kind.generation_type;
    end if;
  end loop;
  if p_actor is not null then
    perform private.note_action(p_actor, 'sync_prices', 'catalogue', null, jsonb_build_object('changed', changed));
  end if;
  return jsonb_build_object('changed', changed, 'same', same, 'problems', problems);
end $$;
comment on function public.record_prices is
  'Brings the catalogue to fal.ai''s prices [{endpoint_id, unit_price, unit, currency}] and says what changed and what could not be taken. Prices set by hand stay. Jobs keep the price they were made at.';
grant execute on function public.record_prices(jsonb, uuid) to service_role;

create function public.price_history(p_actor uuid, p_limit int default 50) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_admin(p_actor, 'price_history');
  return (
    select coalesce(jsonb_agg(jsonb_build_object(
      'created_at', c.created_at, 'generation_type', c.generation_type, 'label', g.label, 'unit', c.price_unit,
      'before', c.before_usd::text, 'after', c.after_usd::text, 'source', c.source) order by c.id desc), '[]')
    from (select * from public.price_changes order by id desc limit p_limit) c join public.generation_types g using (generation_type));
end $$;
comment on function public.price_history is 'The latest changes of unit prices, newest first, for admins. USD as text.';
grant execute on function public.price_history(uuid, int) to service_role;

-- ---------------------------------------------------------------------------------------------------------------
-- Learning from history
-- ---------------------------------------------------------------------------------------------------------------
create index generation_jobs_recent_runs on public.generation_jobs (generation_type, completed_at desc) where status = 'completed';

create function public.learn_from_history(p_runs int default 50, p_at_least int default 5) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  learnt jsonb;
begin
  with recent as (
    select g.generation_type, g.estimated_seconds, g.average_units, runs.*
    from public.generation_types g
    cross join lateral (
      select count(*) as run_count, percentile_cont(0.5) within group (order by r.seconds) as seconds,
             count(r.billed_units) as unit_count, percentile_disc(0.5) within group (order by r.billed_units) as units
      from (
        select extract(epoch from j.completed_at - coalesce(j.submitted_at, j.created_at))::float8 as seconds,
               nullif(j.billed_units, 0) as billed_units
        from public.generation_jobs j
        where j.generation_type = g.generation_type and j.status = 'completed' order by j.completed_at desc limit p_runs
      ) r
    ) runs
  ), wanted as (
    select generation_type,
           case when run_count >= p_at_least then greatest(1, ceil(seconds))::int else estimated_seconds end as seconds,
           case when unit_count >= p_at_least then greatest(round(units, 6), 0.000001) else average_units end as units
    from recent
  ), changed as (
    update public.generation_types g set estimated_seconds = w.seconds, average_units = w.units
    from wanted w
    where w.generation_type = g.generation_type and (g.estimated_seconds, g.average_units) is distinct from (w.seconds, w.units)
    returning g.generation_type, g.estimated_seconds, g.average_units
  )
  select coalesce(jsonb_agg(jsonb_build_object(
    'generation_type', generation_type, 'estimated_seconds', estimated_seconds, 'average_units', average_units::text)), '[]')
  into learnt from changed;
  return learnt;
end $$;
comment on function public.learn_from_history is
  'Sets how long a run of each type usually takes and how many units it is billed: the median of its latest runs, once there are a few. Returns what changed.';
grant execute on function public.learn_from_history(int, int) to service_role;
