-- The trail: found again, and what was refused.

create index admin_actions_action on public.admin_actions (action, id desc);
create index admin_actions_target on public.admin_actions (target, id desc);

create function public.search_trail(
  p_actor uuid, p_by uuid default null, p_action text default null, p_target text default null, p_text text default '',
  p_from timestamptz default null, p_to timestamptz default null, p_before bigint default null, p_limit int default 50
) returns jsonb language plpgsql stable security definer set search_path = '' as $$
declare
  pattern text := private.like_pattern(p_text);
begin
  perform private.require_admin(p_actor, 'search_trail');
  return (
    select coalesce(jsonb_agg(to_jsonb(f) order by f.id desc), '[]')
    from (
      select a.id, a.created_at, a.actor, coalesce(nullif(w.full_name, ''), w.email) as actor_name, a.action, a.target, a.before, a.after, a.reason,
             coalesce(nullif(p.full_name, ''), nullif(p.email, ''), g.label, left(j.prompt, 80), c.name) as target_name
      from public.admin_actions a
      left join public.profiles w on w.user_id = a.actor
      cross join lateral (
        select case when a.target ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then a.target::uuid end as id
      ) t
      left join public.profiles p on p.user_id = t.id
      left join public.generation_jobs j on j.id = t.id
      left join public.campaigns c on c.id = t.id
      left join public.generation_types g on g.generation_type = a.target
      where (p_by is null or a.actor = p_by) and (p_action is null or a.action = p_action) and (p_target is null or a.target = p_target)
        and (p_from is null or a.created_at >= p_from) and (p_to is null or a.created_at < p_to)
        and (p_before is null or a.id < p_before)
        and (pattern = '%%' or concat_ws(' ', a.action, a.target, a.reason, a.before, a.after, w.full_name, w.email,
                                         p.full_name, p.email, g.label, j.prompt, c.name) ilike pattern)
      order by a.id desc limit private.page_size(p_limit)
    ) f);
end $$;
comment on function public.search_trail is
  'The trail, newest first, a page at a time (p_before: the last line of the page before): by actor, action, target, any text in it, from a moment until before another. For admins.';
grant execute on function public.search_trail(uuid, uuid, text, text, text, timestamptz, timestamptz, bigint, int) to service_role;

create function public.trail_choices(p_actor uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform private.require_admin(p_actor, 'trail_choices');
  return jsonb_build_object(
    'actions', (select coalesce(jsonb_agg(action order by action), '[]') from (select distinct action from public.admin_actions) known),
    'actors', (select coalesce(jsonb_agg(jsonb_build_object('user_id', actor, 'name', private.name_of(actor)) order by private.name_of(actor), actor), '[]')
               from (select distinct actor from public.admin_actions where actor is not null) known));
end $$;
comment on function public.trail_choices is 'What the trail can be filtered by: {actions, actors: [{user_id, name}]}. For admins.';
grant execute on function public.trail_choices(uuid) to service_role;

-- ---------------------------------------------------------------------------------------------------------------
-- Refusals
-- ---------------------------------------------------------------------------------------------------------------
create function public.note_refusal(p_person uuid, p_action text) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  what text := left(coalesce(p_action, ''), 80);
begin
  if not exists (select 1 from public.profiles where user_id = p_person) then
    return false;
  end if;
  -- Somebody who tries all night fills no table: once in ten minutes for each person and action.
  perform pg_advisory_xact_lock(hashtext('atelier.refusal:' || p_person));
  if exists (
    select 1 from public.admin_actions
    where actor = p_person and action = 'refused' and target = what and created_at > now() - interval '10 minutes'
  ) then
    return false;
  end if;
  perform private.note_action(p_person, 'refused', what);
  return true;
end $$;
comment on function public.note_refusal is
  'Keeps in the trail that a person tried what only admins may, after the refusal has undone its own transaction. False when the same was noted in the last ten minutes.';
grant execute on function public.note_refusal(uuid, text) to service_role;
