-- name: mark
-- Marks the oldest tasks that ended before an instant, but not those that ended while the clock was so
-- far behind that they are younger.
UPDATE tasks SET pruned_at = :now WHERE id IN (
    SELECT id FROM tasks
    WHERE finished_at < :before AND status IN ('completed', 'failed', 'canceled')
      AND pruned_at IS NULL
      AND NOT EXISTS (
        SELECT 1 FROM clock_errors
        WHERE tasks.finished_at BETWEEN began AND ended AND tasks.finished_at + behind >= :before)
    ORDER BY finished_at LIMIT :tasks);

-- name: count_old
-- How many tasks `mark` has still to mark.
SELECT count(*) FROM tasks
WHERE finished_at < :before AND status IN ('completed', 'failed', 'canceled')
  AND pruned_at IS NULL
  AND NOT EXISTS (
    SELECT 1 FROM clock_errors
    WHERE tasks.finished_at BETWEEN began AND ended AND tasks.finished_at + behind >= :before);

-- name: marked
-- A marked task.
SELECT id FROM tasks WHERE pruned_at IS NOT NULL ORDER BY id LIMIT 1;

-- name: all_marked
-- All marked tasks.
SELECT id FROM tasks WHERE pruned_at IS NOT NULL;

-- name: pieces
-- The oldest output of a task, and its sizes, without what goes with the part of its day.
SELECT id, length(data) AS size FROM output_chunks_other WHERE task_id = :task_id
ORDER BY id LIMIT :rows;

-- name: remove_pieces
-- This output up to a piece.
DELETE FROM output_chunks_other WHERE task_id = :task_id AND id <= :last;

-- name: contents
-- The first scripts and inputs of a task, and their sizes.
SELECT c.id, length(c.data) AS size FROM commands AS k
JOIN command_contents AS c ON c.command_id = k.id
WHERE k.task_id = :task_id ORDER BY c.id LIMIT :rows;

-- name: remove_contents
-- Those up to one of them.
DELETE FROM command_contents
WHERE command_id IN (SELECT id FROM commands WHERE task_id = :task_id) AND id <= :last;

-- name: remove_command_hosts
-- Some command hosts of a task whose output is removed.
DELETE FROM command_hosts WHERE id IN (
    SELECT id FROM command_hosts WHERE task_id = :task_id ORDER BY position, id LIMIT :rows);

-- name: remove_commands
-- The commands of a task and their secrets, after its command hosts.
DELETE FROM commands WHERE id IN (
    SELECT id FROM commands WHERE task_id = :task_id ORDER BY position LIMIT :rows);

-- name: remove_rollout_hosts
-- Some hosts of the rollout of a task.
DELETE FROM rollout_hosts WHERE task_id = :task_id AND host IN (
    SELECT host FROM rollout_hosts WHERE task_id = :task_id ORDER BY host LIMIT :rows);

-- name: remove_rollout_batches
-- Some batches of it.
DELETE FROM rollout_batches WHERE task_id = :task_id AND number IN (
    SELECT number FROM rollout_batches WHERE task_id = :task_id ORDER BY number LIMIT :rows);

-- name: remove_schedule_runs
-- Due times that were decided before an instant. The newest of each schedule stays.
DELETE FROM schedule_runs WHERE id IN (
    SELECT r.id FROM schedule_runs AS r
    WHERE decided_at < :before
      AND id < (SELECT max(id) FROM schedule_runs WHERE schedule = r.schedule)
      AND NOT EXISTS (
        SELECT 1 FROM clock_errors
        WHERE r.decided_at BETWEEN began AND ended AND r.decided_at + behind >= :before)
    ORDER BY decided_at LIMIT :rows);

-- name: remove_task
-- The task itself with its rollout; its number is never used again.
DELETE FROM tasks WHERE id = :task_id AND pruned_at IS NOT NULL;

-- name: remove_tokens
-- Join tokens that ended before an instant and that no host has used. The newest stays, so that its
-- number is not given to another token.
DELETE FROM tokens WHERE id IN (
    SELECT id FROM tokens
    WHERE expires_at < :before AND id < (SELECT max(id) FROM tokens)
      AND id NOT IN (SELECT token_id FROM hosts WHERE token_id IS NOT NULL)
    ORDER BY id LIMIT :rows);

-- name: keep_removed_bytes
-- Nothing: PostgreSQL overwrites no removed rows.
SELECT 1;

-- name: overwrite_removed_bytes
-- Nothing, too.
SELECT 1;

-- name: make_output_parts
-- Makes the parts of the output of some days.
SELECT make_output_partitions(:now, :days) AS made;

-- name: drop_output_parts
-- Drops the parts of old days whose tasks are all pruned.
SELECT drop_output_partitions(:before) AS dropped;

-- name: remove_pruned_output
-- Removes some output of pruned tasks from the parts of old days.
SELECT remove_pruned_output(:before, :rows) AS removed;
