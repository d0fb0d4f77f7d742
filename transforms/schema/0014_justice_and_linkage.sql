-- What becomes of cases, how people and recordings relate, and shares of answers.

CREATE VIEW stat.justice_funnel WITH (security_barrier) AS
WITH line AS (
    SELECT extract(year FROM c.opened_on)::integer AS year, c.court_place, c.case_id, c.opened_on, c.cross_border,
           s.person, s.stage, s.investigated_on, s.arrested_on, s.prosecuted_on, s.decided_on, s.convicted, s.final_on
      FROM tip.criminal_case c LEFT JOIN stat.suspect_fact s ON s.case_id = c.case_id
)
SELECT l.year, CASE WHEN GROUPING(l.court_place) = 1 THEN 'all' ELSE coalesce(l.court_place, 'unknown') END AS court,
       count(DISTINCT l.case_id) AS opened, count(DISTINCT l.case_id) FILTER (WHERE l.cross_border) AS cross_border, count(l.person) AS suspects,
       count(l.investigated_on) AS investigated, count(l.arrested_on) AS arrested, count(l.prosecuted_on) AS prosecuted,
       count(*) FILTER (WHERE l.stage IN ('sg_tri', 'sg_acq', 'sg_conv', 'sg_app')) AS tried,
       count(*) FILTER (WHERE l.convicted) AS convicted, count(*) FILTER (WHERE l.convicted AND l.final_on IS NOT NULL) AS convicted_finally,
       count(*) FILTER (WHERE l.stage = 'sg_acq') AS acquitted, count(*) FILTER (WHERE l.stage IN ('sg_drop', 'sg_nol')) AS dismissed,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY l.prosecuted_on - l.opened_on) AS days_opened_to_prosecuted,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY l.decided_on - l.prosecuted_on) AS days_prosecuted_to_decided,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY l.decided_on - l.opened_on) AS days_opened_to_decided
  FROM line l GROUP BY GROUPING SETS ((l.year), (l.year, l.court_place));
COMMENT ON VIEW stat.justice_funnel IS 'Ce que deviennent les procédures ouvertes une année, en tout et par juridiction ; l''unité est une personne dans une procédure';
COMMENT ON COLUMN stat.justice_funnel.year IS 'Année d''ouverture';
COMMENT ON COLUMN stat.justice_funnel.court IS 'Lieu de la juridiction, unknown si elle n''est pas dite, all pour toutes';
COMMENT ON COLUMN stat.justice_funnel.opened IS 'Procédures ouvertes';
COMMENT ON COLUMN stat.justice_funnel.cross_border IS 'dont transfrontalières';
COMMENT ON COLUMN stat.justice_funnel.suspects IS 'Mises en cause';
COMMENT ON COLUMN stat.justice_funnel.investigated IS 'dont l''enquête ou l''interpellation est datée';
COMMENT ON COLUMN stat.justice_funnel.arrested IS 'Interpellées';
COMMENT ON COLUMN stat.justice_funnel.prosecuted IS 'Poursuivies';
COMMENT ON COLUMN stat.justice_funnel.tried IS 'Renvoyées en jugement, jugées ou en appel';
COMMENT ON COLUMN stat.justice_funnel.convicted IS 'Condamnées par une décision datée';
COMMENT ON COLUMN stat.justice_funnel.convicted_finally IS 'dont définitivement';
COMMENT ON COLUMN stat.justice_funnel.acquitted IS 'Relaxées ou acquittées';
COMMENT ON COLUMN stat.justice_funnel.dismissed IS 'Classements sans suite et non-lieux';
COMMENT ON COLUMN stat.justice_funnel.days_opened_to_prosecuted IS 'Jours de l''ouverture aux poursuites, médiane';
COMMENT ON COLUMN stat.justice_funnel.days_prosecuted_to_decided IS 'Jours des poursuites à la décision, médiane';
COMMENT ON COLUMN stat.justice_funnel.days_opened_to_decided IS 'Jours de l''ouverture à la décision, médiane';

-- ---- recordings and people -----------------------------------------------------------------------------------

