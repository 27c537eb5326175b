-- What people keep to work with again: their favourites, the prompts of before, settings under a name.

-- ---------------------------------------------------------------------------------------------------------------
-- Favourites: a mark on one's own job
-- ---------------------------------------------------------------------------------------------------------------
create function public.mark_favourite(p_actor uuid, p_job uuid, p_on boolean) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  perform private.require_approved(p_actor);
  update public.generation_jobs
  set favourite_at = case when p_on then coalesce(favourite_at, now()) end
  where id = p_job and user_id = p_actor;
  if not found then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such job of yours.');
  end if;
  return p_on;
end $$;
comment on function public.mark_favourite is 'Marks a job of one''s own as a favourite, or takes the mark away; doing it again changes nothing. 404 for a job of somebody else.';
grant execute on function public.mark_favourite(uuid, uuid, boolean) to service_role;

-- ---------------------------------------------------------------------------------------------------------------
-- What was asked for before
-- ---------------------------------------------------------------------------------------------------------------
create index generation_jobs_last_of_type on public.generation_jobs (user_id, generation_type, created_at desc, id desc) where campaign_id is null;

create function private.last_settings(p_user uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  -- Of every type the newest job that the Generate form made: one step down an index for each.
  select coalesce(jsonb_object_agg(t.generation_type, jsonb_build_object(
    'input_params', newest.input_params - 'prompt' - 'text', 'created_at', newest.created_at)), '{}')
  from public.generation_types t
  cross join lateral (
    select j.input_params, j.created_at from public.generation_jobs j
    where j.user_id = p_user and j.generation_type = t.generation_type and j.campaign_id is null
    order by j.created_at desc, j.id desc limit 1
  ) newest
$$;
comment on function private.last_settings is 'By generation type the inputs of a person''s newest job outside campaigns, without its words, and when that was.';

create function public.prompt_history(
  p_user uuid, p_media_kind text, p_text text default '', p_favourites boolean default false, p_limit int default 20
) returns jsonb language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(to_jsonb(once) order by once.created_at desc, once.id desc), '[]') from (
    select * from (
      -- Written many times is shown once, as it was used last. The newest thousand bound what a long history costs.
      select distinct on (matching.prompt) matching.* from (
        select j.id, j.generation_type, j.prompt, j.input_params, j.created_at, j.favourite_at is not null as is_favourite
        from public.generation_jobs j
        where j.user_id = p_user and j.media_kind = p_media_kind and j.prompt <> ''
          and (p_text = '' or strpos(lower(j.prompt), lower(p_text)) > 0)
          and (not p_favourites or j.favourite_at is not null)
        order by j.created_at desc, j.id desc limit 1000
      ) matching
      order by matching.prompt, matching.created_at desc, matching.id desc
    ) distinct_prompts
    order by distinct_prompts.created_at desc, distinct_prompts.id desc
    limit least(greatest(p_limit, 1), 100)
  ) once
$$;
comment on function public.prompt_history is
  'A person''s own prompts for one kind of media, the newest first and each once, with the job that used it last. p_text is looked for in them; p_favourites: only of jobs that are marked.';
grant execute on function public.prompt_history(uuid, text, text, boolean, int) to service_role;

