-- name: insert
-- One act, in its own transaction.
INSERT INTO audit (at, actor, action, task_id, host_id, detail)
VALUES (:at, :actor, :action, :task_id, :host_id, :detail);

-- name: count
-- How many there are: rows are only ever added behind the newest, and pruned before the oldest.
SELECT coalesce((SELECT max(id) FROM audit) - (SELECT min(id) FROM audit) + 1, 0) AS total;

-- name: window
-- A window of all, the newest first; found by id, so that it costs the same at any offset.
SELECT a.*, h.name AS host_name FROM audit AS a LEFT JOIN hosts AS h ON h.host_id = a.host_id
WHERE a.id <= (SELECT max(id) FROM audit) - :offset ORDER BY a.id DESC LIMIT :limit;

-- name: of_task
-- The same of one task.
SELECT a.*, h.name AS host_name
FROM audit AS a LEFT JOIN hosts AS h ON h.host_id = a.host_id
WHERE a.task_id = :task_id ORDER BY a.id DESC LIMIT :limit OFFSET :offset;

-- name: filtered
-- The same of those that contain the text, or of agents that did what they must not.
SELECT a.*, h.name AS host_name
FROM audit AS a LEFT JOIN hosts AS h ON h.host_id = a.host_id
WHERE (:pattern = '' OR a.actor LIKE :pattern ESCAPE '\' OR a.action LIKE :pattern ESCAPE '\'
       OR a.detail LIKE :detail_pattern ESCAPE '\' OR a.host_id = :text
       OR a.host_id IN (SELECT host_id FROM hosts WHERE name LIKE :pattern ESCAPE '\'))
  AND (NOT :faults_only OR a.action IN ('refuse_host', 'violation'))
ORDER BY a.id DESC LIMIT :limit OFFSET :offset;
