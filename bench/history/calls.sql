insert into public.webhook_events (provider, event_key, event_type, headers, payload, status, result, job_id, received_at, processed_at)
select 'fal', format('fal:%s:%s', j.request_id, s.said), s.said,
       jsonb_build_object('timestamp', extract(epoch from j.completed_at)::bigint, 'user_id', 'bench', 'request_id', j.request_id),
       jsonb_build_object('request_id', j.request_id, 'gateway_request_id', j.request_id, 'status', s.said, 'payload',
         jsonb_build_object('seed', j.n, 'images', jsonb_build_array(
           jsonb_build_object('url', format('https://v3.fal.media/files/b/%s/0.png', j.id), 'width', 1024, 'height', 576)))),
       'processed', case when j.is_late then 'delivered_late' else 'settled' end, j.id, j.completed_at, j.completed_at
from bench.job j cross join lateral (select case when j.status = 'completed' or j.is_late then 'OK' else 'ERROR' end as said) s
where j.was_sent and j.n % 20 <> 7
order by j.completed_at;
