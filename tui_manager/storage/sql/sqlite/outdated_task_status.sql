-- name: running_and_just_ended
-- Tasks that run, and those that have ended just now.
SELECT id FROM tasks WHERE status IN ('pending', 'running') AND status = 'running'
UNION ALL
SELECT id FROM tasks WHERE finished_at >= :since AND pruned_at IS NULL;

-- name: with_outdated_status
-- Those of some tasks whose status does not fit their counters.
SELECT id FROM tasks
WHERE id IN (SELECT value FROM json_each(:ids)) AND pruned_at IS NULL
  AND CASE status WHEN 'running' THEN pending + running = 0
                  WHEN 'completed' THEN completed <> total
                  WHEN 'failed' THEN pending + running > 0 OR completed = total
                  ELSE 0 END
ORDER BY id;

-- name: update_fault_marks
-- The column is PostgreSQL's.
SELECT :ids;
