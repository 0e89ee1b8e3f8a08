-- Old tasks go. One that is marked is gone for everybody from then on; what it leaves is cleared away
-- in small steps. Instants are microseconds since 1970.

ALTER TABLE tasks ADD COLUMN pruned_at INTEGER;

CREATE INDEX tasks_pruned ON tasks (id) WHERE pruned_at IS NOT NULL;
CREATE INDEX tasks_listed ON tasks (id) WHERE pruned_at IS NULL;

DROP INDEX tasks_with_faults;
CREATE INDEX tasks_with_faults ON tasks (id)
    WHERE failed + timeout + skipped > 0 AND pruned_at IS NULL;
