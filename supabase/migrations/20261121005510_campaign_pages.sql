-- What the campaign pages show at once, for the acting person: the same rows that row level security would let them see.

create function private.sees_job(p_actor uuid, p_job public.generation_jobs) returns boolean
language sql stable security definer set search_path = '' as $$
  select p_job.user_id = p_actor
    or exists (select 1 from public.profiles p where p.user_id = p_actor and p.role = 'admin' and p.is_approved and p.is_active)
    or p_job.campaign_id is not null and exists (
      select 1 from public.clip_versions v
      join public.campaign_clips k on k.id = v.clip_id and k.deleted_at is null
      join public.campaigns c on c.id = v.campaign_id and c.visibility = 'team'
      where v.job_id = p_job.id
    ) and exists (select 1 from public.profiles p where p.user_id = p_actor and p.is_approved and p.is_active)
$$;
comment on function private.sees_job is 'Whether a person may look at a job: what its policy says, for an acting person.';

create function private.job_with_outputs(p_job public.generation_jobs) returns jsonb
language sql stable security definer set search_path = '' as $$
  select to_jsonb(p_job) || jsonb_build_object(
    'job_outputs', (select coalesce(jsonb_agg(to_jsonb(o) order by o.position), '[]') from public.job_outputs o where o.job_id = p_job.id))
$$;
comment on function private.job_with_outputs is 'A job and its files, as the API gives its row.';

create function public.campaign_list(
  p_actor uuid, p_archived boolean default false, p_mine boolean default false, p_text text default '',
  p_before_at timestamptz default null, p_before_id uuid default null, p_limit int default 24, p_clips int default 3
) returns jsonb language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  pattern text := private.like_pattern(p_text);
  person public.profiles;
  ids uuid[];
begin
  select * into person from public.profiles where user_id = p_actor and is_approved and is_active;
  select coalesce(array_agg(c.id order by c.created_at desc, c.id desc), '{}') into ids
  from (
    select c.id, c.created_at from public.campaigns c
    where (c.archived_at is not null) = p_archived and (not p_mine or c.owner_id = p_actor) and (p_text = '' or c.name ilike pattern)
      and (p_before_at is null or c.created_at <= p_before_at and (c.created_at, c.id) < (p_before_at, p_before_id))
      and (c.owner_id = p_actor or private.campaign_rights(p_actor, c.id) in ('change', 'look'))
    order by c.created_at desc, c.id desc limit p_limit
  ) c;
  return jsonb_build_object(
    'campaigns', (select coalesce(jsonb_agg(to_jsonb(c) order by c.created_at desc, c.id desc), '[]') from public.campaigns c where c.id = any (ids)),
    'figures', public.campaign_totals(p_actor, ids),
    'covers', (
      select coalesce(jsonb_object_agg(shown.key, (
        select coalesce(jsonb_agg(to_jsonb(o) order by output.place), '[]')
        from jsonb_array_elements_text(shown.value) with ordinality output(id, place)
        join public.job_outputs o on o.id = output.id::uuid
        join public.generation_jobs j on j.id = o.job_id
        -- private.sees_job, for what is known of a cover: it is the current version of a clip of this campaign
        where j.user_id = p_actor or person.role = 'admin' or (c.visibility = 'team' and person.user_id is not null)
      )), '{}') from jsonb_each(public.campaign_covers(p_actor, ids, p_clips)) shown join public.campaigns c on c.id = shown.key::uuid));
end $$;
comment on function public.campaign_list is
  'One page of the campaigns that a person may see, newest first, from where the page before ended: {campaigns, figures (as campaign_totals), covers {campaign: [job_output]}}.';
grant execute on function public.campaign_list(uuid, boolean, boolean, text, timestamptz, uuid, int, int) to service_role;

create function public.campaign_page(p_actor uuid, p_campaign uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  figures jsonb := public.campaign_totals(p_actor, array[p_campaign]) -> p_campaign::text;
begin
  if figures is null then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such campaign.');
  end if;
  return jsonb_build_object(
    'campaign', (select to_jsonb(c) from public.campaigns c where c.id = p_campaign),
    'figures', figures,
    'clips', (select coalesce(jsonb_agg(to_jsonb(k) order by k.position), '[]')
              from public.campaign_clips k where k.campaign_id = p_campaign and k.deleted_at is null),
    'versions', (select coalesce(jsonb_agg(to_jsonb(v) order by v.id), '[]')
                 from public.clip_versions v where v.campaign_id = p_campaign and v.is_current),
    'jobs', (select coalesce(jsonb_agg(private.job_with_outputs(j)), '[]')
             from public.clip_versions v join public.generation_jobs j on j.id = v.job_id and private.sees_job(p_actor, j)
             where v.campaign_id = p_campaign and v.is_current),
    'counts', public.version_counts(p_actor, p_campaign),
    'open_jobs', (select coalesce(jsonb_agg(to_jsonb(j) order by j.created_at desc), '[]') from (
      select j.* from public.generation_jobs j
      where j.campaign_id = p_campaign and j.status in ('pending', 'submitted', 'in_progress') and private.sees_job(p_actor, j)
      order by j.created_at desc limit 500) j),
    'run', (select private.run_json(r.id) from public.campaign_runs r
            where r.id = (figures ->> 'run_id')::uuid and r.state in ('running', 'waiting')));
end $$;
comment on function public.campaign_page is
  'A campaign as its page shows it: {campaign, figures, clips, versions (current ones), jobs (theirs, with files), counts (as version_counts), open_jobs, run (while it goes on or waits)}; 404 for whoever may not see it.';
grant execute on function public.campaign_page(uuid, uuid) to service_role;
