-- Approving people, and taking them off the waiting list.

create function private.locked_person(p_user uuid) returns public.profiles
language plpgsql security definer set search_path = '' as $$
declare
  person public.profiles;
begin
  select * into person from public.profiles where user_id = p_user for no key update;
  if not found or private.person_state(person) = 'deleted' then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such person.');
  end if;
  return person;
end $$;
comment on function private.locked_person is 'Locks a person for a decision about them. 404 for nobody and for a deleted person.';

create function public.approve_person(p_actor uuid, p_user uuid, p_welcome_credits int, p_reason text default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  person public.profiles;
begin
  perform private.require_admin(p_actor, 'approve_person');
  person := private.locked_person(p_user);
  if not person.is_approved then
    update public.profiles
    set is_approved = true, approved_at = now(), approved_by = p_actor, declined_at = null
    where user_id = p_user returning * into person;
    perform private.note_action(p_actor, 'approve_person', p_user::text, '{"is_approved": false}', '{"is_approved": true}',
      private.kept_reason(p_reason));
    perform private.welcome(p_user, p_welcome_credits, p_actor);
  end if;
  return to_jsonb(person);
end $$;
comment on function public.approve_person is 'Lets a person work, with welcome credits, once. Approving again changes nothing.';
grant execute on function public.approve_person(uuid, uuid, int, text) to service_role;

create function public.decline_person(p_actor uuid, p_user uuid, p_reason text default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  person public.profiles;
begin
  perform private.require_admin(p_actor, 'decline_person');
  person := private.locked_person(p_user);
  if person.is_approved then
    perform private.refuse(409, 'ALREADY_APPROVED', 'This person is approved already.');
  end if;
  if person.declined_at is null then
    update public.profiles set declined_at = now() where user_id = p_user returning * into person;
    perform private.note_action(p_actor, 'decline_person', p_user::text, '{"declined": false}', '{"declined": true}',
      private.kept_reason(p_reason));
  end if;
  return to_jsonb(person);
end $$;
comment on function public.decline_person is 'Takes a person off the waiting list. An admin may still approve them later.';
grant execute on function public.decline_person(uuid, uuid, text) to service_role;
