-- Cases in which a count is easily wrong, one at a time, in a database with nobody else.
BEGIN;
SELECT no_plan();

CREATE FUNCTION pg_temp.assess(n bigint, verdict text, org text DEFAULT NULL, day date DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
    UPDATE tip.identification i
       SET status = verdict, status_org = CASE WHEN verdict IS NOT NULL THEN coalesce(org, i.org_code) END,
           status_date = CASE WHEN verdict IS NOT NULL THEN coalesce(day, i.event_date) END
     WHERE i.identification_id = test.ident(n) $$;
CREATE FUNCTION pg_temp.counted() RETURNS integer LANGUAGE sql AS $$ SELECT count(*)::integer FROM stat.victim_fact $$;
CREATE FUNCTION pg_temp.help(name text, card bigint, day date, given boolean) RETURNS void LANGUAGE sql AS $$
    INSERT INTO tip.assistance (sub_id, seq, victim_id, org_code, service, needed_on, referred_to, started_on)
    VALUES (test.submission(name), 1, test.victim(card), 'SOC-HOU', 'sv_sch', day, CASE WHEN NOT given THEN 'SOC-HOU' END,
            CASE WHEN given THEN day END) $$;

-- One person, three organisations.
SELECT test.record(1, 1, 'POL-HOU', '2026-01-10', 'sx_m', 13);
SELECT test.record(2, 1, 'SOC-HOU', '2027-02-01', 'sx_m', 14);
UPDATE tip.identification SET place_code = 'BF-GNA', detection = 'dt_ref' WHERE identification_id = test.ident(2);
SELECT test.settle();
SELECT is(pg_temp.counted(), 1, 'two recordings of one card are one person');
SELECT pg_temp.assess(2, 'vs_conf', 'ONG-KAD');
SELECT results_eq($$SELECT year, records::integer, actors::integer, status, age::integer, region, region_13, detection, org_type, by_government FROM stat.victim_fact$$,
              $$VALUES (2026, 2, 2, 'vs_conf', 14, 'BF-09', 'BF-09', 'dt_road', 'og_ngo', false)$$,
              'year, place and way of finding are of the first recording, answers of the confirmed one, the organisation that of the status');
SELECT link.choose_primary(test.ident(1), 'reviewer');
SELECT results_eq($$SELECT status, age::integer FROM stat.victim_fact$$, $$VALUES ('vs_conf', 13)$$, 'a reviewer chooses the answers, not the status');
SELECT pg_temp.assess(1, 'vs_not');
SELECT results_eq($$SELECT first_on, records::integer, age::integer, region, region_13 FROM stat.victim_fact$$, $$VALUES ('2027-02-01'::date, 1, 13, 'BF-14', 'BF-08')$$,
              'a recording that says no makes nobody a victim, but may speak when a reviewer chose it');
SELECT pg_temp.assess(2, 'vs_pres');
SELECT is(pg_temp.counted(), 1, 'a no that is older than the last word does not count a person out');
SELECT pg_temp.assess(1, 'vs_not', 'POL-HOU', '2027-03-01');
SELECT is(pg_temp.counted(), 0, 'the last word does, by the day of the assessment');
SELECT test.record(3, 1, 'SOC-HOU', '2027-06-01', 'sx_m', 14);
SELECT pg_temp.assess(3, NULL);
SELECT test.settle();
SELECT is(pg_temp.counted(), 0, 'a later recording without an assessment is no word');
SELECT pg_temp.assess(2, 'vs_conf');
SELECT is(pg_temp.counted(), 1, 'once somebody confirmed, a later no changes nothing');
UPDATE tip.victim SET erased_at = now() WHERE victim_id = test.victim(1);
SELECT is(pg_temp.counted(), 1, 'a person whose identity is erased stays counted');
UPDATE tip.identification SET share_stats = false WHERE identification_id = test.ident(2);
SELECT is(pg_temp.counted(), 0, 'a recording without agreement to statistics says nothing');
DELETE FROM tip.identification WHERE identification_id IN (SELECT test.ident(n) FROM generate_series(2, 3) n);

-- Joined, taken apart, exploited again: every count follows at once.
SELECT test.record(n, n, 'SOC-HOU', '2026-03-01', 'sx_f', 20) FROM generate_series(11, 12) n;
SELECT test.settle();
SELECT is(pg_temp.counted(), 2, 'two cards are two people');
SELECT link.choose_primary(test.ident(12), 'reviewer');
SELECT link.merge(test.victim(11), test.victim(12), 'reviewer') AS merge \gset
SELECT is(pg_temp.counted(), 1, 'joined they are one');
SELECT is((SELECT speaking_record FROM stat.victim_fact), test.ident(12), 'a choice made before people were joined holds');
SELECT link.unmerge(:merge, 'reviewer');
SELECT is(pg_temp.counted(), 2, 'taken apart they are two again');
SELECT test.record(13, 11, 'SOC-HOU', '2026-08-01', 'sx_f', 20);
SELECT test.record(14, 11, 'SOC-HOU', '2026-10-01', 'sx_f', 20);
SELECT test.settle();
SELECT is(pg_temp.counted(), 2, 'the same card again is the same person');
SELECT link.start_episode(test.ident(13), 'reviewer');
SELECT link.start_episode(test.ident(14), 'reviewer');
SELECT is(pg_temp.counted(), 4, 'each new episode is counted again');
SELECT pg_temp.help('help 1', 11, '2026-07-31', true);
SELECT pg_temp.help('help 2', 11, '2026-08-01', false);
SELECT pg_temp.help('help 3', 11, '2026-12-01', true);
SELECT bag_eq('SELECT first_on, referred, assisted FROM stat.victim_fact',
              $$VALUES ('2026-03-01'::date, false, true), ('2026-03-01', false, false), ('2026-08-01', true, false), ('2026-10-01', false, true)$$,
              'help goes to the episode of its day');
UPDATE tip.assistance SET referral_status = 'rf_none' WHERE sub_id = md5('help 2')::uuid;
SELECT is((SELECT bool_or(referred) FROM stat.victim_fact), false, 'a service that was not there is no referral');
UPDATE tip.assistance SET referral_status = 'rf_done' WHERE sub_id = md5('help 2')::uuid;
SELECT is((SELECT assisted FROM stat.victim_fact WHERE first_on = '2026-08-01'), true, 'a service given without a date was given');

-- From where to where.
CREATE FUNCTION pg_temp.flow() RETURNS text LANGUAGE sql AS $$ SELECT flow FROM stat.victim_fact WHERE speaking_record = test.ident(12) $$;
SELECT is(pg_temp.flow(), NULL, 'without a destination nothing is said of the border');
INSERT INTO tip.route_leg VALUES (test.ident(12), 1, 'origin', 'BFA'), (test.ident(12), 2, 'found', 'BFA');
SELECT is(pg_temp.flow(), NULL, 'somebody found on the way has not arrived in the country');
INSERT INTO tip.exploitation VALUES (test.ident(12), 1, 'ex_unk', false, false, 'BFA');
SELECT is(pg_temp.flow(), 'internal', 'a destination in the country is internal');
INSERT INTO tip.exploitation VALUES (test.ident(12), 2, 'ex_l_gold', true, true, 'CIV');
SELECT is(pg_temp.flow(), 'cross-border', 'any form abroad crosses the border');
SELECT results_eq($$SELECT form, realised, palermo FROM stat.victim_fact WHERE speaking_record = test.ident(12)$$, $$VALUES ('ex_l_gold', true, 'incomplete')$$, 'no act is recorded');
INSERT INTO tip.identification_item VALUES (test.ident(12), 'ac_recr'), (test.ident(12), 'me_none');
SELECT is((SELECT palermo FROM stat.victim_fact WHERE speaking_record = test.ident(12)), 'means missing', '"no means observed" is no means');
UPDATE tip.identification SET age = 17 WHERE identification_id = test.ident(12);
SELECT is((SELECT palermo FROM stat.victim_fact WHERE speaking_record = test.ident(12)), 'complete', 'of a child no means is asked');

-- Suspects: one person whatever the rows, convicted also under appeal, by the gravest sentence.
INSERT INTO tip.criminal_case (case_id, sub_id, case_code, org_code, opened_on, offence, stage, stage_date, updated_at)
SELECT md5('case ' || n)::uuid, test.submission('case ' || n), 'POL-HOU-2026-' || n, 'POL-HOU', '2026-01-01', 'of_tip', 'sg_inv', '2026-01-01', now() FROM generate_series(1, 2) n;
INSERT INTO tip.suspect (suspect_id, sub_id, sex, merged_into)
SELECT md5('suspect ' || n)::uuid, test.submission('case ' || n), 'sx_m', CASE n WHEN 2 THEN md5('suspect 1')::uuid END FROM generate_series(1, 2) n;
INSERT INTO tip.case_suspect (case_id, suspect_id, role, stage, arrested_on, decided_on, prison_months, suspended_months)
VALUES (md5('case 1')::uuid, md5('suspect 1')::uuid, 'sr_offi', 'sg_app', '2026-02-01', '2026-05-01', 12, 12),
       (md5('case 2')::uuid, md5('suspect 2')::uuid, 'sr_recr', 'sg_conv', '2026-02-01', '2026-06-01', 12, NULL);
CREATE FUNCTION pg_temp.lines(d1 date, d2 date) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(line || '=' || total, ' ' ORDER BY line) FROM stat.tip_report(d1, d2) WHERE line LIKE 'P%' AND total > 0 $$;
SELECT is(pg_temp.lines('2026-01-01', '2027-01-01'), 'P1=1 P3=1 P3.1=1 P4=1', 'one person in two cases is one line each, and the gravest sentence');
SELECT is(pg_temp.lines('2026-05-01', '2026-06-01'), 'P3=1 P3.2=1', 'a conviction under appeal is one; the last day is left out');
UPDATE tip.case_suspect SET prison_months = NULL, suspended_months = NULL WHERE stage = 'sg_app';
SELECT is(pg_temp.lines('2026-05-01', '2026-06-01'), NULL, 'a decision without a sentence, under appeal, may have been an acquittal');

-- Silence is not zero.
INSERT INTO tip.activity_report VALUES ('SOC-HOU', '2026-01-01', 0, test.submission('r1')), ('SOC-HOU', '2026-03-01', 4, test.submission('r2'));
SELECT results_eq($$SELECT month, reports::integer, nil_reports::integer, declared_seen::integer FROM stat.coverage WHERE province = 'BF-HOU' AND month < '2026-04-01' ORDER BY month$$,
                  $$VALUES ('2026-01-01'::date, 1, 1, 0), ('2026-02-01', 0, 0, NULL), ('2026-03-01', 1, 0, 4)$$, 'a month without any report is there, and empty');
SELECT results_eq($$SELECT provinces::integer, provinces_reporting::integer FROM stat.coverage_month WHERE month < '2026-04-01' ORDER BY month$$,
                  $$VALUES (47, 1), (47, 0), (47, 1)$$, 'data from 1, 0 and 1 of 47 provinces');

-- No population, no rate.
SELECT is((SELECT count(per_100000)::integer FROM stat.sdg_16_2_2), 0, 'without population no rate');
INSERT INTO ref.population VALUES (2026, 'sx_f', 'adult', 1000000, 'test'), (2026, 'sx_f', 'child', 1000000, 'test');
SELECT results_eq($$SELECT sex, age_group, per_100000 FROM stat.sdg_16_2_2 WHERE form = 'all' AND per_100000 IS NOT NULL ORDER BY 1, 2$$,
                  $$VALUES ('sx_f', 'adult', 0.300), ('sx_f', 'all', 0.200), ('sx_f', 'child', 0.100)$$, 'a total has a rate when all its parts are known');
SELECT * FROM finish();
ROLLBACK;
