-- The tables that the country itself prints, the indicator 16.2.2 and corridors. Not masked: for the
-- coordination unit. What is printed from them goes through stat.safe, without a total that would
-- undo a mask (0012_public_tables.sql).
--
-- Girls, boys, women and men of unknown sex, and people of unknown age, are in the totals alone.
-- Tables by province carry the region of both divisions, which their lines may be added up by; where
-- a person could fall in two regions, lines of the 13 regions are counted apart (column division).

-- ---- who has spoken, and who is silent -----------------------------------------------------------------

CREATE VIEW stat.coverage WITH (security_barrier) AS
WITH span AS (   -- every month, reported or not, from the first report to the last one or the last full month
    SELECT m::date AS month
      FROM (SELECT min(r.month) AS first, greatest(max(r.month), (date_trunc('month', current_date) - interval '1 month')::date) AS last
              FROM tip.activity_report r) s
     CROSS JOIN LATERAL generate_series(s.first, s.last, interval '1 month') m
), actor AS (
    SELECT o.org_code, o.valid_from, o.valid_to, a.province, a.region, a.region_13
      FROM ref.organisation o LEFT JOIN stat.place_area a ON a.place_code = o.place_code
), known AS (
    SELECT s.month, a.province, a.region, count(*) AS actors
      FROM span s JOIN actor a ON (a.valid_from IS NULL OR a.valid_from < s.month + interval '1 month') AND (a.valid_to IS NULL OR a.valid_to >= s.month)
     GROUP BY 1, 2, 3
), said AS (
    SELECT r.month, a.province, a.region, a.region_13, count(*) AS reports, count(*) FILTER (WHERE r.seen = 0) AS nil_reports,
           sum(r.seen) AS seen, sum(r.forms_sent) AS sent
      FROM tip.activity_report r JOIN actor a ON a.org_code = r.org_code GROUP BY 1, 2, 3, 4
), came AS (
    SELECT s.month, a.province, a.region, a.region_13, count(*) AS recordings
      FROM tip.identification i
      JOIN actor a ON a.org_code = i.org_code
      JOIN span s ON s.month = date_trunc('month', i.event_date)::date GROUP BY 1, 2, 3, 4
), line AS (   -- organisations of a whole region or of the country have lines of their own
    SELECT s.month, p.place_code AS province, a.region, a.region_13
      FROM span s JOIN ref.place p ON p.level = 'province'
                   AND (p.valid_from IS NULL OR p.valid_from < s.month + interval '1 month') AND (p.valid_to IS NULL OR p.valid_to >= s.month)
      JOIN stat.place_area a ON a.place_code = p.place_code
    UNION SELECT s.month, NULL, a.region, a.region_13 FROM span s CROSS JOIN actor a WHERE a.province IS NULL
    UNION SELECT r.month, r.province, r.region, r.region_13 FROM said r
    UNION SELECT c.month, c.province, c.region, c.region_13 FROM came c
)
SELECT l.month, l.province, l.region, l.region_13, coalesce(k.actors, 0) AS actors_known, coalesce(s.reports, 0) AS reports,
       coalesce(s.nil_reports, 0) AS nil_reports, s.seen AS declared_seen, s.sent AS declared_sent, coalesce(c.recordings, 0) AS received
  FROM line l
  LEFT JOIN known k ON k.month = l.month AND (coalesce(k.province, ''), coalesce(k.region, '')) = (coalesce(l.province, ''), coalesce(l.region, ''))
  LEFT JOIN said s ON s.month = l.month AND (coalesce(s.province, ''), coalesce(s.region, '')) = (coalesce(l.province, ''), coalesce(l.region, ''))
  LEFT JOIN came c ON c.month = l.month AND (coalesce(c.province, ''), coalesce(c.region, '')) = (coalesce(l.province, ''), coalesce(l.region, ''));
