-- Erasure: what the command `relais erase` does in the database, in one transaction.
--
-- Identity, matching keys, raw answers and files go; the pseudonymous rows stay for the counts, without
-- what could still lead to the person: agent, group, commune, and the card's code where no other row needs
-- it. Every version of every submission concerned gets a tombstone, so that no phone brings it back.
--
-- No count changes: joins that a document made stay although its key is gone, and a card that serves
-- several people (a new episode, a card used twice) keeps its code, because it is what tells them apart.
CREATE SCHEMA erasure;
COMMENT ON SCHEMA erasure IS 'Effacement sur demande ou à l''échéance : la ligne anonyme reste, la personne n''y est plus';

-- A card's person: also under other cards that were joined, and in new episodes. The row is found by its
-- identifier as well, since an erased card has lost its code.
CREATE FUNCTION erasure.people(card text, person uuid) RETURNS uuid[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE member(id) AS (
        SELECT v.victim_id FROM tip.victim v WHERE v.victim_id = person OR v.national_code = card
        UNION
        SELECT n.id FROM member m CROSS JOIN LATERAL (
            SELECT s.id FROM tip.same_person(m.id) AS s(id)
            UNION ALL
            SELECT c.victim_b FROM link.candidate c WHERE c.victim_a = m.id AND c.decision = 'new_episode'
            UNION ALL
            SELECT c.victim_a FROM link.candidate c WHERE c.victim_b = m.id AND c.decision = 'new_episode') n
    ) SELECT coalesce(array_agg(id), '{}') FROM member
$$;
REVOKE EXECUTE ON FUNCTION erasure.people(text, uuid) FROM PUBLIC;
COMMENT ON FUNCTION erasure.people(text, uuid) IS 'Toutes les lignes de tip.victim de la personne d''une carte, épisodes compris';

-- What was delivered is found by its rows. What was not is found by the group "card" of its answers, which
-- says whose a form is; a case that names a victim's card has no such group: it is not that person's. Of a
-- card that served two people, needs and identity stand under the card's row whoever's they are: whose a
-- submission is, its identification says.
CREATE FUNCTION erasure.submissions(people uuid[], card text) RETURNS TABLE (form_id text, instance_id text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.form_id, s.instance_id
      FROM (SELECT i.sub_id FROM tip.identification i WHERE i.victim_id = ANY (people)
            UNION
            SELECT a.sub_id FROM tip.assistance a WHERE a.victim_id = ANY (people)
            UNION
            SELECT f.sub_id FROM tip.followup f WHERE f.victim_id = ANY (people)
            UNION
            SELECT c.sub_id FROM tip.consent_change c WHERE c.victim_id = ANY (people)
            UNION
            SELECT p.sub_id FROM identity.person p WHERE p.victim_id = ANY (people)) r
      JOIN relais.submission s ON s.sub_id = r.sub_id
     WHERE NOT EXISTS (SELECT FROM tip.identification i WHERE i.sub_id = r.sub_id AND i.victim_id <> ALL (people))
    UNION
    SELECT s.form_id, s.instance_id FROM relais.submission s
     WHERE s.state <> 'delivered' AND s.state <> 'superseded' AND s.state IN ('held', 'quarantined')
       AND encode(s.xml, 'escape') ~ ('<card>((?!</card>).)*>\s*' || card || '\s*<')
       AND NOT EXISTS (SELECT FROM relais.submission o WHERE o.form_id = s.form_id AND o.record_id = s.record_id
                          AND o.state IN ('delivered', 'partial'))
$$;
REVOKE EXECUTE ON FUNCTION erasure.submissions(uuid[], text) FROM PUBLIC;
COMMENT ON FUNCTION erasure.submissions(uuid[], text) IS 'Les fiches de ces personnes, et celles qui attendent avec cette carte';

CREATE FUNCTION erasure.chain(forms text[], instances text[]) RETURNS TABLE (form_id text, instance_id text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE member(form_id, instance_id) AS (
        SELECT g.form_id, g.instance_id FROM unnest(forms, instances) AS g(form_id, instance_id)
        UNION
        SELECT m.form_id, n.instance_id FROM member m CROSS JOIN LATERAL (
            SELECT unnest(ARRAY[s.deprecated_id, s.record_id]) AS instance_id FROM relais.submission s
             WHERE s.form_id = m.form_id AND s.instance_id = m.instance_id
            UNION ALL
            SELECT s.instance_id FROM relais.submission s
             WHERE s.form_id = m.form_id AND s.deprecated_id = m.instance_id) n
         WHERE n.instance_id IS NOT NULL
    ) SELECT m.form_id, m.instance_id FROM member m
$$;
REVOKE EXECUTE ON FUNCTION erasure.chain(text[], text[]) FROM PUBLIC;
COMMENT ON FUNCTION erasure.chain(text[], text[]) IS 'Toutes les versions de ces fiches, corrections comprises';

CREATE FUNCTION erasure.forms_of(instances text[]) RETURNS TABLE (form_id text, instance_id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.form_id, s.instance_id FROM relais.submission s WHERE s.instance_id = ANY (instances)
    UNION
    SELECT t.form_id, t.record_id FROM relais.tombstone t WHERE t.record_id = ANY (instances)
$$;
REVOKE EXECUTE ON FUNCTION erasure.forms_of(text[]) FROM PUBLIC;
COMMENT ON FUNCTION erasure.forms_of(text[]) IS 'Formulaires dont une fiche porte l''un de ces identifiants';

-- A code that is on no card.
CREATE FUNCTION erasure.unused_code() RETURNS text
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT n || lpad((98 - (n * 100) % 97)::text, 2, '0')
      FROM (SELECT 1000000000 + ('x' || left(md5(gen_random_uuid()::text), 15))::bit(60)::bigint % 9000000000) AS r(n)
$$;
REVOKE EXECUTE ON FUNCTION erasure.unused_code() FROM PUBLIC;
COMMENT ON FUNCTION erasure.unused_code() IS 'Un code au hasard de la forme d''une carte';

-- The same new code on the person and its recordings, so that what counts by card counts as before.
CREATE FUNCTION erasure.cut_codes(people uuid[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old record;
    fresh text;
BEGIN
    FOR old IN SELECT v.victim_id, v.national_code AS code FROM tip.victim v
                WHERE v.victim_id = ANY (people) AND v.national_code IS NOT NULL
                  AND NOT EXISTS (SELECT FROM tip.identification i
                                   WHERE i.national_code = v.national_code AND i.victim_id <> v.victim_id)
    LOOP
        fresh := erasure.unused_code();
        UPDATE tip.victim v SET national_code = fresh WHERE v.victim_id = old.victim_id;
        UPDATE tip.identification i SET national_code = fresh WHERE i.national_code = old.code;
    END LOOP;
END
$$;
REVOKE EXECUTE ON FUNCTION erasure.cut_codes(uuid[]) FROM PUBLIC;
COMMENT ON FUNCTION erasure.cut_codes(uuid[]) IS 'Remplace le code des cartes qui n''ont servi qu''à une ligne de personne';

-- What the rows of these submissions still say that could lead to the person.
CREATE FUNCTION erasure.cut_remnants(subs uuid[]) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    UPDATE tip.identification i
       SET agent_code = '', group_code = NULL, share_assist = false, share_justice = false,
           place_code = (SELECT CASE p.level WHEN 'commune' THEN p.parent ELSE p.place_code END
                           FROM ref.place p WHERE p.place_code = i.place_code)
     WHERE i.sub_id = ANY (subs);
    UPDATE tip.assistance a
       SET place_code = (SELECT CASE p.level WHEN 'commune' THEN p.parent ELSE p.place_code END
                           FROM ref.place p WHERE p.place_code = a.place_code)
     WHERE a.sub_id = ANY (subs) AND a.place_code IS NOT NULL;
$$;
REVOKE EXECUTE ON FUNCTION erasure.cut_remnants(uuid[]) FROM PUBLIC;
COMMENT ON FUNCTION erasure.cut_remnants(uuid[]) IS 'Ôte agent, groupe et commune des lignes qui restent';

-- Joins that only a document's key upholds stay, since the key goes and the person is one all the same.
-- Reasons that people wrote of them go: words may name somebody.
CREATE FUNCTION erasure.keep_joins(people uuid[]) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    UPDATE link.merge_log l SET origin = 'manual', reason = 'K4 (clé effacée)'
     WHERE l.origin = 'K4' AND l.undone_at IS NULL AND (l.kept = ANY (people) OR l.absorbed = ANY (people));
    UPDATE link.merge_log l SET reason = NULL
     WHERE l.origin = 'manual' AND l.reason <> 'K4 (clé effacée)' AND (l.kept = ANY (people) OR l.absorbed = ANY (people));
    UPDATE link.history h SET reason = NULL
     WHERE h.reason IS NOT NULL AND (h.victim_a = ANY (people) OR h.victim_b = ANY (people));
$$;
REVOKE EXECUTE ON FUNCTION erasure.keep_joins(uuid[]) FROM PUBLIC;
COMMENT ON FUNCTION erasure.keep_joins(uuid[]) IS 'Garde les réunions que seule une clé effacée justifiait, sans les motifs écrits à la main';

CREATE FUNCTION erasure.answer_wishes(people uuid[]) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    answered bigint;
BEGIN
    UPDATE tip.consent_change c SET outcome = 'applied', decided_by = session_user, decided_at = now()
     WHERE c.victim_id = ANY (people) AND c.outcome = 'open' AND c.wish = 'erasure';
    GET DIAGNOSTICS answered = ROW_COUNT;
    UPDATE tip.consent_change c SET reason = CASE c.outcome WHEN 'refused' THEN '(effacé)' END
     WHERE c.victim_id = ANY (people) AND c.reason IS NOT NULL;
    RETURN answered;
END
$$;
REVOKE EXECUTE ON FUNCTION erasure.answer_wishes(uuid[]) FROM PUBLIC;
COMMENT ON FUNCTION erasure.answer_wishes(uuid[]) IS 'Répond aux demandes d''effacement en attente, et ôte les motifs écrits à la main';

-- By card (card and person, the identifier of its row) or by instances; forms and instances are also what
-- the spool holds of the person. Returns every instance erased, for the files, and counts by name.
-- The lock keeps out a forwarder that judged before the tombstones and would write after them.
CREATE FUNCTION erasure.erase(card text, person uuid, forms text[], instances text[], reason text)
RETURNS TABLE (what text, form_id text, instance_id text, n bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    people uuid[] := '{}';
    touched uuid[];
    subs uuid[];
    idents uuid[];
    counts bigint[] := '{}';
    count bigint;
    changed bigint := 0;
BEGIN
    IF reason IS NULL OR length(btrim(reason)) < 10 THEN
        RAISE EXCEPTION 'un effacement demande un motif d''au moins 10 caractères' USING ERRCODE = '22023';
    END IF;
    LOCK TABLE relais.submission IN SHARE ROW EXCLUSIVE MODE;
    PERFORM link.lock();
    IF card IS NOT NULL THEN
        people := erasure.people(card, person);
        SELECT forms || coalesce(array_agg(s.form_id), '{}'), instances || coalesce(array_agg(s.instance_id), '{}')
          INTO forms, instances FROM erasure.submissions(people, card) s;
    END IF;
    SELECT coalesce(array_agg(c.form_id), '{}'), coalesce(array_agg(c.instance_id), '{}')
      INTO forms, instances FROM erasure.chain(forms, instances) c;
    subs := ARRAY(SELECT s.sub_id FROM unnest(forms, instances) AS g(form_id, instance_id)
                    JOIN relais.submission s ON s.form_id = g.form_id AND s.instance_id = g.instance_id);
    idents := ARRAY(SELECT i.identification_id FROM tip.identification i WHERE i.sub_id = ANY (subs));
    touched := people || ARRAY(SELECT i.victim_id FROM tip.identification i WHERE i.sub_id = ANY (subs));
    PERFORM erasure.keep_joins(touched);

    INSERT INTO relais.tombstone (form_id, record_id)
    SELECT g.form_id, g.instance_id FROM unnest(forms, instances) AS g(form_id, instance_id) ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS count = ROW_COUNT;
    changed := changed + count;
    DELETE FROM identity.person p
     WHERE p.sub_id = ANY (subs) OR p.identification_id = ANY (idents)
        OR (p.victim_id = ANY (people) AND p.identification_id IS NULL);
    GET DIAGNOSTICS count = ROW_COUNT;
    counts := counts || count;
    DELETE FROM link.match_key k WHERE k.identification_id = ANY (idents);
    GET DIAGNOSTICS count = ROW_COUNT;
    counts := counts || count;
    DELETE FROM relais.attachment a WHERE a.sub_id = ANY (subs);
    GET DIAGNOSTICS count = ROW_COUNT;
    counts := counts || count;
    UPDATE relais.submission s
       SET state = 'erased', xml = NULL, repairs = NULL, unmapped = NULL, missing = NULL, reason = NULL,
           submitted_by = '', device_id = ''
     WHERE s.sub_id = ANY (subs) AND (s.state <> 'erased' OR s.xml IS NOT NULL);
    GET DIAGNOSTICS count = ROW_COUNT;
    counts := counts || count || erasure.answer_wishes(people);
    changed := changed + counts[1] + counts[2] + counts[3] + counts[4] + counts[5];

    IF changed > 0 THEN -- repeated, it finds nothing to do
        PERFORM erasure.cut_remnants(subs);
        PERFORM erasure.cut_codes(people);
        UPDATE tip.victim v SET erased_at = now() WHERE v.victim_id = ANY (people);
        INSERT INTO audit.access_log (action, object, subject, reason)
        SELECT 'erase', 'tip.victim ' || p.id, p.id, btrim(reason) FROM unnest(people) AS p(id) ORDER BY p.id;
        INSERT INTO audit.access_log (action, object, reason)
        SELECT 'erase', 'relais.submission ' || g.form_id || ' ' || g.instance_id, btrim(reason)
          FROM unnest(forms, instances) AS g(form_id, instance_id) WHERE people = '{}' ORDER BY 2;
    END IF;
    RETURN QUERY SELECT 'instance'::text, g.form_id, g.instance_id, NULL::bigint
                   FROM unnest(forms, instances) AS g(form_id, instance_id);
    RETURN QUERY SELECT c.name, NULL::text, NULL::text, c.n FROM (VALUES
        ('people', cardinality(people)::bigint), ('recordings', cardinality(idents)::bigint),
        ('identities', counts[1]), ('keys', counts[2]), ('attachments', counts[3]), ('versions', counts[4]),
        ('wishes', counts[5]),
        ('cases', (SELECT count(DISTINCT v.case_id) FROM tip.case_victim v WHERE v.victim_id = ANY (people))),
        ('others', (SELECT count(*) FROM tip.identification i
                     WHERE i.national_code = card AND i.victim_id <> ALL (people)))) AS c(name, n);
END
$$;
REVOKE EXECUTE ON FUNCTION erasure.erase(text, uuid, text[], text[], text) FROM PUBLIC;
COMMENT ON FUNCTION erasure.erase(text, uuid, text[], text[], text) IS
    'Efface une personne ou des fiches : identité, clés, réponses brutes et fichiers ; la ligne anonyme reste. Appelée par relais erase, qui ôte ensuite les copies du spool';

GRANT USAGE ON SCHEMA erasure TO relais_coordination;
GRANT EXECUTE ON FUNCTION erasure.erase(text, uuid, text[], text[], text), erasure.forms_of(text[]) TO relais_coordination;
