-- Keeps people out of PostgreSQL's own log. A superuser runs it once in the database, and again when the
-- database is made anew, for these settings are of the database and not in its dump:
--
--     psql -d national -f transforms/logging.sql
--
-- As PostgreSQL ships, its log quotes of every row that it refuses the row itself ("Failing row contains"), of
-- a doubled key the key, and the text of each statement that fails, with whatever was typed into it. Which
-- submission was refused, at which answer and by which rule, is in the forwarder's log and in the quarantine,
-- without the answer; so nothing is lost that somebody needs. New connections heed it; `relais doctor` says
-- whether it holds.
DO $$
DECLARE
    setting text;
BEGIN
    FOREACH setting IN ARRAY ARRAY[
        'log_error_verbosity = terse',               -- neither detail nor context
        'log_min_error_statement = panic',           -- nor the statement
        'log_parameter_max_length = 0',              -- nor its values, where statements are logged on purpose
        'log_parameter_max_length_on_error = 0']
    LOOP
        EXECUTE format('ALTER DATABASE %I SET %s', current_database(), setting);
    END LOOP;
END
$$;
