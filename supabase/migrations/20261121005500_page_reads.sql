-- What a page shows at once, in one round trip.

create function public.answers(p_actor uuid, p_questions jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  question jsonb;
  asked record;
  given text;
  answer jsonb;
  found_answers jsonb := '[]';
begin
  for question in select q from jsonb_array_elements(p_questions) q loop
    -- What may be asked for needs no list: a function that only reads, for an acting person, and that the service may
    -- call by itself. It decides about this person as always.
    select p.oid, p.proargnames[1:p.pronargs] as names, p.proargtypes::oid[] as types into asked
    from pg_catalog.pg_proc p
    where p.pronamespace = 'public'::pg_catalog.regnamespace and p.proname = question ->> 'function' and p.provolatile = 's'
      and p.proargnames[1] = 'p_actor' and p.oid <> 'public.answers(uuid, jsonb)'::pg_catalog.regprocedure
      and pg_catalog.has_function_privilege('service_role', p.oid, 'execute');
    if not found or exists (
      select from jsonb_object_keys(question -> 'parameters') k where k = 'p_actor' or k <> all (asked.names)
    ) then
      raise exception 'There is no question % with these parameters.', question ->> 'function' using errcode = '42883';
    end if;
    select coalesce(string_agg(format(', %I => ($2 ->> %L)::%s', n.name, n.name, pg_catalog.format_type(asked.types[n.place - 1], null)), ''), '')
    into given
    from unnest(asked.names) with ordinality n(name, place) where question -> 'parameters' ? n.name;
    execute format('select to_jsonb(public.%I(p_actor => $1%s))', question ->> 'function', given)
      into answer using p_actor, question -> 'parameters';
    found_answers := found_answers || jsonb_build_array(answer);
  end loop;
  return found_answers;
end $$;
comment on function public.answers is
  'Several functions that only read, for one acting person, in one round trip and one look at the data: [{function, parameters}] gives their answers in that order. The first one that refuses refuses them all.';
grant execute on function public.answers(uuid, jsonb) to service_role;
