-- The end of a job: one function, whoever brings the verdict, and the money with it.

create function private.add_outputs(p_job public.generation_jobs, p_outputs jsonb) returns void
language sql security definer set search_path = '' as $$
  insert into public.job_outputs (job_id, user_id, position, source_url, media_type, file_name, size_bytes, width, height, duration_seconds)
  select p_job.id, p_job.user_id, (o.ordinality - 1)::int, o.value ->> 'url', coalesce(o.value ->> 'media_type', 'application/octet-stream'),
         o.value ->> 'file_name', nullif((o.value ->> 'size_bytes')::bigint, 0), nullif((o.value ->> 'width')::int, 0),
         nullif((o.value ->> 'height')::int, 0), (o.value ->> 'duration_seconds')::numeric
  from jsonb_array_elements(coalesce(nullif(p_outputs, 'null'), '[]')) with ordinality o
  on conflict (job_id, position) do nothing
$$;
comment on function private.add_outputs is 'Adds the produced files of a job, each due to be mirrored. Repeats change nothing.';

create function private.retry_by_itself(p_job public.generation_jobs) returns void
language plpgsql security definer set search_path = '' as $$
begin
  if p_job.is_automatic_retry or p_job.cancel_requested_at is not null or not (select auto_retry from private.team_settings) then
    return;
  end if;
  -- Due at once: the worker sends it. A rule that refuses it (too few credits by now, a cap) leaves the failure as it is.
  perform public.create_job(
    private.new_id(), p_job.user_id, p_job.generation_type, p_job.input_params, p_job.prompt, p_job.quantity, null,
    p_job.estimated_units, p_job.unit_price_usd, p_job.longest_seconds, p_job.id, true, 0);
exception when others then
  perform private.log_job(p_job, 'not_retried', sqlerrm, 'worker');
end $$;
comment on function private.retry_by_itself is
  'One more try, as a job of its own with its own hold, after a failure of fal.ai''s machines that it does not bill. Once: a retry is not retried.';

create function private.settle_late(
  p_job public.generation_jobs, p_verdict jsonb, p_source text, p_billable boolean, p_usd numeric, p_units numeric
) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  job public.generation_jobs := p_job;
  delivered boolean := p_verdict ->> 'outcome' = 'completed' and job.status <> 'completed' and not job.is_late;
  -- The best known cost stays: a confirmed or metered one is not replaced by an estimate.
  better boolean := p_billable and job.cost_source = 'estimated' and (p_units is not null or job.spent_usd = 0);
  change numeric := case when better then p_usd - job.spent_usd else 0 end;
begin
  if not delivered and (not better or change = 0 or job.status = 'completed') then
    return jsonb_build_object('applied', false, 'result', 'already_settled', 'status', job.status);
  end if;
  -- fal.ai ended it after we had: what it made is the person's, the credits stay returned, what it bills is counted.
  update public.generation_jobs
  set is_late = is_late or delivered,
      result_data = case when delivered then p_verdict -> 'result_data' else result_data end,
      spent_usd = spent_usd + change, billed_at = coalesce(billed_at, now()),
      cost_due_at = case when cost_source = 'estimated' then now() end,
      cost_source = case when better and p_units is not null then 'metered' else cost_source end,
      actual_usd = case when better then case when p_units is not null then p_usd end else actual_usd end,
      billed_units = case when better then p_units else billed_units end
  where id = job.id returning * into job;
  if delivered then
    perform private.add_outputs(job, p_verdict -> 'outputs');
  end if;
  perform private.log_job(job, case when delivered then 'delivered_late' else 'billed_late' end, null, p_source,
    p_estimated_usd => case when better and p_job.spent_usd = 0 then job.estimated_usd else 0 end,
    p_spent_usd => change, p_billed_at => job.billed_at);
  return jsonb_build_object('applied', delivered, 'result', case when delivered then 'delivered_late' else 'billed_late' end,
    'status', job.status);
end $$;
comment on function private.settle_late is
  'A verdict for a job that has ended: a success is delivered once, marked late and not charged; what fal.ai may bill is counted, unless a better known cost stands.';

