-- Editing campaigns and their clips. Only the owner and admins; every function checks the acting person itself.

create function private.require_approved(p_actor uuid) returns void
language plpgsql stable security definer set search_path = '' as $$
begin
  if not exists (select 1 from public.profiles where user_id = p_actor and is_approved) then
    perform private.refuse(403, 'NOT_APPROVED', 'Your account waits for approval by an admin.');
  end if;
  if not exists (select 1 from public.profiles where user_id = p_actor and is_active) then
    perform private.refuse(403, 'NOT_ACTIVE', 'Your account is switched off. Ask an admin.');
  end if;
end $$;
comment on function private.require_approved is 'Ends the transaction with 403 unless the acting person is approved and active.';

create function private.campaign_rights(p_actor uuid, p_campaign uuid) returns text
language sql stable security definer set search_path = '' as $$
  select case
    when not p.is_approved or not p.is_active then 'none'
    when c.owner_id = p_actor or p.role = 'admin' then 'change'
    when c.visibility = 'team' then 'look'
    else 'none' end
  from public.campaigns c, public.profiles p
  where c.id = p_campaign and p.user_id = p_actor
$$;
comment on function private.campaign_rights is 'What a person may do with a campaign: change, look or none; null when there is no such campaign or person.';

create function private.campaign_to_change(p_actor uuid, p_campaign uuid, p_even_archived boolean default false)
returns public.campaigns language plpgsql security definer set search_path = '' as $$
declare
  campaign public.campaigns;
  rights text;
begin
  perform private.require_approved(p_actor);
  -- Whoever changes the same campaign takes turns from here. Weak enough that jobs and versions may refer to it meanwhile.
  select * into campaign from public.campaigns where id = p_campaign for no key update;
  rights := coalesce(private.campaign_rights(p_actor, p_campaign), 'none');
  if rights = 'none' then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such campaign.');
  elsif rights = 'look' then
    perform private.refuse(403, 'NOT_ALLOWED', 'Only the owner of this campaign and admins can change it.');
  elsif campaign.archived_at is not null and not p_even_archived then
    perform private.refuse(409, 'ARCHIVED', 'This campaign is archived. Bring it back to change it.');
  end if;
  return campaign;
end $$;
comment on function private.campaign_to_change is
  'Locks a campaign for a change by this person. 404 when they may not see it, 403 when they may only look, 409 when it is archived.';

create function private.clip_to_change(p_actor uuid, p_clip uuid, p_even_deleted boolean default false)
returns public.campaign_clips language plpgsql security definer set search_path = '' as $$
declare
  clip public.campaign_clips;
begin
  select * into clip from public.campaign_clips where id = p_clip;
  if not found then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such clip.');
  end if;
  perform private.campaign_to_change(p_actor, clip.campaign_id);
  select * into clip from public.campaign_clips where id = p_clip for no key update;
  if clip.deleted_at is not null and not p_even_deleted then
    perform private.refuse(404, 'NOT_FOUND', 'This clip was deleted.');
  end if;
  return clip;
end $$;
comment on function private.clip_to_change is 'Locks a clip, and its campaign before it, for a change by this person. Refuses like campaign_to_change.';

-- ---------------------------------------------------------------------------------------------------------------
-- Campaigns
-- ---------------------------------------------------------------------------------------------------------------
create function private.check_campaign_text(p_name text, p_brief text, p_visibility text) returns void
language plpgsql immutable set search_path = '' as $$
begin
  if length(private.one_line(p_name)) not between 1 and 120 then
    perform private.refuse(422, 'INVALID_INPUT', 'Give the campaign a name, 120 characters at most.', '{"field": "name"}');
  end if;
  if length(p_brief) > 20000 then
    perform private.refuse(422, 'INVALID_INPUT', 'The brief is too long, 20,000 characters at most.', '{"field": "brief"}');
  end if;
  if p_visibility not in ('private', 'team') then
    perform private.refuse(422, 'INVALID_INPUT', 'A campaign is private or shared with the team.', '{"field": "visibility"}');
  end if;
end $$;
comment on function private.check_campaign_text is 'Refuses a name, brief or visibility that is out of bounds; null is not checked.';

create function public.create_campaign(p_campaign uuid, p_actor uuid, p_name text, p_brief text default '', p_visibility text default 'private')
returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  campaign public.campaigns;
begin
  perform private.require_approved(p_actor);
  perform private.check_campaign_text(coalesce(p_name, ''), p_brief, p_visibility);
  insert into public.campaigns (id, owner_id, name, brief, visibility)
  values (p_campaign, p_actor, private.one_line(p_name), coalesce(p_brief, ''), p_visibility)
  on conflict (id) do nothing;
  select * into campaign from public.campaigns where id = p_campaign;
  if campaign.owner_id <> p_actor then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such campaign.');
  end if;
  return to_jsonb(campaign);
