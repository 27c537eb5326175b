-- The catalogue, for admins: what a type costs, how it is called, where its form starts, whether it is offered.

create function private.type_json(p_type public.generation_types) returns jsonb
language sql stable set search_path = '' as $$
  -- Money as text, so that no reader meets a float.
  select to_jsonb(p_type) || jsonb_build_object('unit_price_usd', p_type.unit_price_usd::text, 'average_units', p_type.average_units::text)
$$;
comment on function private.type_json is 'A generation type as the functions return it.';

create function private.type_to_change(p_type text) returns public.generation_types
language plpgsql security definer set search_path = '' as $$
declare
  known public.generation_types;
begin
  select * into known from public.generation_types where generation_type = p_type for no key update;
  if not found then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such type.');
  end if;
  return known;
end $$;
comment on function private.type_to_change is 'Locks a generation type for a change.';

create function public.edit_generation_type(p_actor uuid, p_type text, p_changes jsonb, p_reason text default null)
returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  known public.generation_types;
  label text := trim(p_changes ->> 'label');
  was jsonb;
  wanted jsonb := '{}';
begin
  perform private.require_admin(p_actor, 'edit_generation_type');
  if jsonb_typeof(p_changes) is distinct from 'object'
     or p_changes - array['label', 'credits', 'default_params', 'enabled'] <> '{}' then
    perform private.refuse(422, 'INVALID_INPUT', 'Label, credits, defaults and the switch can be changed here, nothing else.', '{"field": "changes"}');
  end if;
  known := private.type_to_change(p_type);
  if p_changes ? 'label' then
    if jsonb_typeof(p_changes -> 'label') <> 'string' or length(label) not between 1 and 80 or label ~ '[[:cntrl:]]' then
      perform private.refuse(422, 'INVALID_INPUT', 'A label is one line of 1 to 80 characters.', '{"field": "label"}');
    end if;
    wanted := wanted || jsonb_build_object('label', label);
  end if;
  if p_changes ? 'credits' then
    if jsonb_typeof(p_changes -> 'credits') <> 'number' or (p_changes ->> 'credits')::numeric not between 1 and 100000
       or (p_changes ->> 'credits')::numeric % 1 <> 0 then
      perform private.refuse(422, 'INVALID_INPUT', 'The price is a whole number of credits, 1 to 100,000.', '{"field": "credits"}');
    end if;
    wanted := wanted || jsonb_build_object('credits', (p_changes ->> 'credits')::numeric::int);
  end if;
  if p_changes ? 'default_params' then
    if jsonb_typeof(p_changes -> 'default_params') <> 'object' or length(p_changes ->> 'default_params') > 8000 then
      perform private.refuse(422, 'INVALID_INPUT', 'The defaults are named settings, 8,000 characters at most.', '{"field": "default_params"}');
    end if;
    wanted := wanted || jsonb_build_object('default_params', p_changes -> 'default_params');
  end if;
  if p_changes ? 'enabled' then
    if jsonb_typeof(p_changes -> 'enabled') <> 'boolean' then
      perform private.refuse(422, 'INVALID_INPUT', 'A type is on or off.', '{"field": "enabled"}');
    end if;
    wanted := wanted || jsonb_build_object('enabled', p_changes -> 'enabled');
  end if;
  -- What differs, and nothing else, is written and told.
  select coalesce(jsonb_object_agg(key, value), '{}') into wanted
  from jsonb_each(wanted) where value is distinct from to_jsonb(known) -> key;
  if wanted = '{}' then
    return private.type_json(known);
  end if;
  select jsonb_object_agg(key, to_jsonb(known) -> key) into was from jsonb_object_keys(wanted) key;
  update public.generation_types t
  set label = coalesce(wanted ->> 'label', t.label), credits = coalesce((wanted ->> 'credits')::int, t.credits),
      default_params = coalesce(wanted -> 'default_params', t.default_params), enabled = coalesce((wanted ->> 'enabled')::boolean, t.enabled)
  where t.generation_type = p_type returning * into known;
  perform private.note_action(p_actor, 'edit_generation_type', p_type, was, wanted, private.kept_reason(p_reason));
  return private.type_json(known);
end $$;
comment on function public.edit_generation_type is
  'Changes {label, credits, default_params, enabled} of a type, those that are given. Jobs keep the price they were made at. Prices above zero are a constraint, so what is on has one.';
grant execute on function public.edit_generation_type(uuid, text, jsonb, text) to service_role;

create function public.set_unit_price(p_actor uuid, p_type text, p_price numeric, p_reason text default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  known public.generation_types;
  was jsonb;
begin
  perform private.require_admin(p_actor, 'set_unit_price');
  if p_price <= 0 or p_price >= 1000 or p_price <> round(p_price, 6) then
    perform private.refuse(422, 'INVALID_INPUT', 'Enter a price above 0 and below 1,000 dollars, with six decimals at most.', '{"field": "price"}');
  end if;
  known := private.type_to_change(p_type);
  was := jsonb_build_object('unit_price_usd', known.unit_price_usd::text, 'price_source', known.price_source);
  if p_price is null then
    update public.generation_types set price_source = 'documented', price_synced_at = null
    where generation_type = p_type and price_source = 'manual' returning * into known;
  else
    update public.generation_types set unit_price_usd = p_price, price_source = 'manual', price_synced_at = null
    where generation_type = p_type and (unit_price_usd <> p_price or price_source <> 'manual') returning * into known;
  end if;
  if found then
    perform private.note_action(p_actor, 'set_unit_price', p_type, was,
      jsonb_build_object('unit_price_usd', known.unit_price_usd::text, 'price_source', known.price_source), private.kept_reason(p_reason));
  else
    select * into known from public.generation_types where generation_type = p_type;
  end if;
  return private.type_json(known);
end $$;
comment on function public.set_unit_price is
  'Sets what fal.ai bills per unit by hand, USD; the sync then leaves it alone. Null hands it back: it stays until the next sync.';
grant execute on function public.set_unit_price(uuid, text, numeric, text) to service_role;

create function public.catalogue_history(p_actor uuid, p_type text default null, p_limit int default 50) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_admin(p_actor, 'catalogue_history');
  return (
    select coalesce(jsonb_agg(to_jsonb(c) || jsonb_build_object('label', g.label) order by c.created_at desc, c.id desc), '[]')
    from (
      select * from (
        select a.created_at, a.id, a.target as generation_type, a.action, private.name_of(a.actor) as actor_name, a.before, a.after, a.reason
        from public.admin_actions a
        where a.action in ('edit_generation_type', 'set_unit_price') and (p_type is null or a.target = p_type)
        union all
        -- A price set by hand is in the trail already; a synced one has nobody who did it.
        select p.created_at, p.id, p.generation_type, 'sync_prices', null, jsonb_build_object('unit_price_usd', p.before_usd::text),
               jsonb_build_object('unit_price_usd', p.after_usd::text), null
        from public.price_changes p
        where p.source <> 'manual' and (p_type is null or p.generation_type = p_type)
      ) changes order by created_at desc, id desc limit private.page_size(p_limit)
    ) c join public.generation_types g using (generation_type));
end $$;
comment on function public.catalogue_history is
  'What was changed in the catalogue, newest first: edits and manual prices from the trail, synced prices from price_changes. USD as text. For admins.';
grant execute on function public.catalogue_history(uuid, text, int) to service_role;
