-- Who a person is, sealed (CMS) to a public key whose private half is not on this server, and the log of
-- everybody who reads it.
--
-- PostgreSQL cannot log a SELECT, so nobody may select the sealed column; it is had in two steps:
--
--     SELECT identity.request(PERSON, 'pourquoi');   -- writes the log, gives a ticket
--     SELECT * FROM identity.read(TICKET);           -- gives the sealed identity
--
-- Two, because a transaction can be rolled back after its client has read: the ticket is honoured only once
-- the log row that it names is committed. Each log row holds the hash of the one before: whoever alters or
-- removes one breaks the chain, and audit.verify says where.
CREATE SCHEMA audit;
COMMENT ON SCHEMA audit IS 'Journal des accès aux données protégées, en chaîne d''empreintes';

CREATE TABLE audit.access_log (
    id        bigint      CONSTRAINT access_log_pkey PRIMARY KEY,
    at        timestamptz NOT NULL,
    db_user   text        NOT NULL,
    action    text        NOT NULL,
    object    text        NOT NULL,
    subject   uuid,
    reason    text        NOT NULL CONSTRAINT access_log_reason_10_characters CHECK (length(btrim(reason)) >= 10),
    xact      xid8        NOT NULL,
    prev_hash bytea       NOT NULL CONSTRAINT access_log_prev_hash_32_bytes CHECK (octet_length(prev_hash) = 32),
    hash      bytea       NOT NULL CONSTRAINT access_log_hash_32_bytes CHECK (octet_length(hash) = 32)
);
CREATE INDEX access_log_subject ON audit.access_log (subject);
CREATE INDEX access_log_at ON audit.access_log (at);
COMMENT ON TABLE audit.access_log IS 'Un accès ; des lignes s''ajoutent, aucune n''est modifiée ni ôtée';
COMMENT ON COLUMN audit.access_log.id IS 'Rang, sans trou : un trou est une ligne ôtée';
COMMENT ON COLUMN audit.access_log.at IS 'Quand';
COMMENT ON COLUMN audit.access_log.db_user IS 'Compte de la base qui a demandé';
COMMENT ON COLUMN audit.access_log.action IS 'Ce qui a été fait';
COMMENT ON COLUMN audit.access_log.object IS 'Sur quoi';
COMMENT ON COLUMN audit.access_log.subject IS 'Personne concernée (victime ou mise en cause)';
COMMENT ON COLUMN audit.access_log.reason IS 'Pourquoi, dans les mots de qui a demandé ; aucun nom';
COMMENT ON COLUMN audit.access_log.xact IS 'Transaction qui a écrit la ligne';
COMMENT ON COLUMN audit.access_log.prev_hash IS 'Empreinte de la ligne d''avant ; zéros pour la première';
COMMENT ON COLUMN audit.access_log.hash IS 'SHA-256 de prev_hash et de cette ligne';

-- The row as text in one form only: JSON of an array, times in UTC to the microsecond.
CREATE FUNCTION audit.digest(entry audit.access_log) RETURNS bytea
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT sha256(entry.prev_hash || convert_to(jsonb_build_array(
        entry.id, to_char(entry.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), entry.db_user,
        entry.action, entry.object, entry.subject, entry.reason, entry.xact::text)::text, 'UTF8'))
$$;
COMMENT ON FUNCTION audit.digest(audit.access_log) IS 'Empreinte d''une ligne du journal';

-- The lock is held to the end of the transaction, so the row before this one is committed or this
-- transaction's own: the chain never forks.
CREATE FUNCTION audit.chain() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last audit.access_log;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('relais.audit', 0));
    SELECT l.* INTO last FROM audit.access_log l ORDER BY l.id DESC LIMIT 1;
    NEW.id := coalesce(last.id, 0) + 1;
    NEW.at := clock_timestamp();
    NEW.db_user := session_user;
    NEW.xact := pg_current_xact_id();
    NEW.prev_hash := coalesce(last.hash, decode(repeat('00', 32), 'hex'));
    NEW.hash := audit.digest(NEW);
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION audit.chain() IS 'Donne à une ligne du journal son rang, son auteur, son heure et son empreinte';
CREATE TRIGGER access_log_chain BEFORE INSERT ON audit.access_log
    FOR EACH ROW EXECUTE FUNCTION audit.chain();

