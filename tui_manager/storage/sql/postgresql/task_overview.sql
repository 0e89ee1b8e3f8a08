-- name: hosts_by_place
-- The hosts of a rollout in the order of its map, each with its batch.
SELECT coalesce(json_agg(json_build_array(batch, host) ORDER BY batch, place), '[]')
FROM rollout_hosts WHERE task_id = :task_id;

-- name: hosts_by_name
-- The hosts of a task without a rollout, in the order of its map.
SELECT coalesce(json_agg(host ORDER BY id), '[]')
FROM command_hosts WHERE task_id = :task_id AND position = 0;

-- name: hosts_with
-- The hosts of a task whose commands at these positions, a JSON array, have an attention.
SELECT coalesce(json_agg(ch.host), '[]')
FROM jsonb_array_elements_text(:positions::jsonb) AS wanted (value)
JOIN command_hosts AS ch
    ON ch.task_id = :task_id AND ch.attention = :attention AND ch.position = wanted.value::bigint;

-- name: host_by_name
-- A host of a task without a rollout, by its number.
SELECT host FROM command_hosts WHERE task_id = :task_id AND position = 0 AND :number >= 0
ORDER BY id LIMIT 1 OFFSET greatest(:number, 0);

-- name: host_by_place
-- A host of a rollout, by its number.
SELECT host FROM rollout_hosts WHERE task_id = :task_id AND :number >= 0
ORDER BY batch, place LIMIT 1 OFFSET greatest(:number, 0);

-- name: worst_of_host
-- The command of a task that decides how one host stands.
SELECT ch.*, h.host_id, h.name AS host_name
FROM commands AS k JOIN command_hosts AS ch ON ch.command_id = k.id
JOIN hosts AS h ON h.id = ch.host
WHERE k.task_id = :task_id AND ch.host = :host ORDER BY ch.attention, k.position LIMIT 1;

-- name: first_failing
-- For tasks by their ids, a JSON array: the ways in which commands failed, at most so many a task, and
-- of each way the hosts of its first command hosts, in order. Each step of the recursion finds the next
-- way on the index, however many hosts failed in the one before.
WITH RECURSIVE ways (task_id, failure, number) AS (
    SELECT wanted.value::bigint, (SELECT min(failure) FROM command_hosts
                                  WHERE task_id = wanted.value::bigint AND failure > ''), 1
    FROM jsonb_array_elements_text(:tasks::jsonb) AS wanted (value)
    UNION ALL
    SELECT task_id, (SELECT min(ch.failure) FROM command_hosts AS ch
                     WHERE ch.task_id = ways.task_id AND ch.failure > ways.failure), number + 1
    FROM ways WHERE failure IS NOT NULL AND number < :ways)
SELECT task_id, failure, (
    SELECT json_agg(host ORDER BY position, id) FROM (
        SELECT host, position, id FROM command_hosts AS ch
        WHERE ch.task_id = ways.task_id AND ch.failure = ways.failure
        ORDER BY position, id LIMIT :rows) AS first_rows) AS hosts
FROM ways WHERE failure IS NOT NULL;

-- name: failing
-- The ways in which commands of a task failed, and of each way the hosts of its command hosts, in order.
SELECT failure, json_agg(host ORDER BY position, id) AS hosts FROM command_hosts
WHERE task_id = :task_id AND failure IS NOT NULL GROUP BY failure;

-- name: hosts
-- The names and labels of hosts, a JSON array of row ids.
SELECT h.id, h.name, h.labels FROM jsonb_array_elements_text(:hosts::jsonb) AS wanted (value)
JOIN hosts AS h ON h.id = wanted.value::bigint;

-- name: running
-- The first running command hosts of each of these tasks, a JSON array, that have printed something.
SELECT wanted.value::bigint AS task_id, (
    SELECT coalesce(json_agg(id ORDER BY position, id), '[]') FROM (
        SELECT id, position FROM command_hosts AS ch
        WHERE ch.task_id = wanted.value::bigint AND attention = 3 AND stdout_bytes + stderr_bytes > 0
        ORDER BY position, id LIMIT :limit) AS first_rows) AS running
FROM jsonb_array_elements_text(:tasks::jsonb) AS wanted (value);

-- name: away
-- Of these hosts, a JSON array, those whose command waits for the connection: how many, and when the
-- wait for the first of them ends.
SELECT count(*) AS hosts, min(ch.deliver_before) AS until
FROM jsonb_array_elements_text(:hosts::jsonb) AS asked (value)
JOIN command_hosts AS ch ON ch.host = asked.value::bigint AND ch.task_id = :task_id
    AND ch.status IN ('pending', 'running')
WHERE ch.status = 'pending' AND ch.deliver_before IS NOT NULL;

-- name: received
-- Of these executions of a task, what those that run copy or install; both NULL: nothing.
SELECT ch.execution_id, c.copy_step, c.update_step
FROM jsonb_array_elements_text(:execution_ids::jsonb) AS wanted (value)
JOIN command_hosts AS ch ON ch.execution_id = wanted.value
JOIN commands AS c ON c.id = ch.command_id
WHERE ch.task_id = :task_id AND ch.status = 'running';

-- name: command_hosts
-- The row ids of command hosts of a task.
SELECT ch.id, ch.execution_id FROM jsonb_array_elements_text(:execution_ids::jsonb) AS wanted (value)
JOIN command_hosts AS ch ON ch.execution_id = wanted.value
WHERE ch.task_id = :task_id;

-- name: newest_pieces
-- The ends of the pieces of one stream, the newest first.
SELECT id, substr(data, (greatest(length(data) - :tail, 0) + 1)::integer) AS data FROM output_chunks
WHERE execution_id = (SELECT execution_id FROM command_hosts WHERE id = :command_host_id)
  AND command_host_id = :command_host_id AND stream = :stream ORDER BY "offset" DESC LIMIT :pieces;
