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

-- name: count_of_task
-- How many there are of one task.
SELECT count(*) AS total FROM audit WHERE task_id = :task_id;

-- name: these
-- Rows by their ids, a JSON array, the newest first.
SELECT a.*, h.name AS host_name
FROM json_each(:ids) AS wanted JOIN audit AS a ON a.id = wanted.value
LEFT JOIN hosts AS h ON h.host_id = a.host_id
ORDER BY wanted.key;

-- name: newest
-- The highest id.
SELECT coalesce(max(id), 0) AS id FROM audit;

-- name: last
-- The last of so many from a row downwards; none when there are not so many.
SELECT id FROM audit WHERE id <= :high ORDER BY id DESC LIMIT 1 OFFSET :looks - 1;

-- name: passing
-- Of those from a row down to another the ones that contain the text.
SELECT id FROM audit
WHERE id BETWEEN :low AND :high
  AND (actor LIKE :pattern ESCAPE '\' OR action LIKE :pattern ESCAPE '\'
       OR detail LIKE :detail_pattern ESCAPE '\' OR host_id = :text
       OR host_id IN (SELECT host_id FROM hosts WHERE name LIKE :pattern ESCAPE '\'))
ORDER BY id DESC;

-- name: last_fault
-- The last of so many acts of agents that did what they must not, from a row downwards.
SELECT id FROM audit INDEXED BY audit_of_faults
WHERE action IN ('refuse_host', 'violation') AND id <= :high
ORDER BY id DESC LIMIT 1 OFFSET :looks - 1;

-- name: passing_faults
-- Of these acts, from a row down to another, the ones that contain the text.
SELECT id FROM audit INDEXED BY audit_of_faults
WHERE action IN ('refuse_host', 'violation') AND id BETWEEN :low AND :high
  AND (:pattern = '' OR actor LIKE :pattern ESCAPE '\' OR action LIKE :pattern ESCAPE '\'
       OR detail LIKE :detail_pattern ESCAPE '\' OR host_id = :text
       OR host_id IN (SELECT host_id FROM hosts WHERE name LIKE :pattern ESCAPE '\'))
ORDER BY id DESC;
