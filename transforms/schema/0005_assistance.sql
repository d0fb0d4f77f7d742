-- Help given to people, what became of them, what they want of their own data, and what each
-- organisation reports each month, nil included: silence is not zero.
--
-- Constraints are named for whoever reads a quarantine: TABLE_COLUMN_known is a reference,
-- TABLE_COLUMN_list_XX says from which code list, the others say the rule itself.

CREATE TABLE tip.assistance (
    sub_id          uuid     NOT NULL CONSTRAINT assistance_sub_id_known REFERENCES relais.submission,
    seq             smallint NOT NULL,
    victim_id       uuid     NOT NULL CONSTRAINT assistance_victim_id_known REFERENCES tip.victim,
    org_code        text     NOT NULL CONSTRAINT assistance_org_code_known REFERENCES ref.organisation,
    service         text     NOT NULL CONSTRAINT assistance_service_known REFERENCES ref.code
                             CONSTRAINT assistance_service_list_sv CHECK (service LIKE 'sv\_%'),
    needed_on       date     NOT NULL,
    referred_to     text     CONSTRAINT assistance_referred_to_known REFERENCES ref.organisation,
    referral_status text     CONSTRAINT assistance_referral_status_known REFERENCES ref.code
                             CONSTRAINT assistance_referral_status_list_rf CHECK (referral_status LIKE 'rf\_%'),
    started_on      date,
    ended_on        date,
    result          text     CONSTRAINT assistance_result_known REFERENCES ref.code
                             CONSTRAINT assistance_result_list_pr CHECK (result LIKE 'pr\_%'),
    place_code      text     CONSTRAINT assistance_place_code_known REFERENCES ref.place,
    CONSTRAINT assistance_pkey PRIMARY KEY (sub_id, seq),
    CONSTRAINT assistance_ended_on_after_started_on CHECK (ended_on >= started_on)
);
CREATE INDEX assistance_victim_id ON tip.assistance (victim_id);
CREATE INDEX assistance_org_code ON tip.assistance (org_code, needed_on);
CREATE INDEX assistance_referred_to ON tip.assistance (referred_to) WHERE referred_to IS NOT NULL;
CREATE INDEX assistance_started_on ON tip.assistance (started_on) WHERE started_on IS NOT NULL;
COMMENT ON TABLE tip.assistance IS 'Un besoin, son référencement et le service rendu, en une ligne';
COMMENT ON COLUMN tip.assistance.sub_id IS 'Version reçue de la fiche (registre)';
COMMENT ON COLUMN tip.assistance.seq IS 'Rang dans la fiche';
COMMENT ON COLUMN tip.assistance.victim_id IS 'Personne';
COMMENT ON COLUMN tip.assistance.org_code IS 'Structure qui a rempli la fiche';
COMMENT ON COLUMN tip.assistance.service IS 'Service (liste sv)';
COMMENT ON COLUMN tip.assistance.needed_on IS 'Date de la demande';
COMMENT ON COLUMN tip.assistance.referred_to IS 'Structure vers laquelle la personne est référée';
COMMENT ON COLUMN tip.assistance.referral_status IS 'État du référencement (liste rf)';
COMMENT ON COLUMN tip.assistance.started_on IS 'Début du service ; vide tant qu''il n''est pas rendu';
COMMENT ON COLUMN tip.assistance.ended_on IS 'Fin du service';
COMMENT ON COLUMN tip.assistance.result IS 'Évolution du placement (liste pr)';
COMMENT ON COLUMN tip.assistance.place_code IS 'Lieu du service';

