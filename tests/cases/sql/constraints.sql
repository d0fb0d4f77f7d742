-- Every rule of cases, assistance and monthly reports refuses what it is for, by its name.
BEGIN;
SELECT no_plan();

CREATE FUNCTION pg_temp.refuses(statement text, rule text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    broken text;
BEGIN
    BEGIN
        EXECUTE statement;
        SET CONSTRAINTS ALL IMMEDIATE;
    EXCEPTION WHEN integrity_constraint_violation THEN
        GET STACKED DIAGNOSTICS broken = CONSTRAINT_NAME;
    END;
    RETURN tap.is(broken, rule, rule);
END
$$;

SELECT test.submission('case 1');
CREATE FUNCTION pg_temp.a_case(assignment text DEFAULT 'stage_date = stage_date') RETURNS text LANGUAGE sql AS $$
    SELECT format($f$
        INSERT INTO tip.criminal_case (case_id, sub_id, case_code, org_code, opened_on, offence, stage, stage_date, updated_at)
        VALUES (gen_random_uuid(), md5('case 1')::uuid, 'BRP-HOU-2026-42', 'BRP-HOU', '2026-02-01', 'of_tip', 'sg_inv', '2026-02-03', now());
        UPDATE tip.criminal_case SET %s; $f$, assignment) $$;

-- ---- cases
SELECT lives_ok(pg_temp.a_case($$cross_border = true, foreign_help = '{CIV,MLI}', fact_country = 'CIV'$$), 'a case may stand');
DELETE FROM tip.criminal_case;
SELECT pg_temp.refuses(pg_temp.a_case(format('case_code = %L', code)), 'criminal_case_case_code_unit_year_number')
  FROM unnest(ARRAY['BRP-HOU-2026-042', 'BRP-HOU-26-42', 'brp-hou-2026-42', 'BRP-HOU-2026', '2026-42', 'BRP HOU-2026-42',
                    'BRP-HOU-2026-0', 'BRP-HOU-1926-42', 'BRP-HOU-2026-1234567', ' BRP-HOU-2026-42']) AS code;
SELECT lives_ok(pg_temp.a_case(format('case_code = %L', code)) || 'DELETE FROM tip.criminal_case;', code)
  FROM unnest(ARRAY['TGI-2026-1', 'BRP-HOU-2026-999999', 'JUS-KAD-2-2031-7']) AS code;
SELECT pg_temp.refuses(pg_temp.a_case($$case_code = repeat('A', 40) || '-2026-1'$$), 'criminal_case_case_code_at_most_40_characters');
SELECT pg_temp.refuses(pg_temp.a_case($$stage_date = '2026-01-31'$$), 'criminal_case_stage_date_after_opened_on');
SELECT pg_temp.refuses(pg_temp.a_case($$stage_date = '2026-03-03', updated_at = '2026-03-01 20:00Z'$$), 'criminal_case_stage_date_not_in_the_future');
SELECT pg_temp.refuses(pg_temp.a_case($$offence = 'sg_inv'$$), 'criminal_case_offence_list_of');
SELECT pg_temp.refuses(pg_temp.a_case($$stage = 'of_tip'$$), 'criminal_case_stage_list_sg');
SELECT pg_temp.refuses(pg_temp.a_case($$offence = 'of_none'$$), 'criminal_case_offence_known');
SELECT pg_temp.refuses(pg_temp.a_case($$fact_country = 'QQQ'$$), 'criminal_case_fact_country_known');
SELECT pg_temp.refuses(pg_temp.a_case($$org_code = 'BRP-ZZZ'$$), 'criminal_case_org_code_known');
SELECT pg_temp.refuses(pg_temp.a_case($$cross_border = true, foreign_help = '{civ}'$$), 'criminal_case_foreign_help_country_codes');
SELECT pg_temp.refuses(pg_temp.a_case($$cross_border = true, foreign_help = '{CIV,NULL}'$$), 'criminal_case_foreign_help_country_codes');
SELECT pg_temp.refuses(pg_temp.a_case($$cross_border = false, foreign_help = '{CIV}'$$), 'criminal_case_foreign_help_only_across_borders');

-- ---- suspects
SELECT lives_ok(pg_temp.a_case(), 'a case for suspects');
INSERT INTO tip.suspect (suspect_id, sub_id, sex, age) VALUES (md5('suspect 1')::uuid, md5('case 1')::uuid, 'sx_m', 40);
SELECT pg_temp.refuses($$UPDATE tip.suspect SET age = 150$$, 'suspect_age_0_to_110');
SELECT pg_temp.refuses($$UPDATE tip.suspect SET merged_into = suspect_id$$, 'suspect_not_merged_into_itself');
INSERT INTO tip.case_suspect (case_id, suspect_id, role, stage, investigated_on, arrested_on, prosecuted_on, decided_on, final_on, prison_months, suspended_months)
SELECT case_id, md5('suspect 1')::uuid, 'sr_recr', 'sg_conv', '2026-02-01', '2026-02-02', '2026-02-03', '2026-03-01', '2026-04-01', 24, 24 FROM tip.criminal_case;
SELECT pg_temp.refuses('UPDATE tip.case_suspect SET ' || assignment, rule) FROM (VALUES
    ($$arrested_on = '2026-01-31'$$, 'case_suspect_arrest_after_investigation'),
    ($$prosecuted_on = '2026-02-01'$$, 'case_suspect_prosecution_after_arrest_and_investigation'),
    ($$prosecuted_on = '2026-01-01', arrested_on = NULL$$, 'case_suspect_prosecution_after_arrest_and_investigation'),
    ($$decided_on = '2026-02-02'$$, 'case_suspect_decision_after_prosecution'),
    ($$decided_on = '2026-01-31', arrested_on = NULL, prosecuted_on = NULL$$, 'case_suspect_decision_after_prosecution'),
    ($$final_on = '2026-02-28'$$, 'case_suspect_final_after_decision'),
    ($$decided_on = NULL, stage = 'sg_ins'$$, 'case_suspect_final_only_with_a_decision'),
    ($$decided_on = NULL, final_on = NULL$$, 'case_suspect_convicted_or_acquitted_on_a_date'),
    ($$stage = 'sg_acq', suspended_months = NULL$$, 'case_suspect_no_sentence_without_a_conviction'),
    ($$suspended_months = 25$$, 'case_suspect_suspended_within_prison'),
    ($$prison_months = NULL$$, 'case_suspect_suspended_within_prison'),
    ($$prison_months = -1, suspended_months = NULL$$, 'case_suspect_prison_months_0_to_1200'),
    ($$fine_xof = -5$$, 'case_suspect_fine_not_negative'),
    ($$stage_date = '2026-03-31'$$, 'case_suspect_no_date_after_the_state_of_the_case'),
    ($$stage_date = '2026-02-28', final_on = NULL$$, 'case_suspect_no_date_after_the_state_of_the_case'),
    ($$stage = 'sg_app'$$, 'case_suspect_not_final_under_appeal'),
    ($$stage = 'sg_tri', suspended_months = NULL$$, 'case_suspect_sentence_only_when_convicted'),
    ($$role = 'sx_m'$$, 'case_suspect_role_list_sr')) AS t(assignment, rule);
SELECT lives_ok($$UPDATE tip.case_suspect SET stage_date = '2026-04-01'$$, 'on the day of the last of its dates');
SELECT lives_ok($$UPDATE tip.case_suspect SET stage = 'sg_app', final_on = NULL$$, 'a sentence under appeal');
SELECT lives_ok($$UPDATE tip.case_suspect SET arrested_on = NULL, prosecuted_on = '2026-02-01'$$, 'dates may be missing and on one day');
SELECT pg_temp.refuses($$INSERT INTO tip.case_victim SELECT case_id, test.victim(7) FROM tip.criminal_case$$, 'case_victim_victim_id_known');
INSERT INTO tip.victim (victim_id, national_code) VALUES (test.victim(7), test.code(7));
SELECT pg_temp.refuses($$INSERT INTO tip.case_victim (case_id, victim_id, award_xof) SELECT case_id, test.victim(7), -1 FROM tip.criminal_case$$, 'case_victim_award_not_negative');

-- ---- assistance and visits
SELECT test.submission('visit 1'), test.submission('visit 2');
INSERT INTO tip.assistance (sub_id, seq, victim_id, org_code, service, needed_on, started_on)
VALUES (md5('visit 1')::uuid, 1, test.victim(7), 'SOC-HOU', 'sv_shel', '2026-03-01', '2026-03-02');
SELECT pg_temp.refuses($$UPDATE tip.assistance SET ended_on = '2026-03-01'$$, 'assistance_ended_on_after_started_on');
SELECT pg_temp.refuses($$UPDATE tip.assistance SET started_on = '2026-02-28'$$, 'assistance_started_on_after_needed_on');
SELECT pg_temp.refuses($$UPDATE tip.assistance SET started_on = NULL, ended_on = '2026-03-02'$$, 'assistance_ended_only_if_started');
SELECT pg_temp.refuses($$UPDATE tip.assistance SET reported_at = '2026-02-28 23:59Z'$$, 'assistance_dates_not_in_the_future');
SELECT lives_ok($$UPDATE tip.assistance SET reported_at = '2026-03-01 00:00Z'$$, 'the day after is another zone''s today');
SELECT pg_temp.refuses($$UPDATE tip.assistance SET referred_to = 'NOBODY'$$, 'assistance_referred_to_known');
SELECT pg_temp.refuses($$UPDATE tip.assistance SET service = 'rf_done'$$, 'assistance_service_list_sv');
SELECT pg_temp.refuses($$UPDATE tip.assistance SET referral_status = 'sv_shel'$$, 'assistance_referral_status_list_rf');
SELECT pg_temp.refuses($$UPDATE tip.assistance SET result = 'sv_shel'$$, 'assistance_result_list_pr');

CREATE FUNCTION pg_temp.visit(n integer, day date, state text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO tip.followup (followup_id, sub_id, victim_id, org_code, visited_on, case_state)
    VALUES (md5('followup ' || n)::uuid, md5('visit 1')::uuid, test.victim(7), 'SOC-HOU', day, state)
        ON CONFLICT (followup_id) DO UPDATE SET visited_on = day, case_state = state $$;
SELECT pg_temp.visit(1, '2026-05-01', 'cl_fol');
SELECT is((SELECT case_state FROM tip.victim WHERE victim_id = test.victim(7)), 'cl_fol', 'a visit gives the state of the file');
SELECT pg_temp.visit(2, '2026-04-01', 'cl_act');
SELECT is((SELECT case_state FROM tip.victim WHERE victim_id = test.victim(7)), 'cl_fol', 'an older visit that arrives later does not');
SELECT pg_temp.visit(2, '2026-06-01', 'cl_rein');
SELECT is((SELECT case_state FROM tip.victim WHERE victim_id = test.victim(7)), 'cl_rein', 'once its date is corrected it does');
DELETE FROM tip.followup WHERE case_state = 'cl_rein';
SELECT is((SELECT case_state FROM tip.victim WHERE victim_id = test.victim(7)), 'cl_fol', 'without it the other one speaks again');
DELETE FROM tip.followup;
SELECT is((SELECT case_state FROM tip.victim WHERE victim_id = test.victim(7)), NULL, 'and without any, none');
SELECT pg_temp.visit(1, '2026-05-01', 'cl_fol');
SELECT pg_temp.refuses($$UPDATE tip.followup SET next_visit = '2026-04-30'$$, 'followup_next_visit_after_this_one');
SELECT pg_temp.refuses($$UPDATE tip.followup SET reported_at = '2026-04-29 12:00Z'$$, 'followup_visited_on_not_in_the_future');
SELECT pg_temp.refuses($$UPDATE tip.followup SET lives_with = 'moon'$$, 'followup_lives_with_known');
SELECT pg_temp.refuses($$UPDATE tip.followup SET case_state = 'vs_conf'$$, 'followup_case_state_list_cl');

-- ---- monthly reports
SELECT test.submission('month 1');
INSERT INTO tip.activity_report VALUES ('SOC-HOU', '2026-03-01', 0, md5('month 1')::uuid);
SELECT pg_temp.refuses($$UPDATE tip.activity_report SET seen = -1$$, 'activity_report_seen_0_to_9999');
SELECT pg_temp.refuses($$UPDATE tip.activity_report SET month = '2026-03-02'$$, 'activity_report_month_is_a_first_day');
SELECT pg_temp.refuses($$UPDATE tip.activity_report SET forms_sent = 10000$$, 'activity_report_forms_sent_0_to_9999');
SELECT pg_temp.refuses($$UPDATE tip.activity_report SET difficulties = '{network,rain}'$$, 'activity_report_difficulties_known');
SELECT pg_temp.refuses($$UPDATE tip.activity_report SET difficulties = '{network,none}'$$, 'activity_report_no_difficulty_beside_none');
SELECT lives_ok($$UPDATE tip.activity_report SET difficulties = '{phone,network}'$$, 'what made the month difficult');
SELECT results_eq($$SELECT difficulty FROM tip.activity_difficulty ORDER BY 1$$, $$VALUES ('network'), ('phone')$$, 'is a row each');
SELECT pg_temp.refuses($$UPDATE tip.activity_report SET month = '2026-05-01', reported_at = '2026-04-29 23:00Z'$$, 'activity_report_month_not_in_the_future');

-- ---- what people want of their data
SELECT test.record(1, 1, 'SOC-HOU', '2026-03-01', 'sx_f', 30, share => 'stats assist justice');
SELECT pg_temp.refuses($$UPDATE tip.identification SET age_at_start = 31$$, 'identification_age_at_start_within_age');
SELECT pg_temp.refuses($$UPDATE tip.identification SET event_date = '2026-03-03'$$, 'identification_event_date_not_in_the_future');
CREATE FUNCTION pg_temp.wish(n integer, day date, what text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO tip.consent_change (change_id, sub_id, victim_id, org_code, asked_on, wish)
    VALUES (md5('wish ' || n)::uuid, md5('visit 1')::uuid, test.victim(1), 'SOC-HOU', day, what) $$;
CREATE FUNCTION pg_temp.shares() RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', CASE WHEN share_stats THEN 'stats' END, CASE WHEN share_assist THEN 'assist' END, CASE WHEN share_justice THEN 'justice' END)
      FROM tip.identification WHERE identification_id = test.ident(1) $$;
SELECT pg_temp.wish(1, '2026-04-01', 'justice'), pg_temp.wish(2, '2026-04-01', 'erasure');
SELECT is(pg_temp.shares(), 'stats assist justice', 'a wish waits for the coordination unit');
SELECT throws_ok($$SELECT tip.decide_consent_change(md5('wish 1')::uuid, 'open')$$, '22023', NULL, 'it is applied or refused');
SELECT pg_temp.refuses($$SELECT tip.decide_consent_change(md5('wish 2')::uuid, 'refused')$$, 'consent_change_refusal_has_a_reason');
SELECT lives_ok($$SELECT tip.decide_consent_change(md5('wish 2')::uuid, 'refused', 'procédure en cours')$$, 'with a reason it is');
SELECT lives_ok($$SELECT tip.decide_consent_change(md5('wish 1')::uuid, 'applied')$$, 'a withdrawal is applied');
SELECT is(pg_temp.shares(), 'stats assist', 'the agreement is gone at once');
SELECT test.record(1, 1, 'SOC-HOU', '2026-03-01', 'sx_f', 31, share => 'stats assist justice');
SELECT is(pg_temp.shares(), 'stats assist', 'and does not come back with a correction of the older form');
SELECT test.record(1, 1, 'SOC-HOU', '2026-04-02', 'sx_f', 31, share => 'stats assist justice');
SELECT is(pg_temp.shares(), 'stats assist justice', 'an agreement given after it stands');
SELECT throws_ok($$SELECT tip.decide_consent_change(md5('wish 1')::uuid, 'applied')$$, 'P0002', NULL, 'a wish is answered once');
DELETE FROM tip.consent_change;
SELECT is(count(*)::integer, 2, 'an answered wish stays when its form leaves it out') FROM tip.consent_change;

SELECT * FROM finish();
ROLLBACK;
