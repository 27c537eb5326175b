insert into public.job_outputs (id, job_id, user_id, position, source_url, storage_path, media_type, file_name, size_bytes, width, height,
                                duration_seconds, created_at, mirrored_at, mirror_due_at)
select bench.id_at(j.completed_at, format('output %s %s', j.n, p)), j.id, j.user_id, p, format('https://v3.fal.media/files/b/%s/%s.%s', j.id, p, f.extension),
       format('%s/%s/%s.%s', j.user_id, j.id, p, f.extension), f.media_type, format('%s.%s', p, f.extension), 180000 + j.n % 90000,
       case when f.extension in ('png', 'mp4') then 1024 end, case when f.extension in ('png', 'mp4') then 576 end,
       case when f.extension in ('mp4', 'wav') then 8 end, j.completed_at, j.completed_at + interval '3 s', null
from bench.job j
join (values ('image', 'png', 'image/png'), ('video', 'mp4', 'video/mp4'), ('voice', 'wav', 'audio/wav'), ('3d', 'glb', 'model/gltf-binary'))
  f (media_kind, extension, media_type) using (media_kind)
cross join lateral generate_series(0, j.files - 1) p
where j.status = 'completed' or j.is_late
order by j.n, p;

-- Storage's own row of each file, by which it signs addresses. The bytes themselves are not needed for that.
insert into storage.objects (id, bucket_id, name, metadata, created_at)
select o.id, 'media', o.storage_path, jsonb_build_object('mimetype', o.media_type, 'size', o.size_bytes), o.mirrored_at
from public.job_outputs o;

insert into private.stored_files (user_id, files, bytes) select o.user_id, count(*), sum(o.size_bytes) from public.job_outputs o group by o.user_id;
