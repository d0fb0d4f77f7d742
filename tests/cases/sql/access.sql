-- Each role as its people log in: what it sees, and what it does not.
BEGIN;
SELECT no_plan();

-- 1 police's own; 2 and 5 one person of the NGO's, referred to the social service, who agreed; 3 referred, who did
-- not agree; 4 shared with justice; 7 a recording by the police, not shared, of the person of 2.
SELECT test.record(1, 1, 'POL-HOU', '2026-03-01', 'sx_m', 20);
SELECT test.record(2, 2, 'ONG-KAD', '2026-03-02', 'sx_f', 21, '{K4:d}', 'stats assist');
SELECT test.record(3, 3, 'ONG-KAD', '2026-03-03', 'sx_f', 22, '{K1:n}');
SELECT test.record(4, 4, 'ONG-KAD', '2026-03-04', 'sx_m', 23, '{K1:n}', 'stats justice');
SELECT test.record(5, 5, 'ONG-KAD', '2026-03-05', 'sx_f', 21, '{K4:d}', 'stats assist');
SELECT test.record(7, 2, 'POL-HOU', '2026-03-06', 'sx_f', 21, '{}', 'stats');
SELECT test.settle();
SELECT is(test.people(2, 5, 7), '{2,5,7}', 'prepared');
INSERT INTO tip.identification_item SELECT test.ident(n), 'ac_recr' FROM unnest('{1,2,3,4,5,7}'::integer[]) n;
INSERT INTO tip.exploitation (identification_id, seq, form, realised, main) SELECT test.ident(n), 1, 'ex_l_gold', true, true FROM unnest('{1,2,3,4,5,7}'::integer[]) n;
INSERT INTO tip.route_leg (identification_id, seq, kind, country) SELECT test.ident(n), 1, 'destination', 'CIV' FROM unnest('{1,2,3,4,5,7}'::integer[]) n;
INSERT INTO tip.assistance (sub_id, seq, victim_id, org_code, service, needed_on, referred_to)
SELECT test.submission('help ' || n), 1, test.victim(n), 'ONG-KAD', 'sv_shel', '2026-03-06', 'SOC-HOU' FROM generate_series(2, 3) n;
INSERT INTO tip.followup (followup_id, sub_id, victim_id, org_code, visited_on, case_state)
VALUES (md5('f')::uuid, md5('help 2')::uuid, test.victim(2), 'ONG-KAD', '2026-03-07', 'cl_act');
INSERT INTO tip.consent_change (change_id, sub_id, victim_id, org_code, asked_on, wish)
VALUES (md5('w')::uuid, md5('help 2')::uuid, test.victim(2), 'ONG-KAD', '2026-03-08', 'assist');
INSERT INTO tip.criminal_case (case_id, sub_id, case_code, org_code, opened_on, offence, stage, stage_date, updated_at)
VALUES (md5('c')::uuid, md5('help 2')::uuid, 'BRP-HOU-2026-1', 'BRP-HOU', '2026-03-01', 'of_tip', 'sg_inv', '2026-03-01', now());
INSERT INTO tip.suspect (suspect_id, sub_id) VALUES (md5('s')::uuid, md5('help 2')::uuid);
INSERT INTO tip.case_suspect (case_id, suspect_id, role, stage) VALUES (md5('c')::uuid, md5('s')::uuid, 'sr_recr', 'sg_inv');
INSERT INTO tip.case_victim (case_id, victim_id) VALUES (md5('c')::uuid, test.victim(3));
INSERT INTO tip.activity_report VALUES ('ONG-KAD', '2026-03-01', 5, md5('help 2')::uuid);
INSERT INTO identity.person (person_id, sub_id, victim_id, sealed, seal_key, keep_until)
VALUES (md5('p')::uuid, md5('help 2')::uuid, test.victim(2), '\x3080', 'key-1', '2031-01-01');
CREATE TABLE stat.figure (n integer);
ALTER TABLE stat.figure OWNER TO t_owner;

-- The recordings, people, and parts of recordings that whoever runs this sees, by number.
CREATE FUNCTION pg_temp.sees() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    recordings text := (SELECT string_agg(n::text, '' ORDER BY n) FROM generate_series(1, 9) n WHERE EXISTS (SELECT FROM tip.identification i WHERE i.identification_id = test.ident(n)));
    people text := (SELECT string_agg(n::text, '' ORDER BY n) FROM generate_series(1, 9) n WHERE EXISTS (SELECT FROM tip.victim v WHERE v.victim_id = test.victim(n)));
    parts text[] := ARRAY(SELECT concat_ws('/', (SELECT count(*) FROM tip.identification_item), (SELECT count(*) FROM tip.exploitation), (SELECT count(*) FROM tip.route_leg)));
