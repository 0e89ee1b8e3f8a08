-- What agents know of their machines.

ALTER TABLE hosts ADD COLUMN facts TEXT NOT NULL DEFAULT '{}';    -- JSON object
ALTER TABLE hosts ADD COLUMN facts_at INTEGER;                    -- microseconds since 1970 UTC
