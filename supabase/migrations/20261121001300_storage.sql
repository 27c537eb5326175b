-- Our own copy of every file: a private bucket, a folder a person.

insert into storage.buckets (id, name, public) values ('media', 'media', false) on conflict (id) do nothing;

create policy "People read their folder, admins read all" on storage.objects
  for select to authenticated using (
    bucket_id = 'media' and (split_part(name, '/', 1) = (select auth.uid())::text or (select private.is_admin())));