CREATE TABLE tip.followup (
    followup_id uuid    CONSTRAINT followup_pkey PRIMARY KEY,
    sub_id      uuid    NOT NULL CONSTRAINT followup_sub_id_known REFERENCES relais.submission,
    victim_id   uuid    NOT NULL CONSTRAINT followup_victim_id_known REFERENCES tip.victim,
    org_code    text    NOT NULL CONSTRAINT followup_org_code_known REFERENCES ref.organisation,
    visited_on  date    NOT NULL,
    case_state  text    NOT NULL CONSTRAINT followup_case_state_known REFERENCES ref.code
                        CONSTRAINT followup_case_state_list_cl CHECK (case_state LIKE 'cl\_%'),
    lives_with  text    CONSTRAINT followup_lives_with_known CHECK
                        (lives_with IN ('family', 'foster', 'centre', 'alone', 'exploiter', 'unknown')),
    safe        boolean,
    next_visit  date,
    CONSTRAINT followup_next_visit_after_this_one CHECK (next_visit >= visited_on)
);
CREATE INDEX followup_sub_id ON tip.followup (sub_id);
CREATE INDEX followup_victim_id ON tip.followup (victim_id, visited_on);
CREATE INDEX followup_org_code ON tip.followup (org_code, visited_on);
CREATE INDEX followup_next_visit ON tip.followup (next_visit) WHERE next_visit IS NOT NULL;
COMMENT ON TABLE tip.followup IS 'Une visite de suivi ; la plus récente donne la situation du dossier de la personne';
COMMENT ON COLUMN tip.followup.followup_id IS 'UUIDv5 du formulaire et de la première version de la fiche';
COMMENT ON COLUMN tip.followup.sub_id IS 'Version reçue de la fiche (registre)';
COMMENT ON COLUMN tip.followup.victim_id IS 'Personne';
COMMENT ON COLUMN tip.followup.org_code IS 'Structure qui a visité';
COMMENT ON COLUMN tip.followup.visited_on IS 'Date de la visite';
COMMENT ON COLUMN tip.followup.case_state IS 'Situation du dossier (liste cl)';
COMMENT ON COLUMN tip.followup.lives_with IS 'Vit avec : family famille, foster famille d''accueil, centre, alone seule, exploiter exploiteur, unknown inconnu';
COMMENT ON COLUMN tip.followup.safe IS 'Se sent en sécurité';
COMMENT ON COLUMN tip.followup.next_visit IS 'Prochaine visite prévue';

-- The state of a person's file is that of the newest visit, also when an older one arrives later,
-- is corrected or goes away.
CREATE FUNCTION tip.take_case_state() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE tip.victim v
       SET case_state = newest.case_state
      FROM (SELECT c.victim_id,
                   (SELECT f.case_state FROM tip.followup f WHERE f.victim_id = c.victim_id
                     ORDER BY f.visited_on DESC, f.followup_id DESC LIMIT 1) AS case_state
              FROM (SELECT DISTINCT victim_id FROM changed) c) newest
     WHERE v.victim_id = newest.victim_id AND v.case_state IS DISTINCT FROM newest.case_state;
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION tip.take_case_state() FROM PUBLIC;
COMMENT ON FUNCTION tip.take_case_state() IS 'Reporte sur la personne la situation de sa visite la plus récente';
CREATE TRIGGER followup_inserted AFTER INSERT ON tip.followup
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tip.take_case_state();
CREATE TRIGGER followup_updated_from AFTER UPDATE ON tip.followup
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tip.take_case_state();
CREATE TRIGGER followup_updated_to AFTER UPDATE ON tip.followup
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tip.take_case_state();
CREATE TRIGGER followup_deleted AFTER DELETE ON tip.followup
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tip.take_case_state();

CREATE TABLE tip.activity_report (
    org_code   text    NOT NULL CONSTRAINT activity_report_org_code_known REFERENCES ref.organisation,
    month      date    NOT NULL CONSTRAINT activity_report_month_is_a_first_day CHECK (extract(day FROM month) = 1),
    seen       integer NOT NULL CONSTRAINT activity_report_seen_0_to_9999 CHECK (seen BETWEEN 0 AND 9999),
    sub_id     uuid    NOT NULL CONSTRAINT activity_report_sub_id_known REFERENCES relais.submission,
    forms_sent integer CONSTRAINT activity_report_forms_sent_0_to_9999 CHECK (forms_sent BETWEEN 0 AND 9999),
    CONSTRAINT activity_report_pkey PRIMARY KEY (org_code, month)
);
CREATE INDEX activity_report_month ON tip.activity_report (month);
CREATE INDEX activity_report_sub_id ON tip.activity_report (sub_id);
COMMENT ON TABLE tip.activity_report IS 'Le mois d''une structure, même néant : un silence n''est pas un zéro';
COMMENT ON COLUMN tip.activity_report.org_code IS 'Structure';
COMMENT ON COLUMN tip.activity_report.month IS 'Mois, enregistré par son premier jour';
COMMENT ON COLUMN tip.activity_report.seen IS 'Personnes vues ce mois ; 0 : rapport néant';
COMMENT ON COLUMN tip.activity_report.sub_id IS 'Version reçue du rapport (registre)';
COMMENT ON COLUMN tip.activity_report.forms_sent IS 'Fiches que la structure dit avoir envoyées, à comparer à celles qui sont arrivées';

