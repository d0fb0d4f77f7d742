-- One row per person: the only source of every count of victims.
--
-- A view is read with its owner's rights: who may read the figures needs no right on tip, link or ref.
-- Every view for the analyst is a security barrier: without it a function of the reader's own would be called
-- on rows (people who refused statistics, the members of a masked cell) that the view leaves out or adds up.
--
-- A hundred thousand recordings are counted in seconds: one pass groups them by person, and what belongs to
-- a recording is fetched by its key (LATERAL), never joined as a whole. The index below tells the planner how
-- many people there are; without it, it would take them for two hundred.
--
-- Who is counted, and how (README.md, "Les chiffres"):
--   countable   a recording with agreement to statistics; a full refusal never;
--   person      a victim row and all that were merged into it; a new episode is a person of its own;
--   victim      at least one countable recording says vs_conf, vs_pres or vs_risk; left out when nobody
--               confirmed and the last assessment says vs_not; an unassessed recording says nothing;
--   when, where the first recording that says victim: year, place, how the person was found;
--   status      the best one, with the organisation that gave it first;
--   answers     those of the recording that a reviewer chose, whatever it says of the status, else of
--               the best status, else of the earliest;
--   erasure     takes identity and keys, not the row: the person stays counted.

CREATE INDEX victim_person ON tip.victim ((coalesce(merged_into, victim_id)));

CREATE VIEW stat.place_area AS
WITH province AS (
    SELECT p.place_code, p.parent AS region, coalesce(p.parent_before_2025, p.parent) AS region_13
      FROM ref.place p WHERE p.level = 'province'
), region AS (   -- a region made in 2025 is a part of the one that all its provinces were in before
    SELECT r.place_code AS region,
           coalesce(CASE WHEN min(p.region_13) = max(p.region_13) THEN min(p.region_13) END, r.place_code) AS region_13
      FROM ref.place r LEFT JOIN province p ON p.region = r.place_code
     WHERE r.level = 'region' GROUP BY r.place_code
)
SELECT p.place_code, NULL::text AS province, NULL::text AS region, NULL::text AS region_13
  FROM ref.place p WHERE p.level = 'country'
UNION ALL SELECT r.region, NULL, r.region, r.region_13 FROM region r
UNION ALL SELECT p.place_code, p.place_code, p.region, p.region_13 FROM province p
UNION ALL SELECT c.place_code, p.place_code, p.region, p.region_13
  FROM ref.place c JOIN province p ON p.place_code = c.parent WHERE c.level = 'commune';
COMMENT ON VIEW stat.place_area IS 'Chaque lieu dans les deux découpages : les mêmes lignes donnent les séries en 13 et en 17 régions';
COMMENT ON COLUMN stat.place_area.place_code IS 'Lieu';
COMMENT ON COLUMN stat.place_area.province IS 'Sa province ; vide pour une région ou un pays';
COMMENT ON COLUMN stat.place_area.region IS 'Sa région depuis juillet 2025 (17) ; vide pour un pays';
COMMENT ON COLUMN stat.place_area.region_13 IS 'Sa région avant juillet 2025 (13)';

CREATE VIEW stat.recording AS
WITH chosen AS (   -- the choice made for a person that stays comes before that of one merged into it
    SELECT v.primary_ident, coalesce(v.merged_into, v.victim_id) AS person, bool_or(v.merged_into IS NULL) AS by_root
      FROM tip.victim v WHERE v.primary_ident IS NOT NULL GROUP BY 1, 2
)
SELECT i.identification_id, coalesce(v.merged_into, v.victim_id) AS person, i.national_code, i.org_code,
       i.event_date, i.reported_at, i.place_code, i.detection, i.first_record,
       i.status, i.status_org, coalesce(i.status_date, i.event_date) AS status_date,
       array_position(ARRAY['vs_conf', 'vs_pres', 'vs_risk'], i.status) AS rank,
       CASE WHEN c.by_root THEN 1 WHEN NOT c.by_root THEN 2 ELSE 3 END AS choice
  FROM tip.identification i
  JOIN tip.victim v ON v.victim_id = i.victim_id
  LEFT JOIN chosen c ON c.primary_ident = i.identification_id AND c.person = coalesce(v.merged_into, v.victim_id)
 WHERE i.share_stats AND i.consent_basis <> 'co_none';
