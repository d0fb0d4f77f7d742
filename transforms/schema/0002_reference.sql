-- Reference data: code lists, their values in other standards, countries, places, organisations.
-- The rows are in ../codes/ref.*.csv and are loaded by `relais plan | psql`.
--
-- Constraints are named for whoever reads a quarantine: TABLE_COLUMN_known is a reference,
-- TABLE_COLUMN_list_XX says from which code list, the others say the rule itself.
CREATE SCHEMA ref;
COMMENT ON SCHEMA ref IS 'Données de référence : listes de codes, correspondances, pays, lieux, structures. Publiques';

CREATE TABLE ref.code (
    code       text     CONSTRAINT code_pkey PRIMARY KEY
                        CONSTRAINT code_spelling CHECK (code ~ '^[a-z]{2}_[a-z0-9_]+$'),
    list       text     NOT NULL,
    label_fr   text     NOT NULL,
    label_en   text     NOT NULL,
    sort       integer  NOT NULL DEFAULT 0,
    tip_class  text     CONSTRAINT code_tip_class_known CHECK (tip_class IN ('SEX', 'LAB', 'OTH', 'UNK')),
    sdg_class  smallint CONSTRAINT code_sdg_class_1_to_5 CHECK (sdg_class BETWEEN 1 AND 5),
    valid_from date     NOT NULL DEFAULT '2000-01-01',
    valid_to   date,
    CONSTRAINT code_begins_with_its_list CHECK (list = left(code, 2)),
    CONSTRAINT code_classes_only_for_list_ex CHECK (list = 'ex' OR num_nonnulls(tip_class, sdg_class) = 0),
    CONSTRAINT code_valid_to_after_valid_from CHECK (valid_to >= valid_from)
);
CREATE INDEX code_list ON ref.code (list, sort);
COMMENT ON TABLE ref.code IS 'Toutes les listes fermées ; un code est aussi le nom du choix dans les formulaires';
COMMENT ON COLUMN ref.code.code IS 'Code, unique dans toutes les listes, jamais réemployé ; commence par le nom de sa liste';
COMMENT ON COLUMN ref.code.list IS 'Liste : sx sexe, ex forme d''exploitation, vs statut…';
COMMENT ON COLUMN ref.code.label_fr IS 'Libellé français ; peut changer sans que le code change';
COMMENT ON COLUMN ref.code.label_en IS 'Libellé anglais ; peut changer sans que le code change';
COMMENT ON COLUMN ref.code.sort IS 'Rang dans sa liste';
COMMENT ON COLUMN ref.code.tip_class IS 'Liste ex : classe du rapport international (SEX sexuelle, LAB travail, OTH autre, UNK inconnue)';
COMMENT ON COLUMN ref.code.sdg_class IS 'Liste ex : classe de l''indicateur ODD 16.2.2 (1 sexuelle, 2 travail, 3 organes, 4 autre, 5 inconnue)';
COMMENT ON COLUMN ref.code.valid_from IS 'Premier jour d''emploi';
COMMENT ON COLUMN ref.code.valid_to IS 'Dernier jour d''emploi ; vide tant que le code sert';

CREATE TABLE ref.code_map (
    code     text    NOT NULL CONSTRAINT code_map_code_known REFERENCES ref.code,
    standard text    NOT NULL,
    field    text    NOT NULL,
    value    text    NOT NULL,
    fit      char(1) NOT NULL CONSTRAINT code_map_fit_known CHECK (fit IN ('=', '<', '>', '~')),
    CONSTRAINT code_map_pkey PRIMARY KEY (code, standard, field, value)
);
CREATE INDEX code_map_standard ON ref.code_map (standard, field, value);
COMMENT ON TABLE ref.code_map IS 'Valeur d''un code dans une autre norme, pour les exportations';
COMMENT ON COLUMN ref.code_map.code IS 'Notre code';
COMMENT ON COLUMN ref.code_map.standard IS 'Norme : HTCDS, CTDC-2024, CTDC-kanon, ICCS, PRIMERO, US-TIP…';
COMMENT ON COLUMN ref.code_map.field IS 'Champ de cette norme';
COMMENT ON COLUMN ref.code_map.value IS 'Valeur dans ce champ';
COMMENT ON COLUMN ref.code_map.fit IS 'Ajustement : = identique, < notre code est plus étroit, > plus large, ~ approché';

