-- What people decide, and that each decision can be taken back without a trace in the counts.
BEGIN;
SELECT no_plan();

CREATE FUNCTION pg_temp.state() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(v.victim_id || '>' || coalesce(v.merged_into::text, '-'), ' ' ORDER BY v.victim_id) FROM tip.victim v $$;

-- ---- merging by hand, and every way to undo it
SELECT test.record(n, n, 'SOC-HOU', '2026-01-01'::date + n::integer, 'sx_f', 20) FROM generate_series(1, 6) n;
SELECT test.settle();
CREATE TEMP TABLE was AS SELECT pg_temp.state() AS alone;
CREATE TEMP TABLE made (what text, id bigint);
INSERT INTO made SELECT '1-2', link.merge(test.victim(1), test.victim(2));
INSERT INTO made SELECT '3-4', link.merge(test.victim(3), test.victim(4));
SELECT is(test.people(1, 2, 3, 4), '{1,2}{3,4}', 'two pairs');
CREATE TEMP TABLE two_pairs AS SELECT pg_temp.state() AS state;
INSERT INTO made SELECT '2-3', link.merge(test.victim(2), test.victim(3));
SELECT is(test.people(1, 2, 3, 4), '{1,2,3,4}', 'joined by their members, one person of four');
SELECT is((SELECT count(*)::integer FROM tip.victim WHERE merged_into = test.victim(1)), 3, 'all point to the root of the one kept');
SELECT link.unmerge(id) FROM made WHERE what = '2-3';
SELECT is(pg_temp.state(), (SELECT state FROM two_pairs), 'the last join undone restores exactly what was');
INSERT INTO made SELECT '2-3 again', link.merge(test.victim(2), test.victim(3));
SELECT link.unmerge(id) FROM made WHERE what = '1-2';
SELECT is(test.people(1, 2, 3, 4), '{1}{2,3,4}', 'an earlier one undone leaves the later ones');
SELECT is((SELECT merged_into FROM tip.victim WHERE victim_id = test.victim(4)), test.victim(2), 'whose root is what it would have been');
SELECT link.unmerge(id) FROM made WHERE what IN ('3-4', '2-3 again');
SELECT is(pg_temp.state(), (SELECT alone FROM was), 'all undone, all as at first');
SELECT throws_ok(format('SELECT link.unmerge(%s)', id), 'P0002', NULL, 'a join is undone once') FROM made WHERE what = '1-2';
SELECT throws_ok($$SELECT link.merge(test.victim(1), test.victim(1))$$, '22023', NULL, 'nobody is merged into herself');
SELECT throws_ok($$SELECT link.merge(test.victim(1), test.victim(999))$$, '23503', NULL, 'nor into somebody unknown');
SELECT is(link.merge(test.victim(1), test.victim(2)), link.merge(test.victim(2), test.victim(1)), 'a pair is joined once');
INSERT INTO made SELECT 'triangle', link.merge(test.victim(2), test.victim(3));
INSERT INTO made SELECT 'triangle too', link.merge(test.victim(1), test.victim(3));
SELECT link.unmerge(id) FROM made WHERE what = 'triangle';
SELECT is(test.people(1, 2, 3), '{1,2,3}', 'two reasons for one group: undoing one leaves the other');

INSERT INTO made SELECT '4-5', link.merge(test.victim(4), test.victim(5));
INSERT INTO made SELECT '6-5', link.merge(test.victim(6), test.victim(5));
SELECT is((SELECT string_agg(DISTINCT merged_into::text, ' ') FROM tip.victim WHERE victim_id IN (test.victim(4), test.victim(5))),
          test.victim(6)::text, 'the root is that of the group kept last');