COMMENT ON VIEW stat.recording IS 'Enregistrements qui peuvent compter : accord statistique donné, pas de refus. Source des autres vues, non ouverte à l''analyste';
COMMENT ON COLUMN stat.recording.identification_id IS 'Enregistrement';
COMMENT ON COLUMN stat.recording.person IS 'Personne, réunions suivies';
COMMENT ON COLUMN stat.recording.national_code IS 'Code de la carte';
COMMENT ON COLUMN stat.recording.org_code IS 'Structure';
COMMENT ON COLUMN stat.recording.event_date IS 'Date';
COMMENT ON COLUMN stat.recording.reported_at IS 'Réception';
COMMENT ON COLUMN stat.recording.place_code IS 'Lieu';
COMMENT ON COLUMN stat.recording.detection IS 'Comment la personne a été trouvée (liste dt)';
COMMENT ON COLUMN stat.recording.first_record IS 'Faux si la personne avait déjà une carte';
COMMENT ON COLUMN stat.recording.status IS 'Évaluation (liste vs)';
COMMENT ON COLUMN stat.recording.status_org IS 'Structure qui a évalué';
COMMENT ON COLUMN stat.recording.status_date IS 'Date de l''évaluation';
COMMENT ON COLUMN stat.recording.rank IS '1 confirmée, 2 présumée, 3 à risque ; vide si l''enregistrement ne dit pas victime';
COMMENT ON COLUMN stat.recording.choice IS '1 choisi par le réviseur, 2 choisi pour une personne réunie depuis à une autre, 3 non choisi';

CREATE VIEW stat.episode AS
SELECT i.national_code, coalesce(v.merged_into, v.victim_id) AS person, i.event_date AS since,
       lead(i.event_date) OVER (PARTITION BY i.national_code ORDER BY i.event_date, i.reported_at, i.identification_id) AS until
  FROM link.episode e
  JOIN tip.identification i ON i.identification_id = e.identification_id
  JOIN tip.victim v ON v.victim_id = i.victim_id;
COMMENT ON VIEW stat.episode IS 'Nouveaux épisodes d''une carte : ce qui est écrit sur elle dès ce jour est du nouvel épisode. Source des autres vues, non ouverte à l''analyste';
COMMENT ON COLUMN stat.episode.national_code IS 'Carte';
COMMENT ON COLUMN stat.episode.person IS 'Personne de cet épisode';
COMMENT ON COLUMN stat.episode.since IS 'Premier jour';
COMMENT ON COLUMN stat.episode.until IS 'Premier jour de l''épisode suivant ; vide s''il n''y en a pas';

CREATE VIEW stat.care AS
SELECT coalesce(e.person, v.merged_into, v.victim_id) AS person, a.service, a.needed_on, a.started_on,
       a.referred_to IS NOT NULL AND a.referral_status IS DISTINCT FROM 'rf_none' AS referred,
       a.started_on IS NOT NULL OR a.result IS NOT NULL OR coalesce(a.referral_status = 'rf_done', false) AS given,
       a.result, coalesce(a.place_code, o.place_code) AS place_code
  FROM tip.assistance a
  JOIN tip.victim v ON v.victim_id = a.victim_id
  JOIN ref.organisation o ON o.org_code = a.org_code
  LEFT JOIN stat.episode e ON e.national_code = v.national_code AND a.needed_on >= e.since
                     AND (e.until IS NULL OR a.needed_on < e.until);
COMMENT ON VIEW stat.care IS 'Référencements et services, chacun à sa personne et à son épisode. Source des autres vues, non ouverte à l''analyste';
COMMENT ON COLUMN stat.care.person IS 'Personne, réunions et épisodes suivis';
COMMENT ON COLUMN stat.care.service IS 'Service (liste sv)';
COMMENT ON COLUMN stat.care.needed_on IS 'Date de la demande';
COMMENT ON COLUMN stat.care.started_on IS 'Début du service';
COMMENT ON COLUMN stat.care.referred IS 'Référée à une structure qui offrait le service (tout état sauf « service indisponible »)';
COMMENT ON COLUMN stat.care.given IS 'Service commencé, rendu ou dont l''évolution est connue';
COMMENT ON COLUMN stat.care.result IS 'Évolution (liste pr)';
COMMENT ON COLUMN stat.care.place_code IS 'Lieu du service, sinon celui de la structure qui a rempli la fiche';