COMMENT ON VIEW stat.coverage IS 'Qui a parlé et qui se tait : chaque province et chaque mois, et les structures d''une région ou du pays entier à part';
COMMENT ON COLUMN stat.coverage.month IS 'Mois, par son premier jour ; un mois sans aucun rapport a ses lignes aussi';
COMMENT ON COLUMN stat.coverage.province IS 'Province de la structure ; vide pour celles d''une région ou du pays';
COMMENT ON COLUMN stat.coverage.region IS 'Région (17) ; vide pour le pays';
COMMENT ON COLUMN stat.coverage.region_13 IS 'Région avant juillet 2025';
COMMENT ON COLUMN stat.coverage.actors_known IS 'Structures qui existent ce mois';
COMMENT ON COLUMN stat.coverage.reports IS 'Rapports mensuels reçus';
COMMENT ON COLUMN stat.coverage.nil_reports IS 'dont rapports néant';
COMMENT ON COLUMN stat.coverage.declared_seen IS 'Personnes vues selon ces rapports ; vide : personne n''a rapporté, ce qui n''est pas zéro';
COMMENT ON COLUMN stat.coverage.declared_sent IS 'Fiches envoyées selon ces rapports ; vide si aucun ne le dit';
COMMENT ON COLUMN stat.coverage.received IS 'Fiches d''identification de ce mois reçues de ces structures, refus compris';

CREATE VIEW stat.coverage_month WITH (security_barrier) AS
SELECT c.month, count(*) AS provinces, count(*) FILTER (WHERE c.reports > 0) AS provinces_reporting,
       sum(c.reports)::bigint AS reports, sum(c.actors_known)::bigint AS actors_known
  FROM stat.coverage c WHERE c.province IS NOT NULL GROUP BY c.month;
COMMENT ON VIEW stat.coverage_month IS '« Données de 40 provinces sur 47 », par mois';
COMMENT ON COLUMN stat.coverage_month.month IS 'Mois';
COMMENT ON COLUMN stat.coverage_month.provinces IS 'Provinces qui existent ce mois';
COMMENT ON COLUMN stat.coverage_month.provinces_reporting IS 'dont celles d''où est venu un rapport au moins, même néant';
COMMENT ON COLUMN stat.coverage_month.reports IS 'Rapports des structures de province';
COMMENT ON COLUMN stat.coverage_month.actors_known IS 'Structures de province';

-- ---- national report: interceptions, reintegration ------------------------------------------------------

CREATE VIEW stat.interceptions WITH (security_barrier) AS
SELECT f.year, f.province, f.region, f.region_13, coalesce(f.flow, 'unknown') AS flow,
       count(*) FILTER (WHERE f.is_child AND f.sex = 'sx_f') AS girls, count(*) FILTER (WHERE f.is_child AND f.sex = 'sx_m') AS boys,
       count(*) FILTER (WHERE f.is_child) AS children,
       count(*) FILTER (WHERE NOT f.is_child AND f.sex = 'sx_f') AS women, count(*) FILTER (WHERE NOT f.is_child AND f.sex = 'sx_m') AS men,
       count(*) FILTER (WHERE NOT f.is_child) AS adults, count(*) AS total
  FROM stat.victim_fact f WHERE f.detection IN ('dt_road', 'dt_bord')
 GROUP BY f.year, f.province, f.region, f.region_13, coalesce(f.flow, 'unknown');
COMMENT ON VIEW stat.interceptions IS 'Rapport national, tableau 2 : personnes interceptées sur la route ou à la frontière (victimes, présumées ou à risque)';
COMMENT ON COLUMN stat.interceptions.year IS 'Année';
COMMENT ON COLUMN stat.interceptions.province IS 'Province ; vide si la fiche ne dit que la région';
COMMENT ON COLUMN stat.interceptions.region IS 'Région (17)';
COMMENT ON COLUMN stat.interceptions.region_13 IS 'Région avant juillet 2025 (13)';
COMMENT ON COLUMN stat.interceptions.flow IS 'internal traite interne, cross-border externe, unknown destination inconnue';
COMMENT ON COLUMN stat.interceptions.girls IS 'Filles';
COMMENT ON COLUMN stat.interceptions.boys IS 'Garçons';
COMMENT ON COLUMN stat.interceptions.children IS 'Total des enfants, sexe inconnu compris';
COMMENT ON COLUMN stat.interceptions.women IS 'Femmes';
COMMENT ON COLUMN stat.interceptions.men IS 'Hommes';
COMMENT ON COLUMN stat.interceptions.adults IS 'Total des adultes, sexe inconnu compris';
COMMENT ON COLUMN stat.interceptions.total IS 'Personnes, âge inconnu compris';

