-- Which recordings are of one person. Three things say so:
--
--   the card code   recordings of one code are one person, unless sex or age contradict: then the later
--                   recording gets a victim row of its own and the pair waits for a person's decision;
--   a document      the same number (K4) joins two people by itself, unless sex or age contradict;
--   a person        who decides on a pair that the other keys (K1, K2, K3, K5) propose, with a score.
--
-- tip.victim.merged_into is never written by hand: it is what the joins of link.merge_log that nobody
-- has undone amount to, replayed in their order. So to undo one restores exactly what would stand had
-- it never been made. Splits, automatic joins and open proposals are functions of the recordings and
-- keys as they are now: a corrected form corrects them too, in whatever order forms arrive.
--
-- The work is done once a transaction, at its end, for what the transaction changed (link.work_off),
-- under one lock: two transactions that bring the two halves of a pair cannot miss each other.
CREATE SCHEMA link;
COMMENT ON SCHEMA link IS 'Rapprochement : quels enregistrements sont d''une même personne. Réservé aux personnes qui rapprochent';

CREATE TABLE link.match_key (
    identification_id uuid     NOT NULL CONSTRAINT match_key_identification_id_known
                               REFERENCES tip.identification ON DELETE CASCADE,
    kind              text     NOT NULL CONSTRAINT match_key_kind_known CHECK (kind IN ('K1', 'K2', 'K3', 'K4', 'K5')),
    key_version       smallint NOT NULL,
    hmac              bytea    NOT NULL CONSTRAINT match_key_hmac_32_bytes CHECK (octet_length(hmac) = 32),
    CONSTRAINT match_key_pkey PRIMARY KEY (identification_id, kind, hmac)
);
CREATE INDEX match_key_hmac ON link.match_key (hmac, kind, key_version);
COMMENT ON TABLE link.match_key IS 'Pseudonymes à clé : comparables entre eux, illisibles sans le secret du service de transfert';
COMMENT ON COLUMN link.match_key.identification_id IS 'Enregistrement';
COMMENT ON COLUMN link.match_key.kind IS 'K1 nom, prénoms, sexe, naissance ; K2 avec l''année seule ; K3 nom, prénoms, mère, province ; K4 pièce ; K5 téléphone';
COMMENT ON COLUMN link.match_key.key_version IS 'Version du secret ; deux versions ne se comparent pas';
COMMENT ON COLUMN link.match_key.hmac IS 'HMAC-SHA-256 des champs mis en forme canonique';

CREATE TABLE link.rule (
    reason    text         CONSTRAINT rule_pkey PRIMARY KEY,
    score     numeric(3,2) NOT NULL CONSTRAINT rule_score_0_to_1 CHECK (score BETWEEN 0 AND 1),
    automatic boolean      NOT NULL,
    label_fr  text         NOT NULL
);
INSERT INTO link.rule VALUES
    ('K4',          1.00, true,  'Même pièce d''identité'),
    ('K1',          0.95, false, 'Mêmes nom, prénoms, sexe et date de naissance'),
    ('K2+K3',       0.80, false, 'Mêmes nom, prénoms, sexe, année de naissance, mère et province'),
    ('K3',          0.60, false, 'Mêmes nom, prénoms, mère et province d''origine'),
    ('K5',          0.60, false, 'Même téléphone et même sexe, âges à deux ans près'),
    ('K2',          0.50, false, 'Mêmes nom, prénoms, sexe et année de naissance'),
    ('card',        0.50, false, 'Même carte, mais le sexe ou l''âge se contredisent'),
    ('K4 conflict', 0.50, false, 'Même pièce, mais le sexe ou l''âge se contredisent');
COMMENT ON TABLE link.rule IS 'Ce que vaut chaque concordance entre deux personnes';
COMMENT ON COLUMN link.rule.reason IS 'Concordance';
COMMENT ON COLUMN link.rule.score IS 'Vraisemblance, de 0 à 1';
COMMENT ON COLUMN link.rule.automatic IS 'Réunit sans qu''une personne décide';
COMMENT ON COLUMN link.rule.label_fr IS 'Libellé';

