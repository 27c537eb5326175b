-- Spend per campaign: one more key of the rollup, written and audited like the others.

alter table public.spend_daily add foreign key (campaign_id) references public.campaigns (id);
comment on column public.spend_daily.campaign_id is 'The campaign that the jobs were for; empty for jobs of no campaign.';
create index spend_daily_campaign on public.spend_daily (campaign_id, day) where campaign_id is not null;

-- Repairs of the rollup know the campaign too: a job's is fixed before it is sent, so the history finds it through the job.
create function private.rollup_differences() returns table (
  day date, user_id uuid, generation_type text, campaign_id uuid, had jsonb, should jsonb
) language sql stable security definer set search_path = '' as $$
  select coalesce(d.day, l.day), coalesce(d.user_id, l.user_id), coalesce(d.generation_type, l.generation_type), coalesce(d.campaign_id, l.campaign_id),
         case when d.jobs is not null then to_jsonb(d) - array['id', 'day', 'user_id', 'generation_type', 'campaign_id', 'campaign_key'] end,
         case when l.jobs is not null then to_jsonb(l) - array['day', 'user_id', 'generation_type', 'campaign_id', 'campaign_key'] end
  from (select s.*, coalesce(s.campaign_id::text, '') as campaign_key from public.spend_daily s) d
  full join (
    select (h.billed_at at time zone (select timezone from private.team_settings))::date as day, h.user_id, h.generation_type, j.campaign_id,
           coalesce(j.campaign_id::text, '') as campaign_key,
           sum(h.ended)::int as jobs, sum(h.failed)::int as failures, sum(h.credits)::int as credits, sum(h.estimated_usd) as estimated_usd,
           sum(h.spent_usd) as spent_usd, sum(coalesce(h.seconds, 0)) as seconds
    from public.generation_logs h join public.generation_jobs j on j.id = h.job_id
    where h.billed_at is not null group by 1, 2, 3, 4, 5
  ) l on l.day = d.day and l.user_id = d.user_id and l.generation_type = d.generation_type and l.campaign_key = d.campaign_key
  where (d.jobs, d.failures, d.credits, d.estimated_usd, d.spent_usd, d.seconds)
        is distinct from (l.jobs, l.failures, l.credits, l.estimated_usd, l.spent_usd, l.seconds)
$$;
comment on function private.rollup_differences is 'Where the rollup is not the sum of the history: what it has and what it should have.';

create function private.repair_rollup() returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  found_differences jsonb;
begin
  -- In the order in which every writer takes them: whoever writes now ends first, the next one waits.
  lock table public.generation_logs in share row exclusive mode;
  lock table public.spend_daily in share row exclusive mode;
  select coalesce(jsonb_agg(to_jsonb(r) order by r.day, r.user_id, r.generation_type, r.campaign_id), '[]') into found_differences
  from private.rollup_differences() r;
  delete from public.spend_daily d
  using jsonb_to_recordset(found_differences) as r(day date, user_id uuid, generation_type text, campaign_id uuid)
  where d.day = r.day and d.user_id = r.user_id and d.generation_type = r.generation_type
    and d.campaign_id is not distinct from r.campaign_id;
  insert into public.spend_daily (day, user_id, generation_type, campaign_id, jobs, failures, credits, estimated_usd, spent_usd, seconds)
  select r.day, r.user_id, r.generation_type, r.campaign_id, (r.should ->> 'jobs')::int, (r.should ->> 'failures')::int,
         (r.should ->> 'credits')::int, (r.should ->> 'estimated_usd')::numeric, (r.should ->> 'spent_usd')::numeric, (r.should ->> 'seconds')::numeric
  from jsonb_to_recordset(found_differences) as r(day date, user_id uuid, generation_type text, campaign_id uuid, should jsonb)
  where r.should is not null;
  return found_differences;
end $$;
comment on function private.repair_rollup is 'Makes the rollup the sum of the history again, while no job can end; returns what was different.';

