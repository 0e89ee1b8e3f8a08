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
FROM hosts AS h JOIN command_hosts AS ch ON ch.host = h.id
WHERE h.name = :host AND ch.command_id = (
      SELECT id FROM commands WHERE task_id = :task_id AND position = :position)
  AND ch.id >= :first
ORDER BY ch.id LIMIT :count;

-- name: streams
-- The streams of a task that have output on some hosts, a JSON array; in its order, then in the order
-- of commands. `number` counts the hosts from 0.
SELECT wanted.number - 1 AS number, ch.id, ch.execution_id, streams.number AS stream,
    newest.id AS newest, newest."offset" AS newest_offset
FROM jsonb_array_elements_text(:hosts::jsonb) WITH ORDINALITY AS wanted (host, number)
JOIN commands AS k ON k.task_id = :task_id
    AND (:command::bigint IS NULL OR k.position = :command::bigint)
JOIN command_hosts AS ch ON ch.command_id = k.id AND ch.host = wanted.host::bigint
CROSS JOIN (VALUES (1::bigint), (2)) AS streams (number)
CROSS JOIN LATERAL (
    SELECT o.id, o."offset" FROM output_chunks AS o
    WHERE o.execution_id = ch.execution_id AND o.command_host_id = ch.id AND o.stream = streams.number
    ORDER BY o."offset" DESC LIMIT 1) AS newest
WHERE :stream::bigint IS NULL OR streams.number = :stream::bigint
ORDER BY wanted.number, k.position, streams.number;

-- name: truncated
-- What was not kept of the output on some hosts, a JSON array; in its order, then in the order of
-- commands.
SELECT h.name, k.position, ch.truncated_bytes
FROM jsonb_array_elements_text(:hosts::jsonb) WITH ORDINALITY AS wanted (host, number)
JOIN commands AS k ON k.task_id = :task_id
    AND (:command::bigint IS NULL OR k.position = :command::bigint)
JOIN command_hosts AS ch ON ch.command_id = k.id AND ch.host = wanted.host::bigint
JOIN hosts AS h ON h.id = ch.host
WHERE ch.truncated_bytes > 0
ORDER BY wanted.number, k.position;
