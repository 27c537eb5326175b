-- How many webhook calls came in, also of those that leave no row.

create table private.webhook_counters (
  hour timestamptz not null,
  provider text not null check (provider in ('fal', 'stripe')),
  outcome text not null check (outcome in ('accepted', 'refused', 'failed', 'not_stored')),
  calls bigint not null check (calls >= 0),
  primary key (hour, provider, outcome)
);
comment on table private.webhook_counters is
  'Webhook calls per hour (UTC), added by the companions every few seconds. A refused call leaves no other trace. What is older than 90 days is kept as one sum, at -infinity.';
comment on column private.webhook_counters.outcome is
  'accepted: verified and answered 200; refused: not verified or no proper body; failed: verified and stored, its effect failed; not_stored: verified, the database was away.';
alter table private.webhook_counters enable row level security;
create policy "Nobody by the API" on private.webhook_counters to anon, authenticated using (false);

create function public.add_webhook_counts(p_counts jsonb) returns void
language sql security definer set search_path = '' as $$
  insert into private.webhook_counters as c (hour, provider, outcome, calls)
  select date_trunc('hour', now(), 'UTC'), n.provider, n.outcome, sum(n.calls)
  from jsonb_to_recordset(p_counts) as n(provider text, outcome text, calls bigint)
  group by n.provider, n.outcome order by n.provider, n.outcome
  on conflict (hour, provider, outcome) do update set calls = c.calls + excluded.calls
$$;
comment on function public.add_webhook_counts is 'Adds what a companion has counted since it last told: [{provider, outcome, calls}].';
grant execute on function public.add_webhook_counts(jsonb) to service_role;

create function public.webhook_rates(p_actor uuid, p_hours int default 24) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_admin(p_actor, 'webhook_rates');
  return (
    select jsonb_agg(jsonb_build_object(
      'hour', h.hour, 'provider', p.provider, 'received', coalesce(c.received, 0), 'verified', coalesce(c.received - c.refused, 0),
      'refused', coalesce(c.refused, 0), 'failed', coalesce(c.failed, 0)) order by h.hour, p.provider)
    from generate_series(
      date_trunc('hour', now(), 'UTC') - make_interval(hours => greatest(1, least(p_hours, 2160)) - 1),
      date_trunc('hour', now(), 'UTC'), interval '1 hour') as h(hour)
    cross join (values ('fal'), ('stripe')) as p(provider)
    left join lateral (
      select sum(w.calls) as received, coalesce(sum(w.calls) filter (where w.outcome = 'refused'), 0) as refused,
             coalesce(sum(w.calls) filter (where w.outcome in ('failed', 'not_stored')), 0) as failed
      from private.webhook_counters w where w.hour = h.hour and w.provider = p.provider
    ) c on true);
end $$;
comment on function public.webhook_rates is
  'Calls per hour and provider over the last hours (at most 90 days), empty hours too: received, verified, refused, failed. For admins.';
grant execute on function public.webhook_rates(uuid, int) to service_role;
