-- In which run of its manager the newest session of a host began. On SQLite this is not needed: at its
-- start the manager knows that nobody is connected.

ALTER TABLE gateways ADD COLUMN runs INTEGER NOT NULL DEFAULT 0;      -- how often it has started
ALTER TABLE hosts ADD COLUMN gateway_run INTEGER NOT NULL DEFAULT 0;  -- in which its newest session began
