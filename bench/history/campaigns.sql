insert into public.campaigns (id, owner_id, name, brief, visibility, created_at)
select j.campaign_id, j.user_id, format('Campaign %s', j.n / 1000), 'Ten clips for the spring launch.',
       case when bench.draw(j.n, 20) < 0.3 then 'team' else 'private' end, j.created_at - interval '1 hour'
from bench.job j where j.n % 1000 = 0 order by j.n;

insert into public.campaign_clips (id, campaign_id, position, title, script, steps, created_at)
select md5(format('clip %s %s', j.n / 1000, clip))::uuid, j.campaign_id, clip + 1, format('Clip %s', clip + 1), 'A line of script.',
       '{"first_frame": {"generation_type": "first_frame", "inputs": {"prompt": "A first frame"}},
         "video": {"generation_type": "video_veo31_fast", "inputs": {"prompt": "It moves", "duration": 8}}}', j.created_at
from bench.job j, generate_series(0, 9) clip where j.n % 1000 = 0 order by j.n, clip;