CREATE TABLE ref.country (
    iso3       char(3) CONSTRAINT country_pkey PRIMARY KEY
                       CONSTRAINT country_iso3_spelling CHECK (iso3 ~ '^[A-Z]{3}$'),
    iso2       char(2) NOT NULL CONSTRAINT country_iso2_unique UNIQUE
                       CONSTRAINT country_iso2_spelling CHECK (iso2 ~ '^[A-Z]{2}$'),
    name_fr    text    NOT NULL,
    name_en    text    NOT NULL,
    neighbour  boolean NOT NULL DEFAULT false,
    short_list boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE ref.country IS 'Pays (ISO 3166-1)';
COMMENT ON COLUMN ref.country.iso3 IS 'Code à trois lettres, celui qui est enregistré';
COMMENT ON COLUMN ref.country.iso2 IS 'Code à deux lettres, pour certaines exportations';
COMMENT ON COLUMN ref.country.name_fr IS 'Nom français';
COMMENT ON COLUMN ref.country.name_en IS 'Nom anglais';
COMMENT ON COLUMN ref.country.neighbour IS 'Pays voisin du Burkina Faso';
COMMENT ON COLUMN ref.country.short_list IS 'Montré en tête de liste sur les téléphones';

CREATE TABLE ref.place (
    place_code         text CONSTRAINT place_pkey PRIMARY KEY,
    level              text NOT NULL
                       CONSTRAINT place_level_known CHECK (level IN ('country', 'region', 'province', 'commune')),
    name_fr            text NOT NULL,
    name_before_2025   text,
    parent             text CONSTRAINT place_parent_known REFERENCES ref.place,
    parent_before_2025 text CONSTRAINT place_parent_before_2025_known REFERENCES ref.place,
    seat               text,
    code_status        text NOT NULL DEFAULT 'iso'
                       CONSTRAINT place_code_status_known CHECK (code_status IN ('iso', 'provisional', 'national')),
    valid_from         date,
    valid_to           date,
    replaced_by        text CONSTRAINT place_replaced_by_known REFERENCES ref.place,
    CONSTRAINT place_all_but_countries_have_a_parent CHECK ((level = 'country') = (parent IS NULL)),
    CONSTRAINT place_valid_to_after_valid_from CHECK (valid_to >= valid_from),
    CONSTRAINT place_not_replaced_by_itself CHECK (replaced_by <> place_code)
);
CREATE INDEX place_parent ON ref.place (parent);
CREATE INDEX place_parent_before_2025 ON ref.place (parent_before_2025) WHERE parent_before_2025 IS NOT NULL;
CREATE INDEX place_replaced_by ON ref.place (replaced_by) WHERE replaced_by IS NOT NULL;
COMMENT ON TABLE ref.place IS 'Découpage administratif, ancien (13 régions) et nouveau (17 régions, décrets du 2 juillet 2025) ensemble';
COMMENT ON COLUMN ref.place.place_code IS 'Code ISO 3166-2 ; provisoire pour ce qui n''en a pas encore';
COMMENT ON COLUMN ref.place.level IS 'Niveau : country, region, province, commune';
COMMENT ON COLUMN ref.place.name_fr IS 'Nom actuel';
COMMENT ON COLUMN ref.place.name_before_2025 IS 'Nom avant juillet 2025';
COMMENT ON COLUMN ref.place.parent IS 'Région d''une province, province d''une commune';
COMMENT ON COLUMN ref.place.parent_before_2025 IS 'La même chose avant juillet 2025, pour les séries en 13 régions';
COMMENT ON COLUMN ref.place.seat IS 'Chef-lieu';
COMMENT ON COLUMN ref.place.code_status IS 'D''où vient le code : iso, national (liste officielle), provisional (à nous, en attendant)';
COMMENT ON COLUMN ref.place.valid_from IS 'Premier jour d''existence ; vide si toujours connu';
COMMENT ON COLUMN ref.place.valid_to IS 'Dernier jour d''existence ; vide si le lieu existe';
COMMENT ON COLUMN ref.place.replaced_by IS 'Code qui a pris la suite';

CREATE TABLE ref.organisation (
    org_code   text CONSTRAINT organisation_pkey PRIMARY KEY
                    CONSTRAINT organisation_org_code_spelling CHECK (org_code ~ '^[A-Z0-9]+(-[A-Z0-9]+)*$'),
    name       text NOT NULL,
    org_type   text NOT NULL CONSTRAINT organisation_org_type_known REFERENCES ref.code
                    CONSTRAINT organisation_org_type_list_og CHECK (org_type LIKE 'og\_%'),
    place_code text CONSTRAINT organisation_place_code_known REFERENCES ref.place,
    parent     text CONSTRAINT organisation_parent_known REFERENCES ref.organisation,
    valid_from date,
    valid_to   date,
    CONSTRAINT organisation_valid_to_after_valid_from CHECK (valid_to >= valid_from),
    CONSTRAINT organisation_not_its_own_parent CHECK (parent <> org_code)
);
CREATE INDEX organisation_place_code ON ref.organisation (place_code);
CREATE INDEX organisation_parent ON ref.organisation (parent) WHERE parent IS NOT NULL;
COMMENT ON TABLE ref.organisation IS 'Structures qui identifient, assistent ou poursuivent ; la liste fournie est générique, à remplacer';
COMMENT ON COLUMN ref.organisation.org_code IS 'Code de la structure, celui du formulaire (SOC-HOU…)';
COMMENT ON COLUMN ref.organisation.name IS 'Nom ; un ministère change de nom, le code reste';
COMMENT ON COLUMN ref.organisation.org_type IS 'Type de structure (liste og)';
COMMENT ON COLUMN ref.organisation.place_code IS 'Province, région ou pays où elle agit';
COMMENT ON COLUMN ref.organisation.parent IS 'Structure dont elle dépend';
COMMENT ON COLUMN ref.organisation.valid_from IS 'Premier jour d''activité ; vide si toujours connue';
COMMENT ON COLUMN ref.organisation.valid_to IS 'Dernier jour d''activité ; vide si elle existe';
