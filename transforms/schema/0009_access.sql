-- Who may do what. Nothing is granted to PUBLIC; each role gets what its work needs and is proven not to
-- get more (tests/cases/sql). README.md in this folder says how people are given a role.
--
--   relais_forwarder         writes what phones send; reads no identity and no matching key
--   relais_actor             its own organisation's recordings, and people referred to it who agreed
--   relais_justice           criminal cases; recordings of its own or shared with justice
--   relais_coordination      every pseudonymous recording; answers withdrawals of consent
--   relais_linker            pairs that may be one person, seen through a mask
--   relais_identity_officer  unseals one identity at a time, with a reason, in the log
--   relais_analyst           figures (schema stat)
--   relais_auditor           the log of accesses
--   relais_owner             owns the database and changes the schema; holds no key
--
-- Row-level security does not bind the owner of the tables, which functions here rely on; a forwarder
-- that connects as the owner is not bound either.

-- Roles belong to the cluster and may be there already.
DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY[
        'relais_owner', 'relais_forwarder', 'relais_actor', 'relais_justice', 'relais_coordination',
        'relais_linker', 'relais_identity_officer', 'relais_analyst', 'relais_auditor']
    LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role);
            EXCEPTION
                WHEN duplicate_object OR unique_violation THEN
                    NULL; -- another database of this cluster was faster
                WHEN insufficient_privilege THEN
                    RAISE EXCEPTION 'role % is missing, and % may not create it', role, current_user
                        USING HINT = 'Let a superuser run transforms/roles.sql once, then apply this again.';
            END;
        END IF;
    END LOOP;
END
$$;

CREATE SCHEMA IF NOT EXISTS stat;
COMMENT ON SCHEMA stat IS 'Chiffres : la seule partie que voient ceux qui ne travaillent pas sur des dossiers';

-- ---- who belongs to which organisation ---------------------------------------------------------------------

CREATE TABLE ref.actor_role (
    db_role  name NOT NULL,
    org_code text NOT NULL CONSTRAINT actor_role_org_code_known REFERENCES ref.organisation,
    CONSTRAINT actor_role_pkey PRIMARY KEY (db_role, org_code)
);
COMMENT ON TABLE ref.actor_role IS 'Structure de chaque compte de la base ; un compte qui n''y est pas ne voit aucun dossier';
COMMENT ON COLUMN ref.actor_role.db_role IS 'Compte qui se connecte';
COMMENT ON COLUMN ref.actor_role.org_code IS 'Structure dont il voit les dossiers ; plusieurs lignes s''il en sert plusieurs';

CREATE SCHEMA access;
COMMENT ON SCHEMA access IS 'Ce que les règles d''accès demandent : qui est de quelle structure, et qui lui est référé';

-- By the account that logged in (session_user), which SET ROLE does not change.
CREATE FUNCTION access.organisations() RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT r.org_code FROM ref.actor_role r WHERE r.db_role = session_user
$$;
COMMENT ON FUNCTION access.organisations() IS 'Structures du compte connecté';

CREATE FUNCTION access.own_victims() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT i.victim_id FROM tip.identification i WHERE i.org_code IN (SELECT access.organisations())
    UNION
    SELECT a.victim_id FROM tip.assistance a WHERE a.org_code IN (SELECT access.organisations())
    UNION
    SELECT f.victim_id FROM tip.followup f WHERE f.org_code IN (SELECT access.organisations())
$$;
COMMENT ON FUNCTION access.own_victims() IS 'Personnes que la structure du compte connecté a elle-même vues';

-- All rows of each person: a referral follows the person, whichever of its cards was written on it.
CREATE FUNCTION access.referred_victims() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH person AS (
        SELECT DISTINCT coalesce(v.merged_into, v.victim_id) AS id
          FROM tip.assistance a JOIN tip.victim v ON v.victim_id = a.victim_id
         WHERE a.referred_to IN (SELECT access.organisations())
    ), member AS (
        SELECT p.id AS person, p.id AS victim_id FROM person p
        UNION
        SELECT p.id, v.victim_id FROM person p JOIN tip.victim v ON v.merged_into = p.id
    )
    SELECT m.victim_id FROM member m
     WHERE EXISTS (SELECT FROM member o JOIN tip.identification i ON i.victim_id = o.victim_id
                    WHERE o.person = m.person AND i.share_assist)
$$;
COMMENT ON FUNCTION access.referred_victims() IS 'Personnes référées à la structure du compte connecté et d''accord pour le partage avec un service d''aide';

