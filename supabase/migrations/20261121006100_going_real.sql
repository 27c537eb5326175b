-- What the admin page about keys asks of the database, and what it leaves in the trail.

create function public.applied_migrations() returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  -- Whoever applied them in another way than the Supabase CLI has no such table.
  if to_regclass('supabase_migrations.schema_migrations') is null then
    return null;
  end if;
  return (select coalesce(jsonb_agg(m.version order by m.version), '[]') from supabase_migrations.schema_migrations m);
end $$;
comment on function public.applied_migrations is
  'The versions of the migrations that were applied here, as the Supabase CLI has recorded them; null when it did not.';
grant execute on function public.applied_migrations() to service_role;

create function public.note_settings_written(p_actor uuid, p_names jsonb) returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform private.require_admin(p_actor, 'write_settings');
  perform private.note_action(p_actor, 'write_settings', '.env', null, jsonb_build_object(
    'settings', (select string_agg(n, ', ' order by n) from jsonb_array_elements_text(p_names) n)));
end $$;
comment on function public.note_settings_written is
  'Keeps in the trail which settings an admin is about to write into .env on this machine: their names, [text], never their values.';
grant execute on function public.note_settings_written(uuid, jsonb) to service_role;