create function private.settle(p_job uuid, p_verdict jsonb, p_source text) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  job public.generation_jobs;
  outcome text := p_verdict ->> 'outcome';
  billable boolean := coalesce((p_verdict ->> 'billable')::boolean, false);
  units numeric := (p_verdict ->> 'billable_units')::numeric;
  usd numeric;
  source_of_cost text := 'estimated';
  charged int := 0;
  run_seconds numeric;
begin
  if outcome is null or outcome not in ('completed', 'failed', 'cancelled') then
    raise exception 'A verdict is completed, failed or cancelled, not %.', coalesce(outcome, 'nothing');
  end if;
  if outcome = 'completed' and jsonb_array_length(coalesce(nullif(p_verdict -> 'outputs', 'null'), '[]')) = 0
     and coalesce(p_verdict -> 'result_data', 'null') = 'null' then
    raise exception 'A completed verdict has something in it: a file or a result.';
  end if;
  select * into job from public.generation_jobs where id = p_job for no key update;
  if not found then
    return jsonb_build_object('applied', false, 'result', 'unknown_job');
  end if;
  perform 1 from public.credit_accounts where user_id = job.user_id for no key update;

  usd := case when not billable then 0 else job.estimated_usd end;
  if billable and units is not null then
    usd := round(units * job.unit_price_usd, 6);
    source_of_cost := 'metered';
  end if;

  if job.status in ('completed', 'failed', 'cancelled') then
    return private.settle_late(job, p_verdict, p_source, billable, usd, units);
  end if;

  charged := case when outcome = 'completed' then job.credits_held else 0 end;
  if job.credits_held > 0 then
    perform private.post_entry(job.user_id, case when outcome = 'completed' then 'capture' else 'release' end,
      job.credits_held, 'end:' || p_job, p_job => p_job);
  end if;
  -- Never negative: this transaction may be older than the one that recorded the submit.
  run_seconds := greatest(0, extract(epoch from now() - coalesce(job.submitted_at, job.created_at)));
  update public.generation_jobs
  set status = outcome, credits_charged = charged, completed_at = now(), verdict_source = p_source,
      result_data = case when outcome = 'completed' then p_verdict -> 'result_data' end,
      error_type = case when outcome <> 'completed' then coalesce(p_verdict ->> 'error_type', 'unknown') end,
      error_message = case when outcome <> 'completed' then coalesce(p_verdict ->> 'error_message', 'fal.ai gave no reason.') end,
      spent_usd = usd, billed_at = now(), cost_source = source_of_cost,
      actual_usd = case when source_of_cost = 'metered' or not billable then usd end, billed_units = units,
      cost_due_at = case when billable then now() end,
      webhook_received_at = case when p_source = 'webhook' then now() else webhook_received_at end,
      started_at = case when outcome = 'completed' then coalesce(started_at, submitted_at) else started_at end,
      progress = case when outcome = 'completed' then 1 else progress end, queue_position = null,
      lease_owner = null, lease_until = null
  where id = p_job returning * into job;
  perform private.add_outputs(job, case when outcome = 'completed' then p_verdict -> 'outputs' end);
  perform private.log_job(job, outcome, job.error_message, p_source,
    p_credits => charged, p_estimated_usd => case when billable then job.estimated_usd else 0 end, p_spent_usd => usd,
    p_seconds => run_seconds, p_ended => 1, p_failed => case when outcome = 'failed' then 1 else 0 end, p_billed_at => job.billed_at);
  if p_source = 'poll' then
    perform private.fal_answers();
  end if;
  if outcome = 'failed' and not billable and coalesce((p_verdict ->> 'retryable')::boolean, false) then
    perform private.retry_by_itself(job);
  end if;
  return jsonb_build_object('applied', true, 'result', 'settled', 'status', job.status, 'credits_charged', job.credits_charged);
end $$;
comment on function private.settle is
  'Ends a job once: captures or returns its credits, keeps its outputs, writes history and rollup. Returns what it really did. Verdict: {outcome, outputs[], result_data, error_type, error_message, billable, billable_units, retryable}. A success after another end is delivered, marked late and not charged.';

create function public.settle_job(p_job uuid, p_verdict jsonb, p_source text) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  outcome jsonb := private.settle(p_job, p_verdict, p_source);
  job public.generation_jobs;
begin
  select * into job from public.generation_jobs where id = p_job;
  return outcome || jsonb_build_object('job', case when job.id is not null then private.job_json(job) end);
