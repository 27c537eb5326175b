-- What an admin needs in five seconds.

create function public.admin_overview(p_actor uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  today date := private.team_day(now());
begin
  perform private.require_admin(p_actor, 'admin_overview');
  return jsonb_build_object(
    'running', (select count(*) from public.generation_jobs where status in ('pending', 'submitted', 'in_progress')),
    'in_line', (select count(*) from public.generation_jobs where status in ('pending', 'submitted')),
    'done_today', (select coalesce(sum(jobs - failures), 0) from public.spend_daily where day = today),
    'failed_today', (select coalesce(sum(failures), 0) from public.spend_daily where day = today),
    'spent_today', (select coalesce(sum(spent_usd), 0)::text from public.spend_daily where day = today),
    'spent_usual', (select coalesce(avg(total), 0)::numeric(14, 6)::text from (
      select sum(spent_usd) as total from public.spend_daily where day >= today - 14 and day < today group by day) days),
    'budget', private.budget_state(p_actor),
    'worker_beat_at', (select max(beat_at) from private.workers),
    'fal', (select to_jsonb(p) - 'account_id' from private.provider_state p where provider = 'fal'),
    'inbox', (select coalesce(jsonb_object_agg(status, n), '{}') from (
      select status, count(*) as n from public.webhook_events group by status) counts));
end $$;
comment on function public.admin_overview is 'Running jobs, today''s ends and spend (USD as text), budget, worker, fal.ai and the inbox, for admins.';
grant execute on function public.admin_overview(uuid) to service_role;