-- The lower bound joins people along open pairs, also through others, counted or not.
CREATE VIEW stat.linkage WITH (security_barrier) AS
WITH RECURSIVE pair AS (
    SELECT coalesce(a.merged_into, a.victim_id) AS a, coalesce(b.merged_into, b.victim_id) AS b
      FROM link.candidate c JOIN tip.victim a ON a.victim_id = c.victim_a JOIN tip.victim b ON b.victim_id = c.victim_b
     WHERE c.decision = 'open' AND c.score >= 0.5
), edge AS MATERIALIZED (
    SELECT p.a, p.b FROM pair p WHERE p.a <> p.b UNION SELECT p.b, p.a FROM pair p WHERE p.a <> p.b
), reach(person, other) AS (
    SELECT e.a, e.b FROM edge e UNION SELECT r.person, e.b FROM reach r JOIN edge e ON e.a = r.other
), fact AS MATERIALIZED (
    SELECT f.person, f.year, f.records FROM stat.victim_fact f
), hidden AS (   -- somebody who may be a person counted earlier: of each group, all but the first
    SELECT DISTINCT r.person FROM reach r JOIN fact f ON f.person = r.person JOIN fact o ON o.person = r.other
     WHERE (o.year, o.person) < (f.year, f.person)
), card AS (
    SELECT r.person, count(*) AS repeats, count(*) FILTER (WHERE r.nth_of_card > 1) AS by_card
      FROM (SELECT e.person, row_number() OVER (PARTITION BY e.person ORDER BY e.event_date, e.reported_at, e.identification_id) AS nth,
                   row_number() OVER (PARTITION BY e.person, e.national_code ORDER BY e.event_date, e.reported_at, e.identification_id) AS nth_of_card
              FROM stat.recording e WHERE e.rank IS NOT NULL) r
     WHERE r.nth > 1 GROUP BY r.person
)
SELECT f.year, sum(f.records)::bigint AS recordings, count(*) AS persons, count(*) - count(h.person) AS persons_at_least,
       coalesce(sum(c.repeats), 0)::bigint AS repeat_recordings, coalesce(sum(c.by_card), 0)::bigint AS repeats_by_card,
       round(100 * sum(c.by_card) / nullif(sum(c.repeats), 0), 1) AS card_percent
  FROM fact f LEFT JOIN hidden h ON h.person = f.person LEFT JOIN card c ON c.person = f.person GROUP BY f.year;
COMMENT ON VIEW stat.linkage IS 'À publier avec chaque total national : enregistrements, personnes, et personnes au moins si toutes les paires ouvertes étaient la même';
COMMENT ON COLUMN stat.linkage.year IS 'Année où les personnes sont comptées';
COMMENT ON COLUMN stat.linkage.recordings IS 'Enregistrements de ces personnes qui les disent victimes ou à risque';
COMMENT ON COLUMN stat.linkage.persons IS 'Personnes';
COMMENT ON COLUMN stat.linkage.persons_at_least IS 'Personnes si toutes les paires ouvertes d''un score de 0,5 ou plus étaient une seule ; elle compterait la première année';
COMMENT ON COLUMN stat.linkage.repeat_recordings IS 'Enregistrements après le premier de leur personne';
COMMENT ON COLUMN stat.linkage.repeats_by_card IS 'dont ceux dont la carte avait déjà servi à cette personne';
COMMENT ON COLUMN stat.linkage.card_percent IS 'Part des seconds en pour cent : la carte a-t-elle été réemployée ? Vide sans enregistrement répété';

CREATE VIEW stat.linkage_pair WITH (security_barrier) AS
SELECT c.score, c.reason, c.decision, count(*) AS pairs
  FROM link.candidate c JOIN tip.victim a ON a.victim_id = c.victim_a JOIN tip.victim b ON b.victim_id = c.victim_b
 WHERE c.decision <> 'open' OR coalesce(a.merged_into, a.victim_id) <> coalesce(b.merged_into, b.victim_id)
 GROUP BY c.score, c.reason, c.decision;
COMMENT ON VIEW stat.linkage_pair IS 'Paires proposées, par score, concordance et décision ; une paire ouverte que d''autres décisions ont réunie n''y est plus';
COMMENT ON COLUMN stat.linkage_pair.score IS 'Vraisemblance';
COMMENT ON COLUMN stat.linkage_pair.reason IS 'Concordances';
COMMENT ON COLUMN stat.linkage_pair.decision IS 'open à décider, same, different, new_episode';
COMMENT ON COLUMN stat.linkage_pair.pairs IS 'Paires';

CREATE VIEW stat.recording_count WITH (security_barrier) AS
SELECT extract(year FROM i.event_date)::integer AS year, o.org_type,
       CASE WHEN i.consent_basis = 'co_none' THEN 'refusal' WHEN NOT i.share_stats THEN 'no_statistics' ELSE coalesce(i.status, 'unassessed') END AS outcome,
       count(*) AS recordings
  FROM tip.identification i JOIN ref.organisation o ON o.org_code = i.org_code GROUP BY 1, 2, 3;
COMMENT ON VIEW stat.recording_count IS 'Travail des structures : toutes les fiches, pour que personne ne perde son activité ; ce ne sont pas des personnes';
COMMENT ON COLUMN stat.recording_count.year IS 'Année de la fiche';
COMMENT ON COLUMN stat.recording_count.org_type IS 'Type de structure (liste og)';
COMMENT ON COLUMN stat.recording_count.outcome IS 'Évaluation (liste vs), unassessed sans évaluation, no_statistics sans accord statistique, refusal refus total';
COMMENT ON COLUMN stat.recording_count.recordings IS 'Fiches';