CREATE VIEW stat.victim_fact WITH (security_barrier) AS
WITH counted AS MATERIALIZED (
    SELECT e.person, min(e.rank) AS best, count(e.rank) AS records,
           count(DISTINCT e.org_code) FILTER (WHERE e.rank IS NOT NULL) AS actors,
           (array_agg(e.identification_id ORDER BY e.event_date, e.reported_at, e.identification_id)
            FILTER (WHERE e.rank IS NOT NULL))[1] AS found,
           (array_agg(e.identification_id ORDER BY e.rank, e.status_date, e.reported_at, e.identification_id))[1] AS assessed,
           (array_agg(e.identification_id ORDER BY e.choice, e.rank, e.event_date, e.reported_at, e.identification_id))[1] AS speaking
      FROM stat.recording e GROUP BY e.person
    HAVING min(e.rank) = 1       -- at equal dates the person stays in the count
        OR (min(e.rank) > 1 AND (array_agg(e.status ORDER BY e.status_date DESC, e.reported_at DESC, e.status = 'vs_not')
                                 FILTER (WHERE e.status IS NOT NULL))[1] <> 'vs_not')
), care AS (
    SELECT c.person, bool_or(c.referred) AS referred, bool_or(c.given) AS assisted FROM stat.care c GROUP BY c.person
)
SELECT n.person, f.event_date AS first_on, extract(year FROM f.event_date)::integer AS year, n.records, n.actors,
       (ARRAY['vs_conf', 'vs_pres', 'vs_risk'])[n.best] AS status, b.sex, b.age, b.is_child,
       CASE WHEN b.is_child THEN 'child' WHEN NOT b.is_child THEN 'adult' END AS age_group,
       CASE WHEN b.age < 5 THEN '00-04' WHEN b.age < 10 THEN '05-09' WHEN b.age < 15 THEN '10-14' WHEN b.age < 18 THEN '15-17'
            WHEN b.age < 25 THEN '18-24' WHEN b.age < 35 THEN '25-34' WHEN b.age < 50 THEN '35-49' WHEN b.age >= 50 THEN '50+' END AS age_band,
       CASE WHEN b.age < 9 THEN '0--8' WHEN b.age < 18 THEN '9--17' WHEN b.age < 21 THEN '18--20' WHEN b.age < 24 THEN '21--23'
            WHEN b.age < 27 THEN '24--26' WHEN b.age < 30 THEN '27--29' WHEN b.age < 39 THEN '30--38' WHEN b.age < 48 THEN '39--47'
            WHEN b.age >= 48 THEN '48+' END AS ctdc_age,
       b.citizenship, b.citizenship = 'BFA' AS national, o.org_type,
       o.org_type NOT IN ('og_ngo', 'og_io', 'og_oth') AS by_government,
       p.province, p.region, p.region_13, f.detection,
       x.form, coalesce(c.tip_class, 'UNK') AS tip_class, coalesce(c.sdg_class, 5::smallint) AS sdg_class, x.realised,
       x.country AS exploitation_country, x.place_code AS exploitation_place, b.origin_country, b.origin_place,
       CASE WHEN x.abroad OR r.abroad OR b.origin_country <> 'BFA' THEN 'cross-border'
            WHEN x.inland OR r.inland THEN 'internal' END AS flow,
       CASE WHEN t.has_act AND x.has_purpose AND (b.is_child OR t.has_means) THEN 'complete'
            WHEN t.has_act AND x.has_purpose THEN 'means missing' ELSE 'incomplete' END AS palermo,
       coalesce(a.referred, false) AS referred, coalesce(a.assisted, false) AS assisted,
       n.speaking AS speaking_record
  FROM counted n
  JOIN tip.identification f ON f.identification_id = n.found
  JOIN tip.identification d ON d.identification_id = n.assessed
  JOIN tip.identification b ON b.identification_id = n.speaking
  JOIN ref.organisation o ON o.org_code = d.status_org
  JOIN stat.place_area p ON p.place_code = f.place_code
  LEFT JOIN LATERAL (
       SELECT (array_agg(x.form ORDER BY x.main DESC, x.seq))[1] AS form, (array_agg(x.country ORDER BY x.main DESC, x.seq))[1] AS country,
              (array_agg(x.place_code ORDER BY x.main DESC, x.seq))[1] AS place_code,
              bool_or(x.realised) AS realised, bool_or(x.form <> 'ex_unk') AS has_purpose,
              bool_or(x.country <> 'BFA') AS abroad, bool_or(x.country = 'BFA') AS inland
         FROM tip.exploitation x WHERE x.identification_id = n.speaking) x ON true
  LEFT JOIN LATERAL (
       SELECT bool_or(t.code LIKE 'ac\_%' AND t.code <> 'ac_unk') AS has_act,
              bool_or(t.code LIKE 'me\_%' AND t.code NOT IN ('me_none', 'me_unk')) AS has_means
         FROM tip.identification_item t WHERE t.identification_id = n.speaking) t ON true
  LEFT JOIN LATERAL (
       SELECT bool_or(l.country <> 'BFA') AS abroad, bool_or(l.country = 'BFA' AND l.kind IN ('exploitation', 'destination')) AS inland
         FROM tip.route_leg l WHERE l.identification_id = n.speaking) r ON true
  LEFT JOIN ref.code c ON c.code = x.form
  LEFT JOIN care a ON a.person = n.person;
