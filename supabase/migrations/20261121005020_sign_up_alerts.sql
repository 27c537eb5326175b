-- Telling of new sign-ups, once each, on the road that alerts already take.

create function public.raise_sign_up_alerts(p_deliver boolean) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  raised jsonb;
begin
  -- Only addresses that are proved: else anybody could fill the channel with names.
  with added as (
    insert into public.budget_alerts (kind, threshold, user_id, limit_usd, value_usd, delivery, next_try_at)
    select 'new_person', 0, p.user_id, 0, 0, case when p_deliver then 'waiting' else 'none' end, case when p_deliver then now() end
    from public.profiles p join auth.users u on u.id = p.user_id
    where not p.is_approved and p.declined_at is null and p.is_active and u.email_confirmed_at is not null
      and not exists (select 1 from public.budget_alerts a where a.user_id = p.user_id and a.kind = 'new_person')
    order by p.user_id
    on conflict do nothing returning *
  )
  select coalesce(jsonb_agg(private.alert_json(a::public.budget_alerts) order by id), '[]') into raised from added a;
  return raised;
end $$;
comment on function public.raise_sign_up_alerts is
  'Raises an alert for each person who waits for approval and was not told of before; returns what is new. p_deliver: it is to be posted.';
grant execute on function public.raise_sign_up_alerts(boolean) to service_role;
