-- Runs: many clips at once, or the next step by itself. Durable: workers find here what is due, whoever has gone home.

create function private.run_committed(p_run uuid) returns int language sql stable security definer set search_path = '' as $$
  select coalesce(sum(campaign_run_credits), 0)::int from public.generation_jobs
  where campaign_run_id = p_run and status not in ('failed', 'cancelled')
$$;
comment on function private.run_committed is 'What of a run''s confirmed amount is used, in credits: done and under way; what failed cost nothing.';

create function private.check_run(p_run uuid, p_clip uuid, p_step text, p_job uuid, p_user uuid, p_credits int) returns void
language plpgsql security definer set search_path = '' as $$
declare
  run public.campaign_runs;
  item public.campaign_run_clips;
  used int;
begin
  -- Under the run's lock, so that two clips never both take the last credits of the amount.
  select * into run from public.campaign_runs where id = p_run for no key update;
  select * into item from public.campaign_run_clips where run_id = p_run and clip_id = p_clip for no key update;
  if run.state is distinct from 'running' or run.started_by <> p_user or item.state is distinct from 'due'
     or item.step <> p_step or item.next_job_id <> p_job then
    perform private.refuse(409, 'NOT_DUE', 'This is not due in this run any more.');
  end if;
  used := private.run_committed(p_run);
  if used + p_credits > run.confirmed_credits then
    perform private.refuse(402, 'RUN_AMOUNT',
      format('This would pass the %s credits that you confirmed. %s are used; this needs %s.', run.confirmed_credits, used, p_credits),
      jsonb_build_object('confirmed', run.confirmed_credits, 'used', used, 'needed', p_credits));
  end if;
end $$;
comment on function private.check_run is 'Refuses a job of a run that is not due, or would pass the confirmed amount.';

create function private.following_step(p_steps jsonb, p_step text, p_last_step text) returns text
language sql immutable set search_path = '' as $$
  select key from jsonb_object_keys(p_steps) key
  where private.clip_step_number(key) > private.clip_step_number(p_step)
    and private.clip_step_number(key) <= private.clip_step_number(p_last_step)
  order by private.clip_step_number(key) limit 1
$$;
comment on function private.following_step is 'The next wanted step of a clip, at most the last one of a run; null when there is none.';

create function private.move_run_on(p_job public.generation_jobs) returns void
language plpgsql security definer set search_path = '' as $$
declare
  item record;
  next_step text;
begin
  for item in
    select i.run_id, i.clip_id, r.last_step, r.state in ('running', 'waiting') as goes_on, k.steps, k.deleted_at
    from public.campaign_run_clips i
    join public.campaign_runs r on r.id = i.run_id
    join public.campaign_clips k on k.id = i.clip_id
    where i.clip_id = p_job.clip_id and i.step = p_job.clip_step and (
      (i.job_id = p_job.id and i.state in ('running', 'failed'))
      -- Somebody has made by hand what a run was waiting for.
      or (i.state in ('waiting', 'failed') and r.state in ('running', 'waiting') and (p_job.status = 'completed' or p_job.is_late)))
    order by i.run_id for no key update of i
  loop
    if p_job.status = 'completed' or p_job.is_late then
      next_step := case when item.goes_on and item.deleted_at is null then private.following_step(item.steps, p_job.clip_step, item.last_step) end;
      update public.campaign_run_clips
      set state = case when next_step is null then 'done' else 'due' end, step = coalesce(next_step, step),
          due_at = now(), lease_until = null, tries = 0, reason_code = null, reason = null
      where run_id = item.run_id and clip_id = item.clip_id;
    else
      update public.campaign_run_clips set state = 'failed', reason_code = p_job.error_type, reason = p_job.error_message
      where run_id = item.run_id and clip_id = item.clip_id;
    end if;
  end loop;
end $$;
comment on function private.move_run_on is 'A job of a clip has ended: its run goes on to the next step, or notes what went wrong.';

create function private.stop_runs(p_campaign uuid) returns void language plpgsql security definer set search_path = '' as $$
begin
  perform 1 from public.campaign_runs where campaign_id = p_campaign and state in ('running', 'waiting') order by id for no key update;
  update public.campaign_run_clips i set state = 'stopped'
  from public.campaign_runs r
  where i.run_id = r.id and r.campaign_id = p_campaign and r.state in ('running', 'waiting') and i.state in ('due', 'waiting', 'failed');
  update public.campaign_runs set state = 'stopped', ended_at = now() where campaign_id = p_campaign and state in ('running', 'waiting');
end $$;
comment on function private.stop_runs is 'Stops what goes on by itself in a campaign. Jobs that are open still end and become versions.';