CREATE TABLE link.candidate (
    candidate_id bigint       GENERATED ALWAYS AS IDENTITY CONSTRAINT candidate_candidate_id_unique UNIQUE,
    victim_a     uuid         NOT NULL CONSTRAINT candidate_victim_a_known REFERENCES tip.victim,
    victim_b     uuid         NOT NULL CONSTRAINT candidate_victim_b_known REFERENCES tip.victim,
    reason       text         NOT NULL,
    score        numeric(3,2) NOT NULL CONSTRAINT candidate_score_0_to_1 CHECK (score BETWEEN 0 AND 1),
    found_at     timestamptz  NOT NULL DEFAULT now(),
    decision     text         NOT NULL DEFAULT 'open' CONSTRAINT candidate_decision_known CHECK
                              (decision IN ('open', 'same', 'different', 'new_episode')),
    decided_by   text,
    decided_at   timestamptz,
    CONSTRAINT candidate_pkey PRIMARY KEY (victim_a, victim_b),
    CONSTRAINT candidate_pair_in_order CHECK (victim_a < victim_b),
    CONSTRAINT candidate_decision_has_author_and_time CHECK
        ((decision = 'open') = (decided_by IS NULL) AND (decision = 'open') = (decided_at IS NULL))
);
CREATE INDEX candidate_victim_b ON link.candidate (victim_b);
CREATE INDEX candidate_open ON link.candidate (score DESC, candidate_id) WHERE decision = 'open';
COMMENT ON TABLE link.candidate IS 'Deux personnes qui n''en sont peut-être qu''une';
COMMENT ON COLUMN link.candidate.candidate_id IS 'Numéro de la paire';
COMMENT ON COLUMN link.candidate.victim_a IS 'L''une';
COMMENT ON COLUMN link.candidate.victim_b IS 'L''autre';
COMMENT ON COLUMN link.candidate.reason IS 'Concordances trouvées (link.rule), la plus forte d''abord';
COMMENT ON COLUMN link.candidate.score IS 'Vraisemblance de la plus forte';
COMMENT ON COLUMN link.candidate.found_at IS 'Quand la paire a été trouvée';
COMMENT ON COLUMN link.candidate.decision IS 'open à décider, same même personne, different deux personnes, new_episode même personne exploitée de nouveau, comptée de nouveau';
COMMENT ON COLUMN link.candidate.decided_by IS 'Qui a décidé';
COMMENT ON COLUMN link.candidate.decided_at IS 'Quand';

CREATE TABLE link.merge_log (
    merge_id  bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT merge_log_pkey PRIMARY KEY,
    kept      uuid        NOT NULL CONSTRAINT merge_log_kept_known REFERENCES tip.victim,
    absorbed  uuid        NOT NULL CONSTRAINT merge_log_absorbed_known REFERENCES tip.victim,
    origin    text        NOT NULL CONSTRAINT merge_log_origin_known CHECK (origin IN ('K4', 'decision', 'manual')),
    made_by   text        NOT NULL,
    made_at   timestamptz NOT NULL DEFAULT now(),
    reason    text,
    undone_by text,
    undone_at timestamptz,
    CONSTRAINT merge_log_two_people CHECK (kept <> absorbed),
    CONSTRAINT merge_log_undone_by_and_at CHECK ((undone_by IS NULL) = (undone_at IS NULL))
);
CREATE UNIQUE INDEX merge_log_one_join_a_pair ON link.merge_log (least(kept, absorbed), greatest(kept, absorbed))
    WHERE undone_at IS NULL;
