-- Rows that several records may write, in the national schema: cases, suspects, victims in cases, and the
-- monthly report. 0025_claims.sql says how a correction takes a record's word back.

GRANT SELECT, INSERT, UPDATE, DELETE ON relais.claim TO relais_forwarder;

-- ---- the month of an organisation is one statement -------------------------------------------------------
-- Its difficulties stand or go with it: a second report replaces the first whole, the newest received stands
-- in whatever order reports are delivered. As an array they cannot outlive the report that named them.

ALTER TABLE tip.activity_report
    ADD COLUMN difficulties text[],
    ADD COLUMN reported_at  timestamptz;
COMMENT ON COLUMN tip.activity_report.difficulties IS 'Difficultés du mois : network réseau, phone téléphone, staff personnel, security sécurité, none aucune';
COMMENT ON COLUMN tip.activity_report.reported_at IS 'Quand le serveur a reçu ce rapport ; de plusieurs rapports du même mois, le dernier reçu tient lieu de tous';
UPDATE tip.activity_report r
   SET difficulties = (SELECT array_agg(d.difficulty ORDER BY d.difficulty) FROM tip.activity_difficulty d
                        WHERE d.org_code = r.org_code AND d.month = r.month),
       reported_at = (SELECT s.received_at FROM relais.submission s WHERE s.sub_id = r.sub_id);
ALTER TABLE tip.activity_report
    ADD CONSTRAINT activity_report_difficulties_known CHECK
        (difficulties <@ ARRAY['network', 'phone', 'staff', 'security', 'none']),
    ADD CONSTRAINT activity_report_no_difficulty_beside_none CHECK
        ('none' <> ALL (difficulties) OR cardinality(difficulties) = 1);

DROP TABLE tip.activity_difficulty;
CREATE VIEW tip.activity_difficulty WITH (security_barrier) AS
SELECT r.org_code, r.month, d.difficulty FROM tip.activity_report r CROSS JOIN LATERAL unnest(r.difficulties) AS d(difficulty);
COMMENT ON VIEW tip.activity_difficulty IS 'Difficultés du mois qu''une structure signale, une ligne chacune';
COMMENT ON COLUMN tip.activity_difficulty.org_code IS 'Structure';
COMMENT ON COLUMN tip.activity_difficulty.month IS 'Mois, enregistré par son premier jour';
COMMENT ON COLUMN tip.activity_difficulty.difficulty IS 'network réseau, phone téléphone, staff personnel, security sécurité, none aucune';
GRANT SELECT ON tip.activity_difficulty TO relais_actor, relais_coordination;

-- ---- what is there already becomes a claim of the record that wrote it last ------------------------------

INSERT INTO relais.claim (table_name, key, sub_id, said)
SELECT 'tip.criminal_case', jsonb_build_array(c.case_id), c.sub_id, jsonb_build_object(
           'case_id', c.case_id::text, 'sub_id', c.sub_id::text, 'case_code', c.case_code, 'org_code', c.org_code,
           'opened_on', c.opened_on::text, 'court_place', c.court_place, 'fact_place', c.fact_place,
           'fact_country', c.fact_country::text, 'offence', c.offence, 'cross_border', c.cross_border::text,
           'foreign_help', c.foreign_help::text, 'stage', c.stage, 'stage_date', c.stage_date::text,
           'updated_at', c.updated_at::text)
  FROM tip.criminal_case c
UNION ALL
SELECT 'tip.suspect', jsonb_build_array(s.suspect_id), s.sub_id, jsonb_build_object(
           'suspect_id', s.suspect_id::text, 'sub_id', s.sub_id::text, 'stage_date', s.stage_date::text, 'sex', s.sex,
           'age', s.age::text, 'citizenship', s.citizenship::text, 'public_official', s.public_official::text,
           'armed_group', s.armed_group::text)
  FROM tip.suspect s
UNION ALL
SELECT 'tip.case_suspect', jsonb_build_array(c.case_id, c.suspect_id), c.sub_id, jsonb_build_object(
           'case_id', c.case_id::text, 'suspect_id', c.suspect_id::text, 'sub_id', c.sub_id::text,
           'stage_date', c.stage_date::text, 'role', c.role, 'relation', c.relation, 'stage', c.stage,
           'investigated_on', c.investigated_on::text, 'arrested_on', c.arrested_on::text,
           'prosecuted_on', c.prosecuted_on::text, 'decided_on', c.decided_on::text, 'final_on', c.final_on::text,
           'detained', c.detained::text, 'offence', c.offence, 'prison_months', c.prison_months::text,
           'suspended_months', c.suspended_months::text, 'fine_xof', c.fine_xof::text)
  FROM tip.case_suspect c WHERE c.sub_id IS NOT NULL
UNION ALL
SELECT 'tip.case_victim', jsonb_build_array(c.case_id, c.victim_id), c.sub_id, jsonb_build_object(
           'case_id', c.case_id::text, 'victim_id', c.victim_id::text, 'sub_id', c.sub_id::text,
           'stage_date', c.stage_date::text, 'witness', c.witness::text, 'civil_party', c.civil_party::text,
           'protected', c.protected::text, 'award_xof', c.award_xof::text)
  FROM tip.case_victim c WHERE c.sub_id IS NOT NULL
UNION ALL
SELECT 'tip.activity_report', jsonb_build_array(r.org_code, r.month), r.sub_id, jsonb_build_object(
           'org_code', r.org_code, 'month', r.month::text, 'sub_id', r.sub_id::text, 'seen', r.seen::text,
           'forms_sent', r.forms_sent::text, 'difficulties', r.difficulties::text, 'reported_at', r.reported_at::text)
  FROM tip.activity_report r;
