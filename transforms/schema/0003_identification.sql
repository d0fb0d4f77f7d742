-- People and how they were identified: pseudonymous, no name, no date of birth, no address.
-- A recording (identification) is one actor that saw one person once; a victim is the person.
-- The card code is twelve digits, ten random ones and two check digits (ISO 7064 MOD 97-10).
--
-- Constraints are named for whoever reads a quarantine: TABLE_COLUMN_known is a reference,
-- TABLE_COLUMN_list_XX says from which code list, the others say the rule itself.
-- References to ref.* have no index: reference rows are retired, never deleted.
CREATE SCHEMA tip;
COMMENT ON SCHEMA tip IS 'Schéma national : personnes et faits, sous pseudonyme. Aucune identité en clair';

CREATE TABLE tip.victim (
    victim_id     uuid        CONSTRAINT victim_pkey PRIMARY KEY,
    national_code text        CONSTRAINT victim_national_code_unique UNIQUE
                              CONSTRAINT victim_national_code_twelve_digits CHECK (national_code ~ '^[0-9]{12}$')
                              CONSTRAINT victim_national_code_check_digits CHECK
                              (national_code !~ '^[0-9]{12}$' OR
                               (national_code::bigint % 97 = 1 AND right(national_code, 2) BETWEEN '02' AND '98')),
    merged_into   uuid        CONSTRAINT victim_merged_into_known REFERENCES tip.victim,
    primary_ident uuid,
    case_state    text        CONSTRAINT victim_case_state_known REFERENCES ref.code
                              CONSTRAINT victim_case_state_list_cl CHECK (case_state LIKE 'cl\_%'),
    erased_at     timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT victim_not_merged_into_itself CHECK (merged_into <> victim_id)
);
CREATE INDEX victim_merged_into ON tip.victim (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX victim_primary_ident ON tip.victim (primary_ident) WHERE primary_ident IS NOT NULL;
COMMENT ON TABLE tip.victim IS 'Une personne ; comptée seulement si une identification existe';
COMMENT ON COLUMN tip.victim.victim_id IS 'UUIDv5 du code de la carte : les fiches peuvent arriver dans n''importe quel ordre';
COMMENT ON COLUMN tip.victim.national_code IS 'Code de la carte de suivi, douze chiffres dont deux de contrôle ; vide si la carte d''une autre personne a servi';
COMMENT ON COLUMN tip.victim.merged_into IS 'Personne avec laquelle celle-ci a été réunie (toujours une racine)';
COMMENT ON COLUMN tip.victim.primary_ident IS 'Identification dont les réponses parlent pour la personne, choisie par le réviseur';
COMMENT ON COLUMN tip.victim.case_state IS 'Situation du dossier (liste cl)';
COMMENT ON COLUMN tip.victim.erased_at IS 'Quand l''identité et les clés ont été effacées ; la ligne reste pour les comptes';
COMMENT ON COLUMN tip.victim.created_at IS 'Quand la ligne a été créée ici';

CREATE TABLE tip.identification (
    identification_id  uuid        CONSTRAINT identification_pkey PRIMARY KEY,
    sub_id             uuid        NOT NULL CONSTRAINT identification_sub_id_known REFERENCES relais.submission,
    victim_id          uuid        NOT NULL CONSTRAINT identification_victim_id_known REFERENCES tip.victim,
    national_code      text        NOT NULL
                                   CONSTRAINT identification_national_code_twelve_digits CHECK (national_code ~ '^[0-9]{12}$')
                                   CONSTRAINT identification_national_code_check_digits CHECK
                                   (national_code !~ '^[0-9]{12}$' OR
                                    (national_code::bigint % 97 = 1 AND right(national_code, 2) BETWEEN '02' AND '98')),
    org_code           text        NOT NULL CONSTRAINT identification_org_code_known REFERENCES ref.organisation,
    agent_code         varchar(32) NOT NULL,
    event_date         date        NOT NULL,
    reported_at        timestamptz NOT NULL,
    place_code         text        NOT NULL CONSTRAINT identification_place_code_known REFERENCES ref.place,
    detection          text        NOT NULL CONSTRAINT identification_detection_known REFERENCES ref.code
                                   CONSTRAINT identification_detection_list_dt CHECK (detection LIKE 'dt\_%'),
    first_record       boolean,
    group_code         varchar(32),
    group_size         smallint    CONSTRAINT identification_group_size_1_to_500 CHECK (group_size BETWEEN 1 AND 500),
    consent_basis      text        NOT NULL CONSTRAINT identification_consent_basis_known REFERENCES ref.code
                                   CONSTRAINT identification_consent_basis_list_co CHECK (consent_basis LIKE 'co\_%'),
    share_assist       boolean     NOT NULL DEFAULT false,
    share_justice      boolean     NOT NULL DEFAULT false,
    share_stats        boolean     NOT NULL DEFAULT false,
    status             text        CONSTRAINT identification_status_known REFERENCES ref.code
                                   CONSTRAINT identification_status_list_vs CHECK (status LIKE 'vs\_%'),
    status_org         text        CONSTRAINT identification_status_org_known REFERENCES ref.organisation,
    status_date        date,
    sex                text        CONSTRAINT identification_sex_known REFERENCES ref.code
                                   CONSTRAINT identification_sex_list_sx CHECK (sex LIKE 'sx\_%'),
    age                smallint    CONSTRAINT identification_age_0_to_110 CHECK (age BETWEEN 0 AND 110),
    age_basis          text        CONSTRAINT identification_age_basis_known REFERENCES ref.code
                                   CONSTRAINT identification_age_basis_list_ab CHECK (age_basis LIKE 'ab\_%'),
    minor_seen         boolean,
    is_child           boolean     GENERATED ALWAYS AS (CASE WHEN age IS NOT NULL THEN age < 18 ELSE minor_seen END) STORED,
    citizenship        char(3)     CONSTRAINT identification_citizenship_known REFERENCES ref.country,
    origin_country     char(3)     CONSTRAINT identification_origin_country_known REFERENCES ref.country,
    origin_place       text        CONSTRAINT identification_origin_place_known REFERENCES ref.place,
    residence_status   text        CONSTRAINT identification_residence_status_known REFERENCES ref.code
                                   CONSTRAINT identification_residence_status_list_rs CHECK (residence_status LIKE 'rs\_%'),
    id_doc             text        CONSTRAINT identification_id_doc_known REFERENCES ref.code
                                   CONSTRAINT identification_id_doc_list_id CHECK (id_doc LIKE 'id\_%'),
    language           text        CONSTRAINT identification_language_known REFERENCES ref.code
                                   CONSTRAINT identification_language_list_lg CHECK (language LIKE 'lg\_%'),
    months_exploited   smallint    CONSTRAINT identification_months_exploited_0_to_1200 CHECK (months_exploited BETWEEN 0 AND 1200),
    age_at_start       smallint    CONSTRAINT identification_age_at_start_0_to_110 CHECK (age_at_start BETWEEN 0 AND 110),
    recruiter_relation text        CONSTRAINT identification_recruiter_relation_known REFERENCES ref.code
                                   CONSTRAINT identification_recruiter_relation_list_rr CHECK (recruiter_relation LIKE 'rr\_%'),
    recruit_channel    text        CONSTRAINT identification_recruit_channel_known REFERENCES ref.code
                                   CONSTRAINT identification_recruit_channel_list_rc CHECK (recruit_channel LIKE 'rc\_%'),
    danger_now         boolean,
    returned_home      boolean,
    CONSTRAINT identification_minor_seen_only_without_age CHECK (age IS NULL OR minor_seen IS NULL),
    CONSTRAINT identification_status_has_organisation_and_date CHECK (num_nonnulls(status, status_org, status_date) IN (0, 3)),
    CONSTRAINT identification_only_adults_consent_alone CHECK (consent_basis <> 'co_self' OR is_child IS NOT TRUE),
    CONSTRAINT identification_refusal_says_nothing_of_the_person CHECK (consent_basis <> 'co_none' OR
        (num_nonnulls(first_record, group_code, group_size, status, sex, age, age_basis, minor_seen, citizenship,
                      origin_country, origin_place, residence_status, id_doc, language, months_exploited, age_at_start,
                      recruiter_relation, recruit_channel, danger_now, returned_home) = 0
         AND NOT share_assist AND NOT share_justice AND NOT share_stats))
);
CREATE INDEX identification_sub_id ON tip.identification (sub_id);
CREATE INDEX identification_victim_id ON tip.identification (victim_id);
CREATE INDEX identification_national_code ON tip.identification (national_code);
CREATE INDEX identification_org_code ON tip.identification (org_code, event_date);
CREATE INDEX identification_place_code ON tip.identification (place_code, event_date);
CREATE INDEX identification_event_date ON tip.identification (event_date);
CREATE INDEX identification_group_code ON tip.identification (group_code) WHERE group_code IS NOT NULL;
ALTER TABLE tip.victim ADD CONSTRAINT victim_primary_ident_known
    FOREIGN KEY (primary_ident) REFERENCES tip.identification DEFERRABLE INITIALLY DEFERRED;
COMMENT ON TABLE tip.identification IS 'Un enregistrement d''une personne par une structure ; une personne peut en avoir plusieurs. Vide = non demandé, _unk = demandé mais inconnu';
COMMENT ON COLUMN tip.identification.identification_id IS 'UUIDv5 du formulaire et de la première version de la fiche : une correction garde son identifiant';
COMMENT ON COLUMN tip.identification.sub_id IS 'Version reçue de la fiche dont viennent ces réponses (registre)';
COMMENT ON COLUMN tip.identification.victim_id IS 'Personne';
COMMENT ON COLUMN tip.identification.national_code IS 'Code de la carte tel que la fiche le donne ; en cas de refus, un code au hasard qui ne sert pas';
COMMENT ON COLUMN tip.identification.org_code IS 'Structure qui a identifié';
COMMENT ON COLUMN tip.identification.agent_code IS 'Code de l''agent, jamais son nom';
COMMENT ON COLUMN tip.identification.event_date IS 'Date de l''identification';
COMMENT ON COLUMN tip.identification.reported_at IS 'Quand le serveur a reçu la fiche';
COMMENT ON COLUMN tip.identification.place_code IS 'Lieu de l''identification : province, commune si la personne accepte le partage avec un service d''aide, région pour les formes armées';
COMMENT ON COLUMN tip.identification.detection IS 'Comment la personne a été trouvée (liste dt)';
COMMENT ON COLUMN tip.identification.first_record IS 'Vrai si la personne n''avait pas encore de carte';
COMMENT ON COLUMN tip.identification.group_code IS 'Code commun aux personnes trouvées ensemble ; dans aucune exportation';
COMMENT ON COLUMN tip.identification.group_size IS 'Nombre de personnes dans ce groupe';
COMMENT ON COLUMN tip.identification.consent_basis IS 'Consentement ou base légale (liste co) ; co_none : refus, rien d''autre n''est gardé';
COMMENT ON COLUMN tip.identification.share_assist IS 'Accord pour le partage avec un service d''aide';
COMMENT ON COLUMN tip.identification.share_justice IS 'Accord pour le partage avec la justice';
COMMENT ON COLUMN tip.identification.share_stats IS 'Accord pour les statistiques anonymes ; vrai par règle pour co_mand, co_vita et co_stat';
COMMENT ON COLUMN tip.identification.status IS 'Évaluation de la personne (liste vs), toujours par un humain';
COMMENT ON COLUMN tip.identification.status_org IS 'Structure qui a évalué';
COMMENT ON COLUMN tip.identification.status_date IS 'Date de l''évaluation';
COMMENT ON COLUMN tip.identification.sex IS 'Sexe (liste sx)';
COMMENT ON COLUMN tip.identification.age IS 'Âge en années au jour de l''identification';
COMMENT ON COLUMN tip.identification.age_basis IS 'Origine de l''âge (liste ab)';
COMMENT ON COLUMN tip.identification.minor_seen IS 'Semble avoir moins de 18 ans ; demandé seulement quand l''âge est inconnu';
COMMENT ON COLUMN tip.identification.is_child IS 'Calculé : moins de 18 ans selon l''âge, sinon selon l''apparence';
COMMENT ON COLUMN tip.identification.citizenship IS 'Nationalité';
COMMENT ON COLUMN tip.identification.origin_country IS 'Pays d''origine';
COMMENT ON COLUMN tip.identification.origin_place IS 'Province d''origine au Burkina Faso (région pour les formes armées)';
COMMENT ON COLUMN tip.identification.residence_status IS 'Statut de résidence (liste rs)';
COMMENT ON COLUMN tip.identification.id_doc IS 'Pièce présentée (liste id) ; son numéro n''est pas ici';
COMMENT ON COLUMN tip.identification.language IS 'Langue de l''entretien (liste lg)';
COMMENT ON COLUMN tip.identification.months_exploited IS 'Durée de l''exploitation en mois';
COMMENT ON COLUMN tip.identification.age_at_start IS 'Âge au début de l''exploitation';
COMMENT ON COLUMN tip.identification.recruiter_relation IS 'Lien avec le recruteur (liste rr)';
COMMENT ON COLUMN tip.identification.recruit_channel IS 'Canal de recrutement (liste rc)';
COMMENT ON COLUMN tip.identification.danger_now IS 'Danger immédiat au moment de la fiche';
COMMENT ON COLUMN tip.identification.returned_home IS 'La personne a été rendue à sa famille';

CREATE TABLE tip.identification_item (
    identification_id uuid NOT NULL CONSTRAINT identification_item_identification_id_known
                           REFERENCES tip.identification ON DELETE CASCADE,
    code              text NOT NULL CONSTRAINT identification_item_code_known REFERENCES ref.code
                           CONSTRAINT identification_item_code_list_ac_me_ct_vu CHECK
                           (left(code, 3) IN ('ac_', 'me_', 'ct_', 'vu_')),
    CONSTRAINT identification_item_pkey PRIMARY KEY (identification_id, code)
);
COMMENT ON TABLE tip.identification_item IS 'Chaque réponse cochée d''une question à choix multiple : acte, moyen, contrôle, vulnérabilité';
COMMENT ON COLUMN tip.identification_item.identification_id IS 'Enregistrement';
COMMENT ON COLUMN tip.identification_item.code IS 'Réponse cochée (listes ac, me, ct, vu)';

CREATE TABLE tip.exploitation (
    identification_id uuid     NOT NULL CONSTRAINT exploitation_identification_id_known
                               REFERENCES tip.identification ON DELETE CASCADE,
    seq               smallint NOT NULL,
    form              text     NOT NULL CONSTRAINT exploitation_form_known REFERENCES ref.code
                               CONSTRAINT exploitation_form_list_ex CHECK (form LIKE 'ex\_%'),
    realised          boolean  NOT NULL,
    main              boolean  NOT NULL DEFAULT false,
    country           char(3)  CONSTRAINT exploitation_country_known REFERENCES ref.country,
    place_code        text     CONSTRAINT exploitation_place_code_known REFERENCES ref.place,
    CONSTRAINT exploitation_pkey PRIMARY KEY (identification_id, seq)
);
CREATE UNIQUE INDEX exploitation_one_main_form ON tip.exploitation (identification_id) WHERE main;
COMMENT ON TABLE tip.exploitation IS 'Une forme d''exploitation, subie ou seulement prévue';
COMMENT ON COLUMN tip.exploitation.identification_id IS 'Enregistrement';
COMMENT ON COLUMN tip.exploitation.seq IS 'Rang dans la fiche';
COMMENT ON COLUMN tip.exploitation.form IS 'Forme (liste ex)';
COMMENT ON COLUMN tip.exploitation.realised IS 'Vrai : subie ; faux : prévue et arrêtée avant';
COMMENT ON COLUMN tip.exploitation.main IS 'Forme principale ; une au plus par enregistrement';
COMMENT ON COLUMN tip.exploitation.country IS 'Pays de l''exploitation';
COMMENT ON COLUMN tip.exploitation.place_code IS 'Province de l''exploitation au Burkina Faso (région pour les formes armées)';

CREATE TABLE tip.route_leg (
    identification_id uuid     NOT NULL CONSTRAINT route_leg_identification_id_known
                               REFERENCES tip.identification ON DELETE CASCADE,
    seq               smallint NOT NULL,
    kind              text     NOT NULL CONSTRAINT route_leg_kind_known CHECK
                               (kind IN ('origin', 'recruitment', 'transit', 'border', 'found', 'exploitation', 'destination')),
    country           char(3)  CONSTRAINT route_leg_country_known REFERENCES ref.country,
    place_code        text     CONSTRAINT route_leg_place_code_known REFERENCES ref.place,
    transport         text     CONSTRAINT route_leg_transport_known REFERENCES ref.code
                               CONSTRAINT route_leg_transport_list_tr CHECK (transport LIKE 'tr\_%'),
    month             date     CONSTRAINT route_leg_month_is_a_first_day CHECK (extract(day FROM month) = 1),
    CONSTRAINT route_leg_pkey PRIMARY KEY (identification_id, seq)
);
COMMENT ON TABLE tip.route_leg IS 'Une étape du trajet ; aucune pour les formes armées';
COMMENT ON COLUMN tip.route_leg.identification_id IS 'Enregistrement';
COMMENT ON COLUMN tip.route_leg.seq IS 'Rang dans le trajet';
COMMENT ON COLUMN tip.route_leg.kind IS 'Étape : origin, recruitment, transit, border, found, exploitation, destination';
COMMENT ON COLUMN tip.route_leg.country IS 'Pays';
COMMENT ON COLUMN tip.route_leg.place_code IS 'Province au Burkina Faso';
COMMENT ON COLUMN tip.route_leg.transport IS 'Moyen de transport (liste tr)';
COMMENT ON COLUMN tip.route_leg.month IS 'Mois, enregistré par son premier jour';
