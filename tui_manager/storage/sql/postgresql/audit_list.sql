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
FROM jsonb_array_elements_text(:ids::jsonb) WITH ORDINALITY AS wanted (value, key)
JOIN audit AS a ON a.id = wanted.value::bigint
LEFT JOIN hosts AS h ON h.host_id = a.host_id
LEFT JOIN tasks AS t ON t.id = a.task_id
ORDER BY wanted.key;

-- name: fields
-- What a filter looks at, in rows by their ids, a JSON array.
SELECT coalesce(json_agg(json_build_array(
    a.id, a.actor, a.action, a.detail::json, a.task_id, a.host_id, h.name)), '[]')
FROM jsonb_array_elements_text(:ids::jsonb) AS wanted (value)
JOIN audit AS a ON a.id = wanted.value::bigint
LEFT JOIN hosts AS h ON h.host_id = a.host_id;

-- name: newest
-- The highest id.
SELECT coalesce(max(id), 0) AS id FROM audit;

-- name: scan
-- Looks at some entries, and says which of them pass a filter: their places. These entries are `ids`,
-- a JSON array, or so many behind a place, the newest first; then `last` is the place of the last,
-- null if there are fewer. Only the part of the order is run. With `all_pass` all of it pass.
WITH looked_at (id) AS MATERIALIZED (
    SELECT value::bigint FROM jsonb_array_elements_text(:ids::jsonb) AS given (value)
    WHERE :scan = 'ids'
    UNION ALL (
        SELECT id FROM audit WHERE :scan = 'descending' AND id < :id ORDER BY id DESC LIMIT :count)
    UNION ALL (
        SELECT id FROM audit
        WHERE :scan = 'faults_descending' AND action IN ('refuse_host', 'violation')
          AND id < :id ORDER BY id DESC LIMIT :count)
), passing (id) AS (
    SELECT id FROM looked_at WHERE :all_pass
    UNION ALL
    SELECT a.id
    FROM looked_at CROSS JOIN LATERAL (
        SELECT * FROM audit WHERE audit.id = looked_at.id OFFSET 0) AS a
    WHERE NOT :all_pass AND (NOT :faults_only OR a.action IN ('refuse_host', 'violation'))
)
SELECT coalesce(json_agg(id ORDER BY id DESC), '[]') AS ids,
    (SELECT json_build_array(0, min(id)) FROM looked_at HAVING count(*) = :count) AS last
FROM passing;