CREATE TABLE tip.activity_difficulty (
    org_code   text NOT NULL,
    month      date NOT NULL,
    difficulty text NOT NULL CONSTRAINT activity_difficulty_known CHECK
                    (difficulty IN ('network', 'phone', 'staff', 'security', 'none')),
    CONSTRAINT activity_difficulty_pkey PRIMARY KEY (org_code, month, difficulty),
    CONSTRAINT activity_difficulty_report_known FOREIGN KEY (org_code, month)
        REFERENCES tip.activity_report ON UPDATE CASCADE ON DELETE CASCADE
);
COMMENT ON TABLE tip.activity_difficulty IS 'Difficultés du mois qu''une structure signale';
COMMENT ON COLUMN tip.activity_difficulty.org_code IS 'Structure';
COMMENT ON COLUMN tip.activity_difficulty.month IS 'Mois, enregistré par son premier jour';
COMMENT ON COLUMN tip.activity_difficulty.difficulty IS 'network réseau, phone téléphone, staff personnel, security sécurité, none aucune';

-- What a person wants of their own data: to withdraw an agreement once given, or to be erased.
-- A follow-up form brings the wish; the coordination unit answers it (tip.decide_consent_change).
CREATE TABLE tip.consent_change (
    change_id  uuid        CONSTRAINT consent_change_pkey PRIMARY KEY,
    sub_id     uuid        NOT NULL CONSTRAINT consent_change_sub_id_known REFERENCES relais.submission,
    victim_id  uuid        NOT NULL CONSTRAINT consent_change_victim_id_known REFERENCES tip.victim,
    org_code   text        NOT NULL CONSTRAINT consent_change_org_code_known REFERENCES ref.organisation,
    asked_on   date        NOT NULL,
    wish       text        NOT NULL CONSTRAINT consent_change_wish_known CHECK
                           (wish IN ('stats', 'assist', 'justice', 'erasure')),
    outcome    text        NOT NULL DEFAULT 'open' CONSTRAINT consent_change_outcome_known CHECK
                           (outcome IN ('open', 'applied', 'refused')),
    decided_by text,
    decided_at timestamptz,
    reason     text,
    CONSTRAINT consent_change_decision_has_author_and_time CHECK
        ((outcome = 'open') = (decided_by IS NULL) AND (outcome = 'open') = (decided_at IS NULL)),
    CONSTRAINT consent_change_refusal_has_a_reason CHECK
        (outcome <> 'refused' OR coalesce(btrim(reason), '') <> '')
);
CREATE INDEX consent_change_sub_id ON tip.consent_change (sub_id);
CREATE INDEX consent_change_victim_id ON tip.consent_change (victim_id);
CREATE INDEX consent_change_org_code ON tip.consent_change (org_code);
CREATE INDEX consent_change_open ON tip.consent_change (asked_on) WHERE outcome = 'open';
COMMENT ON TABLE tip.consent_change IS 'Un accord retiré ou un effacement demandé ; une tâche de la coordination tant que la suite est open';
COMMENT ON COLUMN tip.consent_change.change_id IS 'UUIDv5 de la fiche et du souhait : une correction de la fiche garde la décision';
COMMENT ON COLUMN tip.consent_change.sub_id IS 'Version reçue de la fiche (registre)';
COMMENT ON COLUMN tip.consent_change.victim_id IS 'Personne';
COMMENT ON COLUMN tip.consent_change.org_code IS 'Structure qui a recueilli le souhait';
COMMENT ON COLUMN tip.consent_change.asked_on IS 'Date du souhait';
COMMENT ON COLUMN tip.consent_change.wish IS 'stats, assist, justice : accord retiré ; erasure : effacement';
COMMENT ON COLUMN tip.consent_change.outcome IS 'Suite : open à traiter, applied fait, refused refusé';
COMMENT ON COLUMN tip.consent_change.decided_by IS 'Qui a décidé (compte de la base)';
COMMENT ON COLUMN tip.consent_change.decided_at IS 'Quand';
COMMENT ON COLUMN tip.consent_change.reason IS 'Motif ; obligatoire pour un refus. Aucun nom';

