-- Campaigns: ordered clips, for each clip a chain of steps, for each step every version that was ever made.
-- Locks, on top of "job, account, rollup": campaign, then clips in the order of their ids, then runs, then run clips.

-- ---------------------------------------------------------------------------------------------------------------
-- The steps of a clip
-- ---------------------------------------------------------------------------------------------------------------
create function private.clip_step_number(p_step text) returns int language sql immutable set search_path = '' as $$
  select array_position(array['first_frame', 'video', 'voice', 'ambient', 'transcript'], p_step)
$$;
comment on function private.clip_step_number is 'The place of a step in the chain of a clip, 1 to 5; null for anything else.';

create function private.clip_step_sources(p_step text) returns text[] language sql immutable set search_path = '' as $$
  select case p_step
    when 'video' then array['first_frame'] when 'voice' then array['video'] when 'ambient' then array['video']
    when 'transcript' then array['voice', 'video'] else '{}' end
$$;
comment on function private.clip_step_sources is
  'The steps that a step can be made from, the best first: the video from the first frame, the voice from the sound of the video, the ambience as long as the video, the transcript from the voice or else the video.';

create function private.clip_steps_are_sound(p_steps jsonb) returns boolean
language plpgsql immutable set search_path = '' as $$
begin
  if jsonb_typeof(p_steps) <> 'object' or octet_length(p_steps::text) > 60000 then
    return false;
  end if;
  return not exists (
    select 1 from jsonb_each(p_steps) s
    where case when jsonb_typeof(s.value) <> 'object' then true else
            private.clip_step_number(s.key) is null
            or jsonb_typeof(s.value -> 'generation_type') is distinct from 'string'
            or jsonb_typeof(s.value -> 'inputs') is distinct from 'object'
            or (select count(*) from jsonb_object_keys(s.value)) <> 2 end);
end $$;
comment on function private.clip_steps_are_sound is
  'Whether a value has the shape {step: {generation_type, inputs}}, with known steps only, and is small enough.';

