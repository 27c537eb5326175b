-- Which account of fal.ai is ours: pinned by the first verified call, let go by an admin.

create function public.fal_account(p_actor uuid) returns text
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_admin(p_actor, 'fal_account');
  return (select account_id from private.provider_state where provider = 'fal');
end $$;
comment on function public.fal_account is 'The account of fal.ai whose calls are taken, for admins; null until a verified call about a job of ours has pinned one.';
grant execute on function public.fal_account(uuid) to service_role;

create function public.forget_fal_account(p_actor uuid, p_account text) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  perform private.require_admin(p_actor, 'forget_fal_account');
  -- Named, so that a second press does not let go of the account that was pinned in between.
  update private.provider_state set account_id = null where provider = 'fal' and account_id = p_account;
  if not found then
    return false;
  end if;
  perform private.note_action(p_actor, 'forget_fal_account', 'fal', jsonb_build_object('account', p_account), jsonb_build_object('account', null));
  return true;
end $$;
comment on function public.forget_fal_account is
  'An admin lets go of the pinned account of fal.ai, since a key of another one is used now: the next verified call about a job of ours pins that. False when another account, or none, is pinned.';
grant execute on function public.forget_fal_account(uuid, text) to service_role;