-- A wish that was answered stays, also when its form is corrected or leaves it out.
CREATE FUNCTION tip.keep_decided_wish() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION tip.keep_decided_wish() FROM PUBLIC;
COMMENT ON FUNCTION tip.keep_decided_wish() IS 'Garde un souhait auquel il a été répondu';
CREATE TRIGGER consent_change_keeps_decided BEFORE DELETE ON tip.consent_change
    FOR EACH ROW WHEN (OLD.outcome <> 'open') EXECUTE FUNCTION tip.keep_decided_wish();

-- Every victim row of the same person.
CREATE FUNCTION tip.same_person(victim uuid) RETURNS SETOF uuid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH root AS (SELECT coalesce(v.merged_into, v.victim_id) AS id FROM tip.victim v WHERE v.victim_id = victim)
    SELECT id FROM root UNION SELECT v.victim_id FROM tip.victim v JOIN root ON v.merged_into = root.id
$$;
REVOKE EXECUTE ON FUNCTION tip.same_person(uuid) FROM PUBLIC;
COMMENT ON FUNCTION tip.same_person(uuid) IS 'Toutes les lignes de tip.victim de la même personne';

-- An agreement withdrawn stays withdrawn, also when an older form is corrected or sent again
-- afterwards. A recording made after the day of the wish is a new agreement and stands.
CREATE FUNCTION tip.heed_withdrawals() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    withdrawn text[] := ARRAY(SELECT c.wish FROM tip.consent_change c
                               WHERE c.victim_id IN (SELECT tip.same_person(NEW.victim_id))
                                 AND c.outcome = 'applied' AND c.asked_on >= NEW.event_date);
BEGIN
    NEW.share_stats := NEW.share_stats AND 'stats' <> ALL (withdrawn);
    NEW.share_assist := NEW.share_assist AND 'assist' <> ALL (withdrawn);
    NEW.share_justice := NEW.share_justice AND 'justice' <> ALL (withdrawn);
    RETURN NEW;
END
$$;
REVOKE EXECUTE ON FUNCTION tip.heed_withdrawals() FROM PUBLIC;
COMMENT ON FUNCTION tip.heed_withdrawals() IS 'Retire d''une fiche les accords que la personne a retirés depuis';
CREATE TRIGGER identification_heeds_withdrawals BEFORE INSERT OR UPDATE ON tip.identification
    FOR EACH ROW WHEN (NEW.share_stats OR NEW.share_assist OR NEW.share_justice)
    EXECUTE FUNCTION tip.heed_withdrawals();

CREATE FUNCTION tip.decide_consent_change(change uuid, outcome text, reason text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    asked tip.consent_change;
BEGIN
    IF outcome NOT IN ('applied', 'refused') OR outcome IS NULL THEN
        RAISE EXCEPTION 'la suite est applied ou refused, pas « % »', outcome USING ERRCODE = '22023';
    END IF;
    UPDATE tip.consent_change c
       SET outcome = decide_consent_change.outcome, decided_by = session_user, decided_at = now(),
           reason = decide_consent_change.reason
     WHERE c.change_id = change AND c.outcome = 'open'
    RETURNING c.* INTO asked;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'aucun souhait ouvert n''a cet identifiant' USING ERRCODE = 'P0002';
    END IF;
    -- The trigger above does what there is to do to what is already there.
    UPDATE tip.identification i
       SET share_stats = i.share_stats
     WHERE i.victim_id IN (SELECT tip.same_person(asked.victim_id)) AND i.event_date <= asked.asked_on;
END
$$;
REVOKE EXECUTE ON FUNCTION tip.decide_consent_change(uuid, text, text) FROM PUBLIC;
COMMENT ON FUNCTION tip.decide_consent_change(uuid, text, text) IS
    'Réponse de la coordination à un souhait : applied (un accord retiré l''est aussitôt ; l''effacement se fait par relais erase) ou refused, avec son motif';
