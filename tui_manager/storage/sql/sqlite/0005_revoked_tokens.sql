-- Join tokens can be taken back. Instants are microseconds since 1970.

ALTER TABLE tokens ADD COLUMN revoked_at INTEGER;   -- NULL: nobody has
