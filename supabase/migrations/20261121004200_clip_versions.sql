-- Jobs for clips: made by one function, and a finished one becomes a version of its clip by itself.

-- ---------------------------------------------------------------------------------------------------------------
-- A finished job becomes a version, in the transaction that ends it
-- ---------------------------------------------------------------------------------------------------------------
create function private.add_version(p_job public.generation_jobs) returns void
language plpgsql security definer set search_path = '' as $$
declare
  shown public.clip_versions;
  asked_for_later boolean;
  next_number int;
begin
  -- Two that finish at once take turns here, so both get a number and one of them is current.
  perform 1 from public.campaign_clips where id = p_job.clip_id for no key update;
  if exists (select 1 from public.clip_versions where job_id = p_job.id) then
    return;
  end if;
  select * into shown from public.clip_versions where clip_id = p_job.clip_id and step = p_job.clip_step and is_current;
  select coalesce(max(number), 0) + 1 into next_number
  from public.clip_versions where clip_id = p_job.clip_id and step = p_job.clip_step;
  -- The newest wish wins: what was asked for earlier and comes late is kept, and replaces nothing.
  asked_for_later := exists (select 1 from public.generation_jobs j where j.id = shown.job_id and j.created_at > p_job.created_at);
  if not asked_for_later then
    update public.clip_versions set is_current = false where id = shown.id;
  end if;
  insert into public.clip_versions (campaign_id, clip_id, step, number, job_id, is_current, made_from, made_from_output)
  values (p_job.campaign_id, p_job.clip_id, p_job.clip_step, next_number, p_job.id, not asked_for_later,
          p_job.clip_made_from, p_job.clip_made_from_output);
end $$;
comment on function private.add_version is
  'Keeps a completed job as the next version of its clip''s step, current unless the current one was asked for later. Once per job.';

create function private.clip_job_ended() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  if new.status = 'completed' or new.is_late then
    perform private.add_version(new);
  end if;
  perform private.move_run_on(new);
  return null;
end $$;
comment on function private.clip_job_ended is 'Trigger: the end of a job reaches its clip and its run, whoever brought it and however late.';
create trigger clip_job_ended after update of status, is_late on public.generation_jobs
  for each row when (
    new.clip_id is not null and new.status in ('completed', 'failed', 'cancelled')
    and (new.status <> old.status or new.is_late <> old.is_late))
  execute function private.clip_job_ended();

-- ---------------------------------------------------------------------------------------------------------------
-- A retry is for what the first try was for
-- ---------------------------------------------------------------------------------------------------------------
create function private.inherit_clip() returns trigger language plpgsql security definer set search_path = '' as $$
declare
  origin public.generation_jobs;
begin
  select * into origin from public.generation_jobs where id = new.retried_from;
  if origin.clip_id is null or origin.user_id <> new.user_id or origin.generation_type <> new.generation_type then
    return new;
  end if;
  if not new.is_automatic_retry and (
    private.campaign_rights(new.user_id, origin.campaign_id) is distinct from 'change'
    or not exists (
      select 1 from public.campaign_clips k join public.campaigns c on c.id = k.campaign_id
      where k.id = origin.clip_id and k.deleted_at is null and c.archived_at is null)
  ) then
    return new;
  end if;
  new.campaign_id := origin.campaign_id;
  new.clip_id := origin.clip_id;
  new.clip_step := origin.clip_step;
  new.clip_made_from := origin.clip_made_from;
  new.clip_made_from_output := origin.clip_made_from_output;
  if new.is_automatic_retry then
    new.campaign_run_id := origin.campaign_run_id;
    new.campaign_run_credits := origin.campaign_run_credits;
  end if;
  return new;
end $$;
comment on function private.inherit_clip is
  'Trigger: a retry belongs to the campaign, clip and step of the job it repeats; one that nobody asked for also to its run.';
create trigger inherit_clip before insert on public.generation_jobs
  for each row when (new.retried_from is not null) execute function private.inherit_clip();

create function private.follow_automatic_retry() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  update public.campaign_run_clips
  set state = 'running', job_id = new.id, reason_code = null, reason = null
  where run_id = new.campaign_run_id and job_id = new.retried_from and state = 'failed';
  return null;
end $$;
comment on function private.follow_automatic_retry is 'Trigger: a run waits for the second try instead of the first.';
create trigger follow_automatic_retry after insert on public.generation_jobs
  for each row when (new.campaign_run_id is not null and new.is_automatic_retry) execute function private.follow_automatic_retry();

-- ---------------------------------------------------------------------------------------------------------------
-- Creating
-- ---------------------------------------------------------------------------------------------------------------
create function public.create_clip_job(
  p_job uuid, p_user uuid, p_clip uuid, p_step text, p_made_from uuid, p_made_from_output int,
  p_generation_type text, p_input_params jsonb, p_prompt text,
  p_quantity int, p_expected_credits int, p_units numeric, p_unit_price_usd numeric, p_longest_seconds int,
  p_run uuid default null, p_submit_within int default 20
) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  clip public.campaign_clips;
  kind public.generation_types;
  source public.clip_versions;
  job public.generation_jobs;
  counted int;
