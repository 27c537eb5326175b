-- The life of a job begins: all checks, the row and the hold in one transaction. Submit, settle and cancel follow in files of
-- their own, each of them one transaction as well.
-- Locks are always taken in the same order: job, then account, then the rollup; batches in the order of their ids.

create function private.job_json(p_job public.generation_jobs) returns jsonb
language sql stable set search_path = '' as $$
  -- Money as text, so that no reader meets a float.
  select to_jsonb(p_job) || jsonb_build_object(
    'estimated_usd', p_job.estimated_usd::text, 'actual_usd', p_job.actual_usd::text, 'spent_usd', p_job.spent_usd::text,
    'unit_price_usd', p_job.unit_price_usd::text, 'estimated_units', p_job.estimated_units::text)
$$;
comment on function private.job_json is 'A job as the functions return it.';

create function private.known_job(p_job uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  job public.generation_jobs;
begin
  select * into job from public.generation_jobs where id = p_job;
  if not found then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such job.');
  end if;
  return private.job_json(job);
end $$;
comment on function private.known_job is 'A job as it is now; 404 when there is none.';

create function private.fal_answers() returns void
language sql security definer set search_path = '' as $$
  -- Usually there is nothing to change.
  update private.provider_state set unwell_since = null, last_ok_at = now() where provider = 'fal' and unwell_since is not null
$$;
comment on function private.fal_answers is 'A question to fal.ai was answered: an outage is over. A lock is not: questions are answered all the same.';

-- ---------------------------------------------------------------------------------------------------------------
-- Create: all checks, the row and the hold together
-- ---------------------------------------------------------------------------------------------------------------
create function private.check_limits(p_user uuid, p_cap numeric, p_usd numeric) returns void
language plpgsql security definer set search_path = '' as $$
declare
  settings private.team_settings;
  snapshot public.budget_snapshots;
  room numeric;
begin
  select * into settings from private.team_settings;
  if (select count(*) from public.generation_jobs
      where user_id = p_user and status in ('pending', 'submitted', 'in_progress')) >= settings.max_open_jobs then
    perform private.refuse(429, 'TOO_MANY_OPEN_JOBS',
      format('You have %s jobs running, the most that one person may. Nothing was charged. Wait for one to finish, or cancel one.', settings.max_open_jobs),
      jsonb_build_object('limit', settings.max_open_jobs));
  end if;
  if p_cap is not null then
    room := p_cap - private.spent_this_month(p_user) - private.open_estimates(p_user);
    if p_usd > room then
      perform private.refuse(402, 'MONTHLY_CAP',
        format('This would pass your monthly cap of %s. %s is left this month. Nothing was charged. Ask an admin to raise it.', private.usd(p_cap), private.usd(greatest(room, 0))),
        jsonb_build_object('cap', p_cap::text, 'left', room::text));
    end if;
  end if;
  if settings.block_at_zero then
    -- One at a time: two creates must not both see the last dollar.
    perform pg_advisory_xact_lock(hashtext('atelier.team_budget'));
    select * into snapshot from public.budget_snapshots where scope = 'team' and user_id is null order by id desc limit 1;
    if snapshot.amount_usd is not null then
      room := snapshot.amount_usd - private.spent_since(snapshot.created_at) - private.open_estimates();
      if p_usd > room then
        perform private.refuse(402, 'TEAM_BUDGET',
          format('The team''s budget does not cover this: %s is left, open jobs included. Nothing was charged. Ask an admin.', private.usd(greatest(room, 0))),
          jsonb_build_object('left', room::text));
      end if;
    end if;
  end if;
end $$;
comment on function private.check_limits is
  'Refuses when too many jobs are open, the month''s cap or the team''s budget would be passed, estimates of open jobs included. The caller holds the person''s account lock.';

create function public.create_job(
  p_job uuid, p_user uuid, p_generation_type text, p_input_params jsonb, p_prompt text,
  p_quantity int, p_expected_credits int, p_units numeric, p_unit_price_usd numeric,
  p_longest_seconds int, p_retried_from uuid default null, p_automatic boolean default false,
  p_submit_within int default 20, p_start_seconds int default null
) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  person public.profiles;
  kind public.generation_types;
  fal private.provider_state;
  job public.generation_jobs;
  first public.generation_jobs;
  cost int;
  usd numeric;
begin
  if p_retried_from is not null then
    perform 1 from public.generation_jobs where id = p_retried_from for no key update; -- it learns of its second try
  end if;
  -- The lock makes this person's creates wait for each other, so that none reads a balance another is spending.
  perform 1 from public.credit_accounts where user_id = p_user for no key update;
  select * into job from public.generation_jobs where id = p_job;
  if found then
    if job.user_id is distinct from p_user then
      perform private.refuse(404, 'NOT_FOUND', 'There is no such job.');
    end if;
    return private.job_json(job);
  end if;
  select * into person from public.profiles where user_id = p_user;
  if not found or not person.is_approved then
    perform private.refuse(403, 'NOT_APPROVED', 'Your account waits for approval by an admin. Nothing was charged.');
  end if;
  if not person.is_active then
    perform private.refuse(403, 'NOT_ACTIVE', 'Your account is switched off. Nothing was charged. Ask an admin.');
  end if;
  select * into kind from public.generation_types where generation_type = p_generation_type;
  if not found or not kind.enabled then
    perform private.refuse(409, 'TYPE_DISABLED', 'This type is switched off at the moment. Nothing was charged. Choose another one.');
  end if;
  select * into fal from private.provider_state where provider = 'fal';
  if fal.locked_at is not null then
    -- After the pause one job may try; the others wait for what it finds.
    update private.provider_state
    set probe_at = now() + interval '2 minutes'
    where provider = 'fal' and locked_at is not null and probe_at <= now();
    if not found then
      perform private.refuse(423, 'ACCOUNT_LOCKED',
        format('fal.ai has locked the team''s account: %s Nothing was charged. Ask an admin to settle it with fal.ai.', rtrim(fal.locked_reason, '. ') || '.'),
        jsonb_build_object('reason', fal.locked_reason));
    end if;
  end if;
  cost := case when person.is_unmetered then 0 else kind.credits * p_quantity end;
  if p_expected_credits is not null and not person.is_unmetered and cost <> p_expected_credits then
    perform private.refuse(409, 'PRICE_CHANGED',
      format('The price has changed: this now costs %s %s. Nothing was charged. Look at it and press again.', cost, case when cost = 1 then 'credit' else 'credits' end),
      jsonb_build_object('credits', cost));
  end if;
  if p_units is null or p_unit_price_usd is null then
    raise exception 'A job needs its units and their price.' using errcode = '23502';
  end if;
  if p_retried_from is not null and not exists (
    select 1 from public.generation_jobs where id = p_retried_from and user_id = p_user
  ) then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such job.');
  end if;
  usd := greatest(round(p_units * p_unit_price_usd, 6), 0.000001);
  perform private.check_limits(p_user, person.monthly_cap_usd, usd);
  insert into public.generation_jobs (
    id, user_id, generation_type, media_kind, fal_endpoint, input_params, prompt, quantity, credits_held,
    estimated_units, unit_price_usd, estimated_usd, retried_from, retry_count, is_automatic_retry,
    expected_seconds, longest_seconds, submit_attempted_at, give_up_at, next_check_at
  ) values (
    p_job, p_user, p_generation_type, kind.media_kind, kind.fal_endpoint, p_input_params, left(coalesce(p_prompt, ''), 5000),
    p_quantity, cost, p_units, p_unit_price_usd, usd, p_retried_from,
    coalesce((select o.retry_count + 1 from public.generation_jobs o where o.id = p_retried_from and o.user_id = p_user), 0),
    p_automatic, kind.estimated_seconds, p_longest_seconds, case when p_start_seconds is not null then now() end,
    now() + make_interval(secs => p_start_seconds + p_longest_seconds),
    now() + make_interval(secs => case when p_start_seconds is not null then 30 else p_submit_within end)
  ) returning * into job;
  if cost > 0 then
    perform private.post_entry(p_user, 'hold', cost, 'hold:' || p_job, p_job => p_job);
  end if;
  perform private.log_job(job, 'created', p_source => case when p_automatic then 'worker' else 'person' end);
  if p_retried_from is not null then
    update public.generation_jobs set retried_as = p_job where id = p_retried_from returning * into first;
    perform private.log_job(first, 'retried', p_job::text, case when p_automatic then 'worker' else 'person' end);
  end if;
  return private.job_json(job) || case when p_start_seconds is not null then '{"may_send": true}' else '{}' end::jsonb;
end $$;
comment on function public.create_job is
  'Creates a job and sets its credits aside in one transaction, or refuses and leaves nothing. p_job is made by the caller: asking twice gives the same job. Credits are the catalogue''s price times p_quantity; p_expected_credits is what the person saw. p_start_seconds, the start deadline that will be sent with it, takes the right to send it at once, as begin_submit does: the answer has may_send for whoever made the job, and for nobody else.';
grant execute on function public.create_job(uuid, uuid, text, jsonb, text, int, int, numeric, numeric, int, uuid, boolean, int, int) to service_role;
