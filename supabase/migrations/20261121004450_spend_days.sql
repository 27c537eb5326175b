-- Spend by day and campaign: one more way to cut the same rollup.

create or replace function private.spend_days(p_user uuid, p_from date, p_to date, p_by text) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  days jsonb;
begin
  if p_by = 'type' then
    select jsonb_agg(jsonb_build_object(
      'day', s.day, 'key', s.generation_type, 'label', g.label, 'media_kind', g.media_kind, 'jobs', s.jobs, 'failures', s.failures,
      'credits', s.credits, 'estimated', s.estimated::text, 'spent', s.spent::text) order by s.day, g.position) into days
    from (select day, generation_type, sum(jobs) as jobs, sum(failures) as failures, sum(credits) as credits, sum(estimated_usd) as estimated,
                 sum(spent_usd) as spent
          from public.spend_daily where day between p_from and p_to and (p_user is null or user_id = p_user) group by 1, 2) s
    join public.generation_types g using (generation_type);
  elsif p_by = 'person' then
    select jsonb_agg(jsonb_build_object(
      'day', s.day, 'key', s.user_id, 'label', coalesce(nullif(p.full_name, ''), p.email), 'media_kind', null, 'jobs', s.jobs, 'failures', s.failures,
      'credits', s.credits, 'estimated', s.estimated::text, 'spent', s.spent::text) order by s.day, p.full_name, p.user_id) into days
    from (select day, user_id, sum(jobs) as jobs, sum(failures) as failures, sum(credits) as credits, sum(estimated_usd) as estimated,
                 sum(spent_usd) as spent
          from public.spend_daily where day between p_from and p_to and (p_user is null or user_id = p_user) group by 1, 2) s
    join public.profiles p using (user_id);
  elsif p_by = 'campaign' then
    select jsonb_agg(jsonb_build_object(
      'day', s.day, 'key', coalesce(s.campaign_id::text, ''), 'label', coalesce(c.name, 'No campaign'), 'media_kind', null, 'jobs', s.jobs,
      'failures', s.failures, 'credits', s.credits, 'estimated', s.estimated::text, 'spent', s.spent::text)
      order by s.day, c.name nulls last, s.campaign_id) into days
    from (select day, campaign_id, sum(jobs) as jobs, sum(failures) as failures, sum(credits) as credits, sum(estimated_usd) as estimated,
                 sum(spent_usd) as spent
          from public.spend_daily where day between p_from and p_to and (p_user is null or user_id = p_user) group by 1, 2) s
    left join public.campaigns c on c.id = s.campaign_id;
  else
    perform private.refuse(422, 'INVALID_INPUT', 'Spend can be shown by type, by person or by campaign.', '{"field": "by"}');
  end if;
  return coalesce(days, '[]');
end $$;
comment on function private.spend_days is 'What each day of a span cost, by type, by person or by campaign, from the rollup: of one person or (null) all. USD as text.';
