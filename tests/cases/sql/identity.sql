-- A sealed identity is read with a reason that is in the log before; the log shows whoever touches it.
-- No BEGIN: a ticket counts only once its log row is committed, so these are transactions of their own.
SELECT no_plan();
SELECT test.record(1, 1, 'SOC-HOU', '2026-03-01', 'sx_f', 20);
INSERT INTO identity.person (person_id, victim_id, identification_id, sealed, seal_key, keep_until)
VALUES (md5('p1')::uuid, test.victim(1), test.ident(1), '\x3080', 'key-1', '2031-01-01'),
       (md5('p2')::uuid, test.victim(1), NULL, '\x3081', 'key-1', '2031-01-01');
CREATE TABLE test.ticket (id bigint, who text);
GRANT ALL ON test.ticket TO PUBLIC;

SELECT throws_ok($$INSERT INTO identity.person (person_id, victim_id, suspect_id, sealed, seal_key, keep_until)
                   VALUES (gen_random_uuid(), NULL, NULL, '\x30', 'k', '2031-01-01')$$, '23514', NULL, 'an identity is somebody''s');

-- ---- the officer
SET SESSION AUTHORIZATION t_officer;
SELECT throws_ok($$SELECT sealed FROM identity.person$$, '42501', NULL, 'even the officer selects no sealed identity');
SELECT throws_ok($$SELECT * FROM identity.person$$, '42501', NULL, 'nor everything');
SELECT is(count(*)::integer, 2, 'but sees which there are') FROM (SELECT person_id, keep_until FROM identity.person) p;
SELECT throws_ok($$SELECT identity.request(md5('p1')::uuid, NULL)$$, '22023', NULL, 'no reason, no ticket');
SELECT throws_ok($$SELECT identity.request(md5('p1')::uuid, '   court   ')$$, '22023', NULL, 'nor for a word');
SELECT throws_ok($$SELECT identity.request(md5('p9')::uuid, 'recherche de la famille')$$, 'P0002', NULL, 'nor for nobody');

BEGIN;
INSERT INTO test.ticket SELECT identity.request(md5('p1')::uuid, 'recherche de la famille'), 'rolled back';
SELECT throws_ok(format('SELECT * FROM identity.read(%s)', id), '55000', NULL, 'a log row that may still be rolled back opens nothing')
  FROM test.ticket WHERE who = 'rolled back';
SAVEPOINT within;
SELECT throws_ok(format('SELECT * FROM identity.read(%s)', id), '55000', NULL, 'within a savepoint neither')
  FROM test.ticket WHERE who = 'rolled back';
ROLLBACK;

INSERT INTO test.ticket SELECT identity.request(md5('p1')::uuid, 'recherche de la famille'), 'first';
SELECT results_eq(format('SELECT * FROM identity.read(%s)', (SELECT id FROM test.ticket WHERE who = 'first')),
                  $$VALUES ('\x3080'::bytea, 'key-1')$$, 'with a committed ticket it is read: that one, and no other');
SELECT throws_ok('SELECT * FROM identity.read(99)', '42501', NULL, 'a made-up ticket opens nothing');
SELECT throws_ok('SELECT * FROM audit.access_log', '42501', NULL, 'the officer does not read the log');
SELECT throws_ok($$INSERT INTO audit.access_log (action, object, reason) VALUES ('x', 'y', 'forged, long enough')$$, '42501', NULL, 'nor write it');

SET SESSION AUTHORIZATION t_officer2;
SELECT throws_ok(format('SELECT * FROM identity.read(%s)', id), '42501', NULL, 'nobody reads with another''s ticket')
  FROM test.ticket WHERE who = 'first';
INSERT INTO test.ticket SELECT identity.request(md5('p2')::uuid, 'identification demandée par le juge'), 'second';
RESET SESSION AUTHORIZATION;

-- ---- the log
SELECT results_eq($$SELECT id, db_user, action, object, subject, reason FROM audit.access_log ORDER BY id$$,
    $$VALUES (1::bigint, 't_officer', 'read identity', 'identity.person ' || md5('p1')::uuid, test.victim(1), 'recherche de la famille'),
             (2, 't_officer2', 'read identity', 'identity.person ' || md5('p2')::uuid, test.victim(1), 'identification demandée par le juge')$$,
    'the log says who asked for whom and why');
