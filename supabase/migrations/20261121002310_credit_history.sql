-- What a person sees of their own credits: how they stand, and the ledger told as one line a story.

create function public.credit_standing(p_actor uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'available', a.available, 'held', a.held, 'owed', a.owed, 'frozen', a.frozen,
    'used_this_month', (select coalesce(sum(d.credits), 0) from public.spend_daily d
                        where d.user_id = p_actor and d.day >= date_trunc('month', private.team_day(now()))::date))
  from public.credit_accounts a where a.user_id = p_actor
$$;
comment on function public.credit_standing is
  'A person''s account now: available, held, owed, frozen, and the credits charged since the first of the month in the team''s timezone. Null without an account.';
grant execute on function public.credit_standing(uuid) to service_role;

-- A job is set aside and then charged or returned: two entries, one line, at the time of the last of them. The balance of a
-- line counts what is set aside, so that each line follows from the one below it, however many jobs run at once.
create view public.credit_lines with (security_invoker = true) as
  select e.id, e.user_id, e.created_at, e.kind, e.amount,
         e.available_change + e.held_change as change, e.available_after + e.held_after as balance,
         e.available_after, e.held_after, e.frozen_after, e.owed_after, e.owed_change,
         e.job_id, e.purchase_id, e.reason, h.created_at as set_aside_at,
         left(j.prompt, 200) as prompt, j.generation_type, j.status as job_status, p.status as purchase_status,
         p.paid_at is not null as has_receipt
  from public.credit_entries e
  left join public.credit_entries h on h.job_id = e.job_id and h.kind = 'hold' and e.kind <> 'hold'
  left join public.generation_jobs j on j.id = e.job_id
  left join public.credit_purchases p on p.id = e.purchase_id
  -- Looked up line by line: "not exists" would read every end there is before the first line.
  where e.kind <> 'hold'
     or (select x.id from public.credit_entries x where x.job_id = e.job_id and x.kind in ('capture', 'release')) is null;
comment on view public.credit_lines is
  'The ledger as people read it: one line a job (change 0 while it runs and when it was returned), one line for everything else. Row level security of the tables decides who sees what.';
grant select on public.credit_lines to authenticated;

create function public.credit_history(p_actor uuid, p_kinds jsonb default null, p_since timestamptz default null, p_before bigint default null, p_limit int default 20)
returns jsonb language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  kinds text[] := array(select jsonb_array_elements_text(p_kinds));
begin
  -- Planned anew each time: what is not asked for is then not in the plan, and the index leads to the place.
  return (
    select coalesce(jsonb_agg(to_jsonb(l) order by l.id desc), '[]')
    from (
      select * from public.credit_lines l
      where l.user_id = p_actor and (p_before is null or l.id < p_before) and (p_since is null or l.created_at >= p_since)
        and (p_kinds is null or l.kind = any (kinds))
      order by l.id desc limit p_limit
    ) l);
end $$;
comment on function public.credit_history is
  'A person''s own lines of credit_lines, newest first: of these kinds, since a moment, before the line where the page before ended.';
grant execute on function public.credit_history(uuid, jsonb, timestamptz, bigint, int) to service_role;

create function public.own_purchases(p_actor uuid, p_limit int default 20) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(to_jsonb(p) order by p.created_at desc, p.id desc), '[]')
  from (
    select * from public.credit_purchases
    where user_id = p_actor and status not in ('open', 'expired')
    order by created_at desc, id desc limit p_limit
  ) p
$$;
comment on function public.own_purchases is
  'A person''s own purchases that came to something, newest first: checkouts left open or expired are not among them.';
grant execute on function public.own_purchases(uuid, int) to service_role;
