-- Who may use what 0022 added, and erasure of it.
GRANT SELECT, INSERT, UPDATE, DELETE ON relais.evaluated TO relais_forwarder;

-- A sealed version that waits is found by the rows kept of it: an answer of the group "card". One in
-- quarantine has none; `relais erase` finds it by its parcel.
CREATE OR REPLACE FUNCTION erasure.submissions(people uuid[], card text) RETURNS TABLE (form_id text, instance_id text)
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
       AND (s.seal IS NULL AND encode(s.xml, 'escape') ~ ('<card>((?!</card>).)*>\s*' || card || '\s*<')
            OR EXISTS (SELECT FROM relais.evaluated e
                        CROSS JOIN LATERAL jsonb_array_elements(e.body -> 'rows') AS r
                        CROSS JOIN LATERAL jsonb_array_elements_text(r -> 'values') WITH ORDINALITY AS v(value, n)
                        WHERE e.sub_id = s.sub_id AND v.value = card
                          AND r -> 'paths' ->> (v.n - 1)::integer ~ '^/[^/]+/card/'))
       AND NOT EXISTS (SELECT FROM relais.submission o WHERE o.form_id = s.form_id AND o.record_id = s.record_id
                          AND o.state IN ('delivered', 'partial'))
$$;

-- What the rows of these submissions still say that could lead to the person, and what the ledger keeps to
-- make and find such rows.
CREATE OR REPLACE FUNCTION erasure.cut_remnants(subs uuid[]) RETURNS void
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
    DELETE FROM relais.evaluated e WHERE e.sub_id = ANY (subs);
    UPDATE relais.submission s SET seal = NULL, trace = NULL
     WHERE s.sub_id = ANY (subs) AND (s.seal IS NOT NULL OR s.trace IS NOT NULL);
$$;
