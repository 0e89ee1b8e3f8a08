-- name: count
-- How many there are. Rows are only added after the newest and pruned before the oldest.
SELECT coalesce((SELECT max(id) FROM audit) - (SELECT min(id) FROM audit) + 1, 0) AS total;

-- name: window
-- A window of all, the newest first. It is found by id, so that every offset costs the same.
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

-- name: by_ids
-- Rows by their ids, a JSON array, the newest first.
SELECT a.*, h.name AS host_name
FROM json_each(:ids) AS wanted JOIN audit AS a ON a.id = wanted.value
LEFT JOIN hosts AS h ON h.host_id = a.host_id
ORDER BY wanted.key;

-- name: newest
-- The highest id.
SELECT coalesce(max(id), 0) AS id FROM audit;

-- name: last
-- The last of so many entries from a row downwards; none if there are fewer.
SELECT id FROM audit WHERE id <= :high ORDER BY id DESC LIMIT 1 OFFSET :count - 1;

-- name: passing
-- The entries from a row down to another that contain the text.
SELECT id FROM audit
WHERE id BETWEEN :low AND :high
  AND (actor LIKE :pattern ESCAPE '\' OR action LIKE :pattern ESCAPE '\'
       OR detail LIKE :detail_pattern ESCAPE '\' OR host_id = :text
       OR host_id IN (SELECT host_id FROM hosts WHERE name LIKE :pattern ESCAPE '\'))
ORDER BY id DESC;

-- name: last_fault
-- The last of so many refusals and violations, from a row downwards.
SELECT id FROM audit INDEXED BY audit_of_faults
WHERE action IN ('refuse_host', 'violation') AND id <= :high
ORDER BY id DESC LIMIT 1 OFFSET :count - 1;

-- name: passing_faults
-- The refusals and violations from a row down to another that contain the text.
SELECT id FROM audit INDEXED BY audit_of_faults
WHERE action IN ('refuse_host', 'violation') AND id BETWEEN :low AND :high
  AND (:pattern = '' OR actor LIKE :pattern ESCAPE '\' OR action LIKE :pattern ESCAPE '\'
       OR detail LIKE :detail_pattern ESCAPE '\' OR host_id = :text
       OR host_id IN (SELECT host_id FROM hosts WHERE name LIKE :pattern ESCAPE '\'))
ORDER BY id DESC;
