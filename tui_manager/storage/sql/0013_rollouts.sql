-- How tasks go through their hosts, and what tasks leave out. Instants are microseconds since 1970
-- UTC, durations microseconds.

ALTER TABLE tasks ADD COLUMN paused_at INTEGER;      -- NULL: it is not paused
ALTER TABLE tasks ADD COLUMN include_maintenance INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN left_out TEXT NOT NULL DEFAULT '[]';  -- JSON array of hosts' names
ALTER TABLE tasks ADD COLUMN rerun_of INTEGER;       -- the task whose hosts it repeats

CREATE INDEX tasks_reruns ON tasks (rerun_of, id) WHERE rerun_of IS NOT NULL;

ALTER TABLE command_hosts ADD COLUMN batch INTEGER NOT NULL DEFAULT 0;  -- from 1; 0: no rollout
