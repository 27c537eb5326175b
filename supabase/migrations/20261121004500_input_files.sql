-- What people bring: sent to fal.ai's storage once, then used again.

alter table private.team_settings add column input_days int not null default 7 check (input_days between 1 and 365);
comment on column private.team_settings.input_days is 'How long a file in fal.ai''s storage is used again before it is sent anew.';

create table public.input_files (
  user_id uuid not null references public.profiles (user_id),
  sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  fal_url text not null check (length(fal_url) <= 2000),
  media_type text not null,
  size_bytes bigint not null check (size_bytes > 0),
  width int check (width > 0),
  height int check (height > 0),
  duration_seconds numeric(10, 3) check (duration_seconds > 0),
  sent_at timestamptz not null default now(),
  expires_at timestamptz not null,
  primary key (user_id, sha256)
);
comment on table public.input_files is 'Input files in fal.ai''s storage, one row a person and content, so that the same file is sent once.';
comment on column public.input_files.sha256 is 'Of the bytes as the person brought them; what was sent is a clean copy without location and camera data.';
comment on column public.input_files.expires_at is 'From here it is sent again: fal.ai may keep files for a limited time.';
-- By hash: an address may be longer than an ordinary index takes, and it is only ever looked up whole.
create index input_files_url on public.input_files using hash (fal_url);
create index job_outputs_source on public.job_outputs using hash (source_url);
create index input_files_newest on public.input_files (user_id, sent_at desc);
alter table public.input_files enable row level security;
create policy "People see what they brought, admins see all" on public.input_files
  for select to authenticated using (user_id = (select auth.uid()) or (select private.is_admin()));
grant select on public.input_files to authenticated, service_role;

create function public.known_input(p_user uuid, p_sha256 text) returns jsonb
language sql stable security definer set search_path = '' as $$
  select to_jsonb(f) from public.input_files f where f.user_id = p_user and f.sha256 = p_sha256 and f.expires_at > now()
$$;
comment on function public.known_input is 'Where fal.ai has this content of this person already; null when it must be sent (again).';
grant execute on function public.known_input(uuid, text) to service_role;

create function public.remember_input(
  p_user uuid, p_sha256 text, p_fal_url text, p_media_type text, p_size_bytes bigint,
  p_width int default null, p_height int default null, p_duration_seconds numeric default null
) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
  file public.input_files;
begin
  perform private.require_approved(p_user);
  insert into public.input_files (user_id, sha256, fal_url, media_type, size_bytes, width, height, duration_seconds, expires_at)
  values (p_user, p_sha256, p_fal_url, p_media_type, p_size_bytes, p_width, p_height, p_duration_seconds,
          now() + make_interval(days => (select input_days from private.team_settings)))
  on conflict (user_id, sha256) do update
  set fal_url = excluded.fal_url, media_type = excluded.media_type, size_bytes = excluded.size_bytes, width = excluded.width,
      height = excluded.height, duration_seconds = excluded.duration_seconds, sent_at = now(), expires_at = excluded.expires_at
  returning * into file;
  return to_jsonb(file);
end $$;
comment on function public.remember_input is 'Notes where fal.ai has a file that was just sent.';
grant execute on function public.remember_input(uuid, text, text, text, bigint, int, int, numeric) to service_role;

create function public.picture_size(p_url text) returns jsonb
language sql stable security definer set search_path = '' as $$
  select to_jsonb(known) from (
    select f.width, f.height from public.input_files f where f.fal_url = p_url and f.width is not null and f.height is not null
    union all
    select o.width, o.height from public.job_outputs o where o.source_url = p_url and o.width is not null and o.height is not null
    limit 1
  ) known
$$;
comment on function public.picture_size is
  'Width and height in pixels of a picture at fal.ai that somebody brought or made here, by its address; null when that is not known. What an enlargement costs follows from it.';
grant execute on function public.picture_size(text) to service_role;

create function public.input_days() returns int language sql stable security definer set search_path = '' as $$
  select input_days from private.team_settings
$$;
comment on function public.input_days is 'For how many days a file in fal.ai''s storage is used again.';
grant execute on function public.input_days() to service_role;
