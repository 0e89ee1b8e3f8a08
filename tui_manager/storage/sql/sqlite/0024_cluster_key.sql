-- What several managers on one PostgreSQL database have in common, so that a row is a row on both
-- engines. On SQLite these stay empty.

ALTER TABLE manager ADD COLUMN cluster_key TEXT NOT NULL DEFAULT '';        -- fingerprint of the file
ALTER TABLE manager ADD COLUMN host_authority TEXT NOT NULL DEFAULT '';     -- fingerprints
ALTER TABLE manager ADD COLUMN server_authority TEXT NOT NULL DEFAULT '';
ALTER TABLE manager ADD COLUMN secrets_key BLOB;