BEGIN
    RETURN concat_ws(' ', coalesce(recordings, '-'), coalesce(people, '-'), parts[1]);
END
$$;
CREATE FUNCTION pg_temp.denied(VARIADIC statements text[]) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT tap.throws_ok(s, '42501', NULL, session_user || ' may not: ' || s) FROM unnest(statements) s $$;
CREATE FUNCTION pg_temp.no_write() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT pg_temp.denied('UPDATE tip.identification SET age = 1', 'DELETE FROM tip.identification', 'TRUNCATE tip.identification CASCADE',
                          'UPDATE tip.victim SET merged_into = NULL', 'INSERT INTO tip.victim (victim_id) VALUES (gen_random_uuid())',
                          'UPDATE ref.organisation SET name = ''x''', 'INSERT INTO ref.actor_role VALUES (session_user, ''SOC-HOU'')',
                          'CREATE TABLE tip.t (n integer)', 'ALTER TABLE tip.victim DISABLE ROW LEVEL SECURITY') $$;
CREATE FUNCTION pg_temp.no_identity() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT pg_temp.denied('SELECT sealed FROM identity.person', 'SELECT * FROM identity.read(1)',
                          'SELECT identity.request(md5(''p'')::uuid, ''curiosity, pure and simple'')') $$;
CREATE FUNCTION pg_temp.no_case() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT pg_temp.denied('SELECT case_code FROM tip.criminal_case', 'SELECT sex FROM tip.suspect', 'SELECT stage FROM tip.case_suspect',
                          'SELECT witness FROM tip.case_victim') $$;
CREATE FUNCTION pg_temp.no_link() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT pg_temp.denied('SELECT hmac FROM link.match_key', 'SELECT score FROM link.candidate', 'SELECT sex FROM link.recording',
                          'SELECT link.merge(test.victim(1), test.victim(3))', 'SELECT link.decide(1, ''same'')') $$;
CREATE FUNCTION pg_temp.no_ledger() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT pg_temp.denied('SELECT xml FROM relais.submission', 'SELECT bytes FROM relais.attachment', 'SELECT reason FROM audit.access_log',
                          'SELECT audit.verify()') $$;

-- ---- actors
SET SESSION AUTHORIZATION t_police;
SELECT is(pg_temp.sees(), '17 12 2/2/2', 'the police see what they recorded');
SELECT is(count(*)::integer, 0, 'and nobody else''s help') FROM tip.assistance;
SELECT is(label_fr, 'Féminin', 'and the lists') FROM ref.code WHERE code = 'sx_f';
SELECT pg_temp.no_write(); SELECT pg_temp.no_identity(); SELECT pg_temp.no_case(); SELECT pg_temp.no_link(); SELECT pg_temp.no_ledger();
SELECT pg_temp.denied('SELECT * FROM stat.figure', 'SELECT * FROM ref.actor_role', 'SELECT access.justice_victims()',
                      'SELECT tip.decide_consent_change(md5(''w'')::uuid, ''applied'')', 'SELECT tip.same_person(test.victim(2))');
SET SESSION AUTHORIZATION t_social;
SELECT is(pg_temp.sees(), '25 25 2/2/2', 'the social service sees the person referred to it who agreed, with the recordings that she shared');
SELECT is(count(*)::integer, 1, 'and her referral, not that of the one who did not') FROM tip.assistance;
SELECT is(count(*)::integer, 0, 'and no visit of another organisation') FROM tip.followup;
SET SESSION AUTHORIZATION t_ngo;
SELECT is(pg_temp.sees(), '2345 2345 4/4/4', 'the NGO sees its own four');
SELECT is((SELECT count(*) FROM tip.assistance) || '/' || (SELECT count(*) FROM tip.followup) || '/' || (SELECT count(*) FROM tip.consent_change), '2/1/1',
          'with the help, the visits and the wishes');
SET ROLE relais_actor;
SELECT is(pg_temp.sees(), '2345 2345 4/4/4', 'and SET ROLE shows no more and no less');
RESET ROLE;
SET SESSION AUTHORIZATION t_nobody;
SELECT is(pg_temp.sees(), '- - 0/0/0', 'a login of no organisation sees nobody');
SELECT is(count(*)::integer, 1, 'but who reported') FROM tip.activity_report;

-- ---- justice
SET SESSION AUTHORIZATION t_prosecutor;
SELECT is(pg_temp.sees(), '4 34 1/1/1', 'justice sees what is shared with it, and that a person is in a case');
SELECT is(count(*)::integer, 1, 'and the cases') FROM tip.criminal_case JOIN tip.case_suspect USING (case_id) JOIN tip.suspect USING (suspect_id) JOIN tip.case_victim USING (case_id);
SELECT pg_temp.no_write(); SELECT pg_temp.no_identity(); SELECT pg_temp.no_link(); SELECT pg_temp.no_ledger();
SELECT pg_temp.denied('UPDATE tip.case_suspect SET stage = ''sg_drop''', 'SELECT * FROM tip.assistance', 'SELECT * FROM tip.followup');