CREATE FUNCTION audit.refuse() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'le journal des accès ne se modifie pas' USING ERRCODE = '42501';
END
$$;
COMMENT ON FUNCTION audit.refuse() IS 'Refuse toute modification du journal, aussi au propriétaire';
CREATE TRIGGER access_log_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.access_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse();

-- What the chain alone cannot show is that its end was cut off: note id and hash of audit.head elsewhere,
-- on paper or with each backup, and give them here.
CREATE FUNCTION audit.verify(known_id bigint DEFAULT NULL, known_hash bytea DEFAULT NULL)
RETURNS TABLE (broken_id bigint, problem text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.broken_id, t.problem FROM (
        SELECT l.id AS broken_id,
               CASE WHEN l.id <> l.rank THEN 'une ligne manque avant celle-ci'
                    WHEN l.prev_hash <> l.expected THEN 'la ligne d''avant n''est plus celle qui a été écrite'
                    WHEN l.hash <> l.digest THEN 'cette ligne n''est plus celle qui a été écrite' END AS problem
          FROM (SELECT e.id, e.prev_hash, e.hash, audit.digest(e) AS digest,
                       row_number() OVER (ORDER BY e.id) AS rank,
                       lag(e.hash, 1, decode(repeat('00', 32), 'hex')) OVER (ORDER BY e.id) AS expected
                  FROM audit.access_log e) l
        UNION ALL
        SELECT known_id, 'la ligne notée ailleurs n''est pas dans le journal'
         WHERE known_id IS NOT NULL
           AND NOT EXISTS (SELECT FROM audit.access_log l WHERE l.id = known_id AND l.hash = known_hash)) t
     WHERE t.problem IS NOT NULL ORDER BY t.broken_id LIMIT 1
$$;
COMMENT ON FUNCTION audit.verify(bigint, bytea) IS 'Première ligne où la chaîne est rompue, et comment ; aucune si le journal est entier';

CREATE FUNCTION audit.head() RETURNS TABLE (id bigint, hash bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT l.id, l.hash FROM audit.access_log l ORDER BY l.id DESC LIMIT 1
$$;
COMMENT ON FUNCTION audit.head() IS 'Dernière ligne du journal, à noter ailleurs';
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA audit FROM PUBLIC;

CREATE SCHEMA identity;
COMMENT ON SCHEMA identity IS 'Identités scellées ; la clé qui les ouvre n''est pas sur ce serveur';

CREATE TABLE identity.person (
    person_id         uuid        CONSTRAINT person_pkey PRIMARY KEY,
    sub_id            uuid        CONSTRAINT person_sub_id_known REFERENCES relais.submission,
    victim_id         uuid        CONSTRAINT person_victim_id_known REFERENCES tip.victim,
    suspect_id        uuid        CONSTRAINT person_suspect_id_known REFERENCES tip.suspect,
    identification_id uuid        CONSTRAINT person_identification_id_known REFERENCES tip.identification ON DELETE CASCADE,
    sealed            bytea       NOT NULL CONSTRAINT person_sealed_not_empty CHECK (octet_length(sealed) > 0),
    seal_key          text        NOT NULL,
    keep_until        date        NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT person_of_one_victim_or_one_suspect CHECK (num_nonnulls(victim_id, suspect_id) = 1),
    CONSTRAINT person_identification_only_of_a_victim CHECK (identification_id IS NULL OR victim_id IS NOT NULL)
);
ALTER TABLE identity.person ALTER COLUMN sealed SET STORAGE EXTERNAL; -- encrypted bytes do not compress
CREATE INDEX person_sub_id ON identity.person (sub_id);
CREATE INDEX person_victim_id ON identity.person (victim_id) WHERE victim_id IS NOT NULL;
CREATE INDEX person_suspect_id ON identity.person (suspect_id) WHERE suspect_id IS NOT NULL;
CREATE INDEX person_identification_id ON identity.person (identification_id) WHERE identification_id IS NOT NULL;
CREATE INDEX person_keep_until ON identity.person (keep_until);
COMMENT ON TABLE identity.person IS 'Identité scellée qu''une fiche donne d''une victime ou d''une personne mise en cause';
COMMENT ON COLUMN identity.person.person_id IS 'Identifiant';
COMMENT ON COLUMN identity.person.sub_id IS 'Version reçue de la fiche (registre)';
COMMENT ON COLUMN identity.person.victim_id IS 'Victime';
COMMENT ON COLUMN identity.person.suspect_id IS 'Ou personne mise en cause';
COMMENT ON COLUMN identity.person.identification_id IS 'Enregistrement de la victime dont elle vient';
COMMENT ON COLUMN identity.person.sealed IS 'Réponses scellées (CMS) ; personne ne lit cette colonne, identity.read la rend';
COMMENT ON COLUMN identity.person.seal_key IS 'Empreinte de la clé publique ; sa moitié privée ouvre';
COMMENT ON COLUMN identity.person.keep_until IS 'Jour où l''identité est à effacer';
COMMENT ON COLUMN identity.person.created_at IS 'Quand elle est arrivée ici';

-- A recording that turns out to be another person's (0006_linking.sql) takes its identity along.
CREATE FUNCTION identity.follow_recording() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE identity.person p SET victim_id = NEW.victim_id WHERE p.identification_id = NEW.identification_id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION identity.follow_recording() IS 'Garde l''identité à la personne de son enregistrement';
CREATE TRIGGER identification_takes_identity_along AFTER UPDATE OF victim_id ON tip.identification
    FOR EACH ROW WHEN (OLD.victim_id <> NEW.victim_id) EXECUTE FUNCTION identity.follow_recording();

CREATE FUNCTION identity.request(person uuid, reason text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    about uuid := (SELECT coalesce(p.victim_id, p.suspect_id) FROM identity.person p WHERE p.person_id = person);
    ticket bigint;
BEGIN
    IF about IS NULL THEN
        RAISE EXCEPTION 'aucune identité scellée n''a cet identifiant' USING ERRCODE = 'P0002';
    END IF;
    IF reason IS NULL OR length(btrim(reason)) < 10 THEN
        RAISE EXCEPTION 'la lecture d''une identité demande un motif d''au moins 10 caractères' USING ERRCODE = '22023';
    END IF;
    INSERT INTO audit.access_log (action, object, subject, reason)
    VALUES ('read identity', 'identity.person ' || person, about, btrim(reason)) RETURNING id INTO ticket;
    RETURN ticket;
END
$$;
COMMENT ON FUNCTION identity.request(uuid, text) IS 'Écrit au journal qui veut lire quelle identité et pourquoi ; rend le ticket pour identity.read';

-- A row of this very transaction may still be rolled back; one of another is visible only when committed.
CREATE FUNCTION identity.read(ticket bigint) RETURNS TABLE (sealed bytea, seal_key text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    entry audit.access_log;
BEGIN
    SELECT l.* INTO entry FROM audit.access_log l
     WHERE l.id = ticket AND l.db_user = session_user AND l.action = 'read identity'
       AND l.at > clock_timestamp() - interval '15 minutes';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'ce ticket n''est pas le vôtre, ou il a plus de 15 minutes' USING ERRCODE = '42501',
              HINT = 'Demandez-en un autre : SELECT identity.request(personne, motif).';
    END IF;
    IF entry.xact = pg_current_xact_id_if_assigned() THEN
        RAISE EXCEPTION 'la demande n''est pas encore validée' USING ERRCODE = '55000',
              HINT = 'Terminez par COMMIT la transaction qui a demandé, puis lisez.';
    END IF;
    RETURN QUERY SELECT p.sealed, p.seal_key FROM identity.person p
                  WHERE p.person_id = split_part(entry.object, ' ', 2)::uuid;
END
$$;
COMMENT ON FUNCTION identity.read(bigint) IS 'Rend l''identité scellée que nomme un ticket de moins de 15 minutes';
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA identity FROM PUBLIC;
