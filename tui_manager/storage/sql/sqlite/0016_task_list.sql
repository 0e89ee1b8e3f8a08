-- Tasks are found by their hosts, status and time, and listed in several orders.

CREATE INDEX command_hosts_of_host ON command_hosts (host, task_id)
    WHERE position = 0;  -- one row a task
CREATE INDEX tasks_by_status ON tasks (status, id) WHERE pruned_at IS NULL;
CREATE INDEX tasks_by_creation ON tasks (created_at, id) WHERE pruned_at IS NULL;

-- What tasks are sorted by. A task that has not started, or has not ended, has 0.
ALTER TABLE tasks ADD COLUMN start_order INTEGER
    GENERATED ALWAYS AS (coalesce(started_at, 0)) VIRTUAL;
ALTER TABLE tasks ADD COLUMN finish_order INTEGER
    GENERATED ALWAYS AS (coalesce(finished_at, 0)) VIRTUAL;
ALTER TABLE tasks ADD COLUMN duration INTEGER
    GENERATED ALWAYS AS (coalesce(finished_at - started_at, 0)) VIRTUAL;

CREATE INDEX tasks_by_start ON tasks (start_order, id) WHERE pruned_at IS NULL;
CREATE INDEX tasks_by_finish ON tasks (finish_order, id) WHERE pruned_at IS NULL;
CREATE INDEX tasks_by_duration ON tasks (duration, id) WHERE pruned_at IS NULL;
