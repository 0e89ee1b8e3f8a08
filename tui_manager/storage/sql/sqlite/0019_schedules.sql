-- Schedules, and what became of their due times. Instants are microseconds since 1970 UTC, durations
-- microseconds.

CREATE TABLE schedules (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- tasks name it, also after a delete
    name TEXT NOT NULL UNIQUE,
    revision INTEGER NOT NULL DEFAULT 1,   -- counts the edits
    cron TEXT NOT NULL,
    zone TEXT NOT NULL,
    overlap TEXT NOT NULL CHECK (overlap IN ('skip', 'wait')),
    misfire INTEGER NOT NULL,
    template TEXT NOT NULL,                -- empty: it has a task file of its own
    template_version INTEGER NOT NULL,     -- 0: the newest
    parameters TEXT NOT NULL,              -- JSON object, as typed
    target TEXT NOT NULL,                  -- instead of the template's; of a task file, its own
    task_file TEXT NOT NULL,               -- TOML; empty with a template
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    request_id TEXT UNIQUE,                -- a UUID of the client that added it
    handled_until INTEGER NOT NULL,        -- due times up to here have their row
    next_due INTEGER,                      -- the first after that; NULL: none
    paused_at INTEGER,                     -- NULL: it is not paused
    problem TEXT NOT NULL DEFAULT '',      -- why no task can be made from its template
    checked_version INTEGER NOT NULL       -- the newest version of the template when that was found
) STRICT;

CREATE INDEX schedules_due ON schedules (next_due) WHERE paused_at IS NULL;
CREATE INDEX schedules_of_template ON schedules (template, name) WHERE template <> '';

CREATE TABLE schedule_runs (
    id INTEGER PRIMARY KEY,
    schedule INTEGER NOT NULL REFERENCES schedules (id) ON DELETE CASCADE,
    due INTEGER NOT NULL,                  -- of several due times the last
    first_due INTEGER,                     -- of several the first; NULL: it is one
    count INTEGER NOT NULL DEFAULT 1,
    task_id INTEGER,                       -- NULL: none was started. The task may be pruned earlier.
    skipped TEXT NOT NULL DEFAULT '' CHECK (skipped IN
        ('', 'overlap', 'misfire', 'stopped', 'paused', 'clock', 'refused')),
    detail TEXT NOT NULL DEFAULT '',
    by_operator INTEGER NOT NULL DEFAULT 0,
    request_id TEXT UNIQUE,                -- a UUID of the client that started it
    decided_at INTEGER                     -- NULL: it waits until an earlier task has ended
) STRICT;

CREATE INDEX schedule_runs_of_schedule ON schedule_runs (schedule, id);
CREATE UNIQUE INDEX schedule_runs_waiting ON schedule_runs (schedule) WHERE decided_at IS NULL;
CREATE INDEX schedule_runs_by_decision ON schedule_runs (decided_at);

ALTER TABLE tasks ADD COLUMN schedule INTEGER;  -- that started it; NULL: none

CREATE INDEX tasks_of_schedules ON tasks (schedule)
    WHERE schedule IS NOT NULL AND status IN ('pending', 'running');
