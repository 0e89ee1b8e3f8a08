-- name: mark
-- The oldest of those that ended before an instant are gone from now on; but not what ended while the
-- clock was so far behind that it is younger.
UPDATE tasks SET pruned_at = :now WHERE id IN (
    SELECT id FROM tasks
    WHERE finished_at < :before AND status IN ('completed', 'failed', 'canceled')
      AND pruned_at IS NULL
      AND NOT EXISTS (
        SELECT 1 FROM clock_errors
        WHERE finished_at BETWEEN began AND ended AND finished_at + behind >= :before)
    ORDER BY finished_at LIMIT :tasks);

-- name: count_old
-- How many `mark` has before it.
SELECT count(*) FROM tasks
WHERE finished_at < :before AND status IN ('completed', 'failed', 'canceled')
  AND pruned_at IS NULL
  AND NOT EXISTS (
    SELECT 1 FROM clock_errors
    WHERE finished_at BETWEEN began AND ended AND finished_at + behind >= :before);

-- name: marked
-- A task that has left something.
SELECT id FROM tasks WHERE pruned_at IS NOT NULL ORDER BY id LIMIT 1;

-- name: all_marked
-- All of them.
SELECT id FROM tasks WHERE pruned_at IS NOT NULL;

-- name: pieces
-- The oldest output of a task, and how much it is.
SELECT id, length(data) AS size FROM output_chunks WHERE task_id = :task_id
ORDER BY id LIMIT :rows;

-- name: remove_pieces
-- Output of a task up to a piece.
DELETE FROM output_chunks WHERE task_id = :task_id AND id <= :last;

-- name: remove_command_hosts
-- Some of what a task did, once its output is away.
DELETE FROM command_hosts WHERE id IN (
    SELECT id FROM command_hosts WHERE task_id = :task_id ORDER BY position, id LIMIT :rows);

-- name: remove_commands
-- The commands of a task and their secrets, once nothing is left of what it did.
DELETE FROM commands WHERE id IN (
    SELECT id FROM commands WHERE task_id = :task_id ORDER BY position LIMIT :rows);

-- name: remove_task
-- The task itself; its number is never said again.
DELETE FROM tasks WHERE id = :task_id AND pruned_at IS NOT NULL;

-- name: remove_tokens
-- Join tokens that ended before an instant and that no host speaks of. The newest stays: its number
-- must not be another token's.
DELETE FROM tokens WHERE id IN (
    SELECT id FROM tokens
    WHERE expires_at < :before AND id < (SELECT max(id) FROM tokens)
      AND id NOT IN (SELECT token_id FROM hosts WHERE token_id IS NOT NULL)
    ORDER BY id LIMIT :rows);
