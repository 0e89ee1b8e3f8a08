-- Agents that come as bundles: updates of them, and tokens for the one host that was seen over ssh.

ALTER TABLE commands ADD COLUMN update_step TEXT;                    -- JSON object; NULL: it replaces no agent
ALTER TABLE tokens ADD COLUMN key_sha256 BLOB;                       -- of the only host that may enrol with it; NULL: any may
ALTER TABLE hosts ADD COLUMN agent_build TEXT NOT NULL DEFAULT '';   -- of its bundle, 12 hex digits; empty: it has none
ALTER TABLE hosts ADD COLUMN installed_by TEXT NOT NULL DEFAULT '';  -- bundle, deb or rpm; empty: by other means

CREATE INDEX commands_of_updates ON commands (task_id) WHERE update_step IS NOT NULL;