CREATE VIEW stat.reinsertion WITH (security_barrier) AS
WITH placement AS (   -- one person, one service, one region and year: later visits tell of the same placement
    SELECT extract(year FROM coalesce(c.started_on, c.needed_on))::integer AS year, d.division, d.region, c.service, f.person,
           f.is_child, f.sex, bool_or(c.result = 'pr_drop') IS TRUE AS dropped
      FROM stat.care c
      JOIN stat.victim_fact f ON f.person = c.person
      LEFT JOIN stat.place_area a ON a.place_code = c.place_code
     CROSS JOIN LATERAL (VALUES (17, a.region), (13, a.region_13)) AS d(division, region)
     WHERE c.given AND c.service IN ('sv_voc', 'sv_sch', 'sv_agr')
     GROUP BY 1, 2, 3, 4, 5, 6, 7
)
SELECT p.year, p.division, p.region, p.service, o.outcome,
       count(*) FILTER (WHERE p.is_child AND p.sex = 'sx_f') AS girls, count(*) FILTER (WHERE p.is_child AND p.sex = 'sx_m') AS boys,
       count(*) FILTER (WHERE p.is_child) AS children,
       count(*) FILTER (WHERE NOT p.is_child AND p.sex = 'sx_f') AS women, count(*) FILTER (WHERE NOT p.is_child AND p.sex = 'sx_m') AS men,
       count(*) FILTER (WHERE NOT p.is_child) AS adults, count(*) AS total
  FROM placement p CROSS JOIN LATERAL (VALUES ('placed', true), ('dropped', p.dropped)) AS o(outcome, holds)
 WHERE o.holds GROUP BY p.year, p.division, p.region, p.service, o.outcome;
COMMENT ON VIEW stat.reinsertion IS 'Rapport national, tableau 6 : réinsertion par apprentissage, école et activité génératrice de revenus, et abandons';
COMMENT ON COLUMN stat.reinsertion.year IS 'Année où le placement a commencé, sinon a été demandé';
COMMENT ON COLUMN stat.reinsertion.division IS '17 : régions actuelles ; 13 : régions d''avant juillet 2025. Ne jamais additionner les deux';
COMMENT ON COLUMN stat.reinsertion.region IS 'Région du service ; vide pour une structure nationale';
COMMENT ON COLUMN stat.reinsertion.service IS 'sv_voc apprentissage, sv_sch école, sv_agr activité génératrice de revenus';
COMMENT ON COLUMN stat.reinsertion.outcome IS 'placed : tous les placements ; dropped : ceux d''entre eux qui ont été abandonnés';
COMMENT ON COLUMN stat.reinsertion.girls IS 'Filles';
COMMENT ON COLUMN stat.reinsertion.boys IS 'Garçons';
COMMENT ON COLUMN stat.reinsertion.children IS 'Total des enfants, sexe inconnu compris';
COMMENT ON COLUMN stat.reinsertion.women IS 'Femmes';
COMMENT ON COLUMN stat.reinsertion.men IS 'Hommes';
COMMENT ON COLUMN stat.reinsertion.adults IS 'Total des adultes, sexe inconnu compris';
COMMENT ON COLUMN stat.reinsertion.total IS 'Personnes, âge inconnu compris';

CREATE VIEW stat.region_series WITH (security_barrier) AS
SELECT f.year, d.division, d.region, f.status,
       count(*) FILTER (WHERE f.is_child AND f.sex = 'sx_f') AS girls, count(*) FILTER (WHERE f.is_child AND f.sex = 'sx_m') AS boys,
       count(*) FILTER (WHERE f.is_child) AS children,
       count(*) FILTER (WHERE NOT f.is_child AND f.sex = 'sx_f') AS women, count(*) FILTER (WHERE NOT f.is_child AND f.sex = 'sx_m') AS men,
       count(*) FILTER (WHERE NOT f.is_child) AS adults, count(*) AS total, sum(f.records)::bigint AS records
  FROM stat.victim_fact f CROSS JOIN LATERAL (VALUES (17, f.region), (13, f.region_13)) AS d(division, region)
 GROUP BY f.year, d.division, d.region, f.status;
