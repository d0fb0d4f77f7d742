-- Criminal cases: procedures, people implicated, and which victims they concern.
-- Nothing of a suspect leaves the justice role (0009_access.sql). A submission is the state of a case
-- on one day (stage_date); whichever submission arrives last, the newest stage_date stands.
--
-- Constraints are named for whoever reads a quarantine: TABLE_COLUMN_known is a reference,
-- TABLE_COLUMN_list_XX says from which code list, the others say the rule itself.

-- The case code is UNIT-YEAR-NUMBER: the unit spelt as ref.organisation.org_code is, a year of this
-- century, and a number of one to six digits without leading zeros, for example BRP-HOU-2026-42.
-- One case has one spelling: case_id is computed from it.
CREATE TABLE tip.criminal_case (
    case_id      uuid        CONSTRAINT criminal_case_pkey PRIMARY KEY,
    sub_id       uuid        NOT NULL CONSTRAINT criminal_case_sub_id_known REFERENCES relais.submission,
    case_code    text        NOT NULL CONSTRAINT criminal_case_case_code_unique UNIQUE
                             CONSTRAINT criminal_case_case_code_unit_year_number CHECK
                             (case_code ~ '^[A-Z0-9]+(-[A-Z0-9]+)*-20[0-9]{2}-[1-9][0-9]{0,5}$')
                             CONSTRAINT criminal_case_case_code_at_most_40_characters CHECK (length(case_code) <= 40),
    org_code     text        NOT NULL CONSTRAINT criminal_case_org_code_known REFERENCES ref.organisation,
    opened_on    date        NOT NULL,
    court_place  text        CONSTRAINT criminal_case_court_place_known REFERENCES ref.place,
    fact_place   text        CONSTRAINT criminal_case_fact_place_known REFERENCES ref.place,
    fact_country char(3)     CONSTRAINT criminal_case_fact_country_known REFERENCES ref.country,
    offence      text        NOT NULL CONSTRAINT criminal_case_offence_known REFERENCES ref.code
                             CONSTRAINT criminal_case_offence_list_of CHECK (offence LIKE 'of\_%'),
    cross_border boolean,
    foreign_help char(3)[]   CONSTRAINT criminal_case_foreign_help_country_codes CHECK
                             (array_to_string(foreign_help, ' ', '?') ~ '^([A-Z]{3}( [A-Z]{3})*)?$'),
    stage        text        NOT NULL CONSTRAINT criminal_case_stage_known REFERENCES ref.code
                             CONSTRAINT criminal_case_stage_list_sg CHECK (stage LIKE 'sg\_%'),
    stage_date   date        NOT NULL,
    updated_at   timestamptz NOT NULL,
    CONSTRAINT criminal_case_stage_date_after_opened_on CHECK (stage_date >= opened_on),
    CONSTRAINT criminal_case_foreign_help_only_across_borders CHECK
        (cross_border IS TRUE OR coalesce(cardinality(foreign_help), 0) = 0)
);
CREATE INDEX criminal_case_sub_id ON tip.criminal_case (sub_id);
CREATE INDEX criminal_case_org_code ON tip.criminal_case (org_code, opened_on);
CREATE INDEX criminal_case_opened_on ON tip.criminal_case (opened_on);
CREATE INDEX criminal_case_stage ON tip.criminal_case (stage, stage_date);
COMMENT ON TABLE tip.criminal_case IS 'Une procédure pénale, dans son état le plus récent. Réservé à la justice';
COMMENT ON COLUMN tip.criminal_case.case_id IS 'UUIDv5 du code du dossier';
COMMENT ON COLUMN tip.criminal_case.sub_id IS 'Version reçue de la fiche dont vient cet état (registre)';
COMMENT ON COLUMN tip.criminal_case.case_code IS 'Code national du dossier : unité-année-numéro, sans zéro devant le numéro (BRP-HOU-2026-42)';
COMMENT ON COLUMN tip.criminal_case.org_code IS 'Structure qui a rempli la fiche';
COMMENT ON COLUMN tip.criminal_case.opened_on IS 'Date d''ouverture';
COMMENT ON COLUMN tip.criminal_case.court_place IS 'Lieu de la juridiction';
COMMENT ON COLUMN tip.criminal_case.fact_place IS 'Province des faits au Burkina Faso';
COMMENT ON COLUMN tip.criminal_case.fact_country IS 'Pays des faits';
COMMENT ON COLUMN tip.criminal_case.offence IS 'Infraction principale (liste of)';
COMMENT ON COLUMN tip.criminal_case.cross_border IS 'Dossier transfrontalier';
COMMENT ON COLUMN tip.criminal_case.foreign_help IS 'Pays qui coopèrent (ISO 3166-1, trois lettres)';
COMMENT ON COLUMN tip.criminal_case.stage IS 'Étape du dossier (liste sg)';
COMMENT ON COLUMN tip.criminal_case.stage_date IS 'Jour où le dossier était à cette étape ; le plus récent l''emporte';
COMMENT ON COLUMN tip.criminal_case.updated_at IS 'Quand le serveur a reçu cet état';

