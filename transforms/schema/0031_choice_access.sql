-- Who may choose, and erasure of the reasons given.
GRANT SELECT, INSERT ON relais.choice TO relais_forwarder;

-- What the rows of these submissions still say that could lead to the person, and what the ledger keeps to
-- make and find such rows, and the words of whoever chose among versions.
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
    UPDATE relais.choice c SET reason = '' WHERE c.sub_id = ANY (subs) AND c.reason <> '';
    UPDATE relais.submission s SET seal = NULL, trace = NULL
     WHERE s.sub_id = ANY (subs) AND (s.seal IS NOT NULL OR s.trace IS NOT NULL);
$$;
