-- name: by_attention
-- A window of a task: faults, running, pending, completed.
SELECT ch.*, h.host_id, h.name AS host_name FROM command_hosts AS ch JOIN hosts AS h ON h.id = ch.host
WHERE ch.task_id = :task_id ORDER BY ch.attention, ch.position, ch.id LIMIT :limit OFFSET :offset;

-- name: by_place
-- A window of a task by command and host.
SELECT ch.*, h.host_id, h.name AS host_name FROM command_hosts AS ch JOIN hosts AS h ON h.id = ch.host
WHERE ch.task_id = :task_id ORDER BY ch.position, ch.id LIMIT :limit OFFSET :offset;

-- name: filtered
-- A window of those of a task that pass a filter.
SELECT ch.*, h.host_id, h.name AS host_name, count(*) OVER () AS matching
FROM command_hosts AS ch JOIN hosts AS h ON h.id = ch.host
WHERE ch.task_id = :task_id
  AND (:command IS NULL OR ch.position = :command)
  AND (NOT :faults_only OR ch.attention < 3)
  AND (:pattern = '' OR h.name LIKE :pattern ESCAPE '\' OR ch.status LIKE :pattern ESCAPE '\'
       OR ch.reason LIKE :pattern ESCAPE '\')
ORDER BY CASE WHEN :by_host THEN 0 ELSE ch.attention END, ch.position, ch.id
LIMIT :limit OFFSET :offset;
