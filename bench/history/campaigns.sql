-- Of each campaign the first of its jobs says whose it is and when it began.
insert into public.campaigns (id, owner_id, name, brief, visibility, created_at)
select j.campaign_id, j.user_id, format('Campaign %s', j.campaign), 'Ten clips for the spring launch.',
       case when bench.draw(j.n, 20) < 0.3 then 'team' else 'private' end, j.created_at - interval '1 hour'
from (select distinct on (campaign) * from bench.job where campaign is not null order by campaign, n) j order by j.n;

insert into public.campaign_clips (id, campaign_id, position, title, script, steps, created_at)
select md5(format('clip %s %s', j.campaign, clip))::uuid, j.campaign_id, clip + 1, format('Clip %s', clip + 1), 'A line of script.',
       '{"first_frame": {"generation_type": "first_frame", "inputs": {"prompt": "A first frame"}},
         "video": {"generation_type": "video_veo31_fast", "inputs": {"prompt": "It moves", "duration": 8}}}', j.created_at
from (select distinct on (campaign) * from bench.job where campaign is not null order by campaign, n) j, generate_series(0, 9) clip
order by j.n, clip;
