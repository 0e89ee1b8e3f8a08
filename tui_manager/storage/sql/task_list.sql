-- Tasks that are pruned, but not yet cleared away, are not listed.

-- name: count
-- All tasks but the pruned. SQLite counts them page by page on the smallest index.
SELECT (SELECT count(*) FROM tasks) - (SELECT count(*) FROM tasks WHERE pruned_at IS NOT NULL)
    AS total;

-- name: window
-- A window of the list, the newest first. Skipped rows are counted on the index alone.
SELECT t.* FROM (
    SELECT id FROM tasks INDEXED BY tasks_listed WHERE pruned_at IS NULL
    ORDER BY id DESC LIMIT :limit OFFSET :offset) AS found
JOIN tasks AS t ON t.id = found.id ORDER BY t.id DESC;

-- name: window_from_the_end
-- The same from the oldest task on, which is nearer in the second half of the list.
SELECT t.* FROM (
    SELECT id FROM tasks INDEXED BY tasks_listed WHERE pruned_at IS NULL
    ORDER BY id LIMIT :limit OFFSET :offset) AS found
JOIN tasks AS t ON t.id = found.id ORDER BY t.id;

-- name: by_ids
-- Rows by their ids, a JSON array, the newest first.
SELECT t.* FROM json_each(:ids) AS wanted JOIN tasks AS t ON t.id = wanted.value
WHERE t.pruned_at IS NULL ORDER BY wanted.key;

-- name: of_host
-- The newest tasks that ran on a host.
SELECT t.* FROM (
    SELECT DISTINCT ch.task_id FROM command_hosts AS ch INDEXED BY command_hosts_of_host
    JOIN tasks AS listed ON listed.id = ch.task_id AND listed.pruned_at IS NULL
    WHERE ch.host = :host ORDER BY ch.task_id DESC LIMIT :limit) AS found
JOIN tasks AS t ON t.id = found.task_id ORDER BY t.id DESC;

-- name: newest
-- The highest id.
SELECT coalesce(max(id), 0) AS id FROM tasks;

-- name: last
-- The last of so many tasks from a row downwards; none if there are fewer.
SELECT id FROM tasks INDEXED BY tasks_listed WHERE pruned_at IS NULL AND id <= :high
ORDER BY id DESC LIMIT 1 OFFSET :count - 1;

-- name: passing
-- The tasks from a row down to another that contain the text.
SELECT id FROM tasks NOT INDEXED
WHERE id BETWEEN :low AND :high AND pruned_at IS NULL
  AND (name LIKE :pattern ESCAPE '\' OR target LIKE :pattern ESCAPE '\'
       OR status LIKE :pattern ESCAPE '\' OR CAST(id AS TEXT) = :exact)
ORDER BY id DESC;

-- name: last_fault
-- The last of so many that need attention, from a row downwards.
SELECT id FROM tasks INDEXED BY tasks_with_faults
WHERE failed + timeout + skipped > 0 AND pruned_at IS NULL AND id <= :high
ORDER BY id DESC LIMIT 1 OFFSET :count - 1;

-- name: passing_faults
-- The tasks that need attention, from a row down to another, that contain the text.
SELECT id FROM tasks INDEXED BY tasks_with_faults
WHERE failed + timeout + skipped > 0 AND pruned_at IS NULL AND id BETWEEN :low AND :high
  AND (:pattern = '' OR name LIKE :pattern ESCAPE '\' OR target LIKE :pattern ESCAPE '\'
       OR status LIKE :pattern ESCAPE '\' OR CAST(id AS TEXT) = :exact)
ORDER BY id DESC;

-- name: passing_of
-- Which of these rows, a JSON array of ids, pass.
SELECT id FROM tasks
WHERE id IN (SELECT value FROM json_each(:ids)) AND pruned_at IS NULL
  AND (NOT :faults_only OR failed + timeout + skipped > 0)
  AND (:pattern = '' OR name LIKE :pattern ESCAPE '\' OR target LIKE :pattern ESCAPE '\'
       OR status LIKE :pattern ESCAPE '\' OR CAST(id AS TEXT) = :exact);