CREATE FUNCTION access.justice_victims() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT i.victim_id FROM tip.identification i WHERE i.share_justice
    UNION
    SELECT c.victim_id FROM tip.case_victim c
$$;
COMMENT ON FUNCTION access.justice_victims() IS 'Personnes d''une procédure, ou d''accord pour le partage avec la justice';
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA access FROM PUBLIC;

-- ---- rows: people and what was recorded of them --------------------------------------------------------------

ALTER TABLE tip.victim ENABLE ROW LEVEL SECURITY;
ALTER TABLE tip.identification ENABLE ROW LEVEL SECURITY;
ALTER TABLE tip.identification_item ENABLE ROW LEVEL SECURITY;
ALTER TABLE tip.exploitation ENABLE ROW LEVEL SECURITY;
ALTER TABLE tip.route_leg ENABLE ROW LEVEL SECURITY;
ALTER TABLE tip.assistance ENABLE ROW LEVEL SECURITY;
ALTER TABLE tip.followup ENABLE ROW LEVEL SECURITY;
ALTER TABLE tip.consent_change ENABLE ROW LEVEL SECURITY;

CREATE POLICY own_and_referred ON tip.victim FOR SELECT TO relais_actor
    USING (victim_id IN (SELECT access.own_victims()) OR victim_id IN (SELECT access.referred_victims()));
CREATE POLICY own_and_referred ON tip.identification FOR SELECT TO relais_actor
    USING (org_code IN (SELECT access.organisations())
           OR (share_assist AND victim_id IN (SELECT access.referred_victims())));
CREATE POLICY own_and_referred ON tip.assistance FOR SELECT TO relais_actor
    USING (org_code IN (SELECT access.organisations())
           OR (referred_to IN (SELECT access.organisations()) AND victim_id IN (SELECT access.referred_victims())));
CREATE POLICY own ON tip.followup FOR SELECT TO relais_actor
    USING (org_code IN (SELECT access.organisations()));
CREATE POLICY own ON tip.consent_change FOR SELECT TO relais_actor
    USING (org_code IN (SELECT access.organisations()));

CREATE POLICY own_and_shared ON tip.victim FOR SELECT TO relais_justice
    USING (victim_id IN (SELECT access.own_victims()) OR victim_id IN (SELECT access.justice_victims()));
CREATE POLICY own_and_shared ON tip.identification FOR SELECT TO relais_justice
    USING (share_justice OR org_code IN (SELECT access.organisations()));

CREATE POLICY everything ON tip.victim FOR SELECT TO relais_coordination, relais_identity_officer USING (true);
CREATE POLICY everything ON tip.identification FOR SELECT TO relais_coordination USING (true);
CREATE POLICY everything ON tip.assistance FOR SELECT TO relais_coordination USING (true);
CREATE POLICY everything ON tip.followup FOR SELECT TO relais_coordination USING (true);
CREATE POLICY everything ON tip.consent_change FOR SELECT TO relais_coordination USING (true);

-- What belongs to a recording is seen by whoever sees the recording.
CREATE POLICY with_its_recording ON tip.identification_item FOR SELECT
    TO relais_actor, relais_justice, relais_coordination
    USING (EXISTS (SELECT FROM tip.identification i WHERE i.identification_id = identification_item.identification_id));
CREATE POLICY with_its_recording ON tip.exploitation FOR SELECT
    TO relais_actor, relais_justice, relais_coordination
    USING (EXISTS (SELECT FROM tip.identification i WHERE i.identification_id = exploitation.identification_id));
CREATE POLICY with_its_recording ON tip.route_leg FOR SELECT
    TO relais_actor, relais_justice, relais_coordination
    USING (EXISTS (SELECT FROM tip.identification i WHERE i.identification_id = route_leg.identification_id));

DO $$
DECLARE
    one text;
BEGIN
    FOREACH one IN ARRAY ARRAY['victim', 'identification', 'identification_item', 'exploitation', 'route_leg',
                               'assistance', 'followup', 'consent_change']
    LOOP
        EXECUTE format('CREATE POLICY forwarder ON tip.%I TO relais_forwarder USING (true) WITH CHECK (true)', one);
    END LOOP;
END
$$;

GRANT USAGE ON SCHEMA ref, tip TO relais_actor, relais_justice, relais_coordination;
GRANT USAGE ON SCHEMA access TO relais_actor, relais_justice;
GRANT EXECUTE ON FUNCTION access.organisations(), access.own_victims() TO relais_actor, relais_justice;
GRANT EXECUTE ON FUNCTION access.referred_victims() TO relais_actor;
GRANT EXECUTE ON FUNCTION access.justice_victims() TO relais_justice;
GRANT SELECT ON ref.code, ref.code_map, ref.country, ref.place, ref.organisation
    TO relais_actor, relais_justice, relais_coordination;