COMMENT ON VIEW stat.victim_fact IS 'Une ligne par personne comptée ; seule source de tous les comptes de victimes';
COMMENT ON COLUMN stat.victim_fact.person IS 'Personne ; non ouverte à l''analyste, car une carte de suivi la retrouverait';
COMMENT ON COLUMN stat.victim_fact.first_on IS 'Date du premier enregistrement qui la dit victime ou à risque';
COMMENT ON COLUMN stat.victim_fact.year IS 'Année de cette date : l''année où la personne est comptée';
COMMENT ON COLUMN stat.victim_fact.records IS 'Enregistrements qui la disent victime ou à risque';
COMMENT ON COLUMN stat.victim_fact.actors IS 'Structures différentes qui les ont faits';
COMMENT ON COLUMN stat.victim_fact.status IS 'Meilleur statut : vs_conf, sinon vs_pres, sinon vs_risk';
COMMENT ON COLUMN stat.victim_fact.sex IS 'Sexe (liste sx)';
COMMENT ON COLUMN stat.victim_fact.age IS 'Âge en années';
COMMENT ON COLUMN stat.victim_fact.is_child IS 'Moins de 18 ans selon l''âge, sinon selon l''apparence';
COMMENT ON COLUMN stat.victim_fact.age_group IS 'child, adult ; vide si inconnu';
COMMENT ON COLUMN stat.victim_fact.age_band IS 'Tranche d''âge nationale ; vide sans âge en années';
COMMENT ON COLUMN stat.victim_fact.ctdc_age IS 'Tranche d''âge de la CTDC ; vide sans âge en années';
COMMENT ON COLUMN stat.victim_fact.citizenship IS 'Nationalité';
COMMENT ON COLUMN stat.victim_fact.national IS 'Burkinabè ; vide si la nationalité est inconnue';
COMMENT ON COLUMN stat.victim_fact.org_type IS 'Type de la structure qui a donné ce statut la première';
COMMENT ON COLUMN stat.victim_fact.by_government IS 'Cette structure est de l''État (ni ONG, ni organisation internationale, ni autre)';
COMMENT ON COLUMN stat.victim_fact.province IS 'Province du premier enregistrement ; vide s''il ne dit que la région';
COMMENT ON COLUMN stat.victim_fact.region IS 'Sa région (17)';
COMMENT ON COLUMN stat.victim_fact.region_13 IS 'Sa région avant juillet 2025 (13)';
COMMENT ON COLUMN stat.victim_fact.detection IS 'Comment la personne a été trouvée la première fois (liste dt)';
COMMENT ON COLUMN stat.victim_fact.form IS 'Forme principale d''exploitation, sinon la première citée (liste ex)';
COMMENT ON COLUMN stat.victim_fact.tip_class IS 'Sa classe au rapport international : SEX, LAB, OTH, UNK';
COMMENT ON COLUMN stat.victim_fact.sdg_class IS 'Sa classe à l''indicateur ODD 16.2.2 : 1 à 5 ; 5 si inconnue';
COMMENT ON COLUMN stat.victim_fact.realised IS 'Une forme au moins a été subie ; faux : toutes seulement prévues ; vide : aucune forme citée';
COMMENT ON COLUMN stat.victim_fact.exploitation_country IS 'Pays de cette forme';
COMMENT ON COLUMN stat.victim_fact.exploitation_place IS 'Province ou région de cette forme';
COMMENT ON COLUMN stat.victim_fact.origin_country IS 'Pays d''origine';
COMMENT ON COLUMN stat.victim_fact.origin_place IS 'Province ou région d''origine';
COMMENT ON COLUMN stat.victim_fact.flow IS 'cross-border : origine, trajet ou exploitation hors du pays ; internal : destination connue au pays et rien au dehors ; vide : destination inconnue';
COMMENT ON COLUMN stat.victim_fact.palermo IS 'Éléments relevés : complete, means missing (moyen, non exigé d''un enfant), incomplete ; ne décide jamais du statut';
COMMENT ON COLUMN stat.victim_fact.referred IS 'Référée au moins une fois à un service disponible';
COMMENT ON COLUMN stat.victim_fact.assisted IS 'Au moins un service commencé ou rendu';
COMMENT ON COLUMN stat.victim_fact.speaking_record IS 'Enregistrement dont viennent les réponses ; non ouvert à l''analyste';

REVOKE ALL ON stat.recording, stat.episode, stat.care, stat.victim_fact FROM relais_analyst;
GRANT SELECT ON stat.place_area TO relais_analyst, relais_coordination;
GRANT SELECT ON stat.recording, stat.episode, stat.care, stat.victim_fact TO relais_coordination;
GRANT SELECT (first_on, year, records, actors, status, sex, age, is_child, age_group, age_band, ctdc_age, citizenship,
              national, org_type, by_government, province, region, region_13, detection, form, tip_class, sdg_class, realised,
              exploitation_country, exploitation_place, origin_country, origin_place, flow, palermo, referred, assisted)
    ON stat.victim_fact TO relais_analyst;
