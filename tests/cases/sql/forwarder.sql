-- The forwarder's own role: every statement that the mapping engine makes, and nothing beside.
BEGIN;
SELECT no_plan();
CREATE FUNCTION pg_temp.denied(VARIADIC statements text[]) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT tap.throws_ok(s, '42501', NULL, 'may not: ' || s) FROM unnest(statements) s $$;

SET SESSION AUTHORIZATION t_forwarder;
-- Recordings of one person under two cards come in one batch: rows, keys, identity.
SELECT lives_ok($$SELECT test.record(1, 1, 'SOC-HOU', '2026-03-01', 'sx_f', 20), test.record(2, 2, 'BRP-HOU', '2026-03-02', 'sx_f', 20)$$,
                'it inserts, and upserts, and replaces');
SELECT lives_ok($$
    DELETE FROM link.match_key AS t USING unnest('{a5f3c6a1-1b9d-f7a0-0000-000000000000}'::text[]) AS o(c0) WHERE t.identification_id = o.c0::uuid;
    INSERT INTO link.match_key AS t (identification_id, kind, key_version, hmac)
    SELECT test.ident(n), 'K4', 1, sha256('d') FROM generate_series(1, 2) n$$, 'keys as the engine replaces them');
SELECT lives_ok($$
    DELETE FROM identity.person AS t USING unnest(ARRAY[md5('identification 1')]::text[]) AS o(c0) WHERE t.sub_id = o.c0::uuid;
    INSERT INTO identity.person AS t (person_id, sub_id, victim_id, identification_id, sealed, seal_key, keep_until)
    SELECT md5('p' || n)::uuid, md5('identification ' || n)::uuid, test.victim(n), test.ident(n), '\x3080', 'key-1', '2031-01-01' FROM generate_series(1, 2) n$$,
    'identities as the engine replaces them');
SELECT test.settle();
RESET SESSION AUTHORIZATION;
SELECT is(test.people(1, 2), '{1,2}', 'and what it brings is linked, by the owner''s functions');
SET SESSION AUTHORIZATION t_forwarder;
SELECT lives_ok($$DELETE FROM identity.person AS t WHERE t.sub_id = ANY (ARRAY[md5('identification 2')]::text[]::uuid[])
                     AND NOT EXISTS (SELECT FROM unnest(ARRAY[md5('p9')]::text[]) AS k(c0) WHERE t.person_id = k.c0::uuid)$$, 'an edit takes an identity back');

SELECT lives_ok(statement, statement) FROM unnest(ARRAY[
    $$INSERT INTO tip.criminal_case AS t (case_id, sub_id, case_code, org_code, opened_on, offence, stage, stage_date, updated_at)
      VALUES (md5('c')::uuid, md5('identification 1')::uuid, 'BRP-HOU-2026-1', 'BRP-HOU', '2026-03-01', 'of_tip', 'sg_inv', '2026-03-01', now())
      ON CONFLICT (case_id) DO UPDATE SET stage = excluded.stage, stage_date = excluded.stage_date
      WHERE t.stage_date IS NULL OR excluded.stage_date >= t.stage_date OR t.sub_id = ANY ('{}'::uuid[])$$,
    $$INSERT INTO tip.suspect AS t (suspect_id, sub_id, age) VALUES (md5('s')::uuid, md5('identification 1')::uuid, 40)
      ON CONFLICT (suspect_id) DO UPDATE SET age = excluded.age$$,
    $$INSERT INTO tip.case_suspect AS t (case_id, suspect_id, role, stage) VALUES (md5('c')::uuid, md5('s')::uuid, 'sr_recr', 'sg_inv')
      ON CONFLICT (case_id, suspect_id) DO UPDATE SET role = excluded.role, stage = excluded.stage$$,
    $$INSERT INTO tip.case_victim AS t (case_id, victim_id, witness) VALUES (md5('c')::uuid, test.victim(1), true)
      ON CONFLICT (case_id, victim_id) DO UPDATE SET witness = excluded.witness$$,
    $$INSERT INTO tip.assistance AS t (sub_id, seq, victim_id, org_code, service, needed_on)
      VALUES (md5('identification 1')::uuid, 1, test.victim(1), 'SOC-HOU', 'sv_shel', '2026-03-01')$$,
    $$INSERT INTO tip.followup AS t (followup_id, sub_id, victim_id, org_code, visited_on, case_state)
      VALUES (md5('f')::uuid, md5('identification 1')::uuid, test.victim(1), 'SOC-HOU', '2026-03-09', 'cl_act')
      ON CONFLICT (followup_id) DO UPDATE SET case_state = excluded.case_state, visited_on = excluded.visited_on$$,
    $$INSERT INTO tip.activity_report AS t (org_code, month, sub_id, seen) VALUES ('SOC-HOU', '2026-03-01', md5('identification 1')::uuid, 2)
      ON CONFLICT (org_code, month) DO UPDATE SET seen = excluded.seen$$,
    $$INSERT INTO relais.claim AS c (table_name, key, sub_id, said)
      VALUES ('tip.criminal_case', jsonb_build_array(md5('c')::uuid), md5('identification 1')::uuid, '{"stage": "sg_inv"}')
      ON CONFLICT (table_name, key, sub_id) DO UPDATE SET said = c.said || excluded.said$$,
    $$INSERT INTO relais.choice (sub_id, rivals, chosen_by, reason) VALUES (md5('identification 1')::uuid, '{}'::text[]::uuid[], 'A. T.', '')$$,
    $$SELECT max(c.choice_id) FROM relais.choice c WHERE c.rivals @> ARRAY[md5('identification 1')::uuid]$$,
    $$DELETE FROM relais.claim AS c WHERE c.table_name = 'tip.criminal_case' AND c.sub_id = ANY (ARRAY[md5('identification 1')]::text[]::uuid[])$$,
    $$INSERT INTO tip.consent_change AS t (change_id, sub_id, victim_id, org_code, asked_on, wish)
      VALUES (md5('w')::uuid, md5('identification 1')::uuid, test.victim(1), 'SOC-HOU', '2026-03-09', 'stats')
      ON CONFLICT (change_id) DO UPDATE SET sub_id = excluded.sub_id, victim_id = excluded.victim_id, org_code = excluded.org_code,
             asked_on = excluded.asked_on, wish = excluded.wish$$,
    $$DELETE FROM tip.identification_item AS t WHERE t.identification_id = test.ident(1)$$,
    $$INSERT INTO relais.mapping (mapping_sha256, form_id, body) VALUES (sha256('m'), 'f', '<mapping/>') ON CONFLICT (mapping_sha256) DO NOTHING$$,
    $$UPDATE relais.submission SET state = 'superseded' WHERE sub_id = md5('identification 2')::uuid$$,
    $$SELECT FROM relais.submission WHERE sub_id = md5('identification 1')::uuid FOR UPDATE$$,
    $$SELECT FROM relais.tombstone$$, $$SELECT code FROM ref.code WHERE list = 'sx'$$]) statement;

