-- Steps of a task: how one follows the other on a host, and the bytes that they bring along.

ALTER TABLE commands ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE commands ADD COLUMN on_failure TEXT NOT NULL DEFAULT 'stop'
    CHECK (on_failure IN ('stop', 'continue'));
ALTER TABLE commands ADD COLUMN always INTEGER NOT NULL DEFAULT 0;
ALTER TABLE commands ADD COLUMN barrier INTEGER NOT NULL DEFAULT 0;
ALTER TABLE commands ADD COLUMN arguments TEXT NOT NULL DEFAULT '[]';  -- JSON array, of a script
ALTER TABLE commands ADD COLUMN script_size INTEGER;                   -- bytes; NULL: no script
ALTER TABLE commands ADD COLUMN script_sha256 TEXT;
ALTER TABLE commands ADD COLUMN stdin_size INTEGER;                    -- bytes; NULL: /dev/null
ALTER TABLE commands ADD COLUMN stdin_sha256 TEXT;

CREATE TABLE command_contents (
    id INTEGER PRIMARY KEY,
    command_id INTEGER NOT NULL REFERENCES commands (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('script', 'stdin')),
    data BLOB NOT NULL,
    UNIQUE (command_id, kind)
) STRICT;

-- What follows a step is read for each result of a task with several steps.
CREATE INDEX commands_in_order ON commands (task_id, position, on_failure, barrier);