CREATE TABLE tip.suspect (
    suspect_id      uuid     CONSTRAINT suspect_pkey PRIMARY KEY,
    sub_id          uuid     NOT NULL CONSTRAINT suspect_sub_id_known REFERENCES relais.submission,
    merged_into     uuid     CONSTRAINT suspect_merged_into_known REFERENCES tip.suspect,
    sex             text     CONSTRAINT suspect_sex_known REFERENCES ref.code
                             CONSTRAINT suspect_sex_list_sx CHECK (sex LIKE 'sx\_%'),
    age             smallint CONSTRAINT suspect_age_0_to_110 CHECK (age BETWEEN 0 AND 110),
    citizenship     char(3)  CONSTRAINT suspect_citizenship_known REFERENCES ref.country,
    public_official boolean,
    armed_group     boolean,
    stage_date      date,
    CONSTRAINT suspect_not_merged_into_itself CHECK (merged_into <> suspect_id)
);
CREATE INDEX suspect_sub_id ON tip.suspect (sub_id);
CREATE INDEX suspect_merged_into ON tip.suspect (merged_into) WHERE merged_into IS NOT NULL;
COMMENT ON TABLE tip.suspect IS 'Une personne mise en cause, présumée innocente, sans identité. Réservé à la justice';
COMMENT ON COLUMN tip.suspect.suspect_id IS 'UUIDv5 du code du dossier et du numéro d''ordre';
COMMENT ON COLUMN tip.suspect.sub_id IS 'Version reçue de la fiche dont viennent ces réponses (registre)';
COMMENT ON COLUMN tip.suspect.merged_into IS 'Personne avec laquelle celle-ci a été réunie (toujours une racine)';
COMMENT ON COLUMN tip.suspect.sex IS 'Sexe (liste sx)';
COMMENT ON COLUMN tip.suspect.age IS 'Âge en années à la première fiche';
COMMENT ON COLUMN tip.suspect.citizenship IS 'Nationalité';
COMMENT ON COLUMN tip.suspect.public_official IS 'Agent public';
COMMENT ON COLUMN tip.suspect.armed_group IS 'Membre d''un groupe armé';
COMMENT ON COLUMN tip.suspect.stage_date IS 'Date de mise à jour de la fiche ; la plus récente l''emporte';

