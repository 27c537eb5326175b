-- The audit, with campaigns.

create function private.audit_campaigns() returns table (rule text, subject text, problem text)
language sql stable security definer set search_path = '' as $$
  select 'result_is_a_version', j.id::text, 'a finished job of a clip is no version of it'
  from public.generation_jobs j
  where j.clip_id is not null and (j.status = 'completed' or j.is_late) and not exists (select 1 from public.clip_versions v where v.job_id = j.id)
  union all
  select 'version_agrees_with_job', v.id::text, format('step %s, its job is %s for step %s', v.step, j.status, coalesce(j.clip_step, 'none'))
  from public.clip_versions v join public.generation_jobs j on j.id = v.job_id
  where (v.campaign_id, v.clip_id, v.step, v.made_from, v.made_from_output)
        is distinct from (j.campaign_id, j.clip_id, j.clip_step, j.clip_made_from, j.clip_made_from_output)
     or not (j.status = 'completed' or j.is_late)
  union all
  select 'versions_are_numbered', format('%s %s', v.clip_id, v.step), format('%s versions, the last is number %s, %s current', count(*), max(v.number), count(*) filter (where v.is_current))
  from public.clip_versions v group by v.clip_id, v.step having max(v.number) <> count(*) or count(*) filter (where v.is_current) <> 1
  union all
  select 'version_is_made_from_an_earlier_step', v.id::text, format('%s of clip %s made from %s of clip %s', v.step, v.clip_id, o.step, o.clip_id)
  from public.clip_versions v join public.clip_versions o on o.id = v.made_from
  where o.clip_id <> v.clip_id or not o.step = any (private.clip_step_sources(v.step))
  union all
  select 'clips_stand_in_order', k.campaign_id::text, format('%s clips, the last at place %s', count(*), max(k.position))
  from public.campaign_clips k where k.deleted_at is null group by k.campaign_id having max(k.position) <> count(*)
  union all
  select 'run_keeps_to_its_amount', r.id::text, format('%s credits used of %s', private.run_committed(r.id), r.confirmed_credits)
  from public.campaign_runs r where private.run_committed(r.id) > r.confirmed_credits
  union all
  select 'run_waits_for_an_open_job', i.run_id::text, format('clip %s is running, its job is %s', i.clip_id, j.status)
  from public.campaign_run_clips i join public.generation_jobs j on j.id = i.job_id
  where i.state = 'running' and j.status not in ('pending', 'submitted', 'in_progress')
$$;
comment on function private.audit_campaigns is 'Violations of what clips, versions, runs and jobs must agree on; the same columns as audit_books.';

create function private.audit_rollup() returns table (rule text, subject text, problem text)
language sql stable security definer set search_path = '' as $$
  select 'rollup_is_sum_of_history', format('%s %s %s', r.day, r.user_id, r.generation_type) || coalesce(' ' || r.campaign_id, ''),
         format('rollup $%s for %s jobs, history $%s for %s', r.had ->> 'spent_usd', r.had ->> 'jobs', r.should ->> 'spent_usd', r.should ->> 'jobs')
  from private.rollup_differences() r
$$;
comment on function private.audit_rollup is 'Days on which spend_daily, campaigns told apart, is not the sum of the history.';
