-- The analyst reads figures and nothing that leads back to a person or a suspect; nobody else reads them.
BEGIN;
SELECT no_plan();
SELECT test.record(n, n, 'SOC-HOU', '2026-01-10', 'sx_m', 13) FROM generate_series(1, 3) n;
UPDATE tip.identification SET share_stats = false WHERE identification_id = test.ident(3);
SELECT test.settle();
COMMIT;

CREATE FUNCTION pg_temp.denied(VARIADIC statements text[]) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT tap.throws_ok(s, '42501', NULL, session_user || ' may not: ' || s) FROM unnest(statements) s $$;
CREATE TEMP TABLE figure AS
SELECT c.oid::regclass::text AS name FROM pg_class c
 WHERE c.relnamespace = 'stat'::regnamespace AND c.relkind = 'v'
   AND c.relname NOT IN ('recording', 'episode', 'care', 'victim_fact', 'suspect_fact');
GRANT SELECT ON figure TO PUBLIC;
SELECT is_empty($$SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'stat'::regnamespace AND c.relkind = 'v'
                     AND has_any_column_privilege('relais_analyst', c.oid, 'SELECT') AND c.relname <> 'place_area'
                     AND NOT coalesce(c.reloptions @> '{security_barrier=true}', false)$$, 'every view for the analyst is a barrier');
SELECT is_empty($$SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
                   WHERE c.relnamespace = 'stat'::regnamespace AND c.relkind = 'v' AND col_description(c.oid, a.attnum) IS NULL$$, 'every column is explained');
SELECT is_empty($$SELECT p.proname FROM pg_proc p WHERE p.pronamespace = 'stat'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL$$, 'every function is explained');

SET SESSION AUTHORIZATION t_analyst;
SELECT lives_ok('SELECT count(*) FROM ' || name, 'the analyst reads ' || name) FROM pg_temp.figure ORDER BY name;
SELECT is((SELECT total::integer FROM stat.tip_report('2026-01-01', '2027-01-01') WHERE line = 'V2'), 2, 'and asks for the report of a period');
SELECT is((SELECT count(year)::integer FROM stat.victim_fact), 2, 'and the rows that it is counted from');
SELECT pg_temp.denied('SELECT person FROM stat.victim_fact', 'SELECT speaking_record FROM stat.victim_fact', 'SELECT * FROM stat.victim_fact',
                      'SELECT count(*) FROM stat.suspect_fact', 'SELECT count(*) FROM stat.recording', 'SELECT count(*) FROM stat.care',
                      'SELECT count(*) FROM stat.episode', 'SELECT count(*) FROM tip.identification', 'SELECT count(*) FROM link.candidate',
                      'SELECT count(*) FROM ref.population', 'CREATE VIEW stat.mine AS SELECT 1');
-- A function of the reader's own sees no row that the view leaves out.
CREATE TEMP TABLE seen (what text);
CREATE FUNCTION pg_temp.spy(what text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN RAISE NOTICE 'seen %', what; INSERT INTO seen VALUES (what); RETURN true; END $$;
SELECT is((SELECT count(*)::integer FROM stat.victim_fact WHERE pg_temp.spy(sex)), 2, 'the reader''s own function runs');
SELECT is((SELECT count(*)::integer FROM seen), 2, 'on the people counted alone');
TRUNCATE seen;
SELECT is((SELECT sum(total)::integer FROM stat.region_series WHERE pg_temp.spy(region) AND division = 17), 2, 'and on the lines of a table');
SELECT ok((SELECT count(*) FROM seen) <= 2, 'not on the people behind them');
RESET SESSION AUTHORIZATION;

SET SESSION AUTHORIZATION t_coordination;
SELECT is((SELECT count(*)::integer FROM stat.victim_fact), 2, 'the coordination unit reads whole rows');
SELECT pg_temp.denied('SELECT count(*) FROM stat.suspect_fact');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION t_prosecutor;
SELECT lives_ok('SELECT count(*) FROM stat.suspect_fact', 'justice reads suspects');
SELECT pg_temp.denied('SELECT count(*) FROM stat.victim_fact', 'SELECT count(*) FROM stat.public_table', 'SELECT * FROM stat.tip_report(NULL, NULL)');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION t_stranger;
SELECT pg_temp.denied('SELECT count(*) FROM stat.public_table', 'SELECT * FROM stat.tip_report(NULL, NULL)', 'SELECT * FROM stat.protected_table(11)');
RESET SESSION AUTHORIZATION;

-- A partner is given the published table and nothing else (README.md says how).
SELECT is_empty('SELECT name FROM figure WHERE has_table_privilege(''t_stranger'', name, ''SELECT'')', 'nobody is given anything by default');
GRANT USAGE ON SCHEMA stat TO t_nobody;
GRANT SELECT ON stat.public_table TO t_nobody;
GRANT EXECUTE ON FUNCTION stat.public_lines() TO t_nobody;
SET SESSION AUTHORIZATION t_nobody;
SELECT lives_ok('SELECT count(*) FROM stat.public_table', 'a partner reads what is published');
SELECT pg_temp.denied('SELECT count(*) FROM stat.ministry_table', 'SELECT * FROM stat.protected_table(5)', 'SELECT count(*) FROM stat.public_cell',
                      'SELECT count(*) FROM stat.ctdc_2024', 'SELECT count(year) FROM stat.victim_fact', 'SELECT * FROM stat.tip_report(NULL, NULL)');
RESET SESSION AUTHORIZATION;
SELECT * FROM finish();