COMMENT ON VIEW stat.region_series IS 'Séries par région, en 17 et en 13 régions, des mêmes personnes';
COMMENT ON COLUMN stat.region_series.year IS 'Année';
COMMENT ON COLUMN stat.region_series.division IS '17 : régions actuelles ; 13 : régions d''avant juillet 2025. Ne jamais additionner les deux';
COMMENT ON COLUMN stat.region_series.region IS 'Région';
COMMENT ON COLUMN stat.region_series.status IS 'vs_conf identifiées, vs_pres présumées, vs_risk à risque';
COMMENT ON COLUMN stat.region_series.girls IS 'Filles';
COMMENT ON COLUMN stat.region_series.boys IS 'Garçons';
COMMENT ON COLUMN stat.region_series.children IS 'Total des enfants, sexe inconnu compris';
COMMENT ON COLUMN stat.region_series.women IS 'Femmes';
COMMENT ON COLUMN stat.region_series.men IS 'Hommes';
COMMENT ON COLUMN stat.region_series.adults IS 'Total des adultes, sexe inconnu compris';
COMMENT ON COLUMN stat.region_series.total IS 'Personnes, âge inconnu compris';
COMMENT ON COLUMN stat.region_series.records IS 'Enregistrements de ces personnes, publiés à côté des personnes';

-- ---- indicator 16.2.2 ------------------------------------------------------------------------------------

CREATE TABLE ref.population (
    year      smallint NOT NULL CONSTRAINT population_year_plausible CHECK (year BETWEEN 2000 AND 2100),
    sex       text     NOT NULL CONSTRAINT population_sex_known CHECK (sex IN ('sx_f', 'sx_m')),
    age_group text     NOT NULL CONSTRAINT population_age_group_known CHECK (age_group IN ('child', 'adult')),
    persons   bigint   NOT NULL CONSTRAINT population_persons_positive CHECK (persons > 0),
    source    text     NOT NULL,
    CONSTRAINT population_pkey PRIMARY KEY (year, sex, age_group)
);
COMMENT ON TABLE ref.population IS 'Population du Burkina Faso au milieu de l''année (INSD), quatre lignes par année ; sans elles un taux reste vide';
COMMENT ON COLUMN ref.population.year IS 'Année';
COMMENT ON COLUMN ref.population.sex IS 'sx_f, sx_m';
COMMENT ON COLUMN ref.population.age_group IS 'child moins de 18 ans, adult 18 ans et plus';
COMMENT ON COLUMN ref.population.persons IS 'Habitants';
COMMENT ON COLUMN ref.population.source IS 'Publication et date : « INSD, projections du RGPH 2019, édition… »';

CREATE VIEW stat.sdg_16_2_2 WITH (security_barrier) AS
WITH detected AS (
    SELECT f.year, coalesce(f.sex, 'sx_unk') AS sex, coalesce(f.age_group, 'unknown') AS age_group, f.sdg_class::text AS form, f.status
      FROM stat.victim_fact f WHERE f.status IN ('vs_conf', 'vs_pres')
), line AS (
    SELECT d.year, coalesce(d.sex, 'all') AS sex, coalesce(d.age_group, 'all') AS age_group, coalesce(d.form, 'all') AS form,
           count(*) AS persons, count(*) FILTER (WHERE d.status = 'vs_conf') AS confirmed
      FROM detected d GROUP BY d.year, CUBE (d.sex, d.age_group, d.form)
), inhabitant AS (   -- a total only of all its parts
    SELECT p.year, coalesce(p.sex, 'all') AS sex, coalesce(p.age_group, 'all') AS age_group,
           CASE WHEN count(*) = (2 - (p.sex IS NOT NULL)::integer) * (2 - (p.age_group IS NOT NULL)::integer) THEN sum(p.persons) END AS persons
      FROM ref.population p GROUP BY p.year, CUBE (p.sex, p.age_group)
)
SELECT l.year, l.sex, l.age_group, l.form, l.persons, l.confirmed, h.persons::bigint AS population,
       round(l.persons * 100000 / h.persons, 3) AS per_100000
  FROM line l LEFT JOIN inhabitant h ON (h.year, h.sex, h.age_group) = (l.year, l.sex, l.age_group);
