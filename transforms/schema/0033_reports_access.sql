-- Who writes and reads the reports of 0032, and their part in an erasure.
GRANT SELECT, INSERT, UPDATE, DELETE ON relais.refusal TO relais_forwarder;
GRANT SELECT, INSERT ON relais.incident TO relais_forwarder;
GRANT SELECT ON relais.incident TO relais_auditor;

-- What the rows of these submissions still say that could lead to the person, what the ledger keeps to make
-- and find such rows, the words of whoever chose among versions, and the names of submissions in reports.
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
    DELETE FROM relais.refusal f USING relais.submission s
     WHERE s.sub_id = ANY (subs) AND f.form_id = s.form_id AND f.instance_id = s.instance_id;
    UPDATE relais.incident n SET instance_id = '', sub_id = NULL WHERE n.sub_id = ANY (subs);
    UPDATE relais.submission s SET seal = NULL, trace = NULL
     WHERE s.sub_id = ANY (subs) AND (s.seal IS NOT NULL OR s.trace IS NOT NULL);
$$;