-- ---------------------------------------------------------------------------------------------------------------
-- Presets
-- ---------------------------------------------------------------------------------------------------------------
create table public.presets (
  id uuid primary key,
  user_id uuid not null references public.profiles (user_id),
  generation_type text not null references public.generation_types (generation_type),
  name text not null check (length(btrim(name)) between 1 and 60 and name !~ '[[:cntrl:]\u202a-\u202e\u2066-\u2069]'),
  input_params jsonb not null check (jsonb_typeof(input_params) = 'object' and length(input_params::text) <= 20000),
  is_shared boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.presets is 'Settings of a generation type under a name, of one person; shared ones are there for the whole team.';
comment on column public.presets.input_params is 'As a job would have them, without files. What the catalogue no longer accepts is left out when it is applied.';
create unique index presets_name on public.presets (user_id, generation_type, lower(name));
create index presets_type on public.presets (generation_type);
create trigger touch_updated_at before update on public.presets
  for each row execute function private.touch_updated_at();
alter table public.presets enable row level security;
create policy "People see their presets and those of the team, admins see all" on public.presets
  for select to authenticated using (
    user_id = (select auth.uid()) or (is_shared and (select private.is_approved())) or (select private.is_admin()));
grant select on public.presets to authenticated, service_role;

create function private.checked_preset_name(p_name text) returns text
language plpgsql immutable set search_path = '' as $$
declare
  kept text := private.one_line(coalesce(p_name, ''));
begin
  if length(kept) not between 1 and 60 then
    perform private.refuse(422, 'INVALID_INPUT', 'Give the preset a name, 60 characters at most.', '{"field": "name"}');
  end if;
  return kept;
end $$;
comment on function private.checked_preset_name is 'The name as it is kept, in one line; 422 when it is empty or too long.';

create function private.is_an_admin(p_person uuid) returns boolean
language sql stable security definer set search_path = '' as $$
  select exists (select 1 from public.profiles where user_id = p_person and role = 'admin' and is_approved and is_active)
$$;
comment on function private.is_an_admin is 'Whether this person is an approved, active admin.';

create function private.require_unshared(p_actor uuid, p_preset public.presets) returns void
language plpgsql security definer set search_path = '' as $$
begin
  -- Who shared it may be no admin any more: the team goes on with what an admin has let it have.
  if p_preset.is_shared and not private.is_an_admin(p_actor) then
    perform private.refuse(403, 'NOT_ALLOWED', 'The whole team uses this preset. Ask an admin to change it.');
  end if;
end $$;
comment on function private.require_unshared is 'Ends the transaction with 403 when the team shares a preset and the person is no admin.';

create function private.preset_to_change(p_actor uuid, p_preset uuid) returns public.presets
language plpgsql security definer set search_path = '' as $$
declare
  preset public.presets;
begin
  perform private.require_approved(p_actor);
  select * into preset from public.presets where id = p_preset for update;
  -- An admin tidies up what the team shares, and leaves alone what is a person's own.
  if not found or preset.user_id <> p_actor and not (preset.is_shared and private.is_an_admin(p_actor)) then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such preset of yours.');
  end if;
  perform private.require_unshared(p_actor, preset);
  return preset;
end $$;
comment on function private.preset_to_change is 'Locks a preset for its owner, a shared one for admins alone; 404 for everybody else, 403 for an owner who is no admin any more.';

create function public.save_preset(
  p_preset uuid, p_actor uuid, p_generation_type text, p_name text, p_input_params jsonb
) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  wanted text := private.checked_preset_name(p_name);
  most constant int := 50;
  preset public.presets;
begin
  perform private.require_approved(p_actor);
  if not exists (select 1 from public.generation_types t where t.generation_type = p_generation_type) then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such type.');
  end if;
  -- One after the other, so that no two see the last place free.
  perform pg_advisory_xact_lock(hashtextextended('presets of ' || p_actor::text, 0));
  update public.presets p set input_params = p_input_params, name = wanted
  where p.user_id = p_actor and p.generation_type = p_generation_type and lower(p.name) = lower(wanted)
  returning * into preset;
  if found then
    perform private.require_unshared(p_actor, preset);
    return to_jsonb(preset) || '{"replaced": true}';
  end if;
  if (select count(*) from public.presets p where p.user_id = p_actor and p.generation_type = p_generation_type) >= most then
    perform private.refuse(409, 'TOO_MANY_PRESETS', format('You have %s presets for this type. Delete one first.', most));
  end if;
  insert into public.presets (id, user_id, generation_type, name, input_params)
  values (p_preset, p_actor, p_generation_type, wanted, p_input_params)
  returning * into preset;
  return to_jsonb(preset) || '{"replaced": false}';
end $$;
comment on function public.save_preset is 'Keeps settings under a name; one''s own of that name and type, however it is capitalised, takes the new settings. 409 beyond fifty for a type.';
grant execute on function public.save_preset(uuid, uuid, text, text, jsonb) to service_role;

create function public.edit_preset(p_actor uuid, p_preset uuid, p_name text default null, p_shared boolean default null)
returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  preset public.presets := private.preset_to_change(p_actor, p_preset);
begin
  if p_shared is not null and p_shared <> preset.is_shared then
    perform private.require_admin(p_actor, 'share_preset');
  end if;
  update public.presets p
  set name = case when p_name is null then p.name else private.checked_preset_name(p_name) end,
      is_shared = coalesce(p_shared, p.is_shared)
  where p.id = preset.id returning * into preset;
  return to_jsonb(preset);
exception when unique_violation then
  perform private.refuse(409, 'NAME_TAKEN', 'There is another preset of that name. Choose another name.');
  return null;
end $$;
comment on function public.edit_preset is 'A new name, or shared with the team or not; what is null stays. Only admins decide what the team shares.';
grant execute on function public.edit_preset(uuid, uuid, text, boolean) to service_role;

create function public.delete_preset(p_actor uuid, p_preset uuid) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  preset public.presets := private.preset_to_change(p_actor, p_preset);
begin
  delete from public.presets where id = preset.id;
  return found;
end $$;
comment on function public.delete_preset is 'Deletes a preset for good: of one''s own, or as an admin one that is shared.';
grant execute on function public.delete_preset(uuid, uuid) to service_role;