GRANT SELECT ON tip.victim, tip.identification, tip.identification_item, tip.exploitation, tip.route_leg
    TO relais_actor, relais_justice, relais_coordination;
GRANT SELECT ON tip.assistance, tip.followup, tip.consent_change, tip.activity_report, tip.activity_difficulty
    TO relais_actor, relais_coordination;
GRANT EXECUTE ON FUNCTION tip.decide_consent_change(uuid, text, text) TO relais_coordination;

-- ---- justice: an island ----------------------------------------------------------------------------------------

GRANT SELECT ON tip.criminal_case, tip.suspect, tip.case_suspect, tip.case_victim TO relais_justice;

-- ---- linking ---------------------------------------------------------------------------------------------------

GRANT USAGE ON SCHEMA link TO relais_linker;
GRANT SELECT ON link.match_key, link.rule, link.candidate, link.merge_log, link.episode, link.history,
                link.open_candidate, link.recording TO relais_linker;
GRANT EXECUTE ON FUNCTION link.find_candidates(uuid), link.merge(uuid, uuid, text, text), link.unmerge(bigint, text),
                          link.decide(bigint, text, text), link.start_episode(uuid, text),
                          link.cancel_episode(uuid, text), link.choose_primary(uuid, text) TO relais_linker;

-- ---- identity and its log --------------------------------------------------------------------------------------

GRANT USAGE ON SCHEMA identity, tip TO relais_identity_officer;
GRANT SELECT (person_id, victim_id, suspect_id, identification_id, seal_key, keep_until, created_at)
    ON identity.person TO relais_identity_officer;
GRANT SELECT (victim_id, national_code, merged_into, erased_at) ON tip.victim TO relais_identity_officer;
GRANT EXECUTE ON FUNCTION identity.request(uuid, text), identity.read(bigint) TO relais_identity_officer;

GRANT USAGE ON SCHEMA audit TO relais_auditor;
GRANT SELECT ON audit.access_log TO relais_auditor;
GRANT EXECUTE ON FUNCTION audit.verify(bigint, bytea), audit.head(), audit.digest(audit.access_log) TO relais_auditor;

-- ---- figures ---------------------------------------------------------------------------------------------------

GRANT USAGE ON SCHEMA stat TO relais_analyst, relais_coordination;
ALTER DEFAULT PRIVILEGES IN SCHEMA stat GRANT SELECT ON TABLES TO relais_analyst, relais_coordination;

-- ---- the forwarder ---------------------------------------------------------------------------------------------

-- ON CONFLICT DO UPDATE needs SELECT on every column that it sets from excluded, so whole tables are read
-- where rows are upserted. Identities and keys are not upserted: they are replaced (mapping: replace=),
-- which needs SELECT on no more than the columns that find the rows to replace.
GRANT USAGE ON SCHEMA relais, ref, tip, link, identity TO relais_forwarder;
GRANT SELECT ON ref.code, ref.code_map, ref.country, ref.place, ref.organisation TO relais_forwarder;
GRANT SELECT, INSERT, UPDATE ON relais.submission, relais.attachment, relais.mapping TO relais_forwarder;
GRANT SELECT ON relais.tombstone TO relais_forwarder;
GRANT SELECT (victim_id, national_code), INSERT (victim_id, national_code) ON tip.victim TO relais_forwarder;
GRANT SELECT, INSERT, UPDATE, DELETE ON
    tip.identification, tip.identification_item, tip.exploitation, tip.route_leg,
    tip.criminal_case, tip.suspect, tip.case_suspect, tip.case_victim,
    tip.assistance, tip.followup, tip.activity_report, tip.activity_difficulty TO relais_forwarder;
GRANT SELECT, DELETE,
      INSERT (change_id, sub_id, victim_id, org_code, asked_on, wish),
      UPDATE (sub_id, victim_id, org_code, asked_on, wish) ON tip.consent_change TO relais_forwarder;
GRANT SELECT (identification_id, kind, key_version), INSERT, DELETE ON link.match_key TO relais_forwarder;
GRANT SELECT (person_id, sub_id, victim_id, suspect_id, identification_id, seal_key, keep_until, created_at),
      INSERT (person_id, sub_id, victim_id, suspect_id, identification_id, sealed, seal_key, keep_until),
      DELETE ON identity.person TO relais_forwarder;