CREATE TABLE tip.case_suspect (
    case_id          uuid     NOT NULL CONSTRAINT case_suspect_case_id_known
                              REFERENCES tip.criminal_case ON DELETE CASCADE,
    suspect_id       uuid     NOT NULL CONSTRAINT case_suspect_suspect_id_known REFERENCES tip.suspect,
    sub_id           uuid     CONSTRAINT case_suspect_sub_id_known REFERENCES relais.submission,
    role             text     NOT NULL CONSTRAINT case_suspect_role_known REFERENCES ref.code
                              CONSTRAINT case_suspect_role_list_sr CHECK (role LIKE 'sr\_%'),
    relation         text     CONSTRAINT case_suspect_relation_known REFERENCES ref.code
                              CONSTRAINT case_suspect_relation_list_rr CHECK (relation LIKE 'rr\_%'),
    stage            text     NOT NULL CONSTRAINT case_suspect_stage_known REFERENCES ref.code
                              CONSTRAINT case_suspect_stage_list_sg CHECK (stage LIKE 'sg\_%'),
    stage_date       date,
    investigated_on  date,
    arrested_on      date,
    prosecuted_on    date,
    decided_on       date,
    final_on         date,
    detained         boolean,
    offence          text     CONSTRAINT case_suspect_offence_known REFERENCES ref.code
                              CONSTRAINT case_suspect_offence_list_of CHECK (offence LIKE 'of\_%'),
    prison_months    smallint CONSTRAINT case_suspect_prison_months_0_to_1200 CHECK (prison_months BETWEEN 0 AND 1200),
    suspended_months smallint CONSTRAINT case_suspect_suspended_months_0_to_1200 CHECK (suspended_months BETWEEN 0 AND 1200),
    fine_xof         bigint   CONSTRAINT case_suspect_fine_not_negative CHECK (fine_xof >= 0),
    CONSTRAINT case_suspect_pkey PRIMARY KEY (case_id, suspect_id),
    -- greatest() passes over what is empty, so each date is held against all that come before it.
    CONSTRAINT case_suspect_arrest_after_investigation CHECK (arrested_on >= investigated_on),
    CONSTRAINT case_suspect_prosecution_after_arrest_and_investigation CHECK
        (prosecuted_on >= greatest(investigated_on, arrested_on)),
    CONSTRAINT case_suspect_decision_after_prosecution CHECK
        (decided_on >= greatest(investigated_on, arrested_on, prosecuted_on)),
    CONSTRAINT case_suspect_final_after_decision CHECK (final_on >= decided_on),
    CONSTRAINT case_suspect_final_only_with_a_decision CHECK (final_on IS NULL OR decided_on IS NOT NULL),
    CONSTRAINT case_suspect_convicted_or_acquitted_on_a_date CHECK
        (stage NOT IN ('sg_conv', 'sg_acq') OR decided_on IS NOT NULL),
    CONSTRAINT case_suspect_no_sentence_without_a_conviction CHECK
        (stage NOT IN ('sg_acq', 'sg_nol', 'sg_drop')
         OR num_nonnulls(nullif(prison_months, 0), nullif(suspended_months, 0), nullif(fine_xof, 0)) = 0),
    CONSTRAINT case_suspect_suspended_within_prison CHECK (suspended_months <= coalesce(prison_months, 0))
);
CREATE INDEX case_suspect_suspect_id ON tip.case_suspect (suspect_id);
CREATE INDEX case_suspect_sub_id ON tip.case_suspect (sub_id);
CREATE INDEX case_suspect_investigated_on ON tip.case_suspect (investigated_on) WHERE investigated_on IS NOT NULL;
CREATE INDEX case_suspect_prosecuted_on ON tip.case_suspect (prosecuted_on) WHERE prosecuted_on IS NOT NULL;
CREATE INDEX case_suspect_decided_on ON tip.case_suspect (decided_on) WHERE decided_on IS NOT NULL;
COMMENT ON TABLE tip.case_suspect IS 'Une personne mise en cause dans une procédure. Réservé à la justice';
COMMENT ON COLUMN tip.case_suspect.case_id IS 'Procédure';
COMMENT ON COLUMN tip.case_suspect.suspect_id IS 'Personne mise en cause';
COMMENT ON COLUMN tip.case_suspect.sub_id IS 'Version reçue de la fiche dont vient cet état (registre)';
COMMENT ON COLUMN tip.case_suspect.role IS 'Rôle (liste sr)';
COMMENT ON COLUMN tip.case_suspect.relation IS 'Lien avec la victime (liste rr)';
COMMENT ON COLUMN tip.case_suspect.stage IS 'Étape pour cette personne (liste sg)';
COMMENT ON COLUMN tip.case_suspect.stage_date IS 'Date de mise à jour de la fiche ; la plus récente l''emporte';
COMMENT ON COLUMN tip.case_suspect.investigated_on IS 'Début de l''enquête la concernant';
COMMENT ON COLUMN tip.case_suspect.arrested_on IS 'Interpellation';
COMMENT ON COLUMN tip.case_suspect.prosecuted_on IS 'Engagement des poursuites';
COMMENT ON COLUMN tip.case_suspect.decided_on IS 'Décision ; sans elle personne n''est compté comme condamné';
COMMENT ON COLUMN tip.case_suspect.final_on IS 'Jour où la décision est devenue définitive';
COMMENT ON COLUMN tip.case_suspect.detained IS 'Détenue au jour de la fiche';
COMMENT ON COLUMN tip.case_suspect.offence IS 'Infraction retenue (liste of)';
COMMENT ON COLUMN tip.case_suspect.prison_months IS 'Peine de prison prononcée, en mois, sursis compris';
COMMENT ON COLUMN tip.case_suspect.suspended_months IS 'Part de cette peine assortie du sursis, en mois';
COMMENT ON COLUMN tip.case_suspect.fine_xof IS 'Amende en francs CFA';

CREATE TABLE tip.case_victim (
    case_id     uuid    NOT NULL CONSTRAINT case_victim_case_id_known
                        REFERENCES tip.criminal_case ON DELETE CASCADE,
    victim_id   uuid    NOT NULL CONSTRAINT case_victim_victim_id_known REFERENCES tip.victim,
    sub_id      uuid    CONSTRAINT case_victim_sub_id_known REFERENCES relais.submission,
    stage_date  date,
    witness     boolean,
    civil_party boolean,
    protected   boolean,
    award_xof   bigint  CONSTRAINT case_victim_award_not_negative CHECK (award_xof >= 0),
    CONSTRAINT case_victim_pkey PRIMARY KEY (case_id, victim_id)
);
CREATE INDEX case_victim_victim_id ON tip.case_victim (victim_id);
CREATE INDEX case_victim_sub_id ON tip.case_victim (sub_id);
COMMENT ON TABLE tip.case_victim IS 'Une victime dans une procédure. Réservé à la justice';
COMMENT ON COLUMN tip.case_victim.case_id IS 'Procédure';
COMMENT ON COLUMN tip.case_victim.victim_id IS 'Victime, par le code de sa carte';
COMMENT ON COLUMN tip.case_victim.sub_id IS 'Version reçue de la fiche dont vient cet état (registre)';
COMMENT ON COLUMN tip.case_victim.stage_date IS 'Date de mise à jour de la fiche ; la plus récente l''emporte';
COMMENT ON COLUMN tip.case_victim.witness IS 'Témoin';
COMMENT ON COLUMN tip.case_victim.civil_party IS 'Partie civile';
COMMENT ON COLUMN tip.case_victim.protected IS 'Bénéficie d''une mesure de protection';
COMMENT ON COLUMN tip.case_victim.award_xof IS 'Dommages alloués en francs CFA';