create function public.spend_by_campaign(p_actor uuid, p_from date, p_to date) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  whose uuid := private.whose_spend(p_actor);
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object(
      'campaign_id', s.campaign_id, 'name', c.name, 'jobs', s.jobs, 'failures', s.failures, 'credits', s.credits,
      'estimated', s.estimated::text, 'spent', s.spent::text) order by s.spent desc, c.name nulls last, s.campaign_id), '[]')
    from (select campaign_id, sum(jobs) as jobs, sum(failures) as failures, sum(credits) as credits, sum(estimated_usd) as estimated,
                 sum(spent_usd) as spent
          from public.spend_daily where day between p_from and p_to and (whose is null or user_id = whose) group by 1) s
    left join public.campaigns c on c.id = s.campaign_id);
end $$;
comment on function public.spend_by_campaign is
  'What a period cost by campaign, the dearest first; the row without a campaign is everything else. USD as text. A person sees their own spend, an admin everybody''s.';
grant execute on function public.spend_by_campaign(uuid, date, date) to service_role;

create function public.campaign_totals(p_actor uuid, p_campaigns uuid[]) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_object_agg(c.id, jsonb_build_object(
    'owner_name', owner.full_name,
    'may_change', private.campaign_rights(p_actor, c.id) = 'change',
    'clips', (select count(*) from public.campaign_clips k where k.campaign_id = c.id and k.deleted_at is null),
    'wanted_steps', (select coalesce(sum((select count(*) from jsonb_object_keys(k.steps))), 0)
                     from public.campaign_clips k where k.campaign_id = c.id and k.deleted_at is null),
    'made_steps', (select count(*) from public.clip_versions v join public.campaign_clips k on k.id = v.clip_id
                   where v.campaign_id = c.id and v.is_current and k.deleted_at is null and k.steps ? v.step),
    'open_jobs', (select count(*) from public.generation_jobs j
                  where j.campaign_id = c.id and j.status in ('pending', 'submitted', 'in_progress')),
    'credits', (select coalesce(sum(d.credits), 0) from public.spend_daily d where d.campaign_id = c.id),
    'spent_usd', (select coalesce(sum(d.spent_usd), 0)::text from public.spend_daily d where d.campaign_id = c.id),
    'run_id', (select r.id from public.campaign_runs r where r.campaign_id = c.id order by r.created_at desc, r.id desc limit 1)
  )), '{}')
  from public.campaigns c join public.profiles owner on owner.user_id = c.owner_id
  where c.id = any (p_campaigns) and private.campaign_rights(p_actor, c.id) in ('change', 'look')
$$;
comment on function public.campaign_totals is
  'Figures of campaigns by id, for those this person may see: owner, clips, steps wanted and made, open jobs, credits charged, USD spent (as text), latest run.';
grant execute on function public.campaign_totals(uuid, uuid[]) to service_role;

create function public.campaign_covers(p_actor uuid, p_campaigns uuid[], p_clips int) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_object_agg(c.id, (
    select coalesce(jsonb_agg(first_clips.output_id order by first_clips.position), '[]')
    from (
      select k.position, shown.output_id
      from public.campaign_clips k
      cross join lateral (
        select o.id as output_id
        from public.clip_versions v
        join public.job_outputs o on o.job_id = v.job_id and o.position = v.output_position
        where v.clip_id = k.id and v.campaign_id = c.id and v.is_current and v.step in ('first_frame', 'video') and o.deleted_at is null
        order by private.clip_step_number(v.step) limit 1
      ) shown
      where k.campaign_id = c.id and k.deleted_at is null
      order by k.position limit p_clips
    ) first_clips
  )), '{}')
  from public.campaigns c
  where c.id = any (p_campaigns) and private.campaign_rights(p_actor, c.id) in ('change', 'look')
$$;
comment on function public.campaign_covers is
  'What the cards of campaigns show, for those who may see them: {campaign: [output]}, the current first frame (else the video) of the first p_clips clips that have one.';
grant execute on function public.campaign_covers(uuid, uuid[], int) to service_role;

create function public.version_counts(p_actor uuid, p_campaign uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_object_agg(s.clip_id, s.counts), '{}')
  from (
    select c.clip_id, jsonb_object_agg(c.step, c.versions) as counts
    from (select v.clip_id, v.step, count(*) as versions from public.clip_versions v where v.campaign_id = p_campaign group by 1, 2) c
    group by 1
  ) s
  where private.campaign_rights(p_actor, p_campaign) in ('change', 'look')
$$;
comment on function public.version_counts is 'How many versions each step of each clip of a campaign has: {clip: {step: n}}, for those who may see it.';
grant execute on function public.version_counts(uuid, uuid) to service_role;
