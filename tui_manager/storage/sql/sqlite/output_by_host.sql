-- Output of a task, host by host. The hosts are in the order of their rows of one command.

-- name: steps
-- How many commands a task has.
SELECT count(*) AS steps FROM commands WHERE task_id = :task_id;

-- name: hosts
-- Hosts of a task from one of its rows of a command on.
SELECT ch.id, ch.host FROM command_hosts AS ch
WHERE ch.task_id = :task_id AND ch.position = :position AND ch.id >= :first
ORDER BY ch.id LIMIT :count;

-- name: hosts_named
-- The same of the hosts with a name, also of those that are gone.
SELECT ch.id, ch.host
FROM hosts AS h CROSS JOIN commands AS k CROSS JOIN command_hosts AS ch
WHERE h.name = :host AND k.task_id = :task_id AND k.position = :position
  AND ch.command_id = k.id AND ch.host = h.id AND ch.id >= :first
ORDER BY ch.id LIMIT :count;

-- name: streams
-- The streams of a task that have output on some hosts, a JSON array; in its order, then in the order
-- of commands. `number` counts the hosts from 0.
SELECT wanted.key AS number, ch.id, ch.execution_id, streams.number AS stream, newest.id AS newest,
    newest."offset" AS newest_offset
FROM json_each(:hosts) AS wanted CROSS JOIN commands AS k CROSS JOIN command_hosts AS ch
CROSS JOIN (SELECT 1 AS number UNION ALL SELECT 2) AS streams
CROSS JOIN output_chunks AS newest ON newest.id = (
    SELECT id FROM output_chunks WHERE command_host_id = ch.id AND stream = streams.number
    ORDER BY "offset" DESC LIMIT 1)
WHERE k.task_id = :task_id AND (:command IS NULL OR k.position = :command)
  AND ch.command_id = k.id AND ch.host = wanted.value
  AND (:stream IS NULL OR streams.number = :stream)
ORDER BY wanted.key, k.position, streams.number;

-- name: truncated
-- What was not kept of the output on some hosts, a JSON array; in its order, then in the order of
-- commands.
SELECT h.name, k.position, ch.truncated_bytes
FROM json_each(:hosts) AS wanted CROSS JOIN commands AS k CROSS JOIN command_hosts AS ch
CROSS JOIN hosts AS h ON h.id = ch.host
WHERE k.task_id = :task_id AND (:command IS NULL OR k.position = :command)
  AND ch.command_id = k.id AND ch.host = wanted.value AND ch.truncated_bytes > 0
ORDER BY wanted.key, k.position;