create function private.run_json(p_run uuid) returns jsonb language sql stable security definer set search_path = '' as $$
  select to_jsonb(r) || jsonb_build_object('used_credits', private.run_committed(r.id), 'clips', (
    select coalesce(jsonb_agg(to_jsonb(i) order by i.position), '[]') from public.campaign_run_clips i where i.run_id = r.id))
  from public.campaign_runs r where r.id = p_run
$$;
comment on function private.run_json is 'A run with what is used of its amount and where each clip is.';

-- ---------------------------------------------------------------------------------------------------------------
-- What a person does with a run
-- ---------------------------------------------------------------------------------------------------------------
create function public.start_campaign_run(
  p_run uuid, p_actor uuid, p_campaign uuid, p_first_step text, p_last_step text, p_clips uuid[], p_confirmed_credits int
) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  added int;
begin
  perform private.campaign_to_change(p_actor, p_campaign);
  if exists (select 1 from public.campaign_runs where id = p_run and campaign_id = p_campaign) then
    return private.run_json(p_run);
  end if;
  if coalesce(private.clip_step_number(p_first_step) <= private.clip_step_number(p_last_step), false) = false then
    perform private.refuse(422, 'INVALID_INPUT', 'Choose the steps in the order of the chain.', '{"field": "steps"}');
  end if;
  if p_confirmed_credits is null or p_confirmed_credits < 0 then
    perform private.refuse(422, 'INVALID_INPUT', 'Confirm how many credits this may use.', '{"field": "confirmed_credits"}');
  end if;
  if exists (select 1 from public.campaign_runs where campaign_id = p_campaign and state = 'running') then
    perform private.refuse(409, 'RUN_UNDER_WAY', 'This campaign is being generated already. Wait for the end, or stop it first.');
  end if;
  -- A run that only waited for somebody makes room for what that person wants now.
  perform private.stop_runs(p_campaign);
  insert into public.campaign_runs (id, campaign_id, started_by, first_step, last_step, confirmed_credits)
  values (p_run, p_campaign, p_actor, p_first_step, p_last_step, p_confirmed_credits);
  insert into public.campaign_run_clips (run_id, clip_id, position, step)
  select p_run, k.id, k.position, coalesce(
    case when k.steps ? p_first_step then p_first_step end, private.following_step(k.steps, p_first_step, p_last_step))
  from public.campaign_clips k
  where k.campaign_id = p_campaign and k.deleted_at is null and k.id = any (p_clips)
    and (k.steps ? p_first_step or private.following_step(k.steps, p_first_step, p_last_step) is not null);
  get diagnostics added = row_count;
  if added = 0 then
    perform private.refuse(422, 'INVALID_INPUT', 'None of these clips has this step.', '{"field": "clips"}');
  end if;
  return private.run_json(p_run);
end $$;
comment on function public.start_campaign_run is
  'Starts making p_first_step to p_last_step for these clips, within p_confirmed_credits. The id is made by the caller: asking twice gives the same run. One at a time in a campaign.';
grant execute on function public.start_campaign_run(uuid, uuid, uuid, text, text, uuid[], int) to service_role;

create function public.resume_campaign_run(p_actor uuid, p_run uuid, p_confirmed_credits int) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  run public.campaign_runs;
begin
  select * into run from public.campaign_runs where id = p_run;
  if not found then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such run.');
  end if;
  perform private.campaign_to_change(p_actor, run.campaign_id);
  select * into run from public.campaign_runs where id = p_run for no key update;
  if run.state not in ('running', 'waiting') then
    perform private.refuse(409, 'RUN_ENDED', 'This run has ended. Start a new one.');
  end if;
  if p_confirmed_credits is null or p_confirmed_credits < run.confirmed_credits then
    perform private.refuse(422, 'INVALID_INPUT', 'The amount can be raised, not lowered. Stop the run instead.',
      jsonb_build_object('field', 'confirmed_credits', 'confirmed', run.confirmed_credits));
  end if;
  update public.campaign_runs set confirmed_credits = p_confirmed_credits, started_by = p_actor, state = 'running' where id = p_run;
  update public.campaign_run_clips
  set state = 'due', due_at = now(), lease_until = null, tries = 0, reason_code = null, reason = null, next_job_id = private.new_id()
  where run_id = p_run and state in ('waiting', 'failed');
  return private.run_json(p_run);
end $$;
comment on function public.resume_campaign_run is
  'Goes on with the clips that wait or failed, with a confirmed amount that is at least the old one; from here as this person.';
grant execute on function public.resume_campaign_run(uuid, uuid, int) to service_role;

create function public.stop_campaign_run(p_actor uuid, p_run uuid) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  run public.campaign_runs;
begin
  select * into run from public.campaign_runs where id = p_run;
  if not found then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such run.');
  end if;
  perform private.campaign_to_change(p_actor, run.campaign_id, p_even_archived => true);
  if (select state from public.campaign_runs where id = p_run) in ('running', 'waiting') then
    perform private.stop_runs(run.campaign_id);
  end if;
  return private.run_json(p_run);
