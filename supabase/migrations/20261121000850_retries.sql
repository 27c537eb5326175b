-- Trying again what has failed, many jobs at once.

create function public.retry_jobs(p_user uuid, p_items jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  item jsonb;
  old public.generation_jobs;
  new_job uuid;
  made jsonb := '[]';
  skipped jsonb := '[]';
  waiting jsonb := '[]';
  stopped boolean := false;
  state text;
  code text;
  sentence text;
begin
  if jsonb_array_length(p_items) > 200 then
    perform private.refuse(422, 'INVALID_INPUT', 'At most 200 jobs are tried again at once.', '{"field": "jobs"}');
  end if;
  -- Jobs in the order of their ids, then the account: as everywhere, so that nothing waits in a circle.
  perform 1 from public.generation_jobs j
  where j.user_id = p_user and j.id in (select (i ->> 'job')::uuid from jsonb_array_elements(p_items) i)
  order by j.id for no key update;
  perform 1 from public.credit_accounts where user_id = p_user for no key update;
  for item in select i.value from jsonb_array_elements(p_items) with ordinality i order by i.ordinality loop
    new_job := (item ->> 'new_job')::uuid;
    select * into old from public.generation_jobs where id = (item ->> 'job')::uuid and user_id = p_user;
    if old.id is not null and old.retried_as = new_job then
      made := made || to_jsonb(new_job); -- asked again after a lost answer
    elsif old.id is null or old.status <> 'failed' or old.is_late or old.retried_as is not null then
      skipped := skipped || (item -> 'job');
    elsif stopped then
      waiting := waiting || jsonb_build_object('job', item -> 'job', 'code', code, 'sentence', sentence);
    else
      begin
        perform public.create_job(
          new_job, p_user, old.generation_type, item -> 'input_params', old.prompt, (item ->> 'quantity')::int,
          (item ->> 'credits')::int, (item ->> 'units')::numeric, (item ->> 'unit_price_usd')::numeric,
          (item ->> 'longest_seconds')::int, old.id, p_submit_within => 0);
        made := made || to_jsonb(new_job);
      exception when others then
        get stacked diagnostics state = returned_sqlstate, code = pg_exception_hint, sentence = message_text;
        if state not like 'PT%' then
          raise;
        end if;
        waiting := waiting || jsonb_build_object('job', item -> 'job', 'code', code, 'sentence', sentence);
        -- A model that is off or dearer now is about this job; the rest is about the person, and holds for all that follow.
        stopped := code not in ('TYPE_DISABLED', 'PRICE_CHANGED');
      end;
    end if;
  end loop;
  return jsonb_build_object('made', made, 'skipped', skipped, 'waiting', waiting);
end $$;
comment on function public.retry_jobs is
  'Tries a person''s failed jobs again, each as one new job with its own hold, in the order given: [{job, new_job, input_params, quantity, credits, units, unit_price_usd, longest_seconds}]. What has been tried again already, has not failed or was delivered late is skipped; the first refusal about the person (credits, cap, too many open jobs, lock) stops it. Returns {made: [id], skipped: [id], waiting: [{job, code, sentence}]}. Asking again is harmless.';
grant execute on function public.retry_jobs(uuid, jsonb) to service_role;
