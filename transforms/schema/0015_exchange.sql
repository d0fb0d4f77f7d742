-- People in the shapes of other standards: input for a synthetic file, never sent as rows.
--
-- Values come from ref.code_map alone: whoever corrects a mapping there corrects the export. Both
-- describe people identified or presumed victims, by the recording that speaks for them, and carry no
-- identifier: neither person, nor card, nor recording, nor group, nor day, nor place within the country.

CREATE VIEW stat.ctdc_2024 WITH (security_barrier) AS
WITH fact AS MATERIALIZED (
    SELECT f.* FROM stat.victim_fact f WHERE f.status IN ('vs_conf', 'vs_pres')
)
SELECT 'CTDC-2024-v2' AS codebook, f.year AS "yearOfRegistration",
       CASE f.sex WHEN 'sx_f' THEN 'Woman' WHEN 'sx_m' THEN 'Man' END AS gender, f.ctdc_age AS "ageBroad", f.citizenship,
       coalesce(s.country, 'BFA') AS "CountryOfExploitation",
       CASE WHEN i.months_exploited <= 12 THEN '0--12' WHEN i.months_exploited <= 24 THEN '13--24' WHEN i.months_exploited > 24 THEN '25+' END AS "traffickMonths",
       CASE WHEN 'meansDebtBondageEarnings' = ANY (n.names) THEN 1 END AS "meansDebtBondageEarnings",
       CASE WHEN 'meansThreats' = ANY (n.names) THEN 1 END AS "meansThreats",
       CASE WHEN 'meansAbusePsyPhySex' = ANY (n.names) THEN 1 END AS "meansAbusePsyPhySex",
       CASE WHEN 'meansFalsePromises' = ANY (n.names) THEN 1 END AS "meansFalsePromises",
       CASE WHEN 'meansDrugsAlcohol' = ANY (n.names) THEN 1 END AS "meansDrugsAlcohol",
       CASE WHEN 'meansDenyBasicNeeds' = ANY (n.names) THEN 1 END AS "meansDenyBasicNeeds",
       CASE WHEN 'meansExcessiveWorkHours' = ANY (n.names) THEN 1 END AS "meansExcessiveWorkHours",
       CASE WHEN 'meansWithholdDocs' = ANY (n.names) THEN 1 END AS "meansWithholdDocs",
       CASE WHEN 'isForcedLabour' = ANY (n.names) THEN 1 END AS "isForcedLabour",
       CASE WHEN 'isSexualExploit' = ANY (n.names) THEN 1 END AS "isSexualExploit",
       CASE WHEN 'isOtherExploit' = ANY (n.names) THEN 1 END AS "isOtherExploit",
       CASE WHEN 'typeOfLabourAgriculture' = ANY (n.names) THEN 1 END AS "typeOfLabourAgriculture",
       CASE WHEN 'typeOfLabourConstruction' = ANY (n.names) THEN 1 END AS "typeOfLabourConstruction",
       CASE WHEN 'typeOfLabourDomesticWork' = ANY (n.names) THEN 1 END AS "typeOfLabourDomesticWork",
       CASE WHEN 'typeOfLabourHospitality' = ANY (n.names) THEN 1 END AS "typeOfLabourHospitality",
       CASE WHEN 'typeOfSexProstitution' = ANY (n.names) THEN 1 END AS "typeOfSexProstitution",
       CASE WHEN 'typeOfSexPornography' = ANY (n.names) THEN 1 END AS "typeOfSexPornography",
       CASE WHEN 'recruiterRelationIntimatePartner' = ANY (n.names) THEN 1 END AS "recruiterRelationIntimatePartner",
       CASE WHEN 'recruiterRelationFriend' = ANY (n.names) THEN 1 END AS "recruiterRelationFriend",
       CASE WHEN 'recruiterRelationFamily' = ANY (n.names) THEN 1 END AS "recruiterRelationFamily",
       CASE WHEN 'recruiterRelationOther' = ANY (n.names) THEN 1 END AS "recruiterRelationOther"
  FROM fact f
  JOIN tip.identification i ON i.identification_id = f.speaking_record
  CROSS JOIN LATERAL (
       SELECT array_agg(m.field) AS names
         FROM (SELECT t.code FROM tip.identification_item t WHERE t.identification_id = f.speaking_record
               UNION ALL SELECT x.form FROM tip.exploitation x WHERE x.identification_id = f.speaking_record
               UNION ALL VALUES (i.recruiter_relation), (i.id_doc)) a(code)
         JOIN ref.code_map m ON m.code = a.code AND m.standard = 'CTDC-2024' AND m.value = '1') n
  CROSS JOIN LATERAL (   -- the main form if it was suffered, else the first that was
       SELECT (array_agg(x.country ORDER BY x.main DESC, x.seq))[1] AS country
         FROM tip.exploitation x WHERE x.identification_id = f.speaking_record AND x.realised) s;
COMMENT ON VIEW stat.ctdc_2024 IS 'Les 27 variables du fichier mondial de la CTDC (codebook 2, février 2024) : matière d''un fichier synthétique, jamais transmise ligne à ligne';

