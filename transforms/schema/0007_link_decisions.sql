-- What people decide about who is one person, and the little they see to decide it. Every decision can be
-- taken back; link.history keeps them all.

CREATE TABLE link.history (
    history_id bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT history_pkey PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    db_user    text        NOT NULL DEFAULT session_user,
    by_whom    text        NOT NULL,
    action     text        NOT NULL CONSTRAINT history_action_known CHECK (action IN
                           ('merge', 'unmerge', 'open', 'same', 'different', 'new_episode', 'episode', 'no_episode', 'primary')),
    victim_a   uuid,
    victim_b   uuid,
    detail     text
);
CREATE INDEX history_victim_a ON link.history (victim_a);
CREATE INDEX history_victim_b ON link.history (victim_b);
COMMENT ON TABLE link.history IS 'Tout ce que des personnes ont décidé, dans l''ordre ; rien n''y est modifié';
COMMENT ON COLUMN link.history.history_id IS 'Rang';
COMMENT ON COLUMN link.history.at IS 'Quand';
COMMENT ON COLUMN link.history.db_user IS 'Compte de la base';
COMMENT ON COLUMN link.history.by_whom IS 'Personne que la commande a nommée';
COMMENT ON COLUMN link.history.action IS 'Décision, réunion, séparation, épisode ou choix de l''enregistrement qui parle';
COMMENT ON COLUMN link.history.victim_a IS 'Personne concernée';
COMMENT ON COLUMN link.history.victim_b IS 'L''autre, s''il y en a une';
COMMENT ON COLUMN link.history.detail IS 'Numéro de la paire, de la réunion ou de l''enregistrement';

