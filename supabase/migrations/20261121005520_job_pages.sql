-- A person's own jobs as their page lists them, and what the list can be narrowed to.

create function public.finished_jobs(
  p_actor uuid, p_filter jsonb default '{}', p_before_at timestamptz default null, p_before_id uuid default null,
  p_limit int default 12, p_count_to int default 0
) returns jsonb language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  pattern text := private.like_pattern(p_filter ->> 'text');
  kinds text[] := array(select jsonb_array_elements_text(p_filter -> 'media_kinds'));
begin
  -- Planned anew each time: what is not asked for is then not in the plan, and the index of what is leads to the place.
  return (
    with matching as materialized (
      select j.id, j.created_at from public.generation_jobs j
      where j.user_id = p_actor
        and case coalesce(p_filter ->> 'status', '')
          when '' then j.status in ('completed', 'failed', 'cancelled')
          when 'late' then j.is_late
          when 'failed' then j.status = 'failed' and not j.is_late
          else j.status = p_filter ->> 'status' and j.status in ('completed', 'failed', 'cancelled') end
        and (p_filter -> 'media_kinds' is null or j.media_kind = any (kinds))
        and (p_filter ->> 'generation_type' is null or j.generation_type = p_filter ->> 'generation_type')
        and (p_filter ->> 'campaign' is null or j.campaign_id = (p_filter ->> 'campaign')::uuid)
        and (p_filter ->> 'from' is null or j.created_at >= (p_filter ->> 'from')::timestamptz)
        and (p_filter ->> 'before' is null or j.created_at < (p_filter ->> 'before')::timestamptz)
        and (p_filter -> 'favourites' is null or j.favourite_at is not null)
        and (p_filter -> 'untried' is null or j.retried_as is null)
        and (p_filter ->> 'text' is null or j.prompt ilike pattern)
        and (p_before_at is null or j.created_at <= p_before_at and (j.created_at, j.id) < (p_before_at, p_before_id))
      order by j.created_at desc, j.id desc limit greatest(p_limit, p_count_to)
    )
    select jsonb_build_object(
      'jobs', (
        select coalesce(jsonb_agg(private.job_with_outputs(j) order by j.created_at desc, j.id desc), '[]')
        from (select * from matching order by created_at desc, id desc limit p_limit) m
        join public.generation_jobs j on j.id = m.id),
      'counted', (select count(*) from matching)));
end $$;
comment on function public.finished_jobs is
  'A person''s own ended jobs with their files, newest first, from where the page before ended: {jobs, counted}; counted goes no further than p_count_to. p_filter: {status completed|failed|cancelled|late (late ones are not failed), media_kinds [], generation_type, campaign, from, before, text, favourites, untried (nothing tries them again)}, each where it narrows.';
grant execute on function public.finished_jobs(uuid, jsonb, timestamptz, uuid, int, int) to service_role;

create function public.campaign_choices(p_actor uuid, p_limit int default 200) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object('id', c.id, 'name', c.name) order by c.created_at desc, c.id desc), '[]')
  from (
    select c.id, c.name, c.created_at from public.campaigns c
    -- private.campaign_rights for many campaigns at once
    where c.owner_id = p_actor or exists (
      select 1 from public.profiles p
      where p.user_id = p_actor and p.is_approved and p.is_active and (p.role = 'admin' or c.visibility = 'team'))
    order by c.created_at desc, c.id desc limit p_limit
  ) c
$$;
comment on function public.campaign_choices is 'The campaigns that a person may see, newest first, to choose one from: [{id, name}].';
grant execute on function public.campaign_choices(uuid, int) to service_role;
