-- The runs of the audit: by a worker every hour or on a button, and what each found.

create table public.audit_runs (
  id bigint generated always as identity primary key,
  started_at timestamptz not null,
  ended_at timestamptz not null,
  actor uuid references public.profiles (user_id),
  violation_count int not null check (violation_count >= 0),
  violations jsonb not null check (jsonb_typeof(violations) = 'array'),
  check (ended_at >= started_at),
  check (jsonb_array_length(violations) = least(violation_count, 200))
);
comment on table public.audit_runs is 'Each run of audit_books(): when, by whom (empty: a worker), and what it found.';
comment on column public.audit_runs.violations is '[{rule, subject, problem}], the first 200.';
create index audit_runs_actor on public.audit_runs (actor);
alter table public.audit_runs enable row level security;
create policy "Admins see the audits" on public.audit_runs for select to authenticated using ((select private.is_admin()));
grant select on public.audit_runs to authenticated, service_role;

create function private.audit_run_json(p_run public.audit_runs) returns jsonb
language sql stable security definer set search_path = '' as $$
  select to_jsonb(p_run) || jsonb_build_object('actor_name', private.name_of(p_run.actor))
$$;
comment on function private.audit_run_json is 'A run of the audit as the functions return it.';

-- It reads every book: half a minute at a million jobs, longer than the API lets a statement take, and quicker with room to sort.
create function public.run_audit(p_actor uuid default null) returns jsonb
language plpgsql security definer set search_path = '' set statement_timeout = '10min' set work_mem = '64MB' as $$
declare
  started timestamptz := clock_timestamp();
  run public.audit_runs;
begin
  if p_actor is not null then
    perform private.require_admin(p_actor, 'run_audit');
  end if;
  -- One at a time: it reads every book.
  perform pg_advisory_xact_lock(hashtext('atelier.audit'));
  with violations as (
    select *, row_number() over (order by rule, subject, problem) as place from public.audit_books()
  )
  insert into public.audit_runs (started_at, ended_at, actor, violation_count, violations)
  select started, clock_timestamp(), p_actor, count(*),
         coalesce(jsonb_agg(jsonb_build_object('rule', rule, 'subject', subject, 'problem', problem) order by place)
                  filter (where place <= 200), '[]')
  from violations returning * into run;
  if p_actor is not null then
    perform private.note_action(p_actor, 'run_audit', 'books', null, jsonb_build_object('violations', run.violation_count));
  end if;
  return private.audit_run_json(run);
end $$;
comment on function public.run_audit is 'Audits the books now and keeps what was found. Without an actor it is a worker that does it.';
grant execute on function public.run_audit(uuid) to service_role;

create function public.last_audit(p_actor uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_admin(p_actor, 'last_audit');
  return (select private.audit_run_json(r) from public.audit_runs r order by r.id desc limit 1);
end $$;
comment on function public.last_audit is 'What the latest audit found, for admins; null before the first.';
grant execute on function public.last_audit(uuid) to service_role;
