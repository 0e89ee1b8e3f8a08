-- When tasks failed, so that those of today are counted on the index alone.

CREATE INDEX tasks_failed_by_end ON tasks (finished_at, status, pruned_at)
    WHERE status = 'failed' AND pruned_at IS NULL;
