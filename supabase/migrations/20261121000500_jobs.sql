-- Jobs: the current state of each, what it produced, and what happened to it.

create table public.generation_jobs (
  id uuid primary key,
  user_id uuid not null references public.profiles (user_id),
  generation_type text not null references public.generation_types (generation_type),
  media_kind text not null,
  fal_endpoint text not null,
  input_params jsonb not null check (jsonb_typeof(input_params) = 'object'),
  prompt text not null default '',
  status text not null default 'pending'
    check (status in ('pending', 'submitted', 'in_progress', 'completed', 'failed', 'cancelled')),

  -- what it costs in credits
  quantity int not null check (quantity > 0),
  credits_held int not null check (credits_held >= 0),
  credits_charged int not null default 0 check (credits_charged in (0, credits_held)),

  -- what it costs at fal.ai, USD
  estimated_units numeric(14, 6) not null check (estimated_units > 0 and estimated_units < 'NaN'),
  unit_price_usd numeric(12, 6) not null check (unit_price_usd > 0 and unit_price_usd < 'NaN'),
  estimated_usd numeric(12, 6) not null check (estimated_usd > 0 and estimated_usd < 'NaN'),
  billed_units numeric(14, 6) check (billed_units >= 0 and billed_units < 'NaN'),
  actual_usd numeric(12, 6) check (actual_usd >= 0 and actual_usd < 'NaN'),
  cost_source text not null default 'estimated' check (cost_source in ('estimated', 'metered', 'confirmed')),
  spent_usd numeric(12, 6) not null default 0 check (spent_usd >= 0 and spent_usd < 'NaN'),
  billed_at timestamptz,
  cost_due_at timestamptz,
  cost_tries int not null default 0,

  -- at fal.ai
  fal_request_id text unique,
  status_url text,
  response_url text,
  cancel_url text,
  queue_position int check (queue_position >= 0),
  progress numeric(5, 4) check (progress between 0 and 1),
  progress_message text,

  -- how it ended
  error_type text,
  error_message text,
  result_data jsonb,
  is_late boolean not null default false,
  verdict_source text check (verdict_source in ('submit', 'webhook', 'poll', 'admin', 'worker', 'person')),

  -- where it comes from
  retried_from uuid references public.generation_jobs (id),
  retried_as uuid references public.generation_jobs (id),
  retry_count int not null default 0 check (retry_count >= 0),
  is_automatic_retry boolean not null default false,

  -- times
  created_at timestamptz not null default now(),
  submit_attempted_at timestamptz,
  submitted_at timestamptz,
  started_at timestamptz,
  webhook_received_at timestamptz,
  cancel_requested_at timestamptz,
  completed_at timestamptz,
  expected_seconds int not null check (expected_seconds > 0),
  longest_seconds int not null check (longest_seconds > 0),
  give_up_at timestamptz,
  media_deleted_at timestamptz,
  favourite_at timestamptz,

  -- the worker
  next_check_at timestamptz,
  check_count int not null default 0,
  checked_at timestamptz,
  unsent_count int not null default 0,
  lease_owner text,
  lease_until timestamptz,

  constraint ended_has_a_time check ((status in ('completed', 'failed', 'cancelled')) = (completed_at is not null)),
  constraint open_is_looked_at check (status in ('completed', 'failed', 'cancelled') or next_check_at is not null),
  constraint sent_has_a_request check (status not in ('submitted', 'in_progress') or fal_request_id is not null),
  constraint charged_only_when_completed check (
    credits_charged = case when status = 'completed' then credits_held else 0 end),
  constraint late_only_after_the_end check (not is_late or status in ('failed', 'cancelled')),
  constraint failed_says_why check (status <> 'failed' or (error_type is not null and error_message is not null))
);
comment on table public.generation_jobs is 'The current state of each job. Terminal states never change.';
comment on column public.generation_jobs.submit_attempted_at is 'Stamped before anything is sent: with no request id after it, the end of the submit is unclear, and it is never sent again.';
comment on column public.generation_jobs.give_up_at is 'Longer than fal.ai could take: an unclear submit is closed after this moment.';
comment on column public.generation_jobs.is_late is 'The output came after the job had ended: delivered, not charged.';
comment on column public.generation_jobs.estimated_usd is 'estimated_units x unit_price_usd, USD, at the price of the moment.';
comment on column public.generation_jobs.retried_as is 'The latest job that tries this one again: what has one is not offered to be tried again with all the others.';
comment on column public.generation_jobs.favourite_at is 'When its person marked it as a favourite; empty when it is none.';
comment on column public.generation_jobs.spent_usd is 'What is counted as spend in the books now, USD: the best known cost once fal.ai may bill, else 0.';
comment on column public.generation_jobs.cost_source is 'estimated before the run, metered by the billable units of the result, confirmed by fal.ai''s billing event.';
create index generation_jobs_user_newest on public.generation_jobs (user_id, created_at desc, id desc);
create index generation_jobs_newest on public.generation_jobs (created_at desc, id desc);
create index generation_jobs_open on public.generation_jobs (user_id, created_at desc) where status in ('pending', 'submitted', 'in_progress');
create index generation_jobs_due on public.generation_jobs (next_check_at) where status in ('pending', 'submitted', 'in_progress');
create index generation_jobs_without_request on public.generation_jobs (submit_attempted_at) where fal_request_id is null;
create index generation_jobs_cost_due on public.generation_jobs (cost_due_at) where cost_due_at is not null;
create index generation_jobs_late on public.generation_jobs (user_id, created_at desc, id desc) where is_late;
create index generation_jobs_favourites on public.generation_jobs (user_id, created_at desc, id desc) where favourite_at is not null;
create index generation_jobs_type on public.generation_jobs (generation_type, user_id, created_at desc, id desc);
create unique index generation_jobs_one_automatic_retry on public.generation_jobs (retried_from) where is_automatic_retry;
create index generation_jobs_retried_from on public.generation_jobs (retried_from) where retried_from is not null;
create index generation_jobs_retried_as on public.generation_jobs (retried_as) where retried_as is not null;
-- What a person may try again, all at once: few of many.
create index generation_jobs_failed on public.generation_jobs (user_id, created_at desc, id desc)
  where status = 'failed' and not is_late and retried_as is null;
