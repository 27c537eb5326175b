-- What each request really cost: fal.ai's billing events replace estimates.

alter table public.generation_jobs add column confirm_due_at timestamptz, add column confirm_tries int not null default 0;
comment on column public.generation_jobs.confirm_due_at is 'When fal.ai''s billing event for this job is to be looked for; empty once it was found or is not expected any more.';
create index generation_jobs_confirm_due on public.generation_jobs (confirm_due_at) where confirm_due_at is not null;
update public.generation_jobs set confirm_due_at = now()
where completed_at > now() - interval '90 days' and fal_request_id is not null and cost_source <> 'confirmed';

create function private.expect_billing_event() returns trigger language plpgsql set search_path = '' as $$
begin
  new.confirm_due_at := now() + interval '1 minute';
  new.confirm_tries := 0;
  return new;
end $$;
comment on function private.expect_billing_event is
  'Trigger: a job that fal.ai had has ended, or turned out later to have been made: its billing event is due in a while. Failed ones too, for some are billed.';
create trigger expect_billing_event before update on public.generation_jobs
  for each row when (
    new.completed_at is not null and new.fal_request_id is not null
    and (old.completed_at is null or old.fal_request_id is null or new.is_late and not old.is_late)
  ) execute function private.expect_billing_event();

create function public.claim_confirmations(p_limit int default 50, p_lease_seconds int default 300) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  claimed jsonb;
begin
  -- The due time itself is the lease: it moves on while somebody asks. fal.ai tells events of the last 90 days.
  with due as (
    select id from public.generation_jobs
    where confirm_due_at is not null and confirm_due_at <= now() and completed_at > now() - interval '89 days'
    order by confirm_due_at limit p_limit for update skip locked
  ), taken as (
    update public.generation_jobs j set confirm_due_at = now() + make_interval(secs => p_lease_seconds)
    from due where j.id = due.id returning j.id, j.fal_request_id
  )
  select coalesce(jsonb_agg(jsonb_build_object('job', id, 'request_id', fal_request_id)), '[]') into claimed from taken;
  return claimed;
end $$;
comment on function public.claim_confirmations is 'Takes ended jobs whose billing event is to be looked for: [{job, request_id}].';
grant execute on function public.claim_confirmations(int, int) to service_role;

create function private.move_spend(p_job uuid, p_charged_at timestamptz) returns void
language plpgsql security definer set search_path = '' as $$
declare
  job public.generation_jobs;
  expected numeric;
begin
  select * into job from public.generation_jobs where id = p_job;
  -- A moment that cannot be (clocks differ) moves nothing, nor does one that changes no sum.
  if job.spent_usd = 0 or p_charged_at is null or p_charged_at < job.created_at or p_charged_at > now() then
    return;
  end if;
  if private.team_day(p_charged_at) = private.team_day(job.billed_at) and not exists (
    select 1 from public.budget_snapshots s
    where (s.scope = 'team' or s.user_id = job.user_id)
      and s.created_at > least(p_charged_at, job.billed_at) and s.created_at <= greatest(p_charged_at, job.billed_at)
  ) then
    return;
  end if;
  select sum(l.estimated_usd) into expected from public.generation_logs l where l.job_id = p_job;
  perform private.log_job(job, 'cost_moved', null, 'worker',
    p_estimated_usd => -expected, p_spent_usd => -job.spent_usd, p_billed_at => job.billed_at);
  update public.generation_jobs set billed_at = p_charged_at where id = p_job returning * into job;
  perform private.log_job(job, 'cost_moved', null, 'worker',
    p_estimated_usd => expected, p_spent_usd => job.spent_usd, p_billed_at => job.billed_at);
end $$;
comment on function private.move_spend is
  'Spend is counted when a job ends for us; fal.ai may have charged it before midnight, or before a balance was read. Moves estimate and cost to that moment when a sum depends on it; the job itself stays counted on the day it ended. The caller holds job and account.';

create function public.record_billing(p_answers jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  answer record;
  confirmed int := 0;
  waiting int := 0;
begin
  -- All locks first and in order, as every batch does.
  perform 1 from public.generation_jobs j
  where j.id in (select (a ->> 'job')::uuid from jsonb_array_elements(p_answers) a) order by j.id for no key update;
  perform 1 from public.credit_accounts c
  where c.user_id in (select j.user_id from public.generation_jobs j
                      where j.id in (select (a ->> 'job')::uuid from jsonb_array_elements(p_answers) a))
  order by c.user_id for no key update;
  for answer in
    select a.* from jsonb_to_recordset(p_answers) as a(job uuid, usd numeric, units numeric, charged_at timestamptz) order by a.job
  loop
    if answer.usd is not null then
      perform public.record_cost(answer.job, answer.usd, answer.units, 'confirmed');
      perform private.move_spend(answer.job, answer.charged_at);
      update public.generation_jobs set confirm_due_at = null, confirm_tries = 0 where id = answer.job;
      confirmed := confirmed + 1;
    else
      -- A minute, two, four … six hours: for about four days. Then the cost known so far stands, as for failures never billed.
      update public.generation_jobs
      set confirm_tries = confirm_tries + 1,
          confirm_due_at = case when confirm_tries < 22 then now() + make_interval(secs => least(60 * (1 << least(confirm_tries, 9)), 21600)) end
      where id = answer.job;
      waiting := waiting + 1;
    end if;
  end loop;
  return jsonb_build_object('confirmed', confirmed, 'waiting', waiting);
end $$;
comment on function public.record_billing is
  'What fal.ai''s billing events say about jobs: [{job, usd, units, charged_at}]; a cost is final, an empty one is asked for again later.';
grant execute on function public.record_billing(jsonb) to service_role;
