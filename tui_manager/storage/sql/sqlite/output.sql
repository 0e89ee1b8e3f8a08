-- name: insert
-- Bytes of streams, or gaps, with their offsets; `:data` has all the bytes, one piece after another.
INSERT INTO output_chunks (task_id, command_host_id, stream, "offset", gap, data, stored_at)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
       json_extract(value, '$[3]'), json_extract(value, '$[4]'),
       coalesce(substr(:data, json_extract(value, '$[5]'), json_extract(value, '$[6]')), x''),
       json_extract(value, '$[7]')
FROM json_each(:rows);

-- name: newest_position
-- The newest id.
SELECT coalesce(max(id), 0) AS newest FROM output_chunks;

-- name: oldest_unfinished
-- One transaction after another stores output.
SELECT NULL AS before;

-- name: begin
-- The offset of the piece of one stream that contains an offset, or of the last piece before it.
SELECT ch.id, coalesce(
    (SELECT max(o."offset") FROM output_chunks AS o
     WHERE o.command_host_id = ch.id AND o.stream = :stream AND o."offset" <= :offset), 0) AS begins
FROM command_hosts AS ch WHERE ch.execution_id = :execution_id;

-- name: of_stream
-- Pieces of one stream from an offset on.
SELECT o.id, o.command_host_id, o.stream, o."offset", o.gap, o.data, o.stored_at,
       ch.execution_id, ch.position, h.name AS host_name
FROM output_chunks AS o
JOIN command_hosts AS ch ON ch.id = o.command_host_id JOIN hosts AS h ON h.id = ch.host
WHERE o.command_host_id = :command_host_id AND o.stream = :stream AND o."offset" >= :offset
ORDER BY o."offset" LIMIT :pieces;

-- name: of_task
-- Pieces of a task in the order of storing.
SELECT o.id, o.command_host_id, o.stream, o."offset", o.gap, o.data, o.stored_at,
       ch.execution_id, ch.position, h.name AS host_name
FROM output_chunks AS o
JOIN command_hosts AS ch ON ch.id = o.command_host_id JOIN hosts AS h ON h.id = ch.host
WHERE o.task_id = :task_id AND o.id > :after
ORDER BY o.id LIMIT :pieces;

-- name: of_stream_backwards
-- Pieces of one stream before an offset, the newest first.
SELECT o.id, o.command_host_id, o.stream, o."offset", o.gap, o.data, o.stored_at,
       ch.execution_id, ch.position, h.name AS host_name
FROM output_chunks AS o
JOIN command_hosts AS ch ON ch.id = o.command_host_id JOIN hosts AS h ON h.id = ch.host
WHERE o.command_host_id = :command_host_id AND o.stream = :stream AND o."offset" < :offset
ORDER BY o."offset" DESC LIMIT :pieces;

-- name: of_task_backwards
-- Pieces of a task before a position, the newest first.
SELECT o.id, o.command_host_id, o.stream, o."offset", o.gap, o.data, o.stored_at,
       ch.execution_id, ch.position, h.name AS host_name
FROM output_chunks AS o
JOIN command_hosts AS ch ON ch.id = o.command_host_id JOIN hosts AS h ON h.id = ch.host
WHERE o.task_id = :task_id AND o.id < :before
ORDER BY o.id DESC LIMIT :pieces;

-- name: data_before
-- The bytes of one stream before an offset, piece by piece, the newest first.
SELECT "offset", gap, data FROM output_chunks
WHERE command_host_id = :command_host_id AND stream = :stream AND "offset" < :offset
ORDER BY "offset" DESC LIMIT :pieces;

-- name: newest_of_task
-- The piece before the newest pieces of a task.
SELECT id FROM output_chunks WHERE task_id = :task_id ORDER BY id DESC LIMIT 1 OFFSET :count;

-- name: streams_of_host
-- The streams of a task on one host that have output, in the order of commands, each with its newest
-- piece.
SELECT ch.id, ch.execution_id, streams.number AS stream, newest.id AS newest,
    newest."offset" AS newest_offset
FROM commands AS k CROSS JOIN command_hosts AS ch ON ch.command_id = k.id
CROSS JOIN (SELECT 1 AS number UNION ALL SELECT 2) AS streams
CROSS JOIN output_chunks AS newest ON newest.id = (
    SELECT id FROM output_chunks WHERE command_host_id = ch.id AND stream = streams.number
    ORDER BY "offset" DESC LIMIT 1)
WHERE k.task_id = :task_id AND ch.host = (SELECT id FROM hosts WHERE host_id = :host_id)
ORDER BY k.position, streams.number;

-- name: streams_of_execution
-- The same of an execution of a task.
SELECT ch.id, ch.execution_id, streams.number AS stream, newest.id AS newest,
    newest."offset" AS newest_offset
FROM command_hosts AS ch CROSS JOIN (SELECT 1 AS number UNION ALL SELECT 2) AS streams
CROSS JOIN output_chunks AS newest ON newest.id = (
    SELECT id FROM output_chunks WHERE command_host_id = ch.id AND stream = streams.number
    ORDER BY "offset" DESC LIMIT 1)
WHERE ch.execution_id = :execution_id AND +ch.task_id = :task_id
ORDER BY streams.number;

-- name: first_pieces
-- The first pieces of streams, each a JSON array: its id, row of `command_hosts`, execution, stream.
SELECT o.id, o.command_host_id, o.stream, o."offset", o.gap, o.data, o.stored_at,
       ch.execution_id, ch.position, h.name AS host_name
FROM json_each(:streams) AS wanted
CROSS JOIN output_chunks AS o ON o.id = json_extract(wanted.value, '$[0]')
CROSS JOIN command_hosts AS ch ON ch.id = o.command_host_id CROSS JOIN hosts AS h ON h.id = ch.host
ORDER BY wanted.key;

-- name: newest_of_stream
-- The newest pieces of one stream.
SELECT id FROM output_chunks WHERE command_host_id = :command_host_id AND stream = :stream
ORDER BY "offset" DESC LIMIT :count;

-- name: first_at
-- The first piece of one stream that begins at an offset or after it.
SELECT id, "offset" FROM output_chunks
WHERE command_host_id = :command_host_id AND stream = :stream AND "offset" >= :offset
ORDER BY "offset" LIMIT 1;
