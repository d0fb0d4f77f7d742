-- Linking what one large transaction brings, at the price of many small ones.
--
-- A card that comes again was looked at by itself: some queries, and an update of its own that left another
-- note to work off. Now all cards of a transaction that need it are placed together, those that plainly do not
-- (one sex, ages that agree, one person, no new episode) are passed over, and a note whose work was done by the
-- first is recognised by its own row instead of by reading over all that are gone.

-- Which person each recording of a card is of: what link.assign_code wrote, without writing it.
CREATE FUNCTION link.place_code(code text) RETURNS TABLE (identification uuid, was uuid, person uuid)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    card uuid := (SELECT v.victim_id FROM tip.victim v WHERE v.national_code = code);
    people uuid[] := '{}';
    placed uuid[] := '{}';
    placed_as uuid[] := '{}';
    r record;
BEGIN
    IF card IS NULL OR (SELECT count(*) FROM tip.identification i WHERE i.national_code = code) > 100 THEN
        RETURN;
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
                    WHERE NOT EXISTS (SELECT FROM unnest(placed, placed_as) AS t(id, whose)
                                        JOIN tip.identification o ON o.identification_id = t.id
                                       WHERE t.whose = p.id
                                         AND link.contradict(o.sex, o.age, o.event_date, r.sex, r.age, r.event_date))
                    ORDER BY p.n LIMIT 1);
        IF person IS NULL THEN
            person := CASE WHEN placed = '{}' AND NOT r.is_new_episode THEN card ELSE link.split_id(code, r.id) END;
            people := people || person;
        END IF;
        placed := placed || r.id;
        placed_as := placed_as || person;
        IF person <> r.victim_id THEN
            identification := r.id;
            was := r.victim_id;
            RETURN NEXT;
        END IF;
    END LOOP;
END
$$;
REVOKE EXECUTE ON FUNCTION link.place_code(text) FROM PUBLIC;
COMMENT ON FUNCTION link.place_code(text) IS 'Les enregistrements d''une carte qui ne sont pas à la personne qu''il faut, et laquelle il faut';

CREATE FUNCTION link.assign_codes(codes text[]) RETURNS uuid[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    moved uuid[];
    sources uuid[];
    targets uuid[];
BEGIN
    SELECT array_agg(p.identification), array_agg(p.was), array_agg(p.person) INTO moved, sources, targets
      FROM unnest(codes) AS c(code) CROSS JOIN LATERAL link.place_code(c.code) p;
    IF moved IS NULL THEN
        RETURN '{}';
    END IF;
    INSERT INTO tip.victim (victim_id) SELECT DISTINCT t.id FROM unnest(targets) AS t(id) ON CONFLICT DO NOTHING;
    UPDATE tip.identification i SET victim_id = m.person
      FROM unnest(moved, targets) AS m(id, person) WHERE i.identification_id = m.id;
    RETURN sources || targets;
END
$$;
REVOKE EXECUTE ON FUNCTION link.assign_codes(text[]) FROM PUBLIC;
COMMENT ON FUNCTION link.assign_codes(text[]) IS 'Donne à chaque enregistrement de ces cartes sa personne';

CREATE OR REPLACE FUNCTION link.assign_code(code text) RETURNS uuid[]
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$ SELECT link.assign_codes(ARRAY[code]) $$;

-- Cards whose recordings may be of several people, or are not of their card's. A year of birth that moves by
-- four years at most between recordings is no contradiction (link.age_gap counts whole years).
CREATE FUNCTION link.cards_to_assign(codes text[]) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_agg(c.code) FROM (
        SELECT i.national_code AS code
          FROM unnest(codes) AS n(code)
         CROSS JOIN LATERAL (SELECT o.* FROM tip.identification o
                              WHERE o.national_code = n.code AND o.consent_basis <> 'co_none' OFFSET 0) i
          JOIN tip.victim v ON v.national_code = i.national_code
          LEFT JOIN link.episode e ON e.identification_id = i.identification_id
         GROUP BY i.national_code
        HAVING bool_or(i.victim_id <> v.victim_id)
            OR count(DISTINCT nullif(i.sex, 'sx_unk')) > 1
            OR max((i.event_date - date '2000-01-01') / 365.2425 - i.age)
               - min((i.event_date - date '2000-01-01') / 365.2425 - i.age) > 4
            OR count(e.identification_id) > 0
         ORDER BY i.national_code) c
$$;
REVOKE EXECUTE ON FUNCTION link.cards_to_assign(text[]) FROM PUBLIC;
COMMENT ON FUNCTION link.cards_to_assign(text[]) IS 'Cartes dont un enregistrement au moins est peut-être d''une autre personne';

CREATE OR REPLACE FUNCTION link.work_off() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    people uuid[];
    cards text[];
BEGIN
    IF NOT EXISTS (SELECT FROM link.pending p WHERE p.pending_id = NEW.pending_id) THEN
        RETURN NULL; -- done by the first
    END IF;
    WITH taken AS (DELETE FROM link.pending p WHERE p.pending_id >= NEW.pending_id RETURNING p.victims, p.codes)
    SELECT array_agg(DISTINCT v) FILTER (WHERE v IS NOT NULL), array_agg(DISTINCT c) FILTER (WHERE c IS NOT NULL)
      INTO people, cards
      FROM taken LEFT JOIN LATERAL unnest(taken.victims, taken.codes) AS u(v, c) ON true;
    IF people IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM link.lock();
    PERFORM link.relink(people || link.assign_codes(link.cards_to_assign(cards)));
    RETURN NULL;
END
$$;