-- ---- deciding on what is proposed
SELECT test.record(11, 11, 'BRP-HOU', '2026-02-01', 'sx_f', 20, '{K1:a}');
SELECT test.record(12, 12, 'SOC-HOU', '2026-02-02', 'sx_f', 20, '{K1:a}');
SELECT test.record(13, 13, 'ONG-KAD', '2026-02-03', 'sx_f', 20, '{K1:a}');
SELECT test.settle();
SELECT is((SELECT count(*)::integer FROM link.open_candidate), 3, 'three pairs of three people');
SELECT link.decide(test.pair(11, 12), 'same', 'awa');
SELECT is(test.people(11, 12, 13), '{11,12}{13}', 'same joins, at once');
SELECT is((SELECT decided_by || ' ' || decision FROM link.candidate WHERE candidate_id = test.pair(11, 12)), 'awa same', 'and says who decided');
SELECT link.decide(test.pair(12, 13), 'same', 'awa');
SELECT is((SELECT count(*)::integer FROM link.open_candidate), 0, 'what follows from two decisions needs no third');
SELECT throws_ok(format($$SELECT link.decide(%s, 'different', 'awa')$$, test.pair(11, 13)), '55000', NULL, 'nor can the third contradict them');
SELECT link.decide(test.pair(12, 13), 'different', 'moussa');
SELECT is(test.people(11, 12, 13), '{11,12}{13}', 'a decision can be changed');
SELECT link.decide(test.pair(11, 13), 'different', 'moussa');
SELECT is((SELECT count(*)::integer FROM link.open_candidate), 0, 'two different people are not proposed again');
SELECT test.record(13, 13, 'ONG-KAD', '2026-02-03', 'sx_f', 21, '{K1:a,K3:b}');
SELECT test.settle();
SELECT is((SELECT decision FROM link.candidate WHERE candidate_id = test.pair(12, 13)), 'different', 'also when a form is corrected');
SELECT link.unmerge(test.join_of(11, 12));
SELECT is(test.people(11, 12, 13), '{11}{12}{13}', 'a decision''s join can be undone by its number');
SELECT is(test.proposed(11, 12), 'K1 0.95', 'and the pair waits again');
SELECT link.decide(test.pair(12, 13), 'open', 'moussa');
SELECT is(test.proposed(12, 13), 'K1 0.95', 'a decision can be taken back');
SELECT is((SELECT string_agg(by_whom || ' ' || action, ', ' ORDER BY history_id) FROM link.history WHERE test.victim(12) IN (victim_a, victim_b)),
          'awa same, awa same, moussa different, ' || session_user || ' unmerge, moussa open', 'the history keeps all of it');
SELECT throws_ok($$SELECT link.decide(0, 'same', 'awa')$$, 'P0002', NULL, 'no such pair');
SELECT throws_ok(format($$SELECT link.decide(%s, 'maybe', 'awa')$$, test.pair(11, 12)), '22023', NULL, 'no such decision');
SELECT throws_ok(format($$SELECT link.decide(%s, 'same', '(relais)')$$, test.pair(11, 12)), '22023', NULL, 'the machine decides nothing');

-- ---- people against the machine
SELECT test.record(21, 21, 'BRP-HOU', '2026-03-01', 'sx_m', 30, '{K4:d}');
SELECT test.record(22, 22, 'SOC-HOU', '2026-03-02', 'sx_m', 30, '{K4:d}');
SELECT test.settle();
SELECT is(test.people(21, 22), '{21,22}', 'a document joined them');
SELECT link.unmerge(test.join_of(21, 22), 'awa');
SELECT is(test.proposed(21, 22), 'K4 1.00', 'a person parts them, and the pair waits');
SELECT test.record(22, 22, 'SOC-HOU', '2026-03-02', 'sx_m', 31, '{K4:d}');
SELECT test.settle();
SELECT is(test.people(21, 22), '{21}{22}', 'they are not joined again behind her back');
SELECT link.decide(test.pair(21, 22), 'same', 'awa');
SELECT test.record(22, 22, 'SOC-HOU', '2026-03-02', 'sx_m', 31);
SELECT test.settle();
SELECT is(test.people(21, 22), '{21,22}', 'what a person joined stays when the key goes');
SELECT link.decide(test.pair(21, 22), 'new_episode', 'awa');
SELECT is(test.people(21, 22), '{21}{22}', 'a new episode is counted again');
SELECT test.record(22, 22, 'SOC-HOU', '2026-03-02', 'sx_m', 31, '{K4:d}');
SELECT test.settle();
SELECT is(test.people(21, 22), '{21}{22}', 'and stays so');

SELECT test.record(23, 23, 'BRP-HOU', '2026-03-03', 'sx_m', 50, '{K1:e}');
SELECT test.record(24, 24, 'SOC-HOU', '2026-03-04', 'sx_m', 50, '{K1:e}');
SELECT test.settle();
SELECT link.decide(test.pair(23, 24), 'different', 'awa');
SELECT test.record(24, 24, 'SOC-HOU', '2026-03-04', 'sx_m', 50, '{K1:e,K4:f}'), test.record(23, 23, 'BRP-HOU', '2026-03-03', 'sx_m', 50, '{K4:f}');
SELECT test.settle();
SELECT is(test.people(23, 24), '{23}{24}', 'a document that comes later does not join whom a person called different');

