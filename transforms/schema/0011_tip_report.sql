-- Suspects, and the lines of the international report on trafficking for any period.
--
-- Nothing of a suspect leaves the justice role: rows of stat.suspect_fact are for relais_justice, the
-- lines P1 to P4 come out of a function that runs as its owner.

CREATE VIEW stat.suspect_fact WITH (security_barrier) AS
SELECT coalesce(s.merged_into, s.suspect_id) AS person, cs.case_id, c.opened_on, c.court_place, c.cross_border,
       cs.role, cs.stage, coalesce(cs.offence, c.offence) AS offence, root.sex, root.age, root.citizenship,
       coalesce(root.public_official, false) OR coalesce(s.public_official, false) OR cs.role = 'sr_offi' AS official,
       least(cs.investigated_on, cs.arrested_on) AS investigated_on, cs.arrested_on, cs.prosecuted_on, cs.decided_on,
       cs.decided_on IS NOT NULL
       AND (cs.stage = 'sg_conv' OR (cs.stage = 'sg_app' AND (cs.prison_months > 0 OR cs.fine_xof > 0))) IS TRUE AS convicted,
       cs.final_on,
       CASE WHEN cs.prison_months > coalesce(cs.suspended_months, 0) THEN 'firm' WHEN cs.prison_months > 0 THEN 'suspended' END AS prison
  FROM tip.case_suspect cs
  JOIN tip.criminal_case c ON c.case_id = cs.case_id
  JOIN tip.suspect s ON s.suspect_id = cs.suspect_id
  JOIN tip.suspect root ON root.suspect_id = coalesce(s.merged_into, s.suspect_id);
COMMENT ON VIEW stat.suspect_fact IS 'Une ligne par personne mise en cause et procédure, réunions suivies. Réservé à la justice';
COMMENT ON COLUMN stat.suspect_fact.person IS 'Personne mise en cause, présumée innocente';
COMMENT ON COLUMN stat.suspect_fact.case_id IS 'Procédure';
COMMENT ON COLUMN stat.suspect_fact.opened_on IS 'Ouverture de la procédure';
COMMENT ON COLUMN stat.suspect_fact.court_place IS 'Lieu de la juridiction';
COMMENT ON COLUMN stat.suspect_fact.cross_border IS 'Dossier transfrontalier';
COMMENT ON COLUMN stat.suspect_fact.role IS 'Rôle (liste sr)';
COMMENT ON COLUMN stat.suspect_fact.stage IS 'Étape (liste sg)';
COMMENT ON COLUMN stat.suspect_fact.offence IS 'Infraction retenue, sinon celle du dossier (liste of)';
COMMENT ON COLUMN stat.suspect_fact.sex IS 'Sexe';
COMMENT ON COLUMN stat.suspect_fact.age IS 'Âge';
COMMENT ON COLUMN stat.suspect_fact.citizenship IS 'Nationalité';
COMMENT ON COLUMN stat.suspect_fact.official IS 'Agent public, ou complice comme agent public (sr_offi)';
COMMENT ON COLUMN stat.suspect_fact.investigated_on IS 'Début de l''enquête, ou interpellation si elle est plus ancienne ou seule connue';
COMMENT ON COLUMN stat.suspect_fact.arrested_on IS 'Interpellation';
COMMENT ON COLUMN stat.suspect_fact.prosecuted_on IS 'Engagement des poursuites';
COMMENT ON COLUMN stat.suspect_fact.decided_on IS 'Décision';
COMMENT ON COLUMN stat.suspect_fact.convicted IS 'Condamnée par une décision datée, aussi quand un appel de la condamnation est en cours';
COMMENT ON COLUMN stat.suspect_fact.final_on IS 'Décision définitive';
COMMENT ON COLUMN stat.suspect_fact.prison IS 'firm : prison au moins en partie ferme ; suspended : entièrement avec sursis ; vide : pas de prison';