-- ---- coordination
SET SESSION AUTHORIZATION t_coordination;
SELECT is(pg_temp.sees(), '123457 12345 6/6/6', 'the coordination unit sees every recording');
SELECT pg_temp.no_write(); SELECT pg_temp.no_identity(); SELECT pg_temp.no_case(); SELECT pg_temp.no_link(); SELECT pg_temp.no_ledger();
SELECT pg_temp.denied('UPDATE tip.consent_change SET outcome = ''applied''');
SELECT lives_ok($$SELECT tip.decide_consent_change(md5('w')::uuid, 'applied')$$, 'and answers what people want of their data');
SELECT is(share_assist, false, 'which takes effect') FROM tip.identification WHERE identification_id = test.ident(2);
SELECT is(decided_by, 't_coordination'::text, 'under its name') FROM tip.consent_change;
SET SESSION AUTHORIZATION t_social;
SELECT is(pg_temp.sees(), '- - 0/0/0', 'whom she no longer agrees to, sees her no longer');

-- ---- linker
SET SESSION AUTHORIZATION t_linker;
SELECT is((SELECT count(*) FROM link.recording) || ' ' || (SELECT count(*) FROM link.open_candidate), '6 1', 'the linker sees masked recordings and pairs');
SELECT hasnt_column('link', 'recording', column_name::name, 'no ' || column_name) FROM unnest(ARRAY['national_code', 'agent_code', 'org_code', 'event_date', 'group_code', 'sub_id']) column_name;
SELECT pg_temp.denied('SELECT age FROM tip.identification', 'SELECT national_code FROM tip.victim', 'UPDATE link.candidate SET decision = ''same''',
                      'INSERT INTO link.merge_log (kept, absorbed, origin, made_by) VALUES (test.victim(1), test.victim(3), ''manual'', ''x'')',
                      'DELETE FROM link.history', 'UPDATE link.rule SET automatic = true', 'SELECT link.join_pair(test.victim(1), test.victim(3), ''K4'', ''x'')',
                      'SELECT link.relink(NULL)');
SELECT pg_temp.no_identity(); SELECT pg_temp.no_ledger();
SELECT lives_ok(format($$SELECT link.decide(%s, 'different')$$, (SELECT candidate_id FROM link.open_candidate)), 'and decides');
SELECT is(by_whom || ' ' || db_user, 't_linker t_linker', 'under its name') FROM link.history;

-- ---- identity officer (the rest is in identity.sql), analyst, auditor, anybody
SET SESSION AUTHORIZATION t_officer;
SELECT is((SELECT victim_id FROM tip.victim WHERE national_code = test.code(2)), test.victim(2), 'the identity officer finds a person by her card');
SELECT pg_temp.denied('SELECT age FROM tip.identification', 'SELECT case_state FROM tip.victim', 'DELETE FROM identity.person');
SELECT pg_temp.no_link(); SELECT pg_temp.no_ledger();
SET SESSION AUTHORIZATION t_analyst;
SELECT pg_temp.denied('SELECT age FROM tip.identification', 'SELECT label_fr FROM ref.code', 'SELECT * FROM tip.activity_report', 'CREATE TABLE stat.t (n integer)');
SELECT pg_temp.no_identity(); SELECT pg_temp.no_case(); SELECT pg_temp.no_link(); SELECT pg_temp.no_ledger();
SET SESSION AUTHORIZATION t_owner;
CREATE VIEW stat.later AS SELECT count(*) AS people FROM tip.victim;
SET SESSION AUTHORIZATION t_analyst;
SELECT is(people::integer, 5, 'the analyst sees what the owner adds to the figures') FROM stat.later;
SET SESSION AUTHORIZATION t_auditor;
SELECT lives_ok('SELECT * FROM audit.access_log', 'the auditor reads the log');
SELECT pg_temp.denied('SELECT age FROM tip.identification', 'SELECT person_id FROM identity.person', 'DELETE FROM audit.access_log', 'SELECT xml FROM relais.submission');
SET SESSION AUTHORIZATION t_stranger;
SELECT pg_temp.denied('SELECT label_fr FROM ref.code', 'SELECT age FROM tip.identification', 'SELECT * FROM stat.later');
SELECT pg_temp.no_write(); SELECT pg_temp.no_identity(); SELECT pg_temp.no_case(); SELECT pg_temp.no_link(); SELECT pg_temp.no_ledger();
RESET SESSION AUTHORIZATION;

SELECT * FROM finish();
ROLLBACK;