-- ---------------------------------------------------------------------------------------------------------------
-- Campaigns
-- ---------------------------------------------------------------------------------------------------------------
create table public.campaigns (
  id uuid primary key,
  owner_id uuid not null references public.profiles (user_id),
  name text not null check (length(btrim(name)) between 1 and 120 and name !~ '[[:cntrl:]\u202a-\u202e\u2066-\u2069]'),
  brief text not null default '' check (length(brief) <= 20000),
  visibility text not null default 'private' check (visibility in ('private', 'team')),
  archived_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.campaigns is 'A campaign of clips. Its owner and admins change it; the team reads it when it is shared.';
comment on column public.campaigns.visibility is 'private: the owner and admins; team: every approved person may look, nobody else may change.';
comment on column public.campaigns.archived_at is 'Put away: readable, not changeable until it is brought back.';
create index campaigns_owner on public.campaigns (owner_id, created_at desc, id desc);
create index campaigns_newest on public.campaigns (created_at desc, id desc);
create trigger touch_updated_at before update on public.campaigns
  for each row execute function private.touch_updated_at();

create table public.campaign_clips (
  id uuid primary key,
  campaign_id uuid not null references public.campaigns (id),
  position int check (position > 0),
  title text not null default '' check (length(title) <= 120 and title !~ '[[:cntrl:]\u202a-\u202e\u2066-\u2069]'),
  script text not null default '' check (length(script) <= 10000),
  steps jsonb not null default '{}' check (private.clip_steps_are_sound(steps)),
  revision int not null default 1 check (revision > 0),
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (id, campaign_id),
  constraint campaign_clips_one_at_a_place unique (campaign_id, position) deferrable initially deferred,
  constraint deleted_has_no_place check ((deleted_at is null) = (position is not null))
);
comment on table public.campaign_clips is 'The clips of a campaign, in order. A deleted clip loses its place and keeps its versions.';
comment on column public.campaign_clips.position is '1 is the first; without gaps.';
comment on column public.campaign_clips.steps is 'What each wanted step is made with: {step: {generation_type, inputs}}. A step that is missing is not wanted.';
comment on column public.campaign_clips.revision is 'Counts the edits, so that one person does not overwrite what another has written meanwhile.';
create trigger touch_updated_at before update on public.campaign_clips
  for each row execute function private.touch_updated_at();

create table public.clip_versions (
  id uuid primary key default gen_random_uuid(),
  campaign_id uuid not null references public.campaigns (id),
  clip_id uuid not null,
  step text not null check (private.clip_step_number(step) is not null),
  number int not null check (number > 0),
  job_id uuid not null unique references public.generation_jobs (id),
  is_current boolean not null,
  output_position int not null default 0 check (output_position >= 0),
  made_from uuid references public.clip_versions (id),
  made_from_output int check (made_from_output >= 0),
  created_at timestamptz not null default now(),
  foreign key (clip_id, campaign_id) references public.campaign_clips (id, campaign_id),
  unique (clip_id, step, number),
  check ((made_from is null) = (made_from_output is null))
);
comment on table public.clip_versions is 'Every result ever made for a step of a clip. Nothing is overwritten; one version of a step is current.';
comment on column public.clip_versions.number is 'Counts within the step of the clip, from 1.';
comment on column public.clip_versions.output_position is 'Which of the job''s outputs stands for the version, when it made several pictures.';
comment on column public.clip_versions.made_from is 'The version that this one was made from; out of date once that is no longer the current one of its step.';
comment on column public.clip_versions.made_from_output is 'Which output of that version was used.';
create unique index clip_versions_one_current on public.clip_versions (clip_id, step) where is_current;
create index clip_versions_clip on public.clip_versions (clip_id, campaign_id);
create index clip_versions_campaign on public.clip_versions (campaign_id) include (job_id);
create index clip_versions_made_from on public.clip_versions (made_from) where made_from is not null;

-- ---------------------------------------------------------------------------------------------------------------
-- Runs: a step for all clips, or a chain of steps that goes on by itself
-- ---------------------------------------------------------------------------------------------------------------
create table public.campaign_runs (
  id uuid primary key,
  campaign_id uuid not null references public.campaigns (id),
  started_by uuid not null references public.profiles (user_id),
  first_step text not null check (private.clip_step_number(first_step) is not null),
  last_step text not null check (private.clip_step_number(last_step) is not null),
  confirmed_credits int not null check (confirmed_credits >= 0),
  state text not null default 'running' check (state in ('running', 'waiting', 'finished', 'stopped')),
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  check (private.clip_step_number(first_step) <= private.clip_step_number(last_step)),
  check ((state in ('finished', 'stopped')) = (ended_at is not null))
);
comment on table public.campaign_runs is
  'Generating for many clips at once: each clip goes from first_step to last_step by itself, within the confirmed credits. Workers carry it on, whether or not anybody watches.';
comment on column public.campaign_runs.confirmed_credits is 'What the person has agreed to, in credits at catalogue prices (also for people whose jobs cost none).';
comment on column public.campaign_runs.state is 'running: something is due or being made; waiting: what is left needs a person; finished; stopped by a person.';
create index campaign_runs_campaign on public.campaign_runs (campaign_id, created_at desc, id desc);
create index campaign_runs_started_by on public.campaign_runs (started_by);
create unique index campaign_runs_one_active on public.campaign_runs (campaign_id) where state in ('running', 'waiting');

create table public.campaign_run_clips (
  run_id uuid not null references public.campaign_runs (id),
  clip_id uuid not null references public.campaign_clips (id),
  position int not null,
  step text not null check (private.clip_step_number(step) is not null),
  state text not null default 'due' check (state in ('due', 'running', 'waiting', 'failed', 'done', 'stopped')),
  reason_code text,
  reason text,
  job_id uuid references public.generation_jobs (id),
  next_job_id uuid not null default private.new_id(),
  due_at timestamptz not null default now(),
  lease_until timestamptz,
  tries int not null default 0,
  updated_at timestamptz not null default now(),
  primary key (run_id, clip_id),
  check (state <> 'running' or job_id is not null),
  check (state not in ('waiting', 'failed') or (reason_code is not null and reason is not null))
);
comment on table public.campaign_run_clips is 'Where each clip of a run is: the step it is at, what it waits for and why.';
comment on column public.campaign_run_clips.state is
  'due: a worker makes the job; running: its job is open; waiting: a rule said no, a person is needed; failed: the job ended without a result; done; stopped.';
comment on column public.campaign_run_clips.reason is 'The sentence for the person: why the clip waits or what went wrong.';
comment on column public.campaign_run_clips.next_job_id is 'The id that the next job will have: made beforehand, so that two workers make one job.';
create index campaign_run_clips_clip on public.campaign_run_clips (clip_id);
create index campaign_run_clips_job on public.campaign_run_clips (job_id) where job_id is not null;
create index campaign_run_clips_due on public.campaign_run_clips (due_at) where state = 'due';
create trigger touch_updated_at before update on public.campaign_run_clips
  for each row execute function private.touch_updated_at();

-- ---------------------------------------------------------------------------------------------------------------
-- Jobs know what they are for
-- ---------------------------------------------------------------------------------------------------------------
alter table public.generation_jobs
  add column campaign_id uuid references public.campaigns (id),
  add column clip_id uuid,
  add column clip_step text check (clip_step is null or private.clip_step_number(clip_step) is not null),
  add column clip_made_from uuid references public.clip_versions (id),
  add column clip_made_from_output int check (clip_made_from_output >= 0),
  add column campaign_run_id uuid references public.campaign_runs (id),
  add column campaign_run_credits int check (campaign_run_credits >= 0),
  add foreign key (clip_id, campaign_id) references public.campaign_clips (id, campaign_id),
  add constraint clip_job_knows_its_step check ((clip_id is null) = (clip_step is null) and (clip_id is null) = (campaign_id is null)),
  add constraint clip_source_is_whole check ((clip_made_from is null) = (clip_made_from_output is null) and (clip_made_from is null or clip_id is not null)),
  add constraint run_job_knows_its_credits check ((campaign_run_id is null) = (campaign_run_credits is null) and (campaign_run_id is null or clip_id is not null));
comment on column public.generation_jobs.campaign_id is 'The campaign that the job is for, fixed when it is created.';
comment on column public.generation_jobs.clip_step is 'The step of the clip that the result becomes a version of.';
comment on column public.generation_jobs.clip_made_from is 'The version that the inputs were made from.';
comment on column public.generation_jobs.campaign_run_credits is 'What the job counts against the amount confirmed for its run, in credits.';
create index generation_jobs_campaign on public.generation_jobs (campaign_id, created_at desc, id desc) where campaign_id is not null;
create index generation_jobs_clip on public.generation_jobs (clip_id, campaign_id) where clip_id is not null;
create index generation_jobs_made_from on public.generation_jobs (clip_made_from) where clip_made_from is not null;
create index generation_jobs_run on public.generation_jobs (campaign_run_id) where campaign_run_id is not null;

create function private.keep_clip_of_job() returns trigger language plpgsql set search_path = '' as $$
begin
  if old.clip_id is not null or old.status <> 'pending' or old.submit_attempted_at is not null then
    raise exception 'Job %: what it is for is fixed.', old.id using errcode = '23514';
  end if;
  return new;
end $$;
comment on function private.keep_clip_of_job is 'Trigger: the campaign, clip and step of a job are set once, before it is sent, because the books are kept per campaign.';
create trigger keep_clip_of_job before update of campaign_id, clip_id, clip_step, clip_made_from, clip_made_from_output,
  campaign_run_id, campaign_run_credits on public.generation_jobs
  for each row when (
    (old.campaign_id, old.clip_id, old.clip_step, old.clip_made_from, old.clip_made_from_output, old.campaign_run_id, old.campaign_run_credits)
    is distinct from
    (new.campaign_id, new.clip_id, new.clip_step, new.clip_made_from, new.clip_made_from_output, new.campaign_run_id, new.campaign_run_credits))
  execute function private.keep_clip_of_job();

-- ---------------------------------------------------------------------------------------------------------------
-- Who may look
-- ---------------------------------------------------------------------------------------------------------------
create function private.visible_campaigns() returns setof uuid language sql stable security definer set search_path = '' as $$
  select id from public.campaigns
  where owner_id = (select auth.uid()) or (select private.is_admin())
     or (visibility = 'team' and (select private.is_approved()))
$$;
comment on function private.visible_campaigns is 'For policies: the campaigns that the caller may look at.';
grant execute on function private.visible_campaigns() to authenticated;

create function private.shared_jobs() returns setof uuid language sql stable security definer set search_path = '' as $$
  select v.job_id
  from public.clip_versions v
  join public.campaign_clips k on k.id = v.clip_id and k.deleted_at is null
  join public.campaigns c on c.id = v.campaign_id and c.visibility = 'team'
  where (select private.is_approved())
$$;
comment on function private.shared_jobs is 'For policies: the jobs behind the versions of team-visible campaigns, for approved callers.';
grant execute on function private.shared_jobs() to authenticated;

alter table public.campaigns enable row level security;
create policy "Owners and admins see a campaign, the team when it is shared" on public.campaigns
  for select to authenticated using (
    owner_id = (select auth.uid()) or (select private.is_admin()) or (visibility = 'team' and (select private.is_approved())));
grant select on public.campaigns to authenticated, service_role;

alter table public.campaign_clips enable row level security;
create policy "Clips are seen with their campaign" on public.campaign_clips
  for select to authenticated using (campaign_id in (select private.visible_campaigns()));
grant select on public.campaign_clips to authenticated, service_role;

alter table public.clip_versions enable row level security;
create policy "Versions are seen with their campaign" on public.clip_versions
  for select to authenticated using (campaign_id in (select private.visible_campaigns()));
grant select on public.clip_versions to authenticated, service_role;

alter table public.campaign_runs enable row level security;
create policy "Runs are seen with their campaign" on public.campaign_runs
  for select to authenticated using (campaign_id in (select private.visible_campaigns()));
grant select on public.campaign_runs to authenticated, service_role;

alter table public.campaign_run_clips enable row level security;
create policy "The clips of a run are seen with it" on public.campaign_run_clips
  for select to authenticated using (
    run_id in (select r.id from public.campaign_runs r where r.campaign_id in (select private.visible_campaigns())));
grant select on public.campaign_run_clips to authenticated, service_role;

-- One policy a table and command: what was there, and the jobs and files behind shared versions.
alter policy "People see their jobs, admins see all" on public.generation_jobs
  using (user_id = (select auth.uid()) or (select private.is_admin())
         or (campaign_id is not null and id in (select private.shared_jobs())));
alter policy "People see their jobs, admins see all" on public.generation_jobs
  rename to "People see their jobs and shared ones, admins see all";
alter policy "People see their outputs, admins see all" on public.job_outputs
  using (user_id = (select auth.uid()) or (select private.is_admin()) or job_id in (select private.shared_jobs()));
alter policy "People see their outputs, admins see all" on public.job_outputs
  rename to "People see their outputs and shared ones, admins see all";
