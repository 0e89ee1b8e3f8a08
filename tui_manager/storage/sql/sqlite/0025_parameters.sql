-- A task keeps what its task file says of its parameters; the steps have their values.

ALTER TABLE tasks ADD COLUMN parameters TEXT NOT NULL DEFAULT '[]';  -- JSON array of objects
