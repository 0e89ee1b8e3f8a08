-- name: by_attention
-- Command hosts of a command with the same attention, in the order of hosts. Skipped rows are counted
-- on the index alone.
SELECT ch.*, h.host_id, h.name AS host_name
FROM (SELECT id FROM command_hosts
      WHERE task_id = :task_id AND attention = :attention AND position = :position
      ORDER BY id LIMIT :limit OFFSET :offset) AS found
JOIN command_hosts AS ch ON ch.id = found.id JOIN hosts AS h ON h.id = ch.host
ORDER BY ch.id;

-- name: by_host
-- The same of all command hosts of a command.
SELECT ch.*, h.host_id, h.name AS host_name
FROM (SELECT id FROM command_hosts WHERE task_id = :task_id AND position = :position
      ORDER BY id LIMIT :limit OFFSET :offset) AS found
JOIN command_hosts AS ch ON ch.id = found.id JOIN hosts AS h ON h.id = ch.host
ORDER BY ch.id;

-- name: faults_by_host
-- The same of the command hosts that need attention.
SELECT ch.*, h.host_id, h.name AS host_name
FROM (SELECT id FROM command_hosts
      WHERE task_id = :task_id AND attention IN (0, 1, 2) AND position = :position
      ORDER BY id LIMIT :limit OFFSET :offset) AS found
JOIN command_hosts AS ch ON ch.id = found.id JOIN hosts AS h ON h.id = ch.host
ORDER BY ch.id;

-- name: last_by_attention
-- The last of so many rows after a position in the order of attention; none if there are fewer.
SELECT attention, position, id FROM command_hosts
WHERE task_id = :task_id AND (attention, position, id) > (:attention, :position, :id)
  AND attention < :end
ORDER BY attention, position, id LIMIT 1 OFFSET :count - 1;

-- name: last_by_host
-- The same in the order of commands and hosts.
SELECT 0 AS attention, position, id FROM command_hosts
WHERE task_id = :task_id AND (position, id) > (:position, :id)
ORDER BY position, id LIMIT 1 OFFSET :count - 1;

-- name: between_by_attention
-- The rows between two positions in the order of attention.
SELECT id FROM command_hosts
WHERE task_id = :task_id AND (attention, position, id) > (:attention, :position, :id)
  AND (attention, position, id) <= (:last_attention, :last_position, :last_id)
  AND (:command::bigint IS NULL OR position = :command) AND attention < :end
ORDER BY attention, position, id;

-- name: between_by_host
-- The same in the order of commands and hosts.
SELECT id FROM command_hosts
WHERE task_id = :task_id AND (position, id) > (:position, :id)
  AND (position, id) <= (:last_position, :last_id)
  AND (:command::bigint IS NULL OR position = :command) AND attention < :end
ORDER BY position, id;

-- name: fields
-- What the text of a filter looks at, in rows by their ids, a JSON array, in its order.
SELECT ch.id, ch.status, ch.reason, ch.exit_code, ch.signal, ch.batch, ch.position, h.host_id,
    h.name AS host_name
FROM jsonb_array_elements_text(:ids::jsonb) WITH ORDINALITY AS wanted (value, key)
JOIN command_hosts AS ch ON ch.id = wanted.value::bigint JOIN hosts AS h ON h.id = ch.host
ORDER BY wanted.key;

-- name: by_ids
-- Rows by their ids, a JSON array, in its order.
SELECT ch.*, h.host_id, h.name AS host_name FROM jsonb_array_elements_text(:ids::jsonb) WITH ORDINALITY AS wanted (value, key)
JOIN command_hosts AS ch ON ch.id = wanted.value::bigint JOIN hosts AS h ON h.id = ch.host
ORDER BY wanted.key;
