-- The rules of Supabase's database linter, and a few of our own, each as a query whose rows are findings.
-- Written from the rules' descriptions; the number is the one under which Supabase documents the rule.
-- `ours` are the schemas that the migrations make, `exposed` what the API shows (config.toml: api.schemas).

-- lint: unindexed_foreign_keys (0001)
-- Without an index that begins with its columns, every delete and every join along the key reads the whole table.
-- A partial index does as well when it leaves out nothing but nulls, which no key refers to.
select format('%s of %s', k.conname, k.conrelid::regclass)
from pg_constraint k
where k.contype = 'f' and k.connamespace = any (ours) and not exists (
  select 1 from pg_index i
  where i.indrelid = k.conrelid and i.indisvalid
    and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] = k.conkey
    and (i.indpred is null or pg_get_expr(i.indpred, i.indrelid) in (
      select format('(%I IS NOT NULL)', a.attname) from pg_attribute a where a.attrelid = k.conrelid and a.attnum = any (k.conkey))));

-- lint: auth_users_exposed (0002)
-- A view over auth.users that the API may read shows everybody's addresses.
select format('%s shows auth.users', v.oid::regclass)
from pg_class v
where v.relkind in ('v', 'm') and v.relnamespace = any (exposed)
  and (has_any_column_privilege('anon', v.oid, 'select') or has_any_column_privilege('authenticated', v.oid, 'select'))
  and exists (
    select 1 from pg_rewrite r join pg_depend d on d.objid = r.oid and d.classid = 'pg_rewrite'::regclass
    where r.ev_class = v.oid and d.refobjid = 'auth.users'::regclass);

-- lint: auth_rls_initplan (0003)
-- Who is asking is found out once a statement, as (select auth.uid()), not once a row. Our own helpers the same.
select format('%s on %s', p.policyname, p.tablename)
from pg_policies p
where regexp_replace(coalesce(p.qual, '') || ' ' || coalesce(p.with_check, ''),
                     '\( SELECT (auth|private)\.\w+\([^()]*\) AS \w+\)|\( SELECT current_setting\([^()]*\) AS current_setting\)', '', 'g')
      ~ '\m(auth|private)\.\w+\(|\mcurrent_setting\(';

-- lint: no_primary_key (0004)
select c.oid::regclass::text
from pg_class c
where c.relkind in ('r', 'p') and c.relnamespace = any (ours)
  and not exists (select 1 from pg_index i where i.indrelid = c.oid and i.indisprimary);

-- lint: multiple_permissive_policies (0006)
-- Each is evaluated for every row, and what several say together is easily misread.
select format('%s for %s to %s: %s policies', tablename, command, role, count(*))
from pg_policies p
cross join lateral unnest(case cmd when 'ALL' then array['SELECT', 'INSERT', 'UPDATE', 'DELETE'] else array[cmd] end) command
cross join lateral unnest(case when 'public' = any (roles) then array['anon', 'authenticated'] else roles::text[] end) role
where permissive = 'PERMISSIVE'
group by schemaname, tablename, command, role having count(*) > 1;

-- lint: policy_exists_rls_disabled (0007)
select format('%s has policies that nothing asks', c.oid::regclass)
from pg_class c where not c.relrowsecurity and exists (select 1 from pg_policy p where p.polrelid = c.oid);

-- lint: rls_enabled_no_policy (0008)
select format('%s has row level security and says nothing about who', c.oid::regclass)
from pg_class c
where c.relnamespace = any (ours) and c.relrowsecurity and not exists (select 1 from pg_policy p where p.polrelid = c.oid);

-- lint: duplicate_index (0009)
-- A plain index beside a unique one on the same columns is one too many as well.
select string_agg(indexrelid::regclass::text, ', ')
from pg_index i join pg_class c on c.oid = i.indexrelid
where c.relnamespace = any (ours)
group by indrelid, c.relam, indkey, indclass, indcollation, indoption, indnkeyatts,
         pg_get_expr(indexprs, indrelid), pg_get_expr(indpred, indrelid)
having count(*) > 1;

-- lint: security_definer_view (0010)
-- Such a view reads with its owner's rights: row level security does not see the caller.
select c.oid::regclass::text
from pg_class c
where c.relkind = 'v' and c.relnamespace = any (exposed)
  and (has_any_column_privilege('anon', c.oid, 'select') or has_any_column_privilege('authenticated', c.oid, 'select'))
  and not coalesce(c.reloptions, '{}') && array['security_invoker=true', 'security_invoker=on', 'security_invoker=yes', 'security_invoker=1'];