COMMENT ON VIEW stat.sdg_16_2_2 IS 'Indicateur ODD 16.2.2 : victimes détectées pour 100 000 habitants, par sexe, âge et forme, avec tous les totaux (all)';
COMMENT ON COLUMN stat.sdg_16_2_2.year IS 'Année';
COMMENT ON COLUMN stat.sdg_16_2_2.sex IS 'sx_f, sx_m, sx_unk, ou all';
COMMENT ON COLUMN stat.sdg_16_2_2.age_group IS 'child, adult, unknown, ou all';
COMMENT ON COLUMN stat.sdg_16_2_2.form IS 'Forme : 1 sexuelle, 2 travail, 3 organes, 4 autre, 5 inconnue, ou all';
COMMENT ON COLUMN stat.sdg_16_2_2.persons IS 'Victimes identifiées et présumées';
COMMENT ON COLUMN stat.sdg_16_2_2.confirmed IS 'dont identifiées';
COMMENT ON COLUMN stat.sdg_16_2_2.population IS 'Habitants de ce sexe et de cet âge ; vide si ref.population ne le dit pas ou si sexe ou âge sont inconnus';
COMMENT ON COLUMN stat.sdg_16_2_2.per_100000 IS 'Taux pour 100 000 habitants ; vide sans population';

-- ---- from where to where -----------------------------------------------------------------------------------

CREATE VIEW stat.corridor WITH (security_barrier) AS
WITH journey AS (
    SELECT f.year, f.form, f.sex, f.age_group, f.status, f.realised,
           coalesce(f.origin_country, l.origin_country) AS origin_country,
           CASE WHEN f.origin_country IS NULL THEN l.origin_place ELSE f.origin_place END AS origin_place,
           coalesce(f.exploitation_country, l.end_country) AS end_country,
           CASE WHEN f.exploitation_country IS NULL THEN l.end_place ELSE f.exploitation_place END AS end_place
      FROM stat.victim_fact f CROSS JOIN LATERAL (
           SELECT (array_agg(l.country ORDER BY l.seq) FILTER (WHERE l.kind = 'origin'))[1] AS origin_country,
                  (array_agg(l.place_code ORDER BY l.seq) FILTER (WHERE l.kind = 'origin'))[1] AS origin_place,
                  (array_agg(l.country ORDER BY l.seq DESC) FILTER (WHERE l.kind IN ('exploitation', 'destination')))[1] AS end_country,
                  (array_agg(l.place_code ORDER BY l.seq DESC) FILTER (WHERE l.kind IN ('exploitation', 'destination')))[1] AS end_place
             FROM tip.route_leg l WHERE l.identification_id = f.speaking_record) l
)
SELECT j.year, j.origin_country, o.region AS origin_region, o.region_13 AS origin_region_13,
       j.end_country AS destination_country, d.region AS destination_region, d.region_13 AS destination_region_13,
       j.form, j.sex, j.age_group, count(*) AS persons, count(*) FILTER (WHERE j.status = 'vs_conf') AS confirmed,
       count(*) FILTER (WHERE j.realised) AS realised
  FROM journey j
  LEFT JOIN stat.place_area o ON o.place_code = j.origin_place
  LEFT JOIN stat.place_area d ON d.place_code = j.end_place
 GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10;
COMMENT ON VIEW stat.corridor IS 'D''où vers où : origine et destination (subie ou prévue), par forme, sexe et âge ; toutes les personnes, à risque comprises';
COMMENT ON COLUMN stat.corridor.year IS 'Année';
COMMENT ON COLUMN stat.corridor.origin_country IS 'Pays d''origine, sinon première étape origin du trajet';
COMMENT ON COLUMN stat.corridor.origin_region IS 'Région d''origine au Burkina Faso (17)';
COMMENT ON COLUMN stat.corridor.origin_region_13 IS 'La même avant juillet 2025 (13)';
COMMENT ON COLUMN stat.corridor.destination_country IS 'Pays de l''exploitation principale, sinon dernière étape exploitation ou destination du trajet';
COMMENT ON COLUMN stat.corridor.destination_region IS 'Région de destination au Burkina Faso (17)';
COMMENT ON COLUMN stat.corridor.destination_region_13 IS 'La même avant juillet 2025 (13)';
COMMENT ON COLUMN stat.corridor.form IS 'Forme d''exploitation (liste ex)';
COMMENT ON COLUMN stat.corridor.sex IS 'Sexe (liste sx)';
COMMENT ON COLUMN stat.corridor.age_group IS 'child, adult';
COMMENT ON COLUMN stat.corridor.persons IS 'Personnes';
COMMENT ON COLUMN stat.corridor.confirmed IS 'dont victimes identifiées';
COMMENT ON COLUMN stat.corridor.realised IS 'dont exploitation déjà subie';

GRANT SELECT ON stat.coverage, stat.coverage_month, stat.interceptions, stat.reinsertion, stat.region_series, stat.sdg_16_2_2, stat.corridor
    TO relais_analyst, relais_coordination;