CREATE VIEW stat.htcds_2 WITH (security_barrier) AS
WITH fact AS MATERIALIZED (
    SELECT f.* FROM stat.victim_fact f WHERE f.status IN ('vs_conf', 'vs_pres')
), given AS (
    SELECT c.person, array_agg(DISTINCT c.service) AS services FROM stat.care c WHERE c.given GROUP BY c.person
), visit AS (   -- the newest one, whichever of the person's cards it was written on
    SELECT DISTINCT ON (1) coalesce(e.person, v.merged_into, v.victim_id) AS person, u.case_state
      FROM tip.followup u
      JOIN tip.victim v ON v.victim_id = u.victim_id
      LEFT JOIN stat.episode e ON e.national_code = v.national_code AND u.visited_on >= e.since
                         AND (e.until IS NULL OR u.visited_on < e.until)
     ORDER BY 1, u.visited_on DESC, u.followup_id DESC
)
SELECT 'HTCDS-2.0' AS standard, f.year AS registered_in,
       r.answers ->> 'prs_Gender' AS "prs_Gender", p.iso2 AS "prs_Citizenship", r.answers ->> 'prs_Deceased' AS "prs_Deceased",
       r.answers ->> 'vic_TraffickingStatus' AS "vic_TraffickingStatus",
       r.answers ->> 'vic_TraffickingStatusDecisionMakingOrg' AS "vic_TraffickingStatusDecisionMakingOrg",
       r.answers ->> 'vic_MethodOfRecruitment' AS "vic_MethodOfRecruitment", r.answers ->> 'vic_MethodsOfControl' AS "vic_MethodsOfControl",
       r.answers ->> 'vic_TypeOfExploitation' AS "vic_TypeOfExploitation", r.answers ->> 'vic_ForcedLabourIndustry' AS "vic_ForcedLabourIndustry",
       r.answers ->> 'vic_TypeOfSexExploitation' AS "vic_TypeOfSexExploitation", x.iso2 AS "vic_LocationOfExploitation",
       r.answers ->> 'vic_RelationshipToTrafficker' AS "vic_RelationshipToTrafficker", i.age_at_start AS "vic_AgeWhenTrafficked",
       r.answers ->> 'cas_Status' AS "cas_Status", r.answers ->> 'spl_Type' AS "spl_Type", r.answers ->> 'con_Consent' AS "con_Consent"
  FROM fact f
  JOIN tip.identification i ON i.identification_id = f.speaking_record
  LEFT JOIN given g ON g.person = f.person
  LEFT JOIN visit v ON v.person = f.person
  CROSS JOIN LATERAL (   -- blanks around a value are an error of the standard's own file; several values, one answer
       SELECT jsonb_object_agg(d.field, d.value) AS answers
         FROM (SELECT m.field, string_agg(DISTINCT btrim(m.value), ';' ORDER BY btrim(m.value)) AS value
                 FROM (SELECT t.code FROM tip.identification_item t WHERE t.identification_id = f.speaking_record
                       UNION ALL SELECT x.form FROM tip.exploitation x WHERE x.identification_id = f.speaking_record
                       UNION ALL SELECT unnest(g.services)
                       UNION ALL VALUES (coalesce(i.sex, 'sx_unk')), (f.status), (f.org_type), (i.recruiter_relation), (i.recruit_channel),
                                        (i.id_doc), (v.case_state), (i.consent_basis)) a(code)
                 JOIN ref.code_map m ON m.code = a.code AND m.standard = 'HTCDS' GROUP BY m.field) d) r
  LEFT JOIN ref.country p ON p.iso3 = f.citizenship
  LEFT JOIN ref.country x ON x.iso3 = f.exploitation_country;
COMMENT ON VIEW stat.htcds_2 IS 'Champs essentiels du HTCDS 2.0 (OIM, CC BY 4.0), sans nom ni contact : matière d''un fichier synthétique, jamais transmise ligne à ligne. Les champs à choix multiples sont séparés par des points-virgules';

-- The columns have the names of the standards; what each is from here is said once.
DO $$
DECLARE
    one record;
BEGIN
    FOR one IN
        SELECT c.oid::regclass AS view, a.attname AS name,
               CASE WHEN a.attname IN ('codebook', 'standard') THEN 'Version de la norme'
                    WHEN a.attname IN ('yearOfRegistration', 'registered_in') THEN 'Année où la personne est comptée'
                    WHEN a.attname = 'ageBroad' THEN 'Tranche d''âge de la norme'
                    WHEN a.attname = 'citizenship' THEN 'Nationalité, trois lettres'
                    WHEN a.attname = 'prs_Citizenship' THEN 'Nationalité, deux lettres'
                    WHEN a.attname = 'CountryOfExploitation' THEN 'Pays de l''exploitation subie, sinon le Burkina Faso, où la personne a été identifiée'
                    WHEN a.attname = 'vic_LocationOfExploitation' THEN 'Pays de l''exploitation principale, deux lettres'
                    WHEN a.attname = 'traffickMonths' THEN 'Durée de l''exploitation en mois'
                    WHEN a.attname = 'vic_AgeWhenTrafficked' THEN 'Âge au début de l''exploitation'
                    WHEN a.attname ~ '^(means|is|typeOf|recruiterRelation)' THEN '1 si une réponse y correspond dans ref.code_map, sinon vide (jamais 0)'
                    ELSE 'Valeur de la norme selon ref.code_map' END AS meaning
          FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
         WHERE c.oid IN ('stat.ctdc_2024'::regclass, 'stat.htcds_2'::regclass)
    LOOP
        EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', one.view, one.name, one.meaning);
    END LOOP;
END
$$;
GRANT SELECT ON stat.ctdc_2024, stat.htcds_2 TO relais_analyst, relais_coordination;
