-- A balance three weeks old, of which about a third is spent, and the last audit.
insert into public.budget_snapshots (scope, amount_usd, source, actor, created_at)
select 'team', greatest(20, round(3 * sum(d.spent_usd), 2)), 'manual', md5('person 1')::uuid, p.ends_at - interval '21 days'
from bench.plan p join public.spend_daily d on d.day > (p.ends_at - interval '21 days')::date group by p.ends_at;
