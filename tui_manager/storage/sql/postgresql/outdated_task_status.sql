-- name: running_and_just_ended
-- Tasks that run, and those that have ended just now.
SELECT id FROM tasks WHERE status IN ('pending', 'running') AND status = 'running'
UNION ALL
SELECT id FROM tasks WHERE finished_at >= :since AND pruned_at IS NULL;

-- name: with_outdated_status
-- Those of some tasks whose status or faults do not fit their counters.
SELECT t.id FROM counted_tasks AS t
WHERE t.id = ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text(:ids::jsonb)))
  AND t.pruned_at IS NULL
  AND (t.has_faults <> (t.failed + t.timeout + t.skipped > 0)
    OR CASE t.status WHEN 'running' THEN t.pending + t.running = 0
                     WHEN 'completed' THEN t.completed <> t.total
                     WHEN 'failed' THEN t.pending + t.running > 0 OR t.completed = t.total
                     ELSE false END)
ORDER BY t.id;

-- name: update_fault_marks
-- Two managers have stored a fault and the end of another one at the same time.
UPDATE tasks AS t SET has_faults = NOT t.has_faults
WHERE t.id = ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text(:ids::jsonb)))
  AND t.has_faults <> (SELECT coalesce(sum(n.failed + n.timeout + n.skipped), 0) > 0
                       FROM command_counts AS n WHERE n.task_id = t.id);