alter table public.credit_entries add foreign key (job_id) references public.generation_jobs (id);

create function private.keep_terminal_state() returns trigger language plpgsql set search_path = '' as $$
begin
  if old.status in ('completed', 'failed', 'cancelled') and (
    new.status <> old.status or new.credits_charged <> old.credits_charged or new.completed_at <> old.completed_at
  ) then
    raise exception 'Job % has ended as %: its end does not change.', old.id, old.status using errcode = '23514';
  end if;
  if new.user_id <> old.user_id or new.credits_held <> old.credits_held or new.estimated_usd <> old.estimated_usd then
    raise exception 'Job %: person, credits and estimate are fixed.', old.id using errcode = '23514';
  end if;
  return new;
end $$;
comment on function private.keep_terminal_state is 'Trigger: an end is final, and what was agreed at the start stays.';
create trigger keep_terminal_state before update on public.generation_jobs
  for each row execute function private.keep_terminal_state();

alter table public.generation_jobs enable row level security;
create policy "People see their jobs, admins see all" on public.generation_jobs
  for select to authenticated using (user_id = (select auth.uid()) or (select private.is_admin()));
grant select on public.generation_jobs to authenticated, service_role;

create table public.job_outputs (
  id uuid primary key default private.new_id(),
  job_id uuid not null references public.generation_jobs (id),
  user_id uuid not null references public.profiles (user_id),
  position int not null check (position >= 0),
  source_url text,
  storage_path text unique,
  media_type text not null,
  file_name text,
  size_bytes bigint check (size_bytes >= 0),
  width int check (width > 0),
  height int check (height > 0),
  duration_seconds numeric(10, 3) check (duration_seconds >= 0),
  created_at timestamptz not null default now(),
  mirrored_at timestamptz,
  mirror_due_at timestamptz default now(),
  mirror_tries int not null default 0,
  mirror_error text,
  lease_owner text,
  lease_until timestamptz,
  deleted_at timestamptz,
  unique (job_id, position),
  check ((mirrored_at is not null) <= (storage_path is not null))
);
comment on table public.job_outputs is 'One row a produced file: where fal.ai has it, and our own copy in Storage.';
create index job_outputs_user on public.job_outputs (user_id);
create index job_outputs_mirror_due on public.job_outputs (mirror_due_at) where mirror_due_at is not null;
alter table public.job_outputs enable row level security;
create policy "People see their outputs, admins see all" on public.job_outputs
  for select to authenticated using (user_id = (select auth.uid()) or (select private.is_admin()));
grant select on public.job_outputs to authenticated, service_role;

