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

-- name: behind_by_attention
-- What a filter looks at, in the next rows behind a position in the order of attention, which says the
-- status.
SELECT json_group_array(json_array(f.attention, f.position, f.id, f.reason,
    f.exit_code, f.signal, f.batch, h.host_id, h.name))
FROM (SELECT attention, position, id, reason, exit_code, signal, batch, host
      FROM command_hosts
      WHERE task_id = :task_id AND (attention, position, id) > (:attention, :position, :id)
        AND attention < :end
      ORDER BY attention, position, id LIMIT :count) AS f
CROSS JOIN hosts AS h ON h.id = f.host;

-- name: behind_by_host
-- The same in the order of commands and hosts.
SELECT json_group_array(json_array(f.attention, f.position, f.id, f.reason,
    f.exit_code, f.signal, f.batch, h.host_id, h.name))
FROM (SELECT attention, position, id, reason, exit_code, signal, batch, host
      FROM command_hosts
      WHERE task_id = :task_id AND (position, id) > (:position, :id)
      ORDER BY position, id LIMIT :count) AS f
CROSS JOIN hosts AS h ON h.id = f.host;

-- name: by_ids
-- Rows by their ids, a JSON array, in its order.
SELECT ch.*, h.host_id, h.name AS host_name FROM json_each(:ids) AS wanted
JOIN command_hosts AS ch ON ch.id = wanted.value JOIN hosts AS h ON h.id = ch.host
ORDER BY wanted.key;
