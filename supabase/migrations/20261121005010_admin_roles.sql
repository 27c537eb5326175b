-- Roles, unmetered people, switching off and signing out, for admins; and what keeps the last admin.

create function private.require_admin_in_turn(p_actor uuid, p_action text) returns void
language plpgsql security definer set search_path = '' as $$
begin
  -- Who waited here may have lost the role meanwhile, so the role is looked at under the lock.
  perform pg_advisory_xact_lock(hashtext('atelier.admins'));
  perform private.require_admin(p_actor, p_action);
end $$;
comment on function private.require_admin_in_turn is
  'As require_admin, for what may take an admin away: one at a time. As nobody does it to themselves, the acting admin always remains, so the last one cannot go.';

create function private.person_json(p_user uuid) returns jsonb language sql stable security definer set search_path = '' as $$
  select jsonb_build_object('user_id', p.user_id, 'role', p.role, 'is_unmetered', p.is_unmetered, 'state', private.person_state(p))
  from public.profiles p where p.user_id = p_user
$$;
comment on function private.person_json is 'What the functions that change a person return: user_id, role, is_unmetered, state.';

create function private.person_to_change(p_user uuid) returns public.profiles
language plpgsql security definer set search_path = '' as $$
declare
  person public.profiles;
begin
  -- Profile before account, as everywhere.
  person := private.locked_person(p_user);
  -- The lock that create_job takes: a job that is being created comes before the change, the next one after it.
  perform 1 from public.credit_accounts where user_id = p_user for no key update;
  return person;
end $$;
comment on function private.person_to_change is 'Locks a person for a change that new jobs must see. 404 for nobody and for a deleted person.';

create function public.set_role(
  p_actor uuid, p_user uuid, p_role text, p_reason text default null, p_admin_emails jsonb default '[]'
) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  person public.profiles;
begin
  perform private.require_admin_in_turn(p_actor, 'set_role');
  if p_role is null or p_role not in ('user', 'admin') then
    perform private.refuse(422, 'INVALID_INPUT', 'A role is member or admin.', '{"field": "role"}');
  end if;
  if p_user = p_actor then
    perform private.refuse(409, 'OWN_ROLE', 'You cannot change your own role. Ask another admin.');
  end if;
  person := private.person_to_change(p_user);
  if p_role = 'admin' and not (person.is_approved and person.is_active) then
    perform private.refuse(409, 'NOT_YET', 'Only somebody who is approved and switched on can become an admin.');
  end if;
  if p_role = 'user' and p_admin_emails ? lower(person.email) then
    perform private.refuse(409, 'ADMIN_BY_CONFIGURATION',
      'The address of this person is in ADMIN_EMAILS: the next sign-in would make them an admin again. Take it out of that setting first.');
  end if;
  if person.role <> p_role then
    update public.profiles set role = p_role where user_id = p_user;
    perform private.note_action(p_actor, 'set_role', p_user::text, jsonb_build_object('role', person.role),
      jsonb_build_object('role', p_role), private.kept_reason(p_reason));
  end if;
  return private.person_json(p_user);
end $$;
comment on function public.set_role is
  'Makes somebody an admin, or a user again; never oneself, so there is always an admin. p_admin_emails: lower-case addresses that the configuration makes admins.';
grant execute on function public.set_role(uuid, uuid, text, text, jsonb) to service_role;

create function public.set_unmetered(p_actor uuid, p_user uuid, p_on boolean, p_reason text default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  person public.profiles;
begin
  perform private.require_admin(p_actor, 'set_unmetered');
  if p_on is null then
    perform private.refuse(422, 'INVALID_INPUT', 'Unmetered is on or off.', '{"field": "on"}');
  end if;
  person := private.person_to_change(p_user);
  if person.is_unmetered <> p_on then
    update public.profiles set is_unmetered = p_on where user_id = p_user;
    perform private.note_action(p_actor, 'set_unmetered', p_user::text, jsonb_build_object('is_unmetered', person.is_unmetered),
      jsonb_build_object('is_unmetered', p_on), private.kept_reason(p_reason));
  end if;
  return private.person_json(p_user);
end $$;
comment on function public.set_unmetered is 'Jobs of this person cost no credits from now on, or do again. Open jobs keep what was agreed; spend in USD is counted either way.';
grant execute on function public.set_unmetered(uuid, uuid, boolean, text) to service_role;

create function public.set_active(p_actor uuid, p_user uuid, p_on boolean, p_reason text default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  person public.profiles;
begin
  perform private.require_admin_in_turn(p_actor, 'set_active');
  if p_on is null then
    perform private.refuse(422, 'INVALID_INPUT', 'An account is on or off.', '{"field": "on"}');
  end if;
  if p_user = p_actor then
    perform private.refuse(409, 'OWN_ACCOUNT', 'You cannot switch off your own account. Ask another admin.');
  end if;
  person := private.person_to_change(p_user);
  if person.is_active <> p_on then
    update public.profiles set is_active = p_on where user_id = p_user;
    perform private.note_action(p_actor, case when p_on then 'reactivate_person' else 'deactivate_person' end, p_user::text,
      jsonb_build_object('is_active', person.is_active), jsonb_build_object('is_active', p_on), private.kept_reason(p_reason));
  end if;
  return private.person_json(p_user);
end $$;
comment on function public.set_active is 'Switches a person off (open jobs finish, nothing new starts) or on again; never oneself.';
grant execute on function public.set_active(uuid, uuid, boolean, text) to service_role;

create function public.sign_out_everywhere(p_actor uuid, p_user uuid, p_reason text default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  sealed jsonb;
begin
  perform private.require_admin(p_actor, 'sign_out_everywhere');
  if not exists (select 1 from public.profiles where user_id = p_user) then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such person.');
  end if;
  with ended as (
    delete from private.app_sessions where user_id = p_user returning sealed_tokens, token_expires_at
  )
  select coalesce(jsonb_agg(sealed_tokens order by token_expires_at desc), '[]') into sealed from ended;
  perform private.note_action(p_actor, 'sign_out_everywhere', p_user::text, null,
    jsonb_build_object('sessions', jsonb_array_length(sealed)), private.kept_reason(p_reason));
  return sealed;
end $$;
comment on function public.sign_out_everywhere is
  'Ends every session of a person here; returns their sealed tokens, the freshest first, so that Supabase can be told. Nobody else ever sees these.';
grant execute on function public.sign_out_everywhere(uuid, uuid, text) to service_role;
