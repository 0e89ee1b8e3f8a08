-- What operators say of hosts. Instants are microseconds since 1970 UTC.

ALTER TABLE hosts ADD COLUMN agent_labels TEXT NOT NULL DEFAULT '{}';     -- JSON; as the agent says
UPDATE hosts SET agent_labels = labels;  -- those of its join token win as before
ALTER TABLE hosts ADD COLUMN operator_labels TEXT NOT NULL DEFAULT '{}';  -- JSON; win over all others
ALTER TABLE hosts ADD COLUMN renamed INTEGER NOT NULL DEFAULT 0;  -- 1: what its agent calls it is ignored
ALTER TABLE hosts ADD COLUMN maintenance_reason TEXT;             -- NULL: it is not in maintenance
ALTER TABLE hosts ADD COLUMN maintenance_until INTEGER;           -- NULL: until an operator ends it
ALTER TABLE hosts ADD COLUMN maintenance_by TEXT;
ALTER TABLE hosts ADD COLUMN removed_at INTEGER;                  -- NULL: it is not removed; else it is revoked
ALTER TABLE hosts ADD COLUMN online INTEGER NOT NULL DEFAULT 0;   -- when the manager last knew
