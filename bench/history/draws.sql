-- Everything that chance decides about a job, drawn once.
create table bench.kind as
select g.generation_type, g.media_kind, g.fal_endpoint, g.credits, g.unit_price_usd, g.estimated_seconds, w.quantity, w.units, w.inputs,
       (sum(w.weight) over (order by g.position) - w.weight) / sum(w.weight) over () as from_share,
       sum(w.weight) over (order by g.position) / sum(w.weight) over () as to_share
from public.generation_types g
join (values
  ('image_flux_schnell', 45.0, 1, 2.0, '{"image_size": "landscape_16_9"}'::jsonb),
  ('image_flux_dev', 15.0, 1, 1.0, '{"image_size": "square_hd"}'),
  ('image_to_image_flux_dev', 5.0, 1, 1.0, '{"image_url": "https://v3.fal.media/files/b/source.png", "strength": 0.85}'),
  ('image_hd', 8.0, 1, 1.0, '{"aspect_ratio": "16:9"}'),
  ('first_frame', 5.0, 1, 1.0, '{"image_urls": ["https://v3.fal.media/files/b/reference.png"]}'),
  ('render_highres', 4.0, 1, 4.0, '{"image_url": "https://v3.fal.media/files/b/source.png", "upscale_factor": 2}'),
  ('model_2d_to_3d', 1.0, 1, 1.0, '{"image_url": "https://v3.fal.media/files/b/source.png"}'),
  ('video_luma', 2.0, 1, 1.0, '{"image_url": "https://v3.fal.media/files/b/frame.png"}'),
  ('video_veo31_fast', 7.0, 8, 8.0, '{"image_url": "https://v3.fal.media/files/b/frame.png", "duration": 8}'),
  ('video_veo31_standard', 2.0, 4, 4.0, '{"image_url": "https://v3.fal.media/files/b/frame.png", "duration": 4}'),
  ('voice_chatterbox', 2.0, 1, 20.0, '{"source_audio_url": "https://v3.fal.media/files/b/voice.wav"}'),
  ('ambient_elevenlabs', 2.0, 1, 10.0, '{"duration_seconds": 10}'),
  ('transcribe_whisper', 2.0, 1, 15.0, '{"audio_url": "https://v3.fal.media/files/b/voice.wav"}')
) w (generation_type, weight, quantity, units, inputs) using (generation_type);

-- The first six hundred jobs are twelve campaigns of the busiest person, so that the page of campaigns is full at every
-- size; after them every twentieth job is for a campaign, one for each thousand. Ten clips each, with first frame and video.
create unlogged table bench.job as
with drawn as (
  select n, p.people,
         p.ends_at - make_interval(secs => 86400.0 * p.days * (1 - (n + bench.draw(n, 1)) / p.jobs)) as created_at,
         n < 600 or n % 20 = 0 as for_campaign,
         case when n < 600 then n / 50 else 12 + n / 1000 end::int as campaign,
         case when n < 600 then n % 10 else n / 20 % 10 end::int as clip,
         case when case when n < 600 then n / 10 % 5 else n / 200 % 5 end < 2 then 'first_frame' else 'video' end as step
  from bench.plan p, generate_series(0, p.jobs - 1::bigint) n
), chosen as (
  select d.*,
         case when d.n < 600 then 0
              else floor(d.people * power(bench.draw(case when d.for_campaign then d.campaign::bigint * 1000 else d.n end, 2), 2.2))::int end as person,
         bench.draw(d.n, 3) as kind_share, bench.draw(d.n, 4) as end_share, bench.draw(d.n, 5) as cost_share
  from drawn d
)
select c.n, bench.id_at(c.created_at, 'job ' || c.n) as id, md5('person ' || c.person)::uuid as user_id, c.created_at,
       md5('request ' || c.n)::uuid::text as request_id,
       k.generation_type, k.media_kind, k.fal_endpoint, k.quantity, k.credits * k.quantity as credits, k.units, k.unit_price_usd,
       greatest(round(k.units::numeric * k.unit_price_usd, 6), 0.000001) as estimated_usd, k.estimated_seconds, k.inputs,
       case when c.end_share < 0.92 then 'completed' when c.end_share < 0.98 then 'failed' else 'cancelled' end as status,
       c.end_share >= 0.979 and c.end_share < 0.98 as is_late,
       c.end_share < 0.99 as was_sent, -- half of what was cancelled never left
       -- fal.ai may bill what it made, and a fifth of what failed
       c.end_share < 0.92 or (c.end_share >= 0.968 and c.end_share < 0.98) as billable,
       c.cost_share < 0.97 as metered,
       round((k.units * case when c.cost_share < 0.8 then 1 else 0.9 + 0.2 * bench.draw(c.n, 6) end)::numeric, 6) as billed_units,
       c.created_at + make_interval(secs => 0.4) as submitted_at,
       c.created_at + make_interval(secs => 0.4 + k.estimated_seconds * (0.6 + bench.draw(c.n, 7))) as completed_at,
       case when k.generation_type = 'transcribe_whisper' then 0 when k.generation_type = 'image_flux_schnell' then 2 else 1 end as files,
       (array['A red bicycle', 'A quiet kitchen', 'Fresh coffee', 'A glass tower', 'Two hikers', 'A paper boat', 'An old tram', 'A desk lamp'])[1 + floor(8 * bench.draw(c.n, 8))::int]
         || ' ' || (array['at dawn', 'in the rain', 'by the sea', 'under neon light', 'in deep snow', 'on a rooftop'])[1 + floor(6 * bench.draw(c.n, 9))::int]
         || ', ' || (array['soft film grain', 'studio light', 'wide angle', 'flat pastel colours', 'high contrast'])[1 + floor(5 * bench.draw(c.n, 10))::int]
         || ', take ' || c.n as prompt,
       case when c.for_campaign then c.campaign end as campaign,
       case when c.for_campaign then md5('campaign ' || c.campaign)::uuid end as campaign_id,
       case when c.for_campaign then md5(format('clip %s %s', c.campaign, c.clip))::uuid end as clip_id,
       case when c.for_campaign then c.step end as clip_step
from chosen c
join bench.kind k on case
  when c.for_campaign then k.generation_type = case c.step when 'video' then 'video_veo31_fast' else 'first_frame' end
  else c.kind_share >= k.from_share and c.kind_share < k.to_share end;
alter table bench.job add primary key (n);
analyze bench.job;