SELECT pg_temp.denied(
    'SELECT sealed FROM identity.person', 'UPDATE identity.person SET sealed = ''\x00''', 'SELECT * FROM identity.read(1)',
    'SELECT identity.request(md5(''p1'')::uuid, ''no reason of its own'')',
    'INSERT INTO identity.person (person_id, victim_id, sealed, seal_key, keep_until) VALUES (md5(''p1'')::uuid, test.victim(1), ''\x00'', ''k'', ''2031-01-01'')
     ON CONFLICT (person_id) DO UPDATE SET sealed = excluded.sealed',
    'INSERT INTO identity.person (person_id, victim_id, sealed, seal_key, keep_until) VALUES (md5(''p9'')::uuid, test.victim(1), ''\x00'', ''k'', ''2031-01-01'') RETURNING sealed',
    'SELECT hmac FROM link.match_key', 'SELECT FROM link.match_key WHERE hmac = sha256(''d'')', 'DELETE FROM link.match_key WHERE hmac = sha256(''d'')',
    'SELECT * FROM link.candidate', 'SELECT * FROM link.recording', 'SELECT link.merge(test.victim(1), test.victim(2))',
    'SELECT link.relink(NULL)', 'INSERT INTO link.pending (victims, codes) VALUES (''{}'', ''{}'')',
    'UPDATE tip.victim SET merged_into = NULL', 'UPDATE tip.victim SET national_code = NULL', 'SELECT merged_into FROM tip.victim', 'DELETE FROM tip.victim',
    'UPDATE tip.consent_change SET outcome = ''applied''', 'SELECT tip.decide_consent_change(md5(''w'')::uuid, ''applied'')',
    'DELETE FROM relais.submission', 'DELETE FROM relais.tombstone', 'INSERT INTO relais.tombstone VALUES (''f'', ''r'')', 'TRUNCATE tip.identification CASCADE',
    'UPDATE ref.code SET label_fr = ''x''', 'SELECT * FROM ref.actor_role', 'SELECT * FROM audit.access_log',
    'INSERT INTO audit.access_log (action, object, reason) VALUES (''x'', ''y'', ''long enough a reason'')', 'CREATE TABLE tip.t (n integer)',
    'ALTER TABLE tip.identification DISABLE TRIGGER ALL', 'DROP TABLE tip.route_leg');
RESET SESSION AUTHORIZATION;
SELECT is(count(*)::integer, 1, 'one identity is left') FROM identity.person;
SELECT * FROM finish();
ROLLBACK;