CREATE INDEX merge_log_pair ON link.merge_log (least(kept, absorbed), greatest(kept, absorbed));
CREATE INDEX merge_log_kept ON link.merge_log (kept);
CREATE INDEX merge_log_absorbed ON link.merge_log (absorbed);
COMMENT ON TABLE link.merge_log IS 'Chaque réunion de deux personnes, défaite ou non ; tip.victim.merged_into en découle';
COMMENT ON COLUMN link.merge_log.merge_id IS 'Numéro de la réunion';
COMMENT ON COLUMN link.merge_log.kept IS 'Personne dont le groupe reste';
COMMENT ON COLUMN link.merge_log.absorbed IS 'Personne dont le groupe la rejoint';
COMMENT ON COLUMN link.merge_log.origin IS 'K4 automatique, decision sur une paire proposée, manual à la main';
COMMENT ON COLUMN link.merge_log.made_by IS 'Qui ; (relais) pour une réunion automatique';
COMMENT ON COLUMN link.merge_log.made_at IS 'Quand';
COMMENT ON COLUMN link.merge_log.reason IS 'Motif';
COMMENT ON COLUMN link.merge_log.undone_by IS 'Qui l''a défaite ; (relais) si la concordance a disparu d''elle-même';
COMMENT ON COLUMN link.merge_log.undone_at IS 'Quand';