CREATE FUNCTION stat.tip_report(period_from date, period_to date)
RETURNS TABLE (line text, label_fr text, label_en text, total bigint, female bigint, male bigint,
               children bigint, adults bigint, nationals bigint, foreigners bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$   -- compiling takes longer than running
    WITH label(line, fr, en) AS (VALUES
        ('V1',   'Victimes identifiées',                          'Victims identified'),
        ('V1.1', '… exploitation sexuelle',                       '… sex trafficking'),
        ('V1.2', '… travail forcé, mendicité',                    '… labour trafficking (incl. begging)'),
        ('V1.3', '… autre ou inconnue',                           '… other or unspecified'),
        ('V2',   'Victimes présumées',                            'Potential victims'),
        ('V3',   '… identifiées par l''État',                     '… identified by government'),
        ('V4',   '… référées vers un service',                    '… referred to services'),
        ('V5',   '… ayant reçu une assistance',                   '… received assistance'),
        ('P1',   'Personnes mises en cause (enquêtes)',           'Suspects investigated'),
        ('P2',   'Personnes poursuivies',                         'Persons prosecuted'),
        ('P3',   'Personnes condamnées',                          'Persons convicted'),
        ('P3.1', '… prison non entièrement assortie du sursis',   '… prison term, not fully suspended'),
        ('P3.2', '… prison entièrement assortie du sursis',       '… fully suspended sentence'),
        ('P4',   'Agents publics mis en cause',                   'Officials under investigation or prosecution')
    ), period(d1, d2) AS (
        SELECT coalesce(period_from, '-infinity'), coalesce(period_to, 'infinity')
    ), victim AS MATERIALIZED (
        SELECT f.* FROM stat.victim_fact f, period WHERE f.first_on >= d1 AND f.first_on < d2
    ), suspect AS MATERIALIZED (   -- each person once a line, with the gravest of several sentences
        SELECT f.person, min(f.sex) AS sex, min(f.age) AS age, min(f.citizenship) AS citizenship,
               bool_or(f.investigated_on >= d1 AND f.investigated_on < d2) IS TRUE AS investigated,
               bool_or(f.prosecuted_on >= d1 AND f.prosecuted_on < d2) IS TRUE AS prosecuted,
               bool_or(f.convicted AND f.decided_on >= d1 AND f.decided_on < d2) IS TRUE AS convicted,
               min(f.prison) FILTER (WHERE f.convicted AND f.decided_on >= d1 AND f.decided_on < d2) AS prison,
               bool_or(f.official AND ((f.investigated_on >= d1 AND f.investigated_on < d2)
                                       OR (f.prosecuted_on >= d1 AND f.prosecuted_on < d2))) IS TRUE AS official
          FROM stat.suspect_fact f, period GROUP BY f.person
    ), counted AS (
        SELECT l.line, v.sex, v.is_child, v.national
          FROM victim v CROSS JOIN LATERAL (VALUES
               ('V1', v.status = 'vs_conf'),
               ('V1.1', v.status = 'vs_conf' AND v.tip_class = 'SEX'),
               ('V1.2', v.status = 'vs_conf' AND v.tip_class = 'LAB'),
               ('V1.3', v.status = 'vs_conf' AND v.tip_class NOT IN ('SEX', 'LAB')),
               ('V2', v.status = 'vs_pres'),
               ('V3', v.status = 'vs_conf' AND v.by_government),
               ('V4', v.status = 'vs_conf' AND v.referred),
               ('V5', v.status = 'vs_conf' AND v.assisted)) AS l(line, holds) WHERE l.holds
        UNION ALL
        SELECT l.line, s.sex, s.age < 18, s.citizenship = 'BFA'
          FROM suspect s CROSS JOIN LATERAL (VALUES
               ('P1', s.investigated), ('P2', s.prosecuted), ('P3', s.convicted), ('P3.1', s.prison = 'firm'),
               ('P3.2', s.prison = 'suspended'), ('P4', s.official)) AS l(line, holds) WHERE l.holds
    )
    SELECT b.line, b.fr, b.en, count(c.line), count(*) FILTER (WHERE c.sex = 'sx_f'), count(*) FILTER (WHERE c.sex = 'sx_m'),
           count(*) FILTER (WHERE c.is_child), count(*) FILTER (WHERE NOT c.is_child),
           count(*) FILTER (WHERE c.national), count(*) FILTER (WHERE NOT c.national)
      FROM label b LEFT JOIN counted c ON c.line = b.line
     GROUP BY b.line, b.fr, b.en ORDER BY left(b.line, 1) DESC, b.line
$$;
COMMENT ON FUNCTION stat.tip_report(date, date) IS
    'Lignes du rapport international, du premier jour compris au dernier exclu (tip_report(''2026-04-01'', ''2027-04-01'')) ; toujours les quatorze lignes. Un sexe, un âge ou une nationalité inconnus ne sont que dans le total';
REVOKE EXECUTE ON FUNCTION stat.tip_report(date, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stat.tip_report(date, date) TO relais_analyst, relais_coordination;
REVOKE ALL ON stat.suspect_fact FROM relais_analyst, relais_coordination;
GRANT USAGE ON SCHEMA stat TO relais_justice;
GRANT SELECT ON stat.suspect_fact TO relais_justice;