CREATE FUNCTION link.merge(a uuid, b uuid, by_whom text DEFAULT session_user, reason text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    id bigint;
BEGIN
    IF a IS NULL OR b IS NULL OR a = b THEN
        RAISE EXCEPTION 'une réunion demande deux personnes différentes' USING ERRCODE = '22023';
    END IF;
    PERFORM link.lock();
    id := link.join_pair(a, b, 'manual', by_whom, reason);
    INSERT INTO link.history (by_whom, action, victim_a, victim_b, detail) VALUES (by_whom, 'merge', a, b, id::text);
    PERFORM link.relink(ARRAY[a, b]);
    RETURN id;
END
$$;
REVOKE EXECUTE ON FUNCTION link.merge(uuid, uuid, text, text) FROM PUBLIC;
COMMENT ON FUNCTION link.merge(uuid, uuid, text, text) IS 'Réunit b et tout son groupe à a ; rend le numéro de la réunion, qui sert à la défaire';

CREATE FUNCTION link.unmerge(merge bigint, by_whom text DEFAULT session_user) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    undone link.merge_log;
BEGIN
    PERFORM link.lock();
    SELECT l.* INTO undone FROM link.merge_log l WHERE l.merge_id = merge AND l.undone_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'aucune réunion en vigueur n''a le numéro %', merge USING ERRCODE = 'P0002';
    END IF;
    IF by_whom = '(relais)' OR by_whom IS NULL THEN
        RAISE EXCEPTION 'une séparation porte le nom de qui la décide' USING ERRCODE = '22023';
    END IF;
    PERFORM link.undo(merge, by_whom);
    UPDATE link.candidate c SET decision = 'open', decided_by = NULL, decided_at = NULL
     WHERE c.victim_a = least(undone.kept, undone.absorbed) AND c.victim_b = greatest(undone.kept, undone.absorbed)
       AND c.decision = 'same';
    INSERT INTO link.history (by_whom, action, victim_a, victim_b, detail)
    VALUES (by_whom, 'unmerge', undone.kept, undone.absorbed, merge::text);
    PERFORM link.relink(ARRAY[undone.kept, undone.absorbed]);
END
$$;
REVOKE EXECUTE ON FUNCTION link.unmerge(bigint, text) FROM PUBLIC;
COMMENT ON FUNCTION link.unmerge(bigint, text) IS 'Défait une réunion : tout redevient comme si elle n''avait pas été faite, et la paire attend une décision';

CREATE FUNCTION link.decide(candidate bigint, decision text, by_whom text DEFAULT session_user) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    pair link.candidate;
    kept uuid;
    joined bigint;
BEGIN
    IF decision IS NULL OR decision NOT IN ('open', 'same', 'different', 'new_episode') THEN
        RAISE EXCEPTION 'la décision est open, same, different ou new_episode, pas « % »', decision USING ERRCODE = '22023';
    END IF;
    IF by_whom IS NULL OR by_whom = '(relais)' THEN
        RAISE EXCEPTION 'une décision porte le nom de qui la prend' USING ERRCODE = '22023';
    END IF;
    PERFORM link.lock();
    SELECT c.* INTO pair FROM link.candidate c WHERE c.candidate_id = candidate FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'aucune paire n''a le numéro %', candidate USING ERRCODE = 'P0002';
    END IF;
    IF decision = 'same' THEN
        kept := link.earlier(pair.victim_a, pair.victim_b);
        PERFORM link.join_pair(kept, CASE kept WHEN pair.victim_a THEN pair.victim_b ELSE pair.victim_a END,
                               'decision', by_whom, pair.reason);
    ELSE
        SELECT l.merge_id INTO joined FROM link.merge_log l
         WHERE least(l.kept, l.absorbed) = pair.victim_a AND greatest(l.kept, l.absorbed) = pair.victim_b
           AND l.undone_at IS NULL;
        PERFORM link.undo(joined, by_whom);
        IF decision <> 'open' AND pair.victim_b = ANY (link.group_of(pair.victim_a)) THEN
            RAISE EXCEPTION 'ces deux personnes restent réunies par une troisième' USING ERRCODE = '55000',
                  HINT = 'Défaites d''abord cette réunion-là : link.merge_log montre lesquelles.';
        END IF;
    END IF;
    UPDATE link.candidate c
       SET decision = decide.decision,
           decided_by = CASE WHEN decide.decision <> 'open' THEN by_whom END,
           decided_at = CASE WHEN decide.decision <> 'open' THEN now() END
     WHERE c.candidate_id = candidate;
    INSERT INTO link.history (by_whom, action, victim_a, victim_b, detail)
    VALUES (by_whom, decision, pair.victim_a, pair.victim_b, candidate::text);
    PERFORM link.relink(ARRAY[pair.victim_a, pair.victim_b]);
END
$$;
REVOKE EXECUTE ON FUNCTION link.decide(bigint, text, text) FROM PUBLIC;
COMMENT ON FUNCTION link.decide(bigint, text, text) IS 'Décide d''une paire : same les réunit, different et new_episode les comptent à part, open la rouvre';

-- Exploited again after closure: the same card, and a new victim for that year, from this recording on.
CREATE FUNCTION link.start_episode(identification uuid, by_whom text DEFAULT session_user) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    was tip.identification;
    person uuid;
BEGIN
    PERFORM link.lock();
    SELECT i.* INTO was FROM tip.identification i WHERE i.identification_id = identification;
    IF NOT FOUND OR was.consent_basis = 'co_none' THEN
        RAISE EXCEPTION 'aucun enregistrement d''une personne n''a cet identifiant' USING ERRCODE = 'P0002';
    END IF;
    IF NOT EXISTS (SELECT FROM tip.identification i
                    WHERE i.victim_id = was.victim_id AND i.national_code = was.national_code
                      AND (i.event_date, i.reported_at, i.identification_id)
                          < (was.event_date, was.reported_at, was.identification_id)) THEN
        RAISE EXCEPTION 'cette personne n''a pas d''enregistrement avant celui-là' USING ERRCODE = '55000';
    END IF;
    INSERT INTO link.episode (identification_id, decided_by) VALUES (identification, by_whom);
    PERFORM link.relink(link.assign_code(was.national_code) || was.victim_id);
    person := (SELECT i.victim_id FROM tip.identification i WHERE i.identification_id = identification);
    INSERT INTO link.candidate AS c (victim_a, victim_b, reason, score, decision, decided_by, decided_at)
    VALUES (least(person, was.victim_id), greatest(person, was.victim_id), 'card', 1, 'new_episode', by_whom, now())
        ON CONFLICT (victim_a, victim_b) DO UPDATE
       SET decision = 'new_episode', decided_by = excluded.decided_by, decided_at = excluded.decided_at;
    INSERT INTO link.history (by_whom, action, victim_a, victim_b, detail)
    VALUES (by_whom, 'episode', was.victim_id, person, identification::text);
    RETURN person;
END
$$;
REVOKE EXECUTE ON FUNCTION link.start_episode(uuid, text) FROM PUBLIC;
COMMENT ON FUNCTION link.start_episode(uuid, text) IS 'Ouvre un nouvel épisode : dès cet enregistrement, la même carte est une nouvelle victime';

CREATE FUNCTION link.cancel_episode(identification uuid, by_whom text DEFAULT session_user) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    was tip.identification;
BEGIN
    PERFORM link.lock();
    DELETE FROM link.episode e WHERE e.identification_id = identification;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'cet enregistrement n''ouvre pas d''épisode' USING ERRCODE = 'P0002';
    END IF;
    SELECT i.* INTO was FROM tip.identification i WHERE i.identification_id = identification;
    DELETE FROM link.candidate c
     WHERE was.victim_id IN (c.victim_a, c.victim_b) AND c.decision = 'new_episode' AND c.reason = 'card';
    PERFORM link.relink(link.assign_code(was.national_code) || was.victim_id);
    INSERT INTO link.history (by_whom, action, victim_a, detail)
    VALUES (by_whom, 'no_episode', was.victim_id, identification::text);
END
$$;
REVOKE EXECUTE ON FUNCTION link.cancel_episode(uuid, text) FROM PUBLIC;
COMMENT ON FUNCTION link.cancel_episode(uuid, text) IS 'Annule un épisode : l''enregistrement revient à la personne de sa carte';

CREATE FUNCTION link.choose_primary(identification uuid, by_whom text DEFAULT session_user) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    person uuid := (SELECT coalesce(v.merged_into, v.victim_id) FROM tip.identification i
                      JOIN tip.victim v ON v.victim_id = i.victim_id WHERE i.identification_id = identification);
BEGIN
    IF person IS NULL THEN
        RAISE EXCEPTION 'aucun enregistrement n''a cet identifiant' USING ERRCODE = 'P0002';
    END IF;
    UPDATE tip.victim v SET primary_ident = identification WHERE v.victim_id = person;
    INSERT INTO link.history (by_whom, action, victim_a, detail) VALUES (by_whom, 'primary', person, identification::text);
END
$$;
REVOKE EXECUTE ON FUNCTION link.choose_primary(uuid, text) FROM PUBLIC;
COMMENT ON FUNCTION link.choose_primary(uuid, text) IS 'Choisit l''enregistrement dont les réponses parlent pour la personne';

-- ---- what people who decide see -----------------------------------------------------------------------------

CREATE VIEW link.open_candidate WITH (security_barrier) AS
SELECT c.candidate_id, c.score, c.reason, c.found_at, c.victim_a, c.victim_b,
       coalesce(a.merged_into, a.victim_id) AS person_a, coalesce(b.merged_into, b.victim_id) AS person_b
  FROM link.candidate c
  JOIN tip.victim a ON a.victim_id = c.victim_a
  JOIN tip.victim b ON b.victim_id = c.victim_b
 WHERE c.decision = 'open' AND coalesce(a.merged_into, a.victim_id) <> coalesce(b.merged_into, b.victim_id);
COMMENT ON VIEW link.open_candidate IS 'Paires à décider : ouvertes, et de deux personnes qui ne sont pas déjà réunies';

CREATE VIEW link.recording WITH (security_barrier) AS
SELECT i.identification_id, i.victim_id, coalesce(v.merged_into, v.victim_id) AS person,
       date_trunc('month', i.event_date)::date AS month, o.org_type,
       CASE p.level WHEN 'commune' THEN p.parent ELSE p.place_code END AS place,
       i.first_record, i.status, i.sex, i.age, i.age_basis, i.is_child, i.citizenship, i.origin_country,
       (SELECT x.form FROM tip.exploitation x WHERE x.identification_id = i.identification_id
         ORDER BY x.main DESC, x.seq LIMIT 1) AS form,
       ARRAY(SELECT DISTINCT k.kind FROM link.match_key k WHERE k.identification_id = i.identification_id ORDER BY 1) AS keys
  FROM tip.identification i
  JOIN tip.victim v ON v.victim_id = i.victim_id
  JOIN ref.organisation o ON o.org_code = i.org_code
  JOIN ref.place p ON p.place_code = i.place_code
 WHERE i.consent_basis <> 'co_none';
COMMENT ON VIEW link.recording IS 'Ce qu''il faut d''un enregistrement pour décider d''une paire, et rien de plus : ni carte, ni agent, ni structure, ni jour, ni commune';
