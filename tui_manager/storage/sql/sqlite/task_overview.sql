-- name: hosts_by_place
-- The hosts of a rollout in the order of its map, each with its batch.
SELECT json_group_array(json_array(batch, host))
FROM (SELECT batch, host FROM rollout_hosts WHERE task_id = :task_id ORDER BY batch, place);

-- name: hosts_by_name
-- The hosts of a task without a rollout, in the order of its map.
SELECT json_group_array(json_array(0, host))
FROM (SELECT host FROM command_hosts WHERE task_id = :task_id AND position = 0 ORDER BY id);

-- name: worst
-- The hosts of a task on which some command has not completed: the number of the worst attention, and
-- how many commands are pending. Pending commands count only at these positions, a JSON array.
SELECT json_group_array(json_array(host, worst, pending)) FROM (
    SELECT host, min(attention) AS worst, sum(attention = 4) AS pending FROM (
        SELECT host, attention FROM command_hosts
        WHERE task_id = :task_id AND attention IN (0, 1, 2, 3, 5)
        UNION ALL
        SELECT ch.host, ch.attention FROM json_each(:positions) AS wanted
        CROSS JOIN command_hosts AS ch
            ON ch.task_id = :task_id AND ch.attention = 4 AND ch.position = wanted.value)
    GROUP BY host);

-- name: host_by_name
-- A host of a task without a rollout, by its number.
SELECT host FROM command_hosts WHERE task_id = :task_id AND position = 0 AND :number >= 0
ORDER BY id LIMIT 1 OFFSET :number;

-- name: host_by_place
-- A host of a rollout, by its number.
SELECT host FROM rollout_hosts WHERE task_id = :task_id AND :number >= 0
ORDER BY batch, place LIMIT 1 OFFSET :number;

-- name: worst_of_host
-- The command of a task that decides how one host stands.
SELECT ch.*, h.host_id, h.name AS host_name
FROM commands AS k JOIN command_hosts AS ch ON ch.command_id = k.id
JOIN hosts AS h ON h.id = ch.host
WHERE k.task_id = :task_id AND ch.host = :host ORDER BY ch.attention, k.position LIMIT 1;

-- name: failures
-- Hosts by the way in which a command failed on them: how many, and the first names. Attention 0, 1, 2
-- are failed, timeout, skipped; 5 is canceled, which counts if there is no proof of the kill. Only the
-- first `:rows` command hosts with these are looked at.
SELECT status, reason, exit_code, signal, count(*) AS hosts,
       json_group_array(name) FILTER (WHERE number <= :names) AS names
FROM (SELECT f.status, f.reason, f.exit_code, f.signal, h.name,
             row_number() OVER (PARTITION BY f.status, f.reason, f.exit_code, f.signal
                                ORDER BY f.first) AS number
      FROM (SELECT status, reason, exit_code, signal, host, min(id) AS first
            FROM (SELECT id, host, status, reason, exit_code, signal FROM command_hosts
                  WHERE task_id = :task_id AND attention IN (0, 1, 2, 5)
                  ORDER BY attention, position, id LIMIT :rows) AS looked_at
            WHERE reason NOT IN ('earlier_failed', 'canceled')
            GROUP BY status, reason, exit_code, signal, host) AS f
      JOIN hosts AS h ON h.id = f.host)
GROUP BY status, reason, exit_code, signal
ORDER BY hosts DESC, status, reason, exit_code, signal LIMIT :groups;

-- name: failing
-- The hosts on which a command of a task failed, as in "failures", each command host by itself.
SELECT json_group_array(json_array(status, reason, exit_code, signal, host, id)) FROM command_hosts
WHERE task_id = :task_id AND attention IN (0, 1, 2, 5)
  AND reason NOT IN ('earlier_failed', 'canceled');

-- name: names_of_hosts
-- The names of hosts, a JSON array of row ids.
SELECT h.id, h.name FROM json_each(:hosts) AS wanted CROSS JOIN hosts AS h ON h.id = wanted.value;

-- name: labels_of_hosts
-- The labels of hosts, a JSON array of row ids.
SELECT h.id, h.labels FROM json_each(:hosts) AS wanted CROSS JOIN hosts AS h ON h.id = wanted.value;

-- name: running
-- The first running command hosts of a task that have printed something.
SELECT id FROM command_hosts
WHERE task_id = :task_id AND attention = 3 AND stdout_bytes + stderr_bytes > 0
ORDER BY position, id LIMIT :limit;

-- name: away
-- Of these hosts, a JSON array, those whose command waits for the connection: how many, and when the
-- wait for the first of them ends.
SELECT count(*) AS hosts, min(ch.deliver_before) AS until FROM json_each(:hosts) AS asked
CROSS JOIN command_hosts AS ch ON ch.host = asked.value AND ch.task_id = :task_id
    AND ch.status IN ('pending', 'running')
WHERE ch.status = 'pending' AND ch.deliver_before IS NOT NULL;

-- name: received
-- Of these executions of a task, what those that run copy or install; both NULL: nothing.
SELECT ch.execution_id, c.copy_step, c.update_step FROM json_each(:execution_ids) AS wanted
CROSS JOIN command_hosts AS ch ON ch.execution_id = wanted.value
JOIN commands AS c ON c.id = ch.command_id
WHERE ch.task_id = :task_id AND ch.status = 'running';

-- name: command_hosts
-- The row ids of command hosts of a task.
SELECT ch.id, ch.execution_id FROM json_each(:execution_ids) AS wanted
CROSS JOIN command_hosts AS ch ON ch.execution_id = wanted.value
WHERE ch.task_id = :task_id;

-- name: newest_pieces
-- The ends of the pieces of one stream, the newest first.
SELECT id, substr(data, -:tail) AS data FROM output_chunks
WHERE command_host_id = :command_host_id AND stream = :stream ORDER BY "offset" DESC LIMIT :pieces;