end $$;
comment on function public.create_campaign is 'Creates a campaign. The id is made by the caller: asking twice gives the same one.';
grant execute on function public.create_campaign(uuid, uuid, text, text, text) to service_role;

create function public.edit_campaign(
  p_actor uuid, p_campaign uuid, p_name text default null, p_brief text default null, p_visibility text default null,
  p_archived boolean default null
) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  campaign public.campaigns := private.campaign_to_change(p_actor, p_campaign, p_even_archived => p_archived is not null);
begin
  perform private.check_campaign_text(p_name, p_brief, p_visibility);
  update public.campaigns
  set name = coalesce(private.one_line(p_name), name), brief = coalesce(p_brief, brief), visibility = coalesce(p_visibility, visibility),
      archived_at = case when p_archived then coalesce(archived_at, now()) when not p_archived then null else archived_at end
  where id = p_campaign returning * into campaign;
  if p_archived then
    perform private.stop_runs(p_campaign);
  end if;
  if campaign.owner_id <> p_actor and p_visibility is not null then
    perform private.note_action(p_actor, 'share_campaign', p_campaign::text, null, jsonb_build_object('visibility', p_visibility));
  end if;
  return to_jsonb(campaign);
end $$;
comment on function public.edit_campaign is 'Renames, rewrites the brief, shares, archives or brings back; what is null stays. Archiving stops what goes on by itself.';
grant execute on function public.edit_campaign(uuid, uuid, text, text, text, boolean) to service_role;

-- ---------------------------------------------------------------------------------------------------------------
-- Clips
-- ---------------------------------------------------------------------------------------------------------------
create function private.check_clip(p_title text, p_script text, p_steps jsonb) returns void
language plpgsql immutable set search_path = '' as $$
begin
  if length(p_title) > 120 then
    perform private.refuse(422, 'INVALID_INPUT', 'The title is too long, 120 characters at most.', '{"field": "title"}');
  end if;
  if length(p_script) > 10000 then
    perform private.refuse(422, 'INVALID_INPUT', 'The script is too long, 10,000 characters at most.', '{"field": "script"}');
  end if;
  if not private.clip_steps_are_sound(p_steps) then
    perform private.refuse(422, 'INVALID_INPUT', 'The steps of this clip cannot be kept: one is unknown, incomplete or too long.', '{"field": "steps"}');
  end if;
end $$;
comment on function private.check_clip is 'Refuses a title, script or steps that are out of bounds; null is not checked.';

create function private.place_clip(p_campaign uuid, p_clip uuid, p_position int) returns void
language plpgsql security definer set search_path = '' as $$
begin
  -- All rows first and in order, as versions that arrive lock them too.
  perform 1 from public.campaign_clips where campaign_id = p_campaign order by id for no key update;
  update public.campaign_clips k set position = placed.position
  from (
    -- The moved clip stands before the one whose place it takes, behind it when it comes from further up.
    select id, row_number() over (order by case when id = p_clip then p_position else position end,
      case when id = p_clip then case when position < p_position then 1 else -1 end else 0 end) as position
    from public.campaign_clips where campaign_id = p_campaign and deleted_at is null
  ) placed
  where k.id = placed.id and k.position <> placed.position;
end $$;
comment on function private.place_clip is 'Puts a clip at a place and closes every gap. The caller holds the campaign''s lock.';

create function private.append_clip(p_campaign uuid, p_clip uuid, p_title text, p_script text, p_steps jsonb, p_position int) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  clip public.campaign_clips;
  clips int;
begin
  select * into clip from public.campaign_clips where id = p_clip;
  if found then
    if clip.campaign_id <> p_campaign then
      perform private.refuse(404, 'NOT_FOUND', 'There is no such clip.');
    end if;
    return to_jsonb(clip);
  end if;
  select count(*) into clips from public.campaign_clips where campaign_id = p_campaign and deleted_at is null;
  if clips >= 100 then
    perform private.refuse(409, 'TOO_MANY_CLIPS', 'A campaign holds 100 clips at most. Start another campaign.');
  end if;
  insert into public.campaign_clips (id, campaign_id, position, title, script, steps)
  values (p_clip, p_campaign, clips + 1, private.one_line(coalesce(p_title, '')), coalesce(p_script, ''), coalesce(p_steps, '{}'));
  if p_position is not null and p_position <= clips then
    perform private.place_clip(p_campaign, p_clip, greatest(p_position, 1));
  end if;
  select * into clip from public.campaign_clips where id = p_clip;
  return to_jsonb(clip);
end $$;
comment on function private.append_clip is 'Adds a clip at a place, at the end without one. The caller holds the campaign''s lock.';

