insert into public.generation_jobs (
  id, user_id, generation_type, media_kind, fal_endpoint, input_params, prompt, status, quantity, credits_held, credits_charged,
  estimated_units, unit_price_usd, estimated_usd, billed_units, actual_usd, cost_source, spent_usd, billed_at,
  fal_request_id, status_url, response_url, cancel_url, progress, error_type, error_message, result_data, is_late, verdict_source,
  created_at, submit_attempted_at, submitted_at, started_at, webhook_received_at, completed_at, expected_seconds, longest_seconds, give_up_at,
  next_check_at, campaign_id, clip_id, clip_step)
select j.id, j.user_id, j.generation_type, j.media_kind, j.fal_endpoint, j.inputs || jsonb_build_object('prompt', j.prompt), j.prompt,
       j.status, j.quantity, j.credits, case when j.status = 'completed' then j.credits else 0 end,
       j.units, j.unit_price_usd, j.estimated_usd,
       case when j.billable and j.metered then j.billed_units end,
       case when not j.billable then 0 when j.metered then round(j.billed_units * j.unit_price_usd, 6) end,
       case when j.billable and j.metered then 'metered' else 'estimated' end,
       case when not j.billable then 0 when j.metered then round(j.billed_units * j.unit_price_usd, 6) else j.estimated_usd end,
       j.completed_at,
       case when j.was_sent then j.request_id end,
       case when j.was_sent then format('https://queue.fal.run/%s/requests/%s/status', j.fal_endpoint, j.request_id) end,
       case when j.was_sent then format('https://queue.fal.run/%s/requests/%s', j.fal_endpoint, j.request_id) end,
       case when j.was_sent then format('https://queue.fal.run/%s/requests/%s/cancel', j.fal_endpoint, j.request_id) end,
       case when j.status = 'completed' then 1 end,
       case j.status when 'failed' then (array['content_policy_violation', 'generation_timeout', 'runner_server_error'])[1 + j.n % 3] when 'cancelled' then 'cancelled' end,
       case j.status when 'failed' then 'fal.ai could not make this. Nothing was charged.' when 'cancelled' then 'Cancelled. Nothing was charged.' end,
       case when j.status = 'completed' or j.is_late then jsonb_build_object('seed', j.n, 'text', case when j.files = 0 then j.prompt end,
            'images', jsonb_build_array(jsonb_build_object('url', format('https://v3.fal.media/files/b/%s/0.png', j.id), 'width', 1024, 'height', 576))) end,
       j.is_late, case when j.was_sent then case when j.n % 20 = 7 then 'poll' else 'webhook' end else 'person' end,
       j.created_at, case when j.was_sent then j.created_at + interval '50 ms' end, case when j.was_sent then j.submitted_at end,
       case when j.status = 'completed' then j.submitted_at + interval '1 s' end, case when j.was_sent and j.n % 20 <> 7 then j.completed_at end,
       j.completed_at, j.estimated_seconds, j.estimated_seconds * 10,
       case when j.was_sent then j.created_at + make_interval(secs => 1800 + j.estimated_seconds * 10) end,
       j.submitted_at + make_interval(secs => 1.5 * j.estimated_seconds), j.campaign_id, j.clip_id, j.clip_step
from bench.job j order by j.n;

insert into public.clip_versions (id, campaign_id, clip_id, step, number, job_id, is_current, created_at)
select md5('version ' || v.n)::uuid, v.campaign_id, v.clip_id, v.clip_step, v.number, v.id, v.number = v.versions, v.completed_at
from (select j.*, row_number() over (partition by j.clip_id, j.clip_step order by j.n) as number,
             count(*) over (partition by j.clip_id, j.clip_step) as versions
      from bench.job j where j.clip_id is not null and (j.status = 'completed' or j.is_late)) v;
