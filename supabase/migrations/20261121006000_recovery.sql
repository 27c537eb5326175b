-- After a backup was brought back: what has happened since is known outside, and not here.

create function private.after_restore(p_start_seconds int default 1800) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  job uuid;
  campaign uuid;
  unclear int := 0;
  runs int := 0;
  looked int;
begin
  -- What waited to be sent may have been sent since: a second submit could be a second, paid run.
  for job in
    select j.id from public.generation_jobs j where j.status = 'pending' and j.submit_attempted_at is null order by j.id
  loop
    if public.begin_submit(job, p_start_seconds) is not null then
      perform public.record_unclear(job, 'Brought back from a backup: it may have been sent since.', 30);
      unclear := unclear + 1;
    end if;
  end loop;
  -- The same goes for clips that a run was about to make. A person starts it again.
  for campaign in
    select r.campaign_id from public.campaign_runs r where r.state in ('running', 'waiting') order by r.campaign_id
  loop
    perform private.stop_runs(campaign);
    runs := runs + 1;
  end loop;
  update public.generation_jobs set next_check_at = now(), lease_until = null
  where status in ('submitted', 'in_progress');
  get diagnostics looked = row_count;
  return jsonb_build_object('unclear', unclear, 'runs_stopped', runs, 'to_look_at', looked);
end $$;
comment on function private.after_restore is
  'Run once after a backup was brought back, before anything else may use it: nothing that may have been sent since is sent again, runs are stopped, open jobs are looked at. Returns how many of each.';
