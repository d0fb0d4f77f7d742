-- Why a person decided as they did, beside the decision.
ALTER TABLE link.history ADD COLUMN reason text;
COMMENT ON COLUMN link.history.reason IS 'Motif, dans les mots de qui a décidé. Aucun nom';

-- The lock that the decision took is held to the end of the transaction, so the newest row is its own.
CREATE FUNCTION link.note_reason(reason text) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    UPDATE link.history h SET reason = note_reason.reason
     WHERE h.history_id = (SELECT max(o.history_id) FROM link.history o)
$$;
REVOKE EXECUTE ON FUNCTION link.note_reason(text) FROM PUBLIC;
COMMENT ON FUNCTION link.note_reason(text) IS 'Écrit le motif de la décision qui vient d''être prise';

CREATE FUNCTION link.decide(candidate bigint, decision text, by_whom text, reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM link.decide(candidate, decision, by_whom);
    PERFORM link.note_reason(reason);
END
$$;
REVOKE EXECUTE ON FUNCTION link.decide(bigint, text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION link.decide(bigint, text, text, text) IS 'Décide d''une paire, avec un motif';

CREATE FUNCTION link.unmerge(merge bigint, by_whom text, reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM link.unmerge(merge, by_whom);
    PERFORM link.note_reason(reason);
END
$$;
REVOKE EXECUTE ON FUNCTION link.unmerge(bigint, text, text) FROM PUBLIC;
COMMENT ON FUNCTION link.unmerge(bigint, text, text) IS 'Défait une réunion, avec un motif';

GRANT EXECUTE ON FUNCTION link.decide(bigint, text, text, text), link.unmerge(bigint, text, text) TO relais_linker;