end $$;
comment on function public.settle_job is 'Brings a verdict that did not come by webhook. Returns {applied, result, status, job}.';
grant execute on function public.settle_job(uuid, jsonb, text) to service_role;

create function public.record_cost(p_job uuid, p_usd numeric, p_units numeric, p_source text) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  job public.generation_jobs;
  change numeric;
begin
  if p_source not in ('metered', 'confirmed') or p_usd is null or p_usd < 0 or p_usd = 'NaN' or p_units = 'NaN' then
    raise exception 'A cost is metered or confirmed, a number, and not negative.';
  end if;
  select * into job from public.generation_jobs where id = p_job for no key update;
  if not found or job.status not in ('completed', 'failed', 'cancelled') then
    perform private.refuse(409, 'NOT_ENDED', 'The cost of a job is known once it has ended.');
  end if;
  perform 1 from public.credit_accounts where user_id = job.user_id for no key update;
  if job.cost_source = 'confirmed' or (job.cost_source = p_source and job.actual_usd = round(p_usd, 6)) then
    update public.generation_jobs set cost_due_at = null where id = p_job returning * into job;
    return private.job_json(job);
  end if;
  change := round(p_usd, 6) - job.spent_usd;
  update public.generation_jobs
  set spent_usd = round(p_usd, 6), actual_usd = round(p_usd, 6), billed_units = coalesce(p_units, billed_units),
      cost_source = p_source, cost_due_at = null, cost_tries = 0
  where id = p_job returning * into job;
  perform private.log_job(job, 'cost_' || p_source, null, 'worker', p_spent_usd => change, p_billed_at => job.billed_at);
  return private.job_json(job);
end $$;
comment on function public.record_cost is 'Replaces the counted cost of an ended job by a better known one, USD; a confirmed cost is final. History and rollup get the difference.';
grant execute on function public.record_cost(uuid, numeric, numeric, text) to service_role;

create function public.postpone_cost(p_job uuid, p_check_seconds int) returns void
language sql security definer set search_path = '' as $$
  update public.generation_jobs
  set cost_tries = cost_tries + 1,
      cost_due_at = case when p_check_seconds is not null then now() + make_interval(secs => p_check_seconds) end
  where id = p_job
$$;
comment on function public.postpone_cost is 'The cost could not be read now: try again later, or (null) never.';
grant execute on function public.postpone_cost(uuid, int) to service_role;

-- ---------------------------------------------------------------------------------------------------------------
-- Cancel
-- ---------------------------------------------------------------------------------------------------------------
create function public.request_cancel(p_user uuid, p_job uuid, p_reason text default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  job public.generation_jobs;
  was public.generation_jobs;
begin
  select * into job from public.generation_jobs where id = p_job for no key update;
  if not found or (job.user_id is distinct from p_user and not exists (
    select 1 from public.profiles where user_id = p_user and role = 'admin' and is_approved and is_active)) then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such job.');
  end if;
  if job.status in ('completed', 'failed', 'cancelled') then
    return private.job_json(job);
  end if;
  was := job;
  if job.status = 'pending' and job.submit_attempted_at is null then
    perform private.settle(p_job, jsonb_build_object('outcome', 'cancelled', 'error_type', 'cancelled',
      'error_message', 'Cancelled before it was sent. Nothing was charged.'), 'person');
  elsif job.cancel_requested_at is null then
    update public.generation_jobs set cancel_requested_at = now(), next_check_at = now() where id = p_job returning * into job;
    perform private.log_job(job, 'cancel_requested', null, 'person');
  end if;
  select * into job from public.generation_jobs where id = p_job;
  if job.user_id is distinct from p_user and was.cancel_requested_at is null then
    perform private.note_action(p_user, 'cancel_job', p_job::text, jsonb_build_object('status', was.status, 'cancel_requested', false),
      jsonb_build_object('status', job.status, 'cancel_requested', true), private.kept_reason(p_reason));
  end if;
  return private.job_json(job);
end $$;
comment on function public.request_cancel is
  'A person wants a job stopped: at once when it was never sent, else it is marked and fal.ai is asked; only fal.ai''s word ends it. An admin who stops somebody else''s has a line in the trail.';
grant execute on function public.request_cancel(uuid, uuid, text) to service_role;
