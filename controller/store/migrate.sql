-- :name migrate_lock
SELECT pg_advisory_lock(hashtext('serin.migrate'))

-- A table of observations may take longer to look through than any statement of the daemon.
-- :name migrate_patience
SET statement_timeout = 0

-- :name migrate_unlock
SELECT pg_advisory_unlock(hashtext('serin.migrate'))

-- :name migrate_exists
SELECT to_regclass('schema_migrations') IS NOT NULL

-- :name migrate_table
CREATE TABLE IF NOT EXISTS schema_migrations (
    version integer PRIMARY KEY,
    name text NOT NULL,
    checksum bytea NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)

-- :name migrate_applied
SELECT version, name, checksum FROM schema_migrations ORDER BY version

-- :name migrate_record
INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)

-- :name migrate_fsync
SELECT current_setting('fsync') = 'on', current_setting('server_version_num')::int
