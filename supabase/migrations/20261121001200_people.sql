-- What admins do with people.

create function public.approve_person(p_actor uuid, p_user uuid, p_welcome_credits int) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  person public.profiles;
begin
  perform private.require_admin(p_actor, 'approve_person');
  select * into person from public.profiles where user_id = p_user for no key update;
  if not found then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such person.');
  end if;
  if not person.is_approved then
    update public.profiles
    set is_approved = true, approved_at = now(), approved_by = p_actor, declined_at = null
    where user_id = p_user returning * into person;
    perform private.note_action(p_actor, 'approve_person', p_user::text, '{"is_approved": false}', '{"is_approved": true}');
    if p_welcome_credits > 0 then
      perform private.post_entry(p_user, 'welcome', p_welcome_credits, 'welcome:' || p_user, p_reason => 'Welcome', p_actor => p_actor);
    end if;
  end if;
  return to_jsonb(person);
end $$;
comment on function public.approve_person is 'Lets a person work, with welcome credits, once. Approving again changes nothing.';
grant execute on function public.approve_person(uuid, uuid, int) to service_role;

create function public.decline_person(p_actor uuid, p_user uuid) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  person public.profiles;
begin
  perform private.require_admin(p_actor, 'decline_person');
  select * into person from public.profiles where user_id = p_user for no key update;
  if not found then
    perform private.refuse(404, 'NOT_FOUND', 'There is no such person.');
  end if;
  if person.is_approved then
    perform private.refuse(409, 'ALREADY_APPROVED', 'This person is approved already.');
  end if;
  if person.declined_at is null then
    update public.profiles set declined_at = now() where user_id = p_user returning * into person;
    perform private.note_action(p_actor, 'decline_person', p_user::text, null, '{"declined": true}');
  end if;
  return to_jsonb(person);
end $$;
comment on function public.decline_person is 'Takes a person off the waiting list. An admin may still approve them later.';
grant execute on function public.decline_person(uuid, uuid) to service_role;
