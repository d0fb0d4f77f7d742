-- Rules that hold between the dates and answers of one form, and every rule in words: the comment of a
-- constraint is what the office reads of a form in quarantine.
--
-- A form may not tell of the future. The day of its arrival (UTC, which is Burkina Faso's time) counts, with one
-- more day for a phone of another zone; not the day of loading, so that a replay judges as the first time.

ALTER TABLE tip.followup ADD COLUMN reported_at timestamptz;
COMMENT ON COLUMN tip.followup.reported_at IS 'Quand le serveur a reçu la fiche';
UPDATE tip.followup f SET reported_at = (SELECT s.received_at FROM relais.submission s WHERE s.sub_id = f.sub_id);
ALTER TABLE tip.assistance ADD COLUMN reported_at timestamptz;
COMMENT ON COLUMN tip.assistance.reported_at IS 'Quand le serveur a reçu la fiche';
UPDATE tip.assistance a SET reported_at = (SELECT s.received_at FROM relais.submission s WHERE s.sub_id = a.sub_id);

ALTER TABLE tip.identification
    ADD CONSTRAINT identification_event_date_not_in_the_future CHECK
        (event_date <= (reported_at AT TIME ZONE 'UTC')::date + 1),
    ADD CONSTRAINT identification_age_at_start_within_age CHECK (age_at_start <= age);
ALTER TABLE tip.criminal_case
    ADD CONSTRAINT criminal_case_stage_date_not_in_the_future CHECK
        (stage_date <= (updated_at AT TIME ZONE 'UTC')::date + 1);
ALTER TABLE tip.case_suspect
    ADD CONSTRAINT case_suspect_no_date_after_the_state_of_the_case CHECK
        (stage_date >= greatest(investigated_on, arrested_on, prosecuted_on, decided_on, final_on)),
    ADD CONSTRAINT case_suspect_not_final_under_appeal CHECK (stage <> 'sg_app' OR final_on IS NULL),
    ADD CONSTRAINT case_suspect_sentence_only_when_convicted CHECK
        (stage IN ('sg_conv', 'sg_app', 'sg_ext', 'sg_dead')
         OR num_nonnulls(nullif(prison_months, 0), nullif(suspended_months, 0), nullif(fine_xof, 0)) = 0);
ALTER TABLE tip.assistance
    ADD CONSTRAINT assistance_dates_not_in_the_future CHECK
        (greatest(needed_on, started_on, ended_on) <= (reported_at AT TIME ZONE 'UTC')::date + 1),
    ADD CONSTRAINT assistance_started_on_after_needed_on CHECK (started_on >= needed_on),
    ADD CONSTRAINT assistance_ended_only_if_started CHECK (ended_on IS NULL OR started_on IS NOT NULL);
ALTER TABLE tip.followup
    ADD CONSTRAINT followup_visited_on_not_in_the_future CHECK
        (visited_on <= (reported_at AT TIME ZONE 'UTC')::date + 1);
ALTER TABLE tip.activity_report
    ADD CONSTRAINT activity_report_month_not_in_the_future CHECK
        (month <= (reported_at AT TIME ZONE 'UTC')::date + 1);

-- ---- every rule in words ----------------------------------------------------------------------------------

-- Those whose name says all: references, lists, bounds.
DO $$
DECLARE
    rule record;
    bounds text[];
BEGIN
    FOR rule IN
        SELECT c.conname, c.contype, n.nspname, t.relname, c.confrelid::regclass::text AS parent,
               string_agg(a.attname, ', ' ORDER BY k.n) AS columns
          FROM pg_constraint c
          JOIN pg_class t ON t.oid = c.conrelid
          JOIN pg_namespace n ON n.oid = t.relnamespace
         CROSS JOIN LATERAL unnest(c.conkey) WITH ORDINALITY AS k(attnum, n)
          JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum
         WHERE n.nspname IN ('ref', 'tip', 'link', 'identity', 'audit')
         GROUP BY c.oid, c.conname, c.contype, n.nspname, t.relname
    LOOP
        bounds := regexp_match(rule.conname, '_(\d+)_to_(\d+)$');
        EXECUTE format('COMMENT ON CONSTRAINT %I ON %I.%I IS %L', rule.conname, rule.nspname, rule.relname,
            CASE WHEN rule.contype = 'f' THEN format('%s doit exister dans %s', rule.columns, rule.parent)
                 WHEN rule.contype = 'p' THEN format('une seule ligne pour un même %s', rule.columns)
                 WHEN rule.contype = 'u' THEN format('%s ne sert qu''une fois', rule.columns)
                 WHEN bounds IS NOT NULL THEN format('%s va de %s à %s', rule.columns, bounds[1], bounds[2])
                 WHEN rule.conname ~ '_list_..$' THEN format('%s est un code de la liste « %s »', rule.columns, right(rule.conname, 2))
                 WHEN rule.conname ~ '_known$' THEN format('%s est un des mots prévus', rule.columns)
            END);
    END LOOP;
END
$$;

COMMENT ON CONSTRAINT code_spelling ON ref.code IS 'un code est fait de deux lettres, d''un trait bas et de lettres minuscules ou de chiffres';
COMMENT ON CONSTRAINT code_begins_with_its_list ON ref.code IS 'un code commence par le nom de sa liste';
COMMENT ON CONSTRAINT code_classes_only_for_list_ex ON ref.code IS 'seules les formes d''exploitation ont une classe';
COMMENT ON CONSTRAINT code_valid_to_after_valid_from ON ref.code IS 'la fin ne précède pas le début';
COMMENT ON CONSTRAINT country_iso3_spelling ON ref.country IS 'un code de pays a trois lettres majuscules';
COMMENT ON CONSTRAINT country_iso2_spelling ON ref.country IS 'un code de pays a deux lettres majuscules';
COMMENT ON CONSTRAINT place_all_but_countries_have_a_parent ON ref.place IS 'tout lieu est dans un autre, sauf un pays';
COMMENT ON CONSTRAINT place_valid_to_after_valid_from ON ref.place IS 'la fin ne précède pas le début';
COMMENT ON CONSTRAINT place_not_replaced_by_itself ON ref.place IS 'un lieu n''est pas remplacé par lui-même';
COMMENT ON CONSTRAINT organisation_org_code_spelling ON ref.organisation IS 'un code de structure est fait de lettres majuscules, de chiffres et de traits d''union';
COMMENT ON CONSTRAINT organisation_valid_to_after_valid_from ON ref.organisation IS 'la fin ne précède pas le début';
COMMENT ON CONSTRAINT organisation_not_its_own_parent ON ref.organisation IS 'une structure ne dépend pas d''elle-même';

COMMENT ON CONSTRAINT victim_national_code_twelve_digits ON tip.victim IS 'le code de la carte a douze chiffres';
COMMENT ON CONSTRAINT victim_national_code_check_digits ON tip.victim IS 'les deux derniers chiffres du code de la carte contrôlent les dix premiers : le code est à relire sur la carte';
COMMENT ON CONSTRAINT victim_not_merged_into_itself ON tip.victim IS 'une personne n''est pas réunie à elle-même';
COMMENT ON CONSTRAINT identification_national_code_twelve_digits ON tip.identification IS 'le code de la carte a douze chiffres';
COMMENT ON CONSTRAINT identification_national_code_check_digits ON tip.identification IS 'les deux derniers chiffres du code de la carte contrôlent les dix premiers : le code est à relire sur la carte';
COMMENT ON CONSTRAINT identification_group_size_1_to_500 ON tip.identification IS 'un groupe compte de 1 à 500 personnes';
COMMENT ON CONSTRAINT identification_age_0_to_110 ON tip.identification IS 'un âge va de 0 à 110 ans';
COMMENT ON CONSTRAINT identification_age_at_start_0_to_110 ON tip.identification IS 'un âge va de 0 à 110 ans';
COMMENT ON CONSTRAINT identification_age_at_start_within_age ON tip.identification IS 'l''âge au début des faits ne dépasse pas l''âge de la personne';
COMMENT ON CONSTRAINT identification_months_exploited_0_to_1200 ON tip.identification IS 'la durée va de 0 à 1200 mois';
COMMENT ON CONSTRAINT identification_minor_seen_only_without_age ON tip.identification IS '« semble avoir moins de 18 ans » ne se dit que d''une personne dont l''âge est inconnu';
COMMENT ON CONSTRAINT identification_status_has_organisation_and_date ON tip.identification IS 'une évaluation a toujours une structure et une date';
COMMENT ON CONSTRAINT identification_only_adults_consent_alone ON tip.identification IS 'seule une personne majeure consent elle-même ; pour un enfant, une autre base est à choisir';
COMMENT ON CONSTRAINT identification_refusal_says_nothing_of_the_person ON tip.identification IS 'en cas de refus total, rien n''est gardé de la personne';
COMMENT ON CONSTRAINT identification_event_date_not_in_the_future ON tip.identification IS 'la date de l''identification n''est pas après le jour où la fiche est arrivée';
COMMENT ON CONSTRAINT identification_item_code_list_ac_me_ct_vu ON tip.identification_item IS 'le code est un acte, un moyen, un moyen de contrôle ou une vulnérabilité';
COMMENT ON CONSTRAINT route_leg_month_is_a_first_day ON tip.route_leg IS 'un mois est noté par son premier jour';

COMMENT ON CONSTRAINT criminal_case_case_code_unit_year_number ON tip.criminal_case IS 'le code du dossier s''écrit unité-année-numéro, en majuscules et sans zéro devant le numéro (BRP-HOU-2026-42)';
COMMENT ON CONSTRAINT criminal_case_case_code_at_most_40_characters ON tip.criminal_case IS 'le code du dossier a 40 caractères au plus';
COMMENT ON CONSTRAINT criminal_case_foreign_help_country_codes ON tip.criminal_case IS 'les pays qui coopèrent sont des codes de trois lettres majuscules';
COMMENT ON CONSTRAINT criminal_case_foreign_help_only_across_borders ON tip.criminal_case IS 'un pays ne coopère qu''à un dossier transfrontalier';
COMMENT ON CONSTRAINT criminal_case_stage_date_after_opened_on ON tip.criminal_case IS 'la mise à jour d''un dossier ne précède pas son ouverture';
COMMENT ON CONSTRAINT criminal_case_stage_date_not_in_the_future ON tip.criminal_case IS 'la date de mise à jour n''est pas après le jour où la fiche est arrivée';
COMMENT ON CONSTRAINT suspect_age_0_to_110 ON tip.suspect IS 'un âge va de 0 à 110 ans';
COMMENT ON CONSTRAINT suspect_not_merged_into_itself ON tip.suspect IS 'une personne n''est pas réunie à elle-même';
COMMENT ON CONSTRAINT case_suspect_arrest_after_investigation ON tip.case_suspect IS 'l''interpellation ne précède pas le début de l''enquête';
COMMENT ON CONSTRAINT case_suspect_prosecution_after_arrest_and_investigation ON tip.case_suspect IS 'les poursuites ne précèdent ni l''enquête ni l''interpellation';
COMMENT ON CONSTRAINT case_suspect_decision_after_prosecution ON tip.case_suspect IS 'la décision ne précède ni l''enquête, ni l''interpellation, ni les poursuites';
COMMENT ON CONSTRAINT case_suspect_final_after_decision ON tip.case_suspect IS 'une décision ne devient pas définitive avant d''être rendue';
COMMENT ON CONSTRAINT case_suspect_final_only_with_a_decision ON tip.case_suspect IS 'sans date de décision, il n''y a pas de décision définitive';
COMMENT ON CONSTRAINT case_suspect_not_final_under_appeal ON tip.case_suspect IS 'une décision frappée d''appel n''est pas définitive';
COMMENT ON CONSTRAINT case_suspect_no_date_after_the_state_of_the_case ON tip.case_suspect IS 'aucune date de la personne mise en cause n''est après la date de mise à jour du dossier';
COMMENT ON CONSTRAINT case_suspect_convicted_or_acquitted_on_a_date ON tip.case_suspect IS 'une condamnation, une relaxe ou un acquittement a une date de décision';
COMMENT ON CONSTRAINT case_suspect_no_sentence_without_a_conviction ON tip.case_suspect IS 'sans condamnation il n''y a pas de peine';
COMMENT ON CONSTRAINT case_suspect_sentence_only_when_convicted ON tip.case_suspect IS 'il n''y a de peine qu''après une condamnation';
COMMENT ON CONSTRAINT case_suspect_suspended_within_prison ON tip.case_suspect IS 'le sursis ne dépasse pas la peine de prison';
COMMENT ON CONSTRAINT case_suspect_fine_not_negative ON tip.case_suspect IS 'une amende n''est pas négative';
COMMENT ON CONSTRAINT case_victim_award_not_negative ON tip.case_victim IS 'des dommages alloués ne sont pas négatifs';

COMMENT ON CONSTRAINT assistance_started_on_after_needed_on ON tip.assistance IS 'un service ne commence pas avant d''être demandé';
COMMENT ON CONSTRAINT assistance_ended_on_after_started_on ON tip.assistance IS 'un service ne finit pas avant de commencer';
COMMENT ON CONSTRAINT assistance_ended_only_if_started ON tip.assistance IS 'un service qui finit a une date de début';
COMMENT ON CONSTRAINT assistance_dates_not_in_the_future ON tip.assistance IS 'aucune date d''un service n''est après le jour où la fiche est arrivée';
COMMENT ON CONSTRAINT followup_next_visit_after_this_one ON tip.followup IS 'la prochaine visite ne précède pas celle-ci';
COMMENT ON CONSTRAINT followup_visited_on_not_in_the_future ON tip.followup IS 'la date de la visite n''est pas après le jour où la fiche est arrivée';
COMMENT ON CONSTRAINT activity_report_month_is_a_first_day ON tip.activity_report IS 'un mois est noté par son premier jour';
COMMENT ON CONSTRAINT activity_report_month_not_in_the_future ON tip.activity_report IS 'le mois du rapport n''est pas après le jour où il est arrivé';
COMMENT ON CONSTRAINT activity_report_no_difficulty_beside_none ON tip.activity_report IS '« aucune » difficulté ne se coche pas avec une autre';
COMMENT ON CONSTRAINT consent_change_decision_has_author_and_time ON tip.consent_change IS 'une suite donnée a un auteur et une date, une demande ouverte n''en a pas';
COMMENT ON CONSTRAINT consent_change_refusal_has_a_reason ON tip.consent_change IS 'un refus a un motif';

COMMENT ON CONSTRAINT match_key_hmac_32_bytes ON link.match_key IS 'un pseudonyme a 32 octets';
COMMENT ON CONSTRAINT rule_score_0_to_1 ON link.rule IS 'une vraisemblance va de 0 à 1';
COMMENT ON CONSTRAINT candidate_score_0_to_1 ON link.candidate IS 'une vraisemblance va de 0 à 1';
COMMENT ON CONSTRAINT candidate_pair_in_order ON link.candidate IS 'une paire est notée dans un seul ordre';
COMMENT ON CONSTRAINT candidate_decision_has_author_and_time ON link.candidate IS 'une décision a un auteur et une date, une paire ouverte n''en a pas';
COMMENT ON CONSTRAINT merge_log_two_people ON link.merge_log IS 'une réunion est celle de deux personnes';
COMMENT ON CONSTRAINT merge_log_undone_by_and_at ON link.merge_log IS 'une séparation a un auteur et une date';
COMMENT ON CONSTRAINT person_sealed_not_empty ON identity.person IS 'une identité scellée n''est pas vide';
COMMENT ON CONSTRAINT person_of_one_victim_or_one_suspect ON identity.person IS 'une identité est celle d''une victime ou d''une personne mise en cause, pas des deux';
COMMENT ON CONSTRAINT person_identification_only_of_a_victim ON identity.person IS 'seule l''identité d''une victime vient d''un enregistrement';
COMMENT ON CONSTRAINT access_log_reason_10_characters ON audit.access_log IS 'un accès a un motif d''au moins 10 caractères';
COMMENT ON CONSTRAINT access_log_prev_hash_32_bytes ON audit.access_log IS 'une empreinte a 32 octets';
COMMENT ON CONSTRAINT access_log_hash_32_bytes ON audit.access_log IS 'une empreinte a 32 octets';

-- ---- the ledger, column by column -------------------------------------------------------------------------

COMMENT ON COLUMN relais.mapping.mapping_sha256 IS 'Empreinte du fichier';
COMMENT ON COLUMN relais.mapping.form_id IS 'Formulaire';
COMMENT ON COLUMN relais.mapping.body IS 'Le fichier, en entier';
COMMENT ON COLUMN relais.mapping.first_used IS 'Quand il a servi la première fois';
COMMENT ON COLUMN relais.submission.sub_id IS 'Identifiant de cette version : UUIDv5 du formulaire, de l''instance et de l''empreinte';
COMMENT ON COLUMN relais.submission.form_id IS 'Formulaire';
COMMENT ON COLUMN relais.submission.instance_id IS 'instanceID donné par le téléphone ; « sha256: » et l''empreinte s''il n''y en a pas';
COMMENT ON COLUMN relais.submission.xml_sha256 IS 'Empreinte du XML reçu';
COMMENT ON COLUMN relais.submission.record_id IS 'instanceID de la première version de la fiche : toutes les corrections le portent';
COMMENT ON COLUMN relais.submission.deprecated_id IS 'Version que celle-ci remplace';
COMMENT ON COLUMN relais.submission.form_version IS 'Version du formulaire';
COMMENT ON COLUMN relais.submission.state IS 'delivered livrée, partial livrée mais des fichiers manquent, held en attente, quarantined en quarantaine, superseded remplacée, conflict en conflit, erased effacée';
COMMENT ON COLUMN relais.submission.received_at IS 'Quand le serveur l''a reçue';
COMMENT ON COLUMN relais.submission.delivered_at IS 'Quand ses lignes ont été écrites';
COMMENT ON COLUMN relais.submission.source IS 'Voie d''arrivée : serve, capture, pull, import';
COMMENT ON COLUMN relais.submission.submitted_by IS 'Compte du serveur web';
COMMENT ON COLUMN relais.submission.device_id IS 'Téléphone';
COMMENT ON COLUMN relais.submission.mapping_sha256 IS 'Correspondance qui a fait les lignes';
COMMENT ON COLUMN relais.submission.xml IS 'Le XML tel que reçu, à l''octet près';
COMMENT ON COLUMN relais.submission.repairs IS 'Ce qui a été réparé avant lecture, en mots';
COMMENT ON COLUMN relais.submission.unmapped IS 'Chemins des réponses que la correspondance ne connaît pas';
COMMENT ON COLUMN relais.submission.missing IS 'Fichiers que les réponses nomment et qui ne sont pas arrivés';
COMMENT ON COLUMN relais.submission.reason IS 'Pourquoi elle attend : classe, chemin, colonne, règle ; jamais la réponse';
COMMENT ON COLUMN relais.attachment.sub_id IS 'Version de la fiche';
COMMENT ON COLUMN relais.attachment.name IS 'Nom donné par le téléphone';
COMMENT ON COLUMN relais.attachment.sha256 IS 'Empreinte du contenu';
COMMENT ON COLUMN relais.attachment.size IS 'Taille en octets';
COMMENT ON COLUMN relais.attachment.media_type IS 'Type de contenu annoncé';
COMMENT ON COLUMN relais.attachment.expected IS 'Vrai si une réponse le nomme';
COMMENT ON COLUMN relais.attachment.received_at IS 'Quand le serveur l''a reçu';
COMMENT ON COLUMN relais.attachment.bytes IS 'Le contenu';
COMMENT ON COLUMN relais.tombstone.form_id IS 'Formulaire';
COMMENT ON COLUMN relais.tombstone.record_id IS 'Fiche effacée, par l''un de ses instanceID';
COMMENT ON COLUMN relais.tombstone.erased_at IS 'Quand';
COMMENT ON COLUMN relais.tombstone.erased_by IS 'Par quel compte de la base';