CREATE VIEW stat.actor_overlap WITH (security_barrier) AS
WITH seen AS (
    SELECT f.year, f.person, bool_or(o.org_type IN ('og_police', 'og_gend', 'og_para')) AS by_force, bool_or(o.org_type = 'og_just') AS by_justice,
           bool_or(o.org_type IN ('og_soc', 'og_cent', 'og_cvs', 'og_adm', 'og_health', 'og_sch', 'og_lab')) AS by_social,
           bool_or(o.org_type IN ('og_ngo', 'og_io')) AS by_civil, bool_or(o.org_type IN ('og_dip', 'og_oth')) AS by_other
      FROM stat.victim_fact f JOIN stat.recording r ON r.person = f.person AND r.rank IS NOT NULL
      JOIN ref.organisation o ON o.org_code = r.org_code GROUP BY f.year, f.person
)
SELECT s.year, s.by_force, s.by_justice, s.by_social, s.by_civil, s.by_other, count(*) AS persons
  FROM seen s GROUP BY 1, 2, 3, 4, 5, 6;
COMMENT ON VIEW stat.actor_overlap IS 'Recouvrement des listes des acteurs, pour estimer les victimes non détectées (estimation par systèmes multiples)';
COMMENT ON COLUMN stat.actor_overlap.year IS 'Année';
COMMENT ON COLUMN stat.actor_overlap.by_force IS 'Sur la liste de la police, de la gendarmerie ou d''un corps paramilitaire';
COMMENT ON COLUMN stat.actor_overlap.by_justice IS 'Sur celle de la justice';
COMMENT ON COLUMN stat.actor_overlap.by_social IS 'Sur celle de l''action sociale, d''un comité, d''un centre ou d''un autre service de l''État';
COMMENT ON COLUMN stat.actor_overlap.by_civil IS 'Sur celle d''une ONG ou organisation internationale';
COMMENT ON COLUMN stat.actor_overlap.by_other IS 'Sur une autre';
COMMENT ON COLUMN stat.actor_overlap.persons IS 'Personnes qui sont sur exactement ces listes';

-- ---- shares of answers -------------------------------------------------------------------------------------------

CREATE VIEW stat.answer_share WITH (security_barrier) AS
WITH fact AS MATERIALIZED (
    SELECT f.year, f.person, f.speaking_record, f.detection FROM stat.victim_fact f WHERE f.status IN ('vs_conf', 'vs_pres')
), answer AS (   -- unknown is no answer
    SELECT DISTINCT f.year, f.person, a.code
      FROM fact f JOIN tip.identification i ON i.identification_id = f.speaking_record
     CROSS JOIN LATERAL (
           SELECT t.code FROM tip.identification_item t WHERE t.identification_id = i.identification_id
            UNION ALL SELECT x.form FROM tip.exploitation x WHERE x.identification_id = i.identification_id
            UNION ALL VALUES (i.sex), (f.detection), (i.recruiter_relation), (i.recruit_channel), (i.residence_status), (i.id_doc)) a(code)
     WHERE a.code NOT LIKE '%\_unk'
), given AS (
    SELECT a.year, a.code, count(*) AS persons FROM answer a GROUP BY a.year, a.code
), answered AS (
    SELECT a.year, left(a.code, 2) AS list, count(DISTINCT a.person) AS persons FROM answer a GROUP BY 1, 2
)
SELECT n.year, n.list, c.code, c.label_fr, c.label_en, coalesce(g.persons, 0) AS persons, n.persons AS answered,
       round(100 * coalesce(g.persons, 0)::numeric / n.persons, 1) AS percent
  FROM answered n
  JOIN ref.code c ON c.list = n.list AND c.code NOT LIKE '%\_unk'
  LEFT JOIN given g ON g.year = n.year AND g.code = c.code;
COMMENT ON VIEW stat.answer_share IS 'Parts en pour cent des personnes qui ont une réponse à la question, pas de toutes : un silence n''est pas un non. Victimes identifiées et présumées';
COMMENT ON COLUMN stat.answer_share.year IS 'Année';
COMMENT ON COLUMN stat.answer_share.list IS 'Question, par sa liste (me moyens, ct contrôle, ex formes, rr recruteur…)';
COMMENT ON COLUMN stat.answer_share.code IS 'Réponse';
COMMENT ON COLUMN stat.answer_share.label_fr IS 'Libellé français';
COMMENT ON COLUMN stat.answer_share.label_en IS 'Libellé anglais';
COMMENT ON COLUMN stat.answer_share.persons IS 'Personnes qui ont cette réponse';
COMMENT ON COLUMN stat.answer_share.answered IS 'Personnes qui ont une réponse à la question, « inconnu » non compris : le dénominateur';
COMMENT ON COLUMN stat.answer_share.percent IS 'persons pour cent answered ; la somme dépasse 100 quand plusieurs réponses sont possibles';

GRANT SELECT ON stat.justice_funnel, stat.linkage, stat.linkage_pair, stat.recording_count, stat.actor_overlap, stat.answer_share
    TO relais_analyst, relais_coordination;