CREATE TABLE link.episode (
    identification_id uuid        CONSTRAINT episode_pkey PRIMARY KEY
                                  CONSTRAINT episode_identification_id_known REFERENCES tip.identification ON DELETE CASCADE,
    decided_by        text        NOT NULL,
    decided_at        timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE link.episode IS 'Enregistrements qui ouvrent un nouvel épisode : la même carte, une nouvelle victime pour l''année';
COMMENT ON COLUMN link.episode.identification_id IS 'Premier enregistrement du nouvel épisode ; les suivants de la même carte le rejoignent';
COMMENT ON COLUMN link.episode.decided_by IS 'Qui a décidé';
COMMENT ON COLUMN link.episode.decided_at IS 'Quand';

-- ---- what contradicts, what agrees ------------------------------------------------------------------

-- Years between two ages, once the time between the two recordings is taken off.
CREATE FUNCTION link.age_gap(age_a integer, on_a date, age_b integer, on_b date) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$ SELECT abs(age_b - age_a - trunc((on_b - on_a) / 365.2425))::integer $$;
COMMENT ON FUNCTION link.age_gap(integer, date, integer, date) IS 'Écart entre deux âges, le temps écoulé entre les deux fiches déduit';

CREATE FUNCTION link.contradict(sex_a text, age_a integer, on_a date, sex_b text, age_b integer, on_b date) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(sex_a <> sex_b AND 'sx_unk' NOT IN (sex_a, sex_b), false)
        OR coalesce(link.age_gap(age_a, on_a, age_b, on_b) > 4, false)
$$;
COMMENT ON FUNCTION link.contradict(text, integer, date, text, integer, date) IS
    'Vrai quand deux fiches ne peuvent guère être de la même personne : sexes différents, ou âges de plus de 4 ans d''écart';

-- Every pair that one of these people makes with another. A key that more than 50 recordings bear
-- (the telephone of a centre, a number typed for want of one, a very common name) tells nobody apart:
-- it proposes nothing, which also bounds the work of each recording.
CREATE FUNCTION link.matches(victims uuid[])
RETURNS TABLE (victim_a uuid, victim_b uuid, reason text, score numeric, automatic boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH key AS MATERIALIZED (
        SELECT i.victim_id, i.sex, i.age, i.event_date, k.kind, k.key_version, k.hmac
          FROM tip.identification i JOIN link.match_key k ON k.identification_id = i.identification_id
         WHERE i.victim_id = ANY (victims)
    ), found AS (
        SELECT least(m.victim_id, o.victim_id) AS a, greatest(m.victim_id, o.victim_id) AS b, m.kind,
               coalesce(m.sex = o.sex AND m.sex <> 'sx_unk'
                        AND link.age_gap(m.age, m.event_date, o.age, o.event_date) <= 2, false) AS alike
          FROM key m
         CROSS JOIN LATERAL (
               SELECT array_agg(b.identification_id) AS ids
                 FROM (SELECT k.identification_id FROM link.match_key k
                        WHERE k.hmac = m.hmac AND k.kind = m.kind AND k.key_version = m.key_version LIMIT 51) b
               HAVING count(*) BETWEEN 2 AND 50) bearers
          JOIN tip.identification o ON o.identification_id = ANY (bearers.ids)
         WHERE o.victim_id <> m.victim_id
        UNION ALL
        SELECT least(m.victim_id, o.victim_id), greatest(m.victim_id, o.victim_id), 'card', true
          FROM tip.identification m
          JOIN tip.identification o ON o.national_code = m.national_code AND o.victim_id <> m.victim_id
         WHERE m.victim_id = ANY (victims) AND m.consent_basis <> 'co_none' AND o.consent_basis <> 'co_none'
    ), pair AS (
        SELECT f.a, f.b, array_agg(DISTINCT f.kind) FILTER (WHERE f.kind <> 'K5' OR f.alike) AS kinds
          FROM found f GROUP BY f.a, f.b
    ), judged AS (
        SELECT p.a, p.b, CASE WHEN 'K4' = ANY (p.kinds) AND EXISTS (
                   SELECT FROM tip.identification x JOIN tip.identification y ON y.victim_id = p.b
                    WHERE x.victim_id = p.a
                      AND link.contradict(x.sex, x.age, x.event_date, y.sex, y.age, y.event_date))
               THEN array_replace(p.kinds, 'K4', 'K4 conflict') ELSE p.kinds END
               || CASE WHEN p.kinds @> '{K2,K3}' THEN '{K2+K3}'::text[] ELSE '{}' END AS kinds
          FROM pair p WHERE p.kinds IS NOT NULL
    )
    SELECT j.a, j.b, string_agg(r.reason, ', ' ORDER BY r.score DESC, r.reason), max(r.score), bool_or(r.automatic)
      FROM judged j JOIN link.rule r ON r.reason = ANY (j.kinds)
     GROUP BY j.a, j.b
$$;
REVOKE EXECUTE ON FUNCTION link.matches(uuid[]) FROM PUBLIC;
COMMENT ON FUNCTION link.matches(uuid[]) IS 'Toutes les paires que ces personnes forment avec d''autres, d''après les clés et les cartes';

CREATE FUNCTION link.find_candidates(identification uuid)
RETURNS TABLE (victim_a uuid, victim_b uuid, reason text, score numeric, automatic boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT m.* FROM tip.identification i CROSS JOIN LATERAL link.matches(ARRAY[i.victim_id]) m
     WHERE i.identification_id = identification
$$;
REVOKE EXECUTE ON FUNCTION link.find_candidates(uuid) FROM PUBLIC;
COMMENT ON FUNCTION link.find_candidates(uuid) IS 'Les paires que forme la personne d''un enregistrement, telles qu''elles sont maintenant';

-- ---- from joins to merged_into ------------------------------------------------------------------------

-- Short, and held to the end of the transaction: whoever links sees all that was linked before.
CREATE FUNCTION link.lock() RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$ SELECT pg_advisory_xact_lock(hashtextextended('relais.link', 0)) $$;
REVOKE EXECUTE ON FUNCTION link.lock() FROM PUBLIC;
COMMENT ON FUNCTION link.lock() IS 'Une seule transaction rapproche à la fois';

CREATE FUNCTION link.group_of(victim uuid) RETURNS uuid[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE member(id) AS (
        SELECT victim
        UNION
        SELECT n.id FROM member m CROSS JOIN LATERAL (
            SELECT l.absorbed AS id, l.undone_at FROM link.merge_log l WHERE l.kept = m.id
            UNION ALL
            SELECT l.kept, l.undone_at FROM link.merge_log l WHERE l.absorbed = m.id OFFSET 0) n
         WHERE n.undone_at IS NULL
    ) SELECT array_agg(id) FROM member
$$;
REVOKE EXECUTE ON FUNCTION link.group_of(uuid) FROM PUBLIC;
COMMENT ON FUNCTION link.group_of(uuid) IS 'Toutes les personnes que des réunions non défaites relient à celle-ci';

CREATE FUNCTION link.replay(victim uuid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    members uuid[] := link.group_of(victim);
    roots uuid[] := members;
    joined record;
    kept_root uuid;
    absorbed_root uuid;
BEGIN
    FOR joined IN SELECT l.kept, l.absorbed
                    FROM (SELECT o.* FROM link.merge_log o WHERE o.kept = ANY (members) OFFSET 0) l
                   WHERE l.undone_at IS NULL ORDER BY l.merge_id
    LOOP
        kept_root := roots[array_position(members, joined.kept)];
        absorbed_root := roots[array_position(members, joined.absorbed)];
        roots := array_replace(roots, absorbed_root, kept_root);
    END LOOP;
    UPDATE tip.victim v
       SET merged_into = nullif(n.root, n.id)
      FROM unnest(members, roots) AS n(id, root)
     WHERE v.victim_id = n.id AND v.merged_into IS DISTINCT FROM nullif(n.root, n.id);
END
$$;
REVOKE EXECUTE ON FUNCTION link.replay(uuid) FROM PUBLIC;
COMMENT ON FUNCTION link.replay(uuid) IS 'Refait merged_into de tout le groupe d''une personne, en rejouant ses réunions dans l''ordre';

CREATE FUNCTION link.join_pair(kept uuid, absorbed uuid, origin text, by_whom text, reason text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    id bigint;
BEGIN
    SELECT l.merge_id INTO id FROM link.merge_log l
     WHERE least(l.kept, l.absorbed) = least(join_pair.kept, join_pair.absorbed)
       AND greatest(l.kept, l.absorbed) = greatest(join_pair.kept, join_pair.absorbed) AND l.undone_at IS NULL;
    IF FOUND THEN
        -- What a person has confirmed no longer goes away by itself.
        UPDATE link.merge_log l SET origin = join_pair.origin, made_by = by_whom
         WHERE l.merge_id = id AND l.origin = 'K4' AND join_pair.origin <> 'K4';
        RETURN id;
    END IF;
    INSERT INTO link.merge_log (kept, absorbed, origin, made_by, reason)
    VALUES (kept, absorbed, origin, by_whom, reason) RETURNING merge_id INTO id;
    PERFORM link.replay(kept);
    RETURN id;
END
$$;
REVOKE EXECUTE ON FUNCTION link.join_pair(uuid, uuid, text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION link.join_pair(uuid, uuid, text, text, text) IS 'Réunit deux personnes, si elles ne le sont déjà directement';

CREATE FUNCTION link.undo(merge bigint, by_whom text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    undone link.merge_log;
BEGIN
    UPDATE link.merge_log l SET undone_by = by_whom, undone_at = now()
     WHERE l.merge_id = merge AND l.undone_at IS NULL RETURNING l.* INTO undone;
    IF FOUND THEN
        PERFORM link.replay(undone.kept);
        PERFORM link.replay(undone.absorbed);
    END IF;
END
$$;
REVOKE EXECUTE ON FUNCTION link.undo(bigint, text) FROM PUBLIC;
COMMENT ON FUNCTION link.undo(bigint, text) IS 'Défait une réunion';

-- ---- what follows by itself ----------------------------------------------------------------------------

-- The victim row of a recording that may not have that of its card: from code and recording alone, so
-- that the same recordings always give the same rows. A UUID of version 8 (RFC 9562).
CREATE FUNCTION link.split_id(code text, identification uuid) RETURNS uuid
LANGUAGE sql IMMUTABLE AS $$
    SELECT encode(set_byte(set_byte(h, 6, get_byte(h, 6) & 15 | 128), 8, get_byte(h, 8) & 63 | 128), 'hex')::uuid
      FROM (SELECT substr(sha256(convert_to(code || ' ' || identification, 'UTF8')), 1, 16)) AS s(h)
$$;
COMMENT ON FUNCTION link.split_id(text, uuid) IS 'Identifiant de la personne d''un enregistrement dont la carte est celle d''une autre';

-- Gives each recording of a card its person: the first of the card's people that it does not contradict,
-- else one of its own. A new episode begins the list of people anew. A code that more than 100 recordings
-- bear was not read from a card; it is left as it is. Returns the people whose recordings changed.
CREATE FUNCTION link.assign_code(code text) RETURNS uuid[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    card uuid := (SELECT v.victim_id FROM tip.victim v WHERE v.national_code = code);
    people uuid[] := '{}';
    placed uuid[] := '{}';
    placed_as uuid[] := '{}';
    changed uuid[] := '{}';
    person uuid;
    r record;
BEGIN
    IF card IS NULL OR (SELECT count(*) FROM tip.identification i WHERE i.national_code = code) > 100 THEN
        RETURN changed;
    END IF;
    FOR r IN SELECT i.identification_id AS id, i.victim_id, i.sex, i.age, i.event_date,
                    EXISTS (SELECT FROM link.episode e WHERE e.identification_id = i.identification_id) AS is_new_episode
               FROM tip.identification i
              WHERE i.national_code = code AND i.consent_basis <> 'co_none'
              ORDER BY i.event_date, i.reported_at, i.identification_id
    LOOP
        IF r.is_new_episode THEN
            people := '{}';
        END IF;
        person := (SELECT p.id FROM unnest(people) WITH ORDINALITY AS p(id, n)
                    WHERE NOT EXISTS (SELECT FROM unnest(placed, placed_as) AS t(id, person)
                                        JOIN tip.identification o ON o.identification_id = t.id
                                       WHERE t.person = p.id
                                         AND link.contradict(o.sex, o.age, o.event_date, r.sex, r.age, r.event_date))
                    ORDER BY p.n LIMIT 1);
        IF person IS NULL THEN
            person := CASE WHEN placed = '{}' AND NOT r.is_new_episode THEN card ELSE link.split_id(code, r.id) END;
            people := people || person;
        END IF;
        placed := placed || r.id;
        placed_as := placed_as || person;
        IF person <> r.victim_id THEN
            INSERT INTO tip.victim (victim_id) VALUES (person) ON CONFLICT DO NOTHING;
            UPDATE tip.identification i SET victim_id = person WHERE i.identification_id = r.id;
            changed := changed || person || r.victim_id;
        END IF;
    END LOOP;
    RETURN changed;
END
$$;
REVOKE EXECUTE ON FUNCTION link.assign_code(text) FROM PUBLIC;
COMMENT ON FUNCTION link.assign_code(text) IS 'Donne à chaque enregistrement d''une carte sa personne';

-- Nobody has said otherwise: the pair is undecided, and no person has undone a join of it.
CREATE FUNCTION link.may_join(a uuid, b uuid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT NOT EXISTS (SELECT FROM link.candidate c
                        WHERE c.victim_a = a AND c.victim_b = b AND c.decision IN ('different', 'new_episode'))
       AND NOT EXISTS (SELECT FROM link.merge_log l
                        WHERE least(l.kept, l.absorbed) = a AND greatest(l.kept, l.absorbed) = b
                          AND l.undone_by <> '(relais)')
$$;
REVOKE EXECUTE ON FUNCTION link.may_join(uuid, uuid) FROM PUBLIC;
COMMENT ON FUNCTION link.may_join(uuid, uuid) IS 'Vrai si personne n''a décidé contre la réunion automatique de cette paire';

-- Of two people, the one recorded first: that one keeps its row when they are joined. (An aggregate, because
-- ORDER BY with LIMIT could make a plan walk all recordings by date until one is of these two.)
CREATE FUNCTION link.earlier(a uuid, b uuid) RETURNS uuid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((array_agg(i.victim_id ORDER BY i.event_date, i.reported_at, i.victim_id))[1], a)
      FROM tip.identification i WHERE i.victim_id IN (a, b)
$$;
REVOKE EXECUTE ON FUNCTION link.earlier(uuid, uuid) FROM PUBLIC;
COMMENT ON FUNCTION link.earlier(uuid, uuid) IS 'Celle de deux personnes qui a été enregistrée la première';

-- Proposals and automatic joins of these people, as their recordings and keys say now.
--
-- Here and above no plan may read more than what concerns these people, also one made while the tables
-- were empty: look-ups go by person (LATERAL, with OFFSET 0 so that no condition moves in and makes an
-- index of all open pairs look good), and sets are subtracted by EXCEPT, which never compares each with each.
CREATE FUNCTION link.relink(victims uuid[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    people uuid[] := ARRAY(SELECT DISTINCT unnest(victims));
    joined_a uuid[];
    joined_b uuid[];
BEGIN
    WITH match AS MATERIALIZED (
        SELECT m.*, m.automatic AND link.may_join(m.victim_a, m.victim_b) AS joins FROM link.matches(people) m
    ), stale AS (
        SELECT c.victim_a, c.victim_b
          FROM unnest(people) AS p(id)
         CROSS JOIN LATERAL (SELECT o.* FROM link.candidate o WHERE o.victim_a = p.id
                              UNION ALL
                             SELECT o.* FROM link.candidate o WHERE o.victim_b = p.id OFFSET 0) c
         WHERE c.decision = 'open'
        EXCEPT
        SELECT m.victim_a, m.victim_b FROM match m WHERE NOT m.joins
    ), gone AS (
        DELETE FROM link.candidate c USING stale s WHERE c.victim_a = s.victim_a AND c.victim_b = s.victim_b
    ), proposed AS (
        INSERT INTO link.candidate AS c (victim_a, victim_b, reason, score)
        SELECT m.victim_a, m.victim_b, m.reason, m.score FROM match m WHERE NOT m.joins
            ON CONFLICT (victim_a, victim_b) DO UPDATE SET reason = excluded.reason, score = excluded.score
         WHERE c.decision = 'open' AND (c.reason, c.score) IS DISTINCT FROM (excluded.reason, excluded.score)
    )
    SELECT array_agg(m.victim_a ORDER BY m.victim_a, m.victim_b), array_agg(m.victim_b ORDER BY m.victim_a, m.victim_b)
      INTO joined_a, joined_b FROM match m WHERE m.joins;

    PERFORM link.undo(l.merge_id, '(relais)')
       FROM (SELECT least(o.kept, o.absorbed), greatest(o.kept, o.absorbed)
               FROM unnest(people) AS p(id)
              CROSS JOIN LATERAL (SELECT m.* FROM link.merge_log m WHERE m.kept = p.id
                                   UNION ALL
                                  SELECT m.* FROM link.merge_log m WHERE m.absorbed = p.id OFFSET 0) o
              WHERE o.origin = 'K4' AND o.undone_at IS NULL
             EXCEPT
             SELECT j.a, j.b FROM unnest(joined_a, joined_b) AS j(a, b)) AS stale(a, b)
       JOIN link.merge_log l ON least(l.kept, l.absorbed) = stale.a AND greatest(l.kept, l.absorbed) = stale.b
                            AND l.undone_at IS NULL;

    PERFORM link.join_pair(e.kept, CASE e.kept WHEN j.a THEN j.b ELSE j.a END, 'K4', '(relais)')
       FROM unnest(joined_a, joined_b) AS j(a, b) CROSS JOIN LATERAL (SELECT link.earlier(j.a, j.b)) AS e(kept);
END
$$;
REVOKE EXECUTE ON FUNCTION link.relink(uuid[]) FROM PUBLIC;
COMMENT ON FUNCTION link.relink(uuid[]) IS 'Refait les propositions et les réunions automatiques de ces personnes';

-- What a transaction changed, until its end. A row never outlives its transaction.
CREATE UNLOGGED TABLE link.pending (
    pending_id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pending_pkey PRIMARY KEY,
    victims    uuid[] NOT NULL,
    codes      text[] NOT NULL
);
COMMENT ON TABLE link.pending IS 'Ce que la transaction en cours a changé et qui est à rapprocher à sa fin ; vide pour tous les autres';
COMMENT ON COLUMN link.pending.pending_id IS 'Rang';
COMMENT ON COLUMN link.pending.victims IS 'Personnes dont un enregistrement ou une clé a changé';
COMMENT ON COLUMN link.pending.codes IS 'Cartes de ces enregistrements';

CREATE FUNCTION link.note_identifications() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO link.pending (victims, codes)
    SELECT array_agg(DISTINCT c.victim_id), array_agg(DISTINCT c.national_code) FROM changed c HAVING count(*) > 0;
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION link.note_identifications() FROM PUBLIC;
COMMENT ON FUNCTION link.note_identifications() IS 'Note les enregistrements ajoutés ou ôtés';

CREATE FUNCTION link.note_corrections() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    WITH moved AS (
        SELECT o.victim_id AS old_victim, n.victim_id AS new_victim, o.national_code AS old_code, n.national_code AS new_code
          FROM before o JOIN after n ON n.identification_id = o.identification_id
         WHERE (o.victim_id, o.national_code, o.consent_basis, o.sex, o.age, o.event_date, o.reported_at)
               IS DISTINCT FROM (n.victim_id, n.national_code, n.consent_basis, n.sex, n.age, n.event_date, n.reported_at))
    INSERT INTO link.pending (victims, codes)
    SELECT array_agg(old_victim) || array_agg(new_victim), array_agg(old_code) || array_agg(new_code)
      FROM moved HAVING count(*) > 0;
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION link.note_corrections() FROM PUBLIC;
COMMENT ON FUNCTION link.note_corrections() IS 'Note les enregistrements corrigés en ce qui compte pour le rapprochement';

CREATE FUNCTION link.note_keys() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO link.pending (victims, codes)
    SELECT array_agg(DISTINCT i.victim_id), '{}'
      FROM (SELECT DISTINCT identification_id FROM changed) c
     CROSS JOIN LATERAL (SELECT o.victim_id FROM tip.identification o
                          WHERE o.identification_id = c.identification_id OFFSET 0) i
    HAVING count(*) > 0;
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION link.note_keys() FROM PUBLIC;
COMMENT ON FUNCTION link.note_keys() IS 'Note les personnes dont une clé a changé';

CREATE TRIGGER identification_link_inserted AFTER INSERT ON tip.identification
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION link.note_identifications();
CREATE TRIGGER identification_link_deleted AFTER DELETE ON tip.identification
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION link.note_identifications();
CREATE TRIGGER identification_link_updated AFTER UPDATE ON tip.identification
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION link.note_corrections();
CREATE TRIGGER match_key_inserted AFTER INSERT ON link.match_key
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION link.note_keys();
CREATE TRIGGER match_key_updated AFTER UPDATE ON link.match_key
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION link.note_keys();
CREATE TRIGGER match_key_deleted AFTER DELETE ON link.match_key
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION link.note_keys();

-- The first of a transaction's notes does the work of all: the others find themselves gone. Rows of other
-- transactions are invisible here, before their commit as well as after it. Plans are kept for a session, and
-- one made while the tables were small must not read them whole when they have grown.
CREATE FUNCTION link.work_off() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    people uuid[];
    cards text[];
    card text;
BEGIN
    WITH taken AS (DELETE FROM link.pending p WHERE p.pending_id >= NEW.pending_id RETURNING p.victims, p.codes)
    SELECT array_agg(DISTINCT v) FILTER (WHERE v IS NOT NULL), array_agg(DISTINCT c) FILTER (WHERE c IS NOT NULL)
      INTO people, cards
      FROM taken LEFT JOIN LATERAL unnest(taken.victims, taken.codes) AS u(v, c) ON true;
    IF people IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM link.lock();
    FOR card IN SELECT i.national_code FROM tip.identification i JOIN tip.victim v ON v.national_code = i.national_code
                 WHERE i.national_code = ANY (cards) AND i.consent_basis <> 'co_none'
                 GROUP BY i.national_code HAVING count(*) > 1 OR bool_or(i.victim_id <> v.victim_id)
                 ORDER BY i.national_code
    LOOP
        people := people || link.assign_code(card);
    END LOOP;
    PERFORM link.relink(people);
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION link.work_off() FROM PUBLIC;
COMMENT ON FUNCTION link.work_off() IS 'Rapproche, à la fin d''une transaction, tout ce qu''elle a changé';
CREATE CONSTRAINT TRIGGER pending_work_off AFTER INSERT ON link.pending
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION link.work_off();
