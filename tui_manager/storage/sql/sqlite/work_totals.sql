-- name: count_running
-- For the header.
SELECT count(*) AS running FROM tasks
WHERE status IN ('pending', 'running') AND status = 'running';

-- name: unended_work
-- For metrics: tasks that have not ended, and their commands.
SELECT status, count(*) AS tasks, sum(pending) AS pending, sum(running) AS running FROM tasks
WHERE status IN ('pending', 'running') GROUP BY status;

-- name: count_failed
-- Tasks that ended as failed since a time. They are counted on the index alone.
SELECT count(*) AS failed FROM tasks INDEXED BY tasks_failed_by_end
WHERE status = 'failed' AND pruned_at IS NULL AND finished_at >= :since;

-- name: held
-- Running tasks that wait after a batch until an operator resumes them, the newest first. A paused
-- one is not among them.
SELECT t.*, r.* FROM tasks AS t JOIN rollouts AS r ON r.task_id = t.id
WHERE t.status IN ('pending', 'running') AND t.status = 'running' AND t.cancel_requested_at IS NULL
  AND t.paused_at IS NULL AND r.held_until IS NOT NULL
ORDER BY t.id DESC LIMIT :limit;

-- name: newest_updates
-- The newest tasks that have updated the agent of a host, with what they have brought.
SELECT c.update_step FROM commands AS c JOIN tasks AS t ON t.id = c.task_id
WHERE c.update_step IS NOT NULL AND c.completed > 0 AND t.pruned_at IS NULL
ORDER BY c.task_id DESC LIMIT :limit;
