-- What has a claim on available credits: what is owed since a refund, and purchases in dispute.

create function private.meet_claims(p_user uuid, p_limit int default null) returns void
language plpgsql security definer set search_path = '' as $$
declare
  account public.credit_accounts;
  purchase public.credit_purchases;
  room int;
  part int;
begin
  select * into account from public.credit_accounts where user_id = p_user for no key update;
  room := least(coalesce(p_limit, account.available), account.available);
  part := least(account.owed, room);
  if part > 0 then
    perform private.post_movement(p_user, 'settlement', part, format('settlement:%s:%s', p_user, account.version + 1),
      p_available => -part, p_owed => -part, p_reason => 'Owed since a refund');
    room := room - part;
  end if;
  for purchase in
    select * from public.credit_purchases
    where user_id = p_user and is_disputed and taken_credits + frozen_credits < granted_credits
    order by created_at, id for no key update
  loop
    exit when room <= 0;
    part := least(purchase.granted_credits - purchase.taken_credits - purchase.frozen_credits, room);
    update public.credit_purchases set frozen_credits = frozen_credits + part where id = purchase.id;
    perform private.post_movement(p_user, 'freeze', part,
      format('freeze:%s:%s', purchase.id, (select version + 1 from public.credit_accounts where user_id = p_user)),
      p_available => -part, p_frozen => part, p_purchase => purchase.id, p_reason => 'The payment is disputed');
    room := room - part;
  end loop;
end $$;
comment on function private.meet_claims is
  'Uses available credits, p_limit at most (null: all), for what has a claim on them: first what is owed, then purchases in dispute, oldest first.';

create function public.waive_owed(p_actor uuid, p_user uuid, p_amount int, p_reason text, p_key text) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  account public.credit_accounts;
  entry public.credit_entries;
begin
  perform private.require_admin(p_actor, 'waive_owed');
  if length(trim(coalesce(p_reason, ''))) = 0 then
    perform private.refuse(422, 'INVALID_INPUT', 'Say why: the reason is kept in the trail.', '{"field": "reason"}');
  end if;
  select * into account from public.credit_accounts where user_id = p_user for no key update;
  select * into entry from public.credit_entries where idempotency_key = 'waiver:' || p_key;
  if found then
    return to_jsonb(entry);
  end if;
  if coalesce(p_amount, 0) <= 0 or p_amount > coalesce(account.owed, 0) then
    perform private.refuse(422, 'INVALID_INPUT', format('This person owes %s credits.', coalesce(account.owed, 0)), '{"field": "amount"}');
  end if;
  entry := private.post_movement(p_user, 'waiver', p_amount, 'waiver:' || p_key,
    p_owed => -p_amount, p_reason => p_reason, p_actor => p_actor);
  perform private.note_action(p_actor, 'waive_owed', p_user::text, jsonb_build_object('owed', account.owed),
    jsonb_build_object('owed', entry.owed_after), p_reason);
  return to_jsonb(entry);
end $$;
comment on function public.waive_owed is 'An admin forgives credits that a person owes since a refund, with a reason. p_key makes asking twice harmless.';
grant execute on function public.waive_owed(uuid, uuid, int, text, text) to service_role;

create function public.who_owe(p_actor uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_admin(p_actor, 'who_owe');
  return (
    select coalesce(jsonb_agg(jsonb_build_object('user_id', a.user_id, 'email', p.email, 'full_name', p.full_name, 'owed', a.owed)
                              order by a.owed desc, p.email), '[]')
    from public.credit_accounts a join public.profiles p using (user_id) where a.owed > 0);
end $$;
comment on function public.who_owe is 'Who owes credits since a refund or a lost dispute, most first. For admins.';
grant execute on function public.who_owe(uuid) to service_role;