CREATE TABLE test.head AS SELECT * FROM audit.head();
SELECT is_empty('SELECT * FROM audit.verify()', 'and is whole');
SELECT is_empty('SELECT v.* FROM test.head h, audit.verify(h.id, h.hash) v', 'up to the row noted elsewhere');
SET TIME ZONE 'Africa/Ouagadougou';
SET DateStyle = 'SQL, DMY';
SELECT is_empty('SELECT * FROM audit.verify()', 'in any time zone');
RESET ALL;
SET search_path = tap, public;
SET client_min_messages = warning;

SET SESSION AUTHORIZATION t_owner;
SELECT throws_ok('UPDATE audit.access_log SET reason = ''x''', '42501', NULL, 'its owner does not change it');
SELECT throws_ok('DELETE FROM audit.access_log', '42501', NULL, 'nor delete');
SELECT throws_ok('TRUNCATE audit.access_log', '42501', NULL, 'nor empty it');
INSERT INTO audit.access_log (id, at, db_user, action, object, reason, xact, prev_hash, hash)
VALUES (77, '2020-01-01', 'somebody', 'x', 'y', 'a row with a false author', '1', sha256(''), sha256(''));
RESET SESSION AUTHORIZATION;
SELECT results_eq('SELECT id, db_user FROM audit.access_log ORDER BY id DESC LIMIT 1', $$VALUES (3::bigint, 't_owner')$$,
                  'what the owner adds bears the owner''s name, the time and the chain');
SELECT is_empty('SELECT * FROM audit.verify()', 'and the chain holds');

-- ---- whoever gets round the triggers is found out
CREATE FUNCTION test.tampered(change text, known bigint DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found text;
BEGIN
    SET LOCAL session_replication_role = replica;
    EXECUTE change;
    SELECT v.broken_id || ': ' || v.problem INTO found
      FROM test.head h CROSS JOIN LATERAL audit.verify(CASE WHEN known IS NOT NULL THEN h.id END, h.hash) v;
    RAISE EXCEPTION USING ERRCODE = 'TT000', MESSAGE = coalesce(found, 'nothing');
EXCEPTION WHEN SQLSTATE 'TT000' THEN
    RETURN SQLERRM;
END
$$;
SELECT is(test.tampered(change), want, change) FROM (VALUES
    ($$SELECT 1$$, 'nothing'),
    ($$UPDATE audit.access_log SET reason = 'autre chose' WHERE id = 1$$, '1: cette ligne n''est plus celle qui a été écrite'),
    ($$UPDATE audit.access_log SET db_user = 't_linker' WHERE id = 2$$, '2: cette ligne n''est plus celle qui a été écrite'),
    ($$UPDATE audit.access_log SET at = at + interval '1 microsecond' WHERE id = 2$$, '2: cette ligne n''est plus celle qui a été écrite'),
    ($$UPDATE audit.access_log SET subject = NULL WHERE id = 3 OR id = 1$$, '1: cette ligne n''est plus celle qui a été écrite'),
    ($$UPDATE audit.access_log l SET reason = 'réécrit tout entier', hash = audit.digest(ROW(l.id, l.at, l.db_user, l.action, l.object, l.subject, 'réécrit tout entier', l.xact, l.prev_hash, l.hash)::audit.access_log) WHERE id = 1$$,
     '2: la ligne d''avant n''est plus celle qui a été écrite'),
    ($$DELETE FROM audit.access_log WHERE id = 2$$, '3: une ligne manque avant celle-ci'),
    ($$DELETE FROM audit.access_log WHERE id = 2; UPDATE audit.access_log SET id = 2 WHERE id = 3$$, '2: la ligne d''avant n''est plus celle qui a été écrite')) AS t(change, want);
SELECT is(test.tampered('DELETE FROM audit.access_log WHERE id >= 2'), 'nothing', 'an end cut off shows nothing by itself');
SELECT is(test.tampered('DELETE FROM audit.access_log WHERE id >= 2', 2), '2: la ligne notée ailleurs n''est pas dans le journal',
          'but does against the row noted elsewhere');

SET SESSION AUTHORIZATION t_auditor;
SELECT is(count(*)::integer, 3, 'the auditor reads the log') FROM audit.access_log;
SELECT is_empty('SELECT * FROM audit.verify()', 'and verifies it');
SELECT throws_ok('SELECT person_id FROM identity.person', '42501', NULL, 'and sees no identity');
RESET SESSION AUTHORIZATION;

SELECT * FROM finish();
