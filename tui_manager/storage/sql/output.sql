-- name: insert
-- Bytes of one stream, or a gap, at their place.
INSERT INTO output_chunks (task_id, command_host_id, stream, "offset", gap, data)
VALUES (:task_id, :command_host_id, :stream, :offset, :gap, :data);

-- name: read
-- Chunks of one stream that end behind an offset.
SELECT o.id, o.stream, o."offset", o.gap, o.data, ch.execution_id, ch.position, h.name AS host_name
FROM output_chunks AS o
JOIN command_hosts AS ch ON ch.id = o.command_host_id JOIN hosts AS h ON h.id = ch.host
WHERE o.command_host_id = (SELECT id FROM command_hosts WHERE execution_id = :execution_id)
  AND o.stream = :stream
  AND o."offset" >= coalesce(
      (SELECT max("offset") FROM output_chunks
       WHERE command_host_id = o.command_host_id AND stream = :stream AND "offset" <= :offset), 0)
ORDER BY o."offset";

-- name: follow
-- Chunks of a task in the order of storing.
SELECT o.id, o.stream, o."offset", o.gap, o.data, ch.execution_id, ch.position, h.name AS host_name
FROM output_chunks AS o
JOIN command_hosts AS ch ON ch.id = o.command_host_id JOIN hosts AS h ON h.id = ch.host
WHERE o.task_id = :task_id AND o.id > :after AND (:host_id = '' OR h.host_id = :host_id)
ORDER BY o.id;

-- name: newest
-- The position before the newest chunks of a task.
SELECT o.id FROM output_chunks AS o
JOIN command_hosts AS ch ON ch.id = o.command_host_id JOIN hosts AS h ON h.id = ch.host
WHERE o.task_id = :task_id AND (:host_id = '' OR h.host_id = :host_id)
ORDER BY o.id DESC LIMIT 1 OFFSET :count;
