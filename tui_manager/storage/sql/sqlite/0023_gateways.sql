-- What several managers on one PostgreSQL database tell each other, so that a row is a row on both
-- engines. On SQLite there is one manager, the gateway 0, and these tables stay empty.

CREATE TABLE gateways (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,               -- made with its state folder
    name TEXT NOT NULL DEFAULT '',          -- of its machine
    address TEXT NOT NULL DEFAULT '',       -- that agents dial; empty: not known
    version TEXT NOT NULL DEFAULT '',
    started_at INTEGER NOT NULL,
    beats INTEGER NOT NULL DEFAULT 0,       -- counted up while it runs
    stopped_at INTEGER,                     -- in order; NULL: it has not
    missed_at INTEGER,                      -- NULL: the others have heard it since
    figures TEXT NOT NULL DEFAULT '{}'      -- JSON object, of its newest beat
) STRICT;

CREATE TABLE leader (
    gateway INTEGER NOT NULL,               -- 0: nobody
    epoch INTEGER NOT NULL,                 -- counts the leaders
    renewals INTEGER NOT NULL
) STRICT;

INSERT INTO leader (gateway, epoch, renewals) VALUES (0, 0, 0);

CREATE TABLE gateway_vitals (
    gateway INTEGER PRIMARY KEY,
    vitals TEXT NOT NULL                    -- JSON
) STRICT;

ALTER TABLE hosts ADD COLUMN gateway INTEGER NOT NULL DEFAULT 0;      -- of the newest session
ALTER TABLE hosts ADD COLUMN instance_id TEXT NOT NULL DEFAULT '';    -- of the agent of that session