end $$;
comment on function public.stop_campaign_run is 'Stops a run: nothing new is made. Jobs that are open still end, and are cancelled one by one where that is wanted.';
grant execute on function public.stop_campaign_run(uuid, uuid) to service_role;

create function public.campaign_run(p_actor uuid, p_run uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  if coalesce((select private.campaign_rights(p_actor, campaign_id) from public.campaign_runs where id = p_run), 'none') = 'none' then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such run.');
  end if;
  return private.run_json(p_run);
end $$;
comment on function public.campaign_run is 'A run as it is now, for those who may see its campaign.';
grant execute on function public.campaign_run(uuid, uuid) to service_role;

-- ---------------------------------------------------------------------------------------------------------------
-- What the workers do
-- ---------------------------------------------------------------------------------------------------------------
create function public.claim_run_clips(p_runs int, p_clips int default 8, p_lease_seconds int default 120) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  claimed jsonb;
begin
  -- The state of a run follows from its clips; nobody else writes it, so ends in one transaction never wait for each other.
  with active as (
    select r.id, r.state,
           case when exists (select 1 from public.campaign_run_clips i where i.run_id = r.id and i.state in ('due', 'running')) then 'running'
                when exists (select 1 from public.campaign_run_clips i where i.run_id = r.id and i.state in ('waiting', 'failed')) then 'waiting'
                else 'finished' end as found
    from public.campaign_runs r where r.state in ('running', 'waiting') order by r.id for no key update of r skip locked
  )
  update public.campaign_runs r set state = a.found, ended_at = case when a.found = 'finished' then now() end
  from active a where r.id = a.id and a.found <> a.state;

  -- Whole runs, not single clips: the clips of a run come one after the other, so that the first ones get the last credits.
  with due as (
    select r.id from public.campaign_runs r
    where r.state = 'running' and exists (
      select 1 from public.campaign_run_clips i where i.run_id = r.id and i.state = 'due' and i.due_at <= now())
      and not exists (select 1 from public.campaign_run_clips i where i.run_id = r.id and i.lease_until > now())
    order by r.created_at limit p_runs for no key update of r skip locked
  ), taken as (
    update public.campaign_run_clips i set lease_until = now() + make_interval(secs => p_lease_seconds)
    from due, lateral (
      select f.clip_id from public.campaign_run_clips f
      where f.run_id = due.id and f.state = 'due' and f.due_at <= now() order by f.position limit p_clips
    ) first where i.run_id = due.id and i.clip_id = first.clip_id and i.state = 'due'
      -- Asked of the row as it is now: a worker that has just ended may have taken it since this statement began to look.
      and (i.lease_until is null or i.lease_until <= now()) returning i.*
  )
  select coalesce(jsonb_agg(to_jsonb(t) || jsonb_build_object(
    'user_id', r.started_by, 'campaign_id', r.campaign_id, 'steps', k.steps, 'source', (
      select to_jsonb(v) from public.clip_versions v
      where v.clip_id = t.clip_id and v.is_current and v.step = any (private.clip_step_sources(t.step))
      order by array_position(private.clip_step_sources(t.step), v.step) limit 1)
  ) order by r.created_at, r.id, t.position), '[]') into claimed
  from taken t join public.campaign_runs r on r.id = t.run_id join public.campaign_clips k on k.id = t.clip_id;
  return claimed;
end $$;
comment on function public.claim_run_clips is
  'A worker takes what is due in up to p_runs runs, up to p_clips of each, in the order of the clips, each with its steps and the current version that it is made from. Also brings the states of runs up to date.';
grant execute on function public.claim_run_clips(int, int, int) to service_role;

create function public.postpone_run_clip(p_run uuid, p_job uuid, p_code text, p_reason text, p_check_seconds int default null, p_all boolean default false)
returns void language plpgsql security definer set search_path = '' as $$
begin
  update public.campaign_run_clips
  set state = case when p_check_seconds is null then 'waiting' else 'due' end, reason_code = p_code, reason = p_reason, lease_until = null,
      tries = tries + 1, due_at = now() + make_interval(secs => coalesce(p_check_seconds, 0))
  where run_id = p_run and state = 'due' and (next_job_id = p_job or p_all);
end $$;
comment on function public.postpone_run_clip is
  'The job that a run wanted next (by its id) could not be made: tried again after p_check_seconds, or (null) the clip waits for a person, with the reason. p_all: the same holds for every clip that is due.';
grant execute on function public.postpone_run_clip(uuid, uuid, text, text, int, boolean) to service_role;
