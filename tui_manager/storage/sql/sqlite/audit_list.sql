-- name: count
-- How many there are. Rows are only added after the newest and pruned before the oldest.
SELECT coalesce((SELECT max(id) FROM audit) - (SELECT min(id) FROM audit) + 1, 0) AS total;

-- name: window
-- A window of all, the newest first. It is found by id, so that every offset costs the same.
SELECT a.*, h.name AS host_name, t.name AS task_name FROM audit AS a LEFT JOIN hosts AS h ON h.host_id = a.host_id
LEFT JOIN tasks AS t ON t.id = a.task_id
WHERE a.id <= (SELECT max(id) FROM audit) - :offset ORDER BY a.id DESC LIMIT :limit;

-- name: of_task
-- The same of one task.
SELECT a.*, h.name AS host_name, t.name AS task_name
FROM audit AS a LEFT JOIN hosts AS h ON h.host_id = a.host_id
LEFT JOIN tasks AS t ON t.id = a.task_id
WHERE a.task_id = :task_id ORDER BY a.id DESC LIMIT :limit OFFSET :offset;

-- name: count_of_task
-- How many there are of one task.
SELECT count(*) AS total FROM audit WHERE task_id = :task_id;

-- name: by_ids
-- Rows by their ids, a JSON array, the newest first.
SELECT a.*, h.name AS host_name, t.name AS task_name
FROM json_each(:ids) AS wanted JOIN audit AS a ON a.id = wanted.value
LEFT JOIN hosts AS h ON h.host_id = a.host_id
LEFT JOIN tasks AS t ON t.id = a.task_id
ORDER BY wanted.key;

-- name: fields
-- What a filter looks at, in rows by their ids, a JSON array.
SELECT json_group_array(
    json_array(a.id, a.actor, a.action, json(a.detail), a.task_id, a.host_id, h.name))
FROM json_each(:ids) AS wanted JOIN audit AS a ON a.id = wanted.value
LEFT JOIN hosts AS h ON h.host_id = a.host_id;

-- name: newest
-- The highest id.
SELECT coalesce(max(id), 0) AS id FROM audit;

-- name: scan
-- Looks at some entries, and says which of them pass a filter: their places. These entries are `ids`,
-- a JSON array, or so many behind a place, the newest first; then `last` is the place of the last,
-- null if there are fewer. Only the part of the order is run. With `all_pass` all of it pass.
WITH looked_at (id) AS MATERIALIZED (
    SELECT value FROM json_each(:ids) WHERE :scan = 'ids'
    UNION ALL SELECT * FROM (
        SELECT id FROM audit WHERE :scan = 'descending' AND id < :id ORDER BY id DESC LIMIT :count)
    UNION ALL SELECT * FROM (
        SELECT id FROM audit INDEXED BY audit_of_faults
        WHERE :scan = 'faults_descending' AND action IN ('refuse_host', 'violation')
          AND id < :id ORDER BY id DESC LIMIT :count)
), passing (id) AS (
    SELECT id FROM looked_at WHERE :all_pass
    UNION ALL
    SELECT a.id
    FROM looked_at CROSS JOIN audit AS a ON a.id = looked_at.id
    WHERE NOT :all_pass AND (NOT :faults_only OR a.action IN ('refuse_host', 'violation'))
)
SELECT json_group_array(id) AS ids,
    (SELECT json_array(0, id) FROM looked_at LIMIT 1 OFFSET :count - 1) AS last
FROM passing;
