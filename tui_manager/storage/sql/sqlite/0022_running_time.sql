-- A task that runs is sorted by its time as longer than all that have ended. Of two that run, the
-- one that began first is longer.

DROP INDEX tasks_by_duration;
ALTER TABLE tasks DROP COLUMN duration;
ALTER TABLE tasks ADD COLUMN duration INTEGER GENERATED ALWAYS AS (
    CASE WHEN started_at IS NULL THEN 0
         WHEN finished_at IS NULL THEN 4611686018427387904 - started_at
         ELSE finished_at - started_at END) VIRTUAL;
CREATE INDEX tasks_by_duration ON tasks (duration, id) WHERE pruned_at IS NULL;