-- lint: function_search_path_mutable (0011)
-- Whoever calls it could decide what the names in it mean.
select p.oid::regprocedure::text
from pg_proc p
where p.pronamespace = any (ours) and not exists (select 1 from unnest(p.proconfig) setting where setting like 'search\_path=%');

-- lint: rls_disabled_in_public (0013)
select c.oid::regclass::text
from pg_class c
where c.relkind in ('r', 'p') and c.relnamespace = any (exposed) and not c.relrowsecurity;

-- lint: extension_in_public (0014)
select extname::text from pg_extension where extnamespace = any (exposed);

-- lint: rls_references_user_metadata (0015)
-- People write their own user_metadata.
select format('%s on %s', policyname, tablename)
from pg_policies where concat(qual, with_check) ~ 'user_metadata|raw_user_meta_data';

-- lint: materialized_view_in_api (0016)
select c.oid::regclass::text
from pg_class c
where c.relkind = 'm' and c.relnamespace = any (exposed)
  and (has_any_column_privilege('anon', c.oid, 'select') or has_any_column_privilege('authenticated', c.oid, 'select'));

-- lint: foreign_table_in_api (0017)
select c.oid::regclass::text
from pg_class c
where c.relkind = 'f' and c.relnamespace = any (exposed)
  and (has_any_column_privilege('anon', c.oid, 'select') or has_any_column_privilege('authenticated', c.oid, 'select'));

-- lint: unsupported_reg_types (0018)
-- Columns of these types stop an upgrade of PostgreSQL.
select format('%s.%s is %s', a.attrelid::regclass, a.attname, a.atttypid::regtype)
from pg_attribute a join pg_class c on c.oid = a.attrelid
where c.relkind in ('r', 'p', 'm') and c.relnamespace = any (ours) and not a.attisdropped and a.atttypid = any (array[
  'regcollation', 'regconfig', 'regdictionary', 'regnamespace', 'regoper', 'regoperator', 'regproc', 'regprocedure']::regtype[]);

-- lint: insecure_queue_exposed_in_api (0019)
-- Queues of pgmq that the API shows (schema pgmq_public) need row level security of their own.
select c.oid::regclass::text
from pg_class c
where c.relkind in ('r', 'p') and c.relnamespace = to_regnamespace('pgmq') and to_regnamespace('pgmq_public') is not null
  and not c.relrowsecurity and c.relname ~ '^[qa]_';

-- lint: fkey_to_auth_unique (0021)
-- Supabase's own migrations drop unique constraints of the schema auth; only its primary keys may be referred to.
select format('%s of %s', k.conname, k.conrelid::regclass)
from pg_constraint k
join pg_class target on target.oid = k.confrelid
join pg_index i on i.indexrelid = k.conindid
where k.contype = 'f' and target.relnamespace = 'auth'::regnamespace and k.connamespace <> 'auth'::regnamespace and not i.indisprimary;

-- lint: extension_versions_outdated (0022)
select format('%s is %s, %s is there', e.extname, e.extversion, a.default_version)
from pg_extension e join pg_available_extensions a on a.name = e.extname
where e.extversion <> a.default_version;

-- lint: sensitive_columns_exposed (0023)
-- Stricter than Supabase's rule: such a column has no place in an exposed table, with row level security or without.
select format('%s.%s', a.attrelid::regclass, a.attname)
from pg_attribute a join pg_class c on c.oid = a.attrelid
where c.relnamespace = any (exposed) and c.relkind in ('r', 'p', 'v', 'm') and a.attnum > 0 and not a.attisdropped
  and a.attname ~* '(^|_)(password|passwd|pwd|passphrase|secret|api_?key|private_key|token|tokens|jwt|cookie|otp|ssn|iban|card_number|cvc|cvv|recovery_code)(_|$)'
  and (has_column_privilege('anon', c.oid, a.attnum, 'select') or has_column_privilege('authenticated', c.oid, a.attnum, 'select'));

-- lint: rls_policy_always_true (0024)
-- Stricter than Supabase's rule, which looks at writing only: reading everything is for what is the same for everybody.
select format('%s on %s', policyname, tablename)
from pg_policies
where permissive = 'PERMISSIVE' and roles && array['public', 'anon', 'authenticated']::name[]
  and (regexp_replace(qual, '[\s()]', '', 'g') in ('true', '1=1') and tablename <> all (array['generation_types', 'credit_packs'])
       or regexp_replace(with_check, '[\s()]', '', 'g') in ('true', '1=1')
       or qual is null and cmd <> 'INSERT' or with_check is null and cmd = 'INSERT');

-- lint: public_bucket_allows_listing (0025)
-- We have no public bucket at all, so any is a finding.
select id from storage.buckets where public;

