-- What links by itself, what is only proposed, and what a correction changes.
BEGIN;
SELECT no_plan();

-- ---- the card code
SELECT test.record(1, 1, 'BRP-HOU', '2026-01-20', 'sx_m', 13);
SELECT test.record(2, 1, 'SOC-HOU', '2026-01-22', 'sx_m', 17);
SELECT test.settle();
SELECT is(test.people(1, 2), '{1,2}', 'one card is one person, four years apart');
SELECT test.record(3, 1, 'ONG-KAD', '2026-01-25', 'sx_f', 15);
SELECT test.record(4, 1, 'ONG-KAD', '2026-01-26', 'sx_m', 30);
SELECT test.settle();
SELECT is(test.people(1, 2, 3, 4), '{1,2}{3}{4}', 'another sex or an age five years off is not');
SELECT is(test.proposed(1, 3), 'card 0.50', 'the pair waits for a decision');
SELECT is(test.proposed(3, 4), 'card 0.50', 'also of those two');
SELECT is((SELECT v.national_code FROM tip.victim v JOIN tip.identification i USING (victim_id) WHERE identification_id = test.ident(3)),
          NULL, 'the later one has no card of its own');
SELECT test.record(5, 1, 'SOC-HOU', '2026-01-27', 'sx_unk', NULL);
SELECT test.record(6, 1, 'SOC-HOU', '2026-01-28', 'sx_m', 31);
SELECT test.settle();
SELECT is(test.people(1, 2, 3, 4, 5, 6), '{1,2,5}{3}{4,6}', 'each joins the first of the card''s people that it does not contradict');
SELECT test.record(7, 1, 'BRP-HOU', '2036-01-20', 'sx_m', 23);
SELECT test.settle();
SELECT is(test.people(1, 2, 7), '{1,2,7}', 'ten years later one is ten years older');
INSERT INTO identity.person (person_id, victim_id, identification_id, sealed, seal_key, keep_until)
VALUES (md5('p3')::uuid, (SELECT victim_id FROM tip.identification WHERE identification_id = test.ident(3)), test.ident(3), '\x30', 'k', '2031-01-01');
SELECT test.record(3, 1, 'ONG-KAD', '2026-01-25', 'sx_m', 15);
SELECT test.settle();
SELECT is(victim_id, test.victim(1), 'its sealed identity goes with it') FROM identity.person;
SELECT is(test.people(1, 2, 3, 4, 5, 6), '{1,2,3,5}{4,6}', 'a correction of the sex brings a recording back');
SELECT is(test.pair(1, 4) IS NOT NULL AND (SELECT count(*) FROM link.open_candidate) = 1, true, 'and takes its proposals away');
DELETE FROM tip.identification WHERE identification_id IN (test.ident(4), test.ident(6));
SELECT test.settle();
SELECT is((SELECT count(*)::integer FROM link.candidate), 0, 'so does the end of what contradicted');

SELECT test.record(12, 2, 'SOC-HOU', '2026-02-02', 'sx_f', 40);
SELECT test.settle();
SELECT test.record(11, 2, 'BRP-HOU', '2026-02-01', 'sx_m', 12);
SELECT test.settle();
SELECT is((SELECT victim_id FROM tip.identification WHERE identification_id = test.ident(11)), test.victim(2),
          'the card is that of the earlier recording, whichever arrives first');
SELECT is((SELECT victim_id FROM tip.identification WHERE identification_id = test.ident(12)),
          link.split_id(test.code(2), test.ident(12)), 'the other has a row made from code and recording');
SELECT test.record(12, 2, 'SOC-HOU', '2026-02-02', 'sx_f', 41);
SELECT test.settle();
SELECT is(test.people(11, 12), '{11}{12}', 'a correction that leaves it contradicting leaves it apart');

INSERT INTO tip.victim (victim_id, national_code) VALUES (test.victim(3), test.code(3));
INSERT INTO tip.identification (identification_id, sub_id, victim_id, national_code, org_code, agent_code, event_date, reported_at, place_code, detection, consent_basis)
SELECT test.ident(n), test.submission('refusal ' || n), test.victim(3), test.code(3), 'ONG-KAD', 'A1', '2026-02-03', now(), 'BF-KAD', 'dt_self', 'co_none' FROM generate_series(21, 22) n;
SELECT test.settle();
SELECT is((SELECT count(*)::integer FROM link.candidate WHERE test.victim(3) IN (victim_a, victim_b)), 0, 'refusals are nobody''s recordings');

