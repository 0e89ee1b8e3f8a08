-- What the manager knows of its wall clock, so that it notices a wrong one after a restart too.
-- Instants are microseconds since 1970, as a clock told them that may have been wrong.

-- One row, written once a minute.
CREATE TABLE clock (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    trusted_at INTEGER NOT NULL, -- the time, as far as the manager can tell
    shown_at INTEGER NOT NULL,   -- what the clock showed then
    since INTEGER NOT NULL,      -- from when on, by the same clock, it has not jumped
    waited INTEGER NOT NULL      -- microseconds of running for which pruning has waited for it
);

-- The newest time that a database from before has.
INSERT INTO clock (id, trusted_at, shown_at, since, waited)
SELECT 1, at, at, at, 0 FROM audit ORDER BY id DESC LIMIT 1;

-- What was written between two instants, while the clock did not show what it shows now.
CREATE TABLE clock_errors (
    id INTEGER PRIMARY KEY,
    began INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    behind INTEGER NOT NULL,  -- microseconds; negative: it was ahead
    at_start INTEGER NOT NULL -- 1: guessed at a start; the manager may have been off for so long
);