-- lint: pg17_deprecated_extensions (0025)
-- Not in PostgreSQL 17 on Supabase any more: a project that has one cannot be upgraded.
select extname::text from pg_extension where extname in ('plv8', 'plls', 'plcoffee', 'timescaledb', 'pgjwt');

-- lint: pg_graphql_table_exposed (0026, 0027)
-- It would tell every signed-up person the names of all tables and columns; nothing here speaks GraphQL.
select extname::text from pg_extension where extname = 'pg_graphql';

-- lint: security_definer_function_executable (0028, 0029)
-- Runs with its owner's rights for whoever the API lets in.
select p.oid::regprocedure::text
from pg_proc p
where p.pronamespace = any (exposed) and p.prosecdef
  and (has_function_privilege('anon', p.oid, 'execute') or has_function_privilege('authenticated', p.oid, 'execute'));

-- lint: invalid_index (0030)
-- Left over by a build that failed: every write keeps it up, no query uses it.
select indexrelid::regclass::text from pg_index where not indisvalid or not indisready;

-- lint: autovacuum_disabled (0030)
select c.oid::regclass::text
from pg_class c
where c.relnamespace = any (ours) and c.reloptions && array['autovacuum_enabled=false', 'autovacuum_enabled=off', 'autovacuum_enabled=0'];

-- lint: rls_policy_null_auth_disjunct (0030)
-- True for every row as soon as nobody is signed in.
select format('%s on %s', policyname, tablename)
from pg_policies
where concat(qual, ' ', with_check)
      ~ '(auth\.(uid|jwt|role|email)\(\)|current_setting\([^()]*true\)|AS (uid|jwt|role|email|current_setting)\))[\s)]*IS NULL';

-- lint: unused_replication_slot (0031)
select slot_name::text from pg_replication_slots where not active and database = current_database();

-- lint: private_table_is_reachable (own)
-- Nothing in the schema private is granted to a role of the API, to none of its columns either, and there is a policy
-- that would still say no if it were.
select format('%s by %s', c.oid::regclass, role)
from pg_class c cross join unnest(array['anon', 'authenticated', 'service_role']) role
where c.relkind in ('r', 'p', 'v', 'm') and c.relnamespace = 'private'::regnamespace
  and (has_any_column_privilege(role, c.oid, 'select, insert, update, references')
       or has_table_privilege(role, c.oid, 'select, insert, update, delete, truncate, references, trigger'))
union all
select format('%s has no row level security', c.oid::regclass)
from pg_class c where c.relkind in ('r', 'p') and c.relnamespace = 'private'::regnamespace and not c.relrowsecurity;

-- lint: anon_may_something (own)
-- Who is not signed in may do nothing at all in our schemas.
select c.oid::regclass::text
from pg_class c
where c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relnamespace = any (ours)
  and (has_any_column_privilege('anon', c.oid, 'select, insert, update, references')
       or has_table_privilege('anon', c.oid, 'select, insert, update, delete, truncate, references, trigger'))
union all
select p.oid::regprocedure::text from pg_proc p where p.pronamespace = any (ours) and has_function_privilege('anon', p.oid, 'execute');

-- lint: policy_for_everybody (own)
-- A policy names the role it is for; without one it is for anon as well.
select format('%s on %s', policyname, tablename) from pg_policies where roles && array['public', 'anon']::name[] and qual is distinct from 'false';

-- lint: sequence_granted (own)
-- Ids are made by the functions; a role that may call nextval can burn them.
select format('%s to %s', c.oid::regclass, role)
from pg_class c cross join unnest(array['anon', 'authenticated', 'service_role']) role
where c.relkind = 'S' and c.relnamespace = any (ours) and has_sequence_privilege(role, c.oid, 'usage, select, update');

-- lint: history_can_be_changed (own)
-- Each append-only table keeps both of its triggers, switched on.
select format('%s without %s', t.name, wanted)
from unnest(array['credit_entries', 'generation_logs', 'budget_snapshots', 'admin_actions', 'price_changes']) t (name)
cross join unnest(array['append_only', 'append_only_truncate']) wanted
where not exists (
  select 1 from pg_trigger g
  where g.tgrelid = format('public.%I', t.name)::regclass and g.tgname = wanted and g.tgenabled in ('O', 'A')
    and g.tgfoid = 'private.forbid_change'::regproc);

-- lint: table_is_published (own)
-- Realtime would send its changes to whoever listens; nothing here listens.
select format('%s in %s', t.tablename, t.pubname) from pg_publication_tables t where t.schemaname in ('public', 'private');
