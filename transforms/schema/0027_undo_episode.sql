-- Taking back a new episode by its pair, as `relais link undo` does.
--
-- link.start_episode leaves a pair decided new_episode and a row in link.episode; reopening the pair alone left
-- the episode in force. Whoever reopens such a pair, or says that the two are the same, now cancels the episode.

-- The recordings that open an episode of the one of these two people from the other: the row of the new
-- episode is made from its first recording, and the other bears the same card.
CREATE FUNCTION link.episodes_between(a uuid, b uuid) RETURNS SETOF uuid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT e.identification_id
      FROM tip.identification i
      JOIN link.episode e ON e.identification_id = i.identification_id
     WHERE i.victim_id IN (a, b) AND link.split_id(i.national_code, i.identification_id) = i.victim_id
       AND EXISTS (SELECT FROM tip.identification o
                    WHERE o.victim_id = CASE i.victim_id WHEN a THEN b ELSE a END AND o.national_code = i.national_code)
$$;
REVOKE EXECUTE ON FUNCTION link.episodes_between(uuid, uuid) FROM PUBLIC;
COMMENT ON FUNCTION link.episodes_between(uuid, uuid) IS 'Enregistrements qui ouvrent un nouvel épisode de l''une de ces personnes à l''autre';

-- The pairs of a card's episodes: each new episode with the person that the card was before it.
CREATE FUNCTION link.pair_episodes(code text) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO link.candidate AS c (victim_a, victim_b, reason, score, decision, decided_by, decided_at)
    SELECT least(i.victim_id, p.victim_id), greatest(i.victim_id, p.victim_id), 'card', 1, 'new_episode', e.decided_by, e.decided_at
      FROM tip.identification i
      JOIN link.episode e ON e.identification_id = i.identification_id
     CROSS JOIN LATERAL (
           SELECT o.victim_id FROM tip.identification o
            WHERE o.national_code = i.national_code AND o.consent_basis <> 'co_none'
              AND (o.event_date, o.reported_at, o.identification_id) < (i.event_date, i.reported_at, i.identification_id)
            ORDER BY o.event_date DESC, o.reported_at DESC, o.identification_id DESC LIMIT 1) p
     WHERE i.national_code = code AND p.victim_id <> i.victim_id
        ON CONFLICT (victim_a, victim_b) DO UPDATE
       SET decision = excluded.decision, decided_by = excluded.decided_by, decided_at = excluded.decided_at
     WHERE c.decision = 'open'
$$;
REVOKE EXECUTE ON FUNCTION link.pair_episodes(text) FROM PUBLIC;
COMMENT ON FUNCTION link.pair_episodes(text) IS 'Note comme décidées les paires que font les épisodes d''une carte';

-- As before, and the card's other episodes keep their pairs, which may now be of other people.
CREATE OR REPLACE FUNCTION link.cancel_episode(identification uuid, by_whom text DEFAULT session_user) RETURNS void
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
    PERFORM link.pair_episodes(was.national_code);
    INSERT INTO link.history (by_whom, action, victim_a, detail)
    VALUES (by_whom, 'no_episode', was.victim_id, identification::text);
END
$$;

-- As before, and an episode goes with the decision that opened it.
CREATE OR REPLACE FUNCTION link.decide(candidate bigint, decision text, by_whom text DEFAULT session_user) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    pair link.candidate;
    kept uuid;
    joined bigint;
    episodes uuid[];
    episode uuid;
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
    IF decision IN ('open', 'same') THEN
        episodes := ARRAY(SELECT link.episodes_between(pair.victim_a, pair.victim_b));
        FOREACH episode IN ARRAY episodes LOOP
            PERFORM link.cancel_episode(episode, by_whom);
        END LOOP;
        IF episodes <> '{}' THEN -- the card makes them one again, unless sex or age contradict
            INSERT INTO link.history (by_whom, action, victim_a, victim_b, detail)
            VALUES (by_whom, decision, pair.victim_a, pair.victim_b, candidate::text);
            RETURN;
        END IF;
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
