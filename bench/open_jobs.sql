-- As `jobs.submit` and `sending.send` would have left them: each job through the functions of the product.
create function pg_temp.open_jobs(p_batch text, p_count int, p_emails text[], p_fal text, p_check_seconds int)
returns table (job uuid, request text, email text)
language plpgsql as $$
declare
  people uuid[] := (select array_agg(user_id order by p.email) from public.profiles p where p.email = any (p_emails));
  names text[] := (select array_agg(p.email order by p.email) from public.profiles p where p.email = any (p_emails));
  one int;
  address text;
begin
  update private.team_settings set max_open_jobs = 1000000;
  perform private.post_entry(person, 'grant', p_count / cardinality(people) + 1, p_batch || ':' || person, p_reason => 'For a measurement')
  from unnest(people) person;
  for n in 1..p_count loop
    one := 1 + n % cardinality(people);
    job := private.new_id();
    request := md5(p_batch || ' request ' || n)::uuid::text;
    email := names[one];
    address := p_fal || '/fal-ai/flux/requests/' || request;
    perform public.create_job(job, people[one], 'image_flux_schnell', '{"prompt": "A measured cup"}', 'A measured cup',
                              1, null, 2, 0.003, 900);
    perform public.begin_submit(job, 1800, 3600);
    perform public.record_submitted(job, request, address || '/status', address, address || '/cancel', 0, p_check_seconds);
    return next;
  end loop;
  update private.team_settings set max_open_jobs = 50;
end $$;