begin
  -- The account first: the same order as where a job ends.
  perform 1 from public.credit_accounts where user_id = p_user for no key update;
  select * into job from public.generation_jobs where id = p_job;
  if found then
    if job.user_id <> p_user or job.clip_id is distinct from p_clip then
      perform private.refuse(404, 'NOT_FOUND', 'There is no such job.');
    end if;
    return private.job_json(job);
  end if;
  perform private.require_approved(p_user);
  select * into clip from public.campaign_clips where id = p_clip;
  if not found or coalesce(private.campaign_rights(p_user, clip.campaign_id), 'none') = 'none' then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such clip.');
  elsif private.campaign_rights(p_user, clip.campaign_id) <> 'change' then
    perform private.refuse(403, 'NOT_ALLOWED', 'Only the owner of this campaign and admins can change it.');
  elsif clip.deleted_at is not null then
    perform private.refuse(404, 'NOT_FOUND', 'This clip was deleted.');
  elsif exists (select 1 from public.campaigns where id = clip.campaign_id and archived_at is not null) then
    perform private.refuse(409, 'ARCHIVED', 'This campaign is archived. Bring it back to change it.');
  end if;
  select * into kind from public.generation_types where generation_type = p_generation_type;
  if private.clip_step_number(p_step) is null
     or kind.media_kind is distinct from (case p_step when 'first_frame' then 'image' when 'video' then 'video' else 'voice' end) then
    perform private.refuse(422, 'INVALID_INPUT', 'This type does not fit this step of the clip.', '{"field": "generation_type"}');
  end if;
  if p_made_from is not null then
    select * into source from public.clip_versions where id = p_made_from;
    if source.clip_id is distinct from p_clip or not coalesce(source.step = any (private.clip_step_sources(p_step)), false) then
      perform private.refuse(422, 'INVALID_INPUT', 'A step is made from an earlier step of the same clip.', '{"field": "made_from"}');
    end if;
  end if;
  counted := kind.credits * p_quantity;
  if p_run is not null then
    perform private.check_run(p_run, p_clip, p_step, p_job, p_user, counted);
  end if;
  perform public.create_job(
    p_job, p_user, p_generation_type, p_input_params, p_prompt, p_quantity, p_expected_credits, p_units, p_unit_price_usd,
    p_longest_seconds, p_submit_within => p_submit_within);
  update public.generation_jobs
  set campaign_id = clip.campaign_id, clip_id = p_clip, clip_step = p_step,
      clip_made_from = p_made_from, clip_made_from_output = case when p_made_from is not null then coalesce(p_made_from_output, 0) end,
      campaign_run_id = p_run, campaign_run_credits = case when p_run is not null then counted end
  where id = p_job returning * into job;
  if p_run is not null then
    update public.campaign_run_clips
    set state = 'running', job_id = p_job, next_job_id = private.new_id(), lease_until = null, tries = 0, reason_code = null, reason = null
    where run_id = p_run and clip_id = p_clip;
  end if;
  return private.job_json(job);
end $$;
comment on function public.create_clip_job is
  'create_job for a step of a clip: checks who may, notes what the inputs were made from and, within a run, keeps to the confirmed amount. Refuses and leaves nothing, like create_job.';
grant execute on function public.create_clip_job(uuid, uuid, uuid, text, uuid, int, text, jsonb, text, int, int, numeric, numeric, int, uuid, int) to service_role;

-- ---------------------------------------------------------------------------------------------------------------
-- Choosing
-- ---------------------------------------------------------------------------------------------------------------
create function public.make_version_current(p_actor uuid, p_version uuid, p_output int default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  version public.clip_versions;
begin
  select * into version from public.clip_versions where id = p_version;
  if not found then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such version.');
  end if;
  perform private.clip_to_change(p_actor, version.clip_id);
  if p_output is not null and not exists (
    select 1 from public.job_outputs where job_id = version.job_id and position = p_output and deleted_at is null) then
    perform private.refuse(404, 'NOT_FOUND', 'This version has no such file.');
  end if;
  update public.clip_versions set is_current = false
  where clip_id = version.clip_id and step = version.step and is_current and id <> p_version;
  update public.clip_versions set is_current = true, output_position = coalesce(p_output, output_position)
  where id = p_version returning * into version;
  return to_jsonb(version);
end $$;
comment on function public.make_version_current is
  'Goes back (or forward) to a version of a step; p_output chooses among several pictures of it. No version is changed or lost by it.';
grant execute on function public.make_version_current(uuid, uuid, int) to service_role;