create table public.generation_logs (
  id bigint generated always as identity primary key,
  job_id uuid not null references public.generation_jobs (id),
  user_id uuid not null references public.profiles (user_id),
  generation_type text not null references public.generation_types (generation_type),
  event text not null,
  message text,
  source text,
  credits int not null default 0,
  estimated_usd numeric(12, 6) not null default 0,
  spent_usd numeric(12, 6) not null default 0,
  cost_source text,
  seconds numeric(12, 3) check (seconds >= 0),
  ended int not null default 0 check (ended in (0, 1)),
  failed int not null default 0 check (failed in (0, 1)),
  billed_at timestamptz,
  created_at timestamptz not null default now()
);
comment on table public.generation_logs is 'Append-only: one row per thing that happened to a job. The rollup spend_daily is the sum of it.';
comment on column public.generation_logs.spent_usd is 'Change of the counted spend, USD; negative when a better known cost is lower.';
comment on column public.generation_logs.billed_at is 'The moment the spend belongs to: when the job ended. Rows with one are in the rollup.';
create index generation_logs_job on public.generation_logs (job_id, id);
create index generation_logs_user on public.generation_logs (user_id);
create index generation_logs_type on public.generation_logs (generation_type);
create index generation_logs_billed on public.generation_logs (billed_at) include (user_id, spent_usd) where billed_at is not null;
create index generation_logs_failed on public.generation_logs (billed_at) where failed = 1;
create trigger append_only before update or delete on public.generation_logs
  for each row execute function private.forbid_change();
create trigger append_only_truncate before truncate on public.generation_logs
  for each statement execute function private.forbid_change();
alter table public.generation_logs enable row level security;
create policy "People see the history of their jobs, admins see all" on public.generation_logs
  for select to authenticated using (user_id = (select auth.uid()) or (select private.is_admin()));
grant select on public.generation_logs to authenticated, service_role;

create table public.spend_daily (
  day date not null,
  user_id uuid not null references public.profiles (user_id),
  generation_type text not null references public.generation_types (generation_type),
  campaign_id uuid, -- of the campaign that the jobs were for; its table comes later
  jobs int not null default 0,
  failures int not null default 0,
  credits int not null default 0,
  estimated_usd numeric(14, 6) not null default 0,
  spent_usd numeric(14, 6) not null default 0,
  seconds numeric(14, 3) not null default 0,
  -- a key with an empty part cannot be a primary key: a number takes its place, the rule itself is the unique index
  id bigint generated always as identity primary key
);
comment on table public.spend_daily is 'Rollup of generation_logs per day of the team''s timezone, written in the same transaction as the log.';
create unique index spend_daily_key on public.spend_daily (day, user_id, generation_type, campaign_id) nulls not distinct;
create index spend_daily_user on public.spend_daily (user_id, day);
create index spend_daily_type on public.spend_daily (generation_type);
alter table public.spend_daily enable row level security;
create policy "People see their spend, admins see all" on public.spend_daily
  for select to authenticated using (user_id = (select auth.uid()) or (select private.is_admin()));
grant select on public.spend_daily to authenticated, service_role;

create function private.log_job(
  p_job public.generation_jobs, p_event text, p_message text default null, p_source text default null,
  p_credits int default 0, p_estimated_usd numeric default 0, p_spent_usd numeric default 0,
  p_seconds numeric default null, p_ended int default 0, p_failed int default 0, p_billed_at timestamptz default null
) returns void language plpgsql security definer set search_path = '' as $$
begin
  insert into public.generation_logs (
    job_id, user_id, generation_type, event, message, source, credits, estimated_usd, spent_usd, cost_source,
    seconds, ended, failed, billed_at
  ) values (
    p_job.id, p_job.user_id, p_job.generation_type, p_event, p_message, p_source, p_credits, p_estimated_usd,
    p_spent_usd, case when p_billed_at is not null then p_job.cost_source end, p_seconds, p_ended, p_failed, p_billed_at
  );
  if p_billed_at is not null then
    insert into public.spend_daily as daily
      (day, user_id, generation_type, campaign_id, jobs, failures, credits, estimated_usd, spent_usd, seconds)
    values (
      private.team_day(p_billed_at), p_job.user_id, p_job.generation_type, p_job.campaign_id,
      p_ended, p_failed, p_credits, p_estimated_usd, p_spent_usd, coalesce(p_seconds, 0))
    on conflict (day, user_id, generation_type, campaign_id) do update set
      jobs = daily.jobs + excluded.jobs,
      failures = daily.failures + excluded.failures,
      credits = daily.credits + excluded.credits,
      estimated_usd = daily.estimated_usd + excluded.estimated_usd,
      spent_usd = daily.spent_usd + excluded.spent_usd,
      seconds = daily.seconds + excluded.seconds;
  end if;
end $$;
comment on function private.log_job is
  'Writes one line of a job''s history and, when it has a billing moment, the rollup with it. Callers hold the person''s account lock, which keeps the rollup free of deadlocks.';