-- ---- the document: K4
SELECT test.record(31, 31, 'BRP-HOU', '2026-03-02', 'sx_m', 20, '{K4:B123}');
SELECT test.record(32, 32, 'ONG-KAD', '2026-03-01', 'sx_m', 22, '{K4:B123}');
SELECT test.settle();
SELECT is(test.people(31, 32), '{31,32}', 'one document is one person');
SELECT is((SELECT merged_into FROM tip.victim WHERE victim_id = test.victim(31)), test.victim(32), 'whoever was recorded first keeps the row');
SELECT is(test.proposed(31, 32), NULL, 'nothing is left to decide');
SELECT test.record(33, 33, 'SOC-HOU', '2026-03-03', 'sx_f', 20, '{K4:B123}');
SELECT test.settle();
SELECT is(test.people(31, 32, 33), '{31,32}{33}', 'unless sexes contradict');
SELECT is(test.proposed(32, 33), 'K4 conflict 0.50', 'which is for a person to decide');
SELECT test.record(34, 34, 'SOC-HOU', '2026-03-04', 'sx_m', 27, '{K4:B123,K1:x}');
SELECT test.settle();
SELECT is(test.people(31, 32, 34), '{31,32}{34}', 'or ages do');
SELECT test.record(34, 34, 'SOC-HOU', '2026-03-04', 'sx_m', 24, '{K4:B123}');
SELECT test.settle();
SELECT is(test.people(31, 32, 34), '{31,32,34}', 'a corrected age joins');
SELECT test.record(34, 34, 'SOC-HOU', '2026-03-04', 'sx_m', 24, '{K4:B124}');
SELECT test.settle();
SELECT is(test.people(31, 32, 34), '{31,32}{34}', 'a corrected number parts');
SELECT is((SELECT count(*)::integer FROM link.merge_log WHERE undone_by = '(relais)'), 2, 'and the log keeps both joins, undone by themselves');

-- ---- names, mother, telephone
SELECT test.record(41, 41, 'BRP-HOU', '2026-03-05', 'sx_f', 20, '{K1:ouattara,K2:o2006,K3:o-mother,K5:+22670000001}');
SELECT test.record(42, 42, 'SOC-HOU', '2026-03-06', 'sx_f', 20, '{K1:ouattara}');
SELECT test.record(43, 43, 'SOC-HOU', '2026-03-06', 'sx_f', 20, '{K2:o2006}');
SELECT test.record(44, 44, 'SOC-HOU', '2026-03-06', 'sx_f', 20, '{K3:o-mother}');
SELECT test.record(45, 45, 'SOC-HOU', '2026-03-06', 'sx_f', 20, '{K2:o2006,K3:o-mother}');
SELECT test.record(46, 46, 'SOC-HOU', '2026-03-06', 'sx_f', 22, '{K5:+22670000001}');
SELECT test.record(47, 47, 'SOC-HOU', '2026-03-06', 'sx_f', 23, '{K5:+22670000001}');
SELECT test.record(48, 48, 'SOC-HOU', '2026-03-06', 'sx_m', 20, '{K5:+22670000001}');
SELECT test.record(49, 49, 'SOC-HOU', '2026-03-06', 'sx_f', NULL, '{K5:+22670000001}');
SELECT test.record(50, 50, 'SOC-HOU', '2026-03-06', 'sx_f', 20, '{K1:traore,K2:t2006}');
SELECT test.settle();
SELECT is(test.proposed(41, b), want, format('%s: %s', b, coalesce(want, 'nothing'))) FROM (VALUES
    (42, 'K1 0.95'), (43, 'K2 0.50'), (44, 'K3 0.60'), (45, 'K2+K3, K3, K2 0.80'), (46, 'K5 0.60'),
    (47, NULL), (48, NULL), (49, NULL), (50, NULL)) AS t(b, want);
SELECT is(test.people(41, 42, 43, 44, 45, 46), '{41}{42}{43}{44}{45}{46}', 'none of them joins by itself');
SELECT results_eq($$SELECT reason, score FROM link.find_candidates(test.ident(42))$$, $$VALUES ('K1', 0.95)$$, 'a recording''s pairs can be asked for');
INSERT INTO link.match_key VALUES (test.ident(50), 'K1', 2, sha256(convert_to('K1:ouattara', 'UTF8')));
SELECT test.settle();
SELECT is(test.proposed(41, 50), NULL, 'keys of two versions of the secret are not compared');
DELETE FROM link.match_key WHERE identification_id = test.ident(41);
SELECT test.settle();
SELECT is((SELECT count(*)::integer FROM link.open_candidate WHERE test.victim(41) IN (victim_a, victim_b)), 0, 'without keys there is nothing to propose');

-- ---- a key that too many bear
SELECT test.record(1000 + n, 1000 + n, 'SOC-HOU', '2026-04-01', 'sx_f', 20, '{K4:0000}') FROM generate_series(1, 51) n;
SELECT test.settle();
SELECT is((SELECT count(*)::integer FROM tip.victim WHERE merged_into IS NOT NULL AND victim_id IN (SELECT test.victim(1000 + n) FROM generate_series(1, 51) n)),
          0, 'a number that 51 recordings bear joins nobody');
SELECT is((SELECT count(*)::integer FROM link.pending), 0, 'nothing is left to work off');

SELECT * FROM finish();
ROLLBACK;
