-- What private.log_job would have written, in the order of time, and the rollup of it.
insert into public.generation_logs (job_id, user_id, generation_type, event, message, source, credits, estimated_usd, spent_usd, cost_source,
                                    seconds, ended, failed, billed_at, created_at)
select e.job_id, e.user_id, e.generation_type, e.event, e.message, e.source, e.credits, e.estimated_usd, e.spent_usd, e.cost_source, e.seconds,
       e.ended, e.failed, e.billed_at, e.at
from (
  select j.id as job_id, j.user_id, j.generation_type, 'created' as event, null as message, null as source, 0 as credits, 0 as estimated_usd,
         0 as spent_usd, null as cost_source, null::numeric as seconds, 0 as ended, 0 as failed, null::timestamptz as billed_at, j.created_at as at
  from bench.job j
  union all
  select j.id, j.user_id, j.generation_type, 'submitted', j.request_id, null, 0, 0, 0, null, null, 0, 0, null, j.submitted_at
  from bench.job j where j.was_sent
  union all
  select j.id, j.user_id, j.generation_type, j.status, case when j.status <> 'completed' then 'Nothing was charged.' end,
         case when j.was_sent then case when j.n % 20 = 7 then 'poll' else 'webhook' end else 'person' end,
         case when j.status = 'completed' then j.credits else 0 end,
         case when j.billable then j.estimated_usd else 0 end, case when j.billable then j.estimated_usd else 0 end, 'estimated',
         round(extract(epoch from j.completed_at - j.submitted_at), 3), 1, (j.status = 'failed')::int, j.completed_at, j.completed_at
  from bench.job j
  union all
  select j.id, j.user_id, j.generation_type, 'cost_metered', null, 'worker', 0, 0,
         round(j.billed_units * j.unit_price_usd, 6) - j.estimated_usd, 'metered', null, 0, 0, j.completed_at, j.completed_at + interval '1 s'
  from bench.job j where j.billable and j.metered
  union all
  select j.id, j.user_id, j.generation_type, 'delivered_late', null, 'webhook', 0, 0, 0, 'estimated', null, 0, 0, j.completed_at, j.completed_at + interval '2 s'
  from bench.job j where j.is_late
) e order by e.at;

insert into public.spend_daily (day, user_id, generation_type, campaign_id, jobs, failures, credits, estimated_usd, spent_usd, seconds)
select (l.billed_at at time zone (select timezone from private.team_settings))::date, l.user_id, l.generation_type, j.campaign_id,
       sum(l.ended), sum(l.failed), sum(l.credits), sum(l.estimated_usd), sum(l.spent_usd), sum(coalesce(l.seconds, 0))
from public.generation_logs l join public.generation_jobs j on j.id = l.job_id
where l.billed_at is not null
group by 1, 2, 3, 4 order by 1;
