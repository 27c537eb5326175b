-- The audit: every invariant of the books, checked by looking at all of them.
-- A theme adds its own rules by adding a function private.audit_<theme>(); audit_books() asks every one of them.

create function private.audit_credits() returns table (rule text, subject text, problem text)
language sql stable security definer set search_path = '' as $$
  -- I1: balances are the sums of their entries, and what is held is what open jobs hold
  select 'balance_is_sum_of_entries', a.user_id::text,
         format('available %s, entries say %s; held %s, entries say %s', a.available, coalesce(e.available, 0), a.held, coalesce(e.held, 0))
  from public.credit_accounts a
  left join (select user_id, sum(available_change) as available, sum(held_change) as held, count(*) as entries
             from public.credit_entries group by user_id) e using (user_id)
  where a.available <> coalesce(e.available, 0) or a.held <> coalesce(e.held, 0) or a.version <> coalesce(e.entries, 0)
  union all
  select 'held_is_sum_of_open_jobs', a.user_id::text, format('held %s, open jobs hold %s', a.held, coalesce(j.held, 0))
  from public.credit_accounts a
  left join (select user_id, sum(credits_held) as held from public.generation_jobs
             where status in ('pending', 'submitted', 'in_progress') group by user_id) j using (user_id)
  where a.held <> coalesce(j.held, 0)
  union all
  select 'entries_follow_each_other', e.user_id::text, format('entry %s: after does not follow from before', e.id)
  from (select *, lag(available_after, 1, 0) over w as available_before, lag(held_after, 1, 0) over w as held_before
        from public.credit_entries window w as (partition by user_id order by version)) e
  where e.available_after <> e.available_before + e.available_change or e.held_after <> e.held_before + e.held_change
$$;
comment on function private.audit_credits is 'Violations within the ledger: balances, holds, the order of entries.';

create function private.audit_jobs() returns table (rule text, subject text, problem text)
language sql stable security definer set search_path = '' as $$
  -- I2, I5, I6: the state of a job and the money that moved for it say the same
  select 'job_agrees_with_ledger', j.id::text,
         format('%s, holds %s, charged %s; ledger: hold %s, capture %s, release %s',
                j.status, j.credits_held, j.credits_charged, coalesce(e.hold, 0), coalesce(e.capture, 0), coalesce(e.release, 0))
  from public.generation_jobs j
  left join (select job_id, sum(amount) filter (where kind = 'hold') as hold, sum(amount) filter (where kind = 'capture') as capture,
                    sum(amount) filter (where kind = 'release') as release
             from public.credit_entries where job_id is not null group by job_id) e on e.job_id = j.id
  where coalesce(e.hold, 0) <> j.credits_held
     or coalesce(e.capture, 0) <> j.credits_charged
     or coalesce(e.release, 0) <> case when j.status in ('failed', 'cancelled') then j.credits_held else 0 end
  union all
  select 'entry_is_of_the_person_of_its_job', e.id::text, format('%s of %s for a job of %s', e.kind, e.user_id, j.user_id)
  from public.credit_entries e join public.generation_jobs j on j.id = e.job_id
  where e.user_id <> j.user_id
  union all
  select 'next_try_is_of_this_job', j.id::text, format('its next try %s repeats %s', n.id, coalesce(n.retried_from::text, 'nothing'))
  from public.generation_jobs j join public.generation_jobs n on n.id = j.retried_as
  where n.retried_from is distinct from j.id or n.user_id <> j.user_id
  union all
  select 'completed_has_output', j.id::text, 'completed without a file or a result'
  from public.generation_jobs j
  where j.status = 'completed' and coalesce(j.result_data, 'null') = 'null' and not exists (select 1 from public.job_outputs o where o.job_id = j.id)
$$;
comment on function private.audit_jobs is 'Violations between jobs and the ledger, and jobs that ended well without a result.';

create function private.audit_spend() returns table (rule text, subject text, problem text)
language sql stable security definer set search_path = '' as $$
  -- I7: what fal.ai may bill is counted at the best known cost
  select 'spend_is_the_best_known_cost', j.id::text,
         format('%s, counted $%s; estimated $%s, %s $%s', j.status, j.spent_usd, j.estimated_usd, j.cost_source, j.actual_usd)
  from public.generation_jobs j
  where case
    when j.status not in ('completed', 'failed', 'cancelled') then j.spent_usd <> 0
    when j.cost_source <> 'estimated' then j.spent_usd is distinct from j.actual_usd
    when j.status = 'completed' or j.is_late then j.spent_usd <> j.estimated_usd
    else j.spent_usd not in (0, j.estimated_usd) end
  union all
  -- I7: the spend of a job is the sum of its history
  select 'job_agrees_with_history', j.id::text, format('spent $%s, history says $%s', j.spent_usd, coalesce(l.spent, 0))
  from public.generation_jobs j
  left join (select job_id, sum(spent_usd) as spent, sum(credits) as credits, sum(ended) as ended from public.generation_logs group by job_id) l
    on l.job_id = j.id
  where j.spent_usd <> coalesce(l.spent, 0) or j.credits_charged <> coalesce(l.credits, 0)
     or (j.status in ('completed', 'failed', 'cancelled'))::int <> coalesce(l.ended, 0)
$$;
comment on function private.audit_spend is 'Violations between what jobs cost and their history.';

create function public.audit_books() returns table (rule text, subject text, problem text)
language plpgsql stable security definer set search_path = '' as $$
declare
  theme regproc;
begin
  for theme in
    select p.oid::regproc from pg_catalog.pg_proc p
    where p.pronamespace = 'private'::regnamespace and p.proname like 'audit\_%' and p.pronargs = 0 and p.proretset
    order by p.proname
  loop
    return query execute format('select a.rule, a.subject, a.problem from %s() a', theme);
  end loop;
end $$;
comment on function public.audit_books is 'Every violation of the books'' invariants, from every private.audit_<theme>(); no rows when all is well.';
grant execute on function public.audit_books() to service_role;