create function public.add_clip(
  p_clip uuid, p_actor uuid, p_campaign uuid, p_title text default '', p_script text default '', p_steps jsonb default '{}',
  p_position int default null
) returns jsonb language plpgsql security definer set search_path = '' as $$
begin
  perform private.campaign_to_change(p_actor, p_campaign);
  perform private.check_clip(p_title, p_script, p_steps);
  return private.append_clip(p_campaign, p_clip, p_title, p_script, p_steps, p_position);
end $$;
comment on function public.add_clip is 'Adds a clip, at the end unless a place is given. The id is made by the caller: asking twice gives the same one.';
grant execute on function public.add_clip(uuid, uuid, uuid, text, text, jsonb, int) to service_role;

create function public.edit_clip(
  p_actor uuid, p_clip uuid, p_title text default null, p_script text default null, p_steps jsonb default null,
  p_revision int default null
) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  clip public.campaign_clips := private.clip_to_change(p_actor, p_clip);
  merged jsonb;
begin
  if p_revision is not null and p_revision <> clip.revision then
    perform private.refuse(409, 'CHANGED_MEANWHILE', 'Somebody has changed this clip meanwhile. Look at it again before you save.',
      jsonb_build_object('revision', clip.revision));
  end if;
  if p_steps is not null and jsonb_typeof(p_steps) <> 'object' then
    perform private.check_clip(null, null, p_steps);
  end if;
  -- Only what is given is replaced, step by step; a step that is null goes.
  select coalesce(jsonb_object_agg(s.key, s.value), '{}') into merged
  from jsonb_each(clip.steps || coalesce(p_steps, '{}')) s where s.value <> 'null';
  perform private.check_clip(p_title, p_script, merged);
  update public.campaign_clips
  set title = coalesce(private.one_line(p_title), title), script = coalesce(p_script, script), steps = merged, revision = revision + 1
  where id = p_clip returning * into clip;
  return to_jsonb(clip);
end $$;
comment on function public.edit_clip is
  'Changes title, script or single steps; what is null stays, a step that is JSON null is no longer wanted. p_revision is what the person saw: 409 when somebody else was quicker.';
grant execute on function public.edit_clip(uuid, uuid, text, text, jsonb, int) to service_role;

create function public.duplicate_clip(p_clip uuid, p_actor uuid, p_from uuid) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  clip public.campaign_clips := private.clip_to_change(p_actor, p_from);
begin
  return private.append_clip(clip.campaign_id, p_clip, clip.title, clip.script, clip.steps, clip.position + 1);
end $$;
comment on function public.duplicate_clip is 'A new clip with the same script and steps right behind the old one; versions stay where they are.';
grant execute on function public.duplicate_clip(uuid, uuid, uuid) to service_role;

create function public.move_clip(p_actor uuid, p_clip uuid, p_position int) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  clip public.campaign_clips := private.clip_to_change(p_actor, p_clip);
begin
  perform private.place_clip(clip.campaign_id, p_clip, greatest(coalesce(p_position, 1), 1));
  select * into clip from public.campaign_clips where id = p_clip;
  return to_jsonb(clip);
end $$;
comment on function public.move_clip is 'Moves a clip to a place, 1 is the first; the others close up.';
grant execute on function public.move_clip(uuid, uuid, int) to service_role;

create function public.delete_clip(p_actor uuid, p_clip uuid) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  clip public.campaign_clips := private.clip_to_change(p_actor, p_clip, p_even_deleted => true);
begin
  if clip.deleted_at is null then
    update public.campaign_clips set deleted_at = now(), position = null where id = p_clip returning * into clip;
    perform private.place_clip(clip.campaign_id, null, null);
    update public.campaign_run_clips set state = 'stopped' where clip_id = p_clip and state in ('due', 'waiting', 'failed');
  end if;
  return to_jsonb(clip);
end $$;
comment on function public.delete_clip is 'Takes a clip out of its campaign. Its versions are kept, and what is being made for it still arrives.';
grant execute on function public.delete_clip(uuid, uuid) to service_role;

create function public.restore_clip(p_actor uuid, p_clip uuid) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  clip public.campaign_clips := private.clip_to_change(p_actor, p_clip, p_even_deleted => true);
begin
  if clip.deleted_at is not null then
    if (select count(*) from public.campaign_clips where campaign_id = clip.campaign_id and deleted_at is null) >= 100 then
      perform private.refuse(409, 'TOO_MANY_CLIPS', 'A campaign holds 100 clips at most. Start another campaign.');
    end if;
    update public.campaign_clips
    set deleted_at = null,
        position = 1 + (select count(*) from public.campaign_clips where campaign_id = clip.campaign_id and deleted_at is null)
    where id = p_clip returning * into clip;
  end if;
  return to_jsonb(clip);
end $$;
comment on function public.restore_clip is 'Brings a deleted clip back, at the end, with all its versions.';
grant execute on function public.restore_clip(uuid, uuid) to service_role;