-- ---- a new episode of the same card
SELECT test.record(31, 31, 'SOC-HOU', '2026-04-01', 'sx_f', 14);
SELECT test.record(32, 31, 'SOC-HOU', '2027-04-01', 'sx_f', 15);
SELECT test.record(33, 31, 'BRP-HOU', '2027-05-01', 'sx_f', 15);
SELECT test.settle();
CREATE TEMP TABLE one_card AS SELECT pg_temp.state() AS state;
SELECT is(test.people(31, 32, 33), '{31,32,33}', 'one card, one person');
SELECT throws_ok($$SELECT link.start_episode(test.ident(31))$$, '55000', NULL, 'the first recording opens no new episode');
SELECT link.start_episode(test.ident(32), 'awa');
SELECT is(test.people(31, 32, 33), '{31}{32,33}', 'from that recording on it is a new victim');
SELECT is((SELECT decision FROM link.candidate WHERE candidate_id = test.pair(31, 32)), 'new_episode', 'linked to the first');
SELECT test.record(34, 31, 'SOC-HOU', '2026-05-01', 'sx_f', 14);
SELECT test.record(35, 31, 'SOC-HOU', '2027-06-01', 'sx_f', 15);
SELECT test.settle();
SELECT is(test.people(31, 32, 33, 34, 35), '{31,34}{32,33,35}', 'later recordings join the episode of their time');
SELECT link.cancel_episode(test.ident(32), 'awa');
SELECT is(test.people(31, 32, 33, 34, 35), '{31,32,33,34,35}', 'and it can be taken back');
SELECT is((SELECT count(*)::integer FROM link.candidate WHERE test.victim(31) IN (victim_a, victim_b)), 0, 'with its link');

SELECT link.start_episode(test.ident(32), 'awa');
SELECT link.decide(test.pair(31, 32), 'open', 'moussa');
SELECT is(test.people(31, 32, 33, 34, 35), '{31,32,33,34,35}', 'also by reopening its pair');
SELECT is((SELECT count(*)::integer FROM link.episode) + (SELECT count(*)::integer FROM link.candidate WHERE test.victim(31) IN (victim_a, victim_b)),
          0, 'of which nothing is left');
SELECT is((SELECT string_agg(by_whom || ' ' || action, ', ' ORDER BY history_id) FROM link.history
            WHERE history_id > (SELECT max(history_id) FROM link.history WHERE action = 'episode')), 'moussa no_episode, moussa open', 'the history says both');
SELECT link.start_episode(test.ident(32), 'awa');
SELECT link.start_episode(test.ident(35), 'awa');
SELECT is(test.people(31, 32, 33, 34, 35), '{31,34}{32,33}{35}', 'twice exploited again');
SELECT link.decide(test.pair(31, 32), 'same', 'awa');
SELECT is(test.people(31, 32, 33, 34, 35), '{31,32,33,34}{35}', 'the first new episode was none, the second stays');
SELECT is((SELECT decision FROM link.candidate WHERE candidate_id = test.pair(31, 35)), 'new_episode', 'and is linked to what it is now new to');
SELECT is((SELECT count(*)::integer FROM link.open_candidate WHERE test.victim(31) IN (victim_a, victim_b)), 0, 'with nothing left to decide');
SELECT link.decide(test.pair(31, 35), 'open', 'awa');
SELECT is(test.people(31, 32, 33, 34, 35), '{31,32,33,34,35}', 'until that is taken back too');
SELECT test.record(36, 36, 'SOC-HOU', '2027-07-01', 'sx_f', 15, '{K1:g}'), test.record(35, 31, 'SOC-HOU', '2027-06-01', 'sx_f', 15, '{K1:g}');
SELECT link.start_episode(test.ident(35), 'awa');
SELECT test.settle();
SELECT link.decide(test.pair(35, 36), 'new_episode', 'awa');
SELECT link.decide(test.pair(35, 36), 'open', 'awa');
SELECT is(test.people(31, 35, 36), '{31}{35}{36}', 'another card''s pair leaves the episode as it is');
SELECT link.cancel_episode(test.ident(35), 'awa');

-- ---- whose answers speak
SELECT link.choose_primary(test.ident(33), 'awa');
SELECT is((SELECT primary_ident FROM tip.victim WHERE victim_id = test.victim(31)), test.ident(33), 'the reviewer chooses the recording that speaks');
SELECT throws_ok($$SELECT link.choose_primary(test.ident(99))$$, 'P0002', NULL, 'of those there are');

SELECT * FROM finish();
ROLLBACK;
