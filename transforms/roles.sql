-- The roles that the national schema grants to, made once in a cluster by a superuser:
--
--     psql -d postgres -f transforms/roles.sql
--
-- Afterwards `relais plan | psql` needs no right beyond owning the database. A role that is there
-- already is left as it is. schema/README.md says what each is for and how people are given one.
DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY[
        'relais_owner', 'relais_forwarder', 'relais_actor', 'relais_justice', 'relais_coordination',
        'relais_linker', 'relais_identity_officer', 'relais_analyst', 'relais_auditor']
    LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role);
        END IF;
    END LOOP;
END
$$;
