-- The team: sign-ins make profiles and accounts by themselves, as always. Passwords are given later, by who needs them.
insert into auth.users (id, email, email_confirmed_at, raw_user_meta_data, created_at)
select md5('person ' || k)::uuid, format('person%s@bench.example', k), p.ends_at - make_interval(days => p.days),
       jsonb_build_object('full_name',
         (array['Ada', 'Ben', 'Cleo', 'Dan', 'Eva', 'Finn', 'Gina', 'Hugo', 'Ines', 'Jan'])[1 + k % 10] || ' ' ||
         (array['Marsh', 'Okafor', 'Silva', 'Weber', 'Novak', 'Rossi', 'Larsen', 'Dubois', 'Kaya', 'Moreau'])[1 + k / 10 % 10]),
       p.ends_at - make_interval(days => p.days)
from bench.plan p, generate_series(0, p.people - 1) k;

update public.profiles
set is_approved = true, approved_at = p.ends_at - make_interval(days => p.days), created_at = p.ends_at - make_interval(days => p.days),
    role = case when email = 'person1@bench.example' then 'admin' else 'user' end
from bench.plan p where email like 'person%@bench.example';
