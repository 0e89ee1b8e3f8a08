-- Output is in one part a day, by execution id. A query that says the execution id looks into one part.

-- name: insert
-- Bytes of streams, or gaps, with their offsets; `:data` has all the bytes, one piece after another.
-- Until its end, the transaction holds a lock that names the newest id before its own ones.
INSERT INTO output_chunks (execution_id, task_id, command_host_id, stream, "offset", gap, data, stored_at)
SELECT (SELECT execution_id FROM command_hosts WHERE id = (r.value->>1)::bigint),
       (r.value->>0)::bigint, (r.value->>1)::bigint, (r.value->>2)::bigint, (r.value->>3)::bigint,
       (r.value->>4)::bigint,
       substr(:data::bytea, (r.value->>5)::integer, (r.value->>6)::integer), (r.value->>7)::bigint
FROM jsonb_array_elements(:rows::jsonb) WITH ORDINALITY AS r (value, number)
WHERE (SELECT pg_advisory_xact_lock_shared(
           coalesce(pg_sequence_last_value('output_chunks_id'), 0))) IS NOT NULL
ORDER BY r.number;

-- name: newest_position
-- The newest id that any transaction has taken, ended or not.
SELECT coalesce(pg_sequence_last_value('output_chunks_id'), 0) AS newest;

-- name: oldest_unfinished
-- Transactions that run and store output have only ids above this one; NULL: there are none. No other
-- lock of a manager has a key of one number.
SELECT min((l.classid::bigint << 32) | l.objid::bigint) AS before FROM pg_locks AS l
WHERE l.locktype = 'advisory' AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database());

-- name: begin
-- The offset of the piece of one stream that contains an offset, or of the last piece before it.
SELECT ch.id, coalesce(
    (SELECT max(o."offset") FROM output_chunks AS o
     WHERE o.execution_id = :execution_id AND o.command_host_id = ch.id AND o.stream = :stream
       AND o."offset" <= :offset), 0) AS begins
FROM command_hosts AS ch WHERE ch.execution_id = :execution_id;

-- name: of_stream
-- Pieces of one stream from an offset on.
SELECT o.id, o.command_host_id, o.stream, o."offset", o.gap, o.data, o.stored_at,
       ch.execution_id, ch.position, h.name AS host_name
FROM output_chunks AS o
JOIN command_hosts AS ch ON ch.id = o.command_host_id JOIN hosts AS h ON h.id = ch.host
WHERE o.execution_id = :execution_id AND o.command_host_id = :command_host_id
  AND o.stream = :stream AND o."offset" >= :offset
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
WHERE o.execution_id = :execution_id AND o.command_host_id = :command_host_id
  AND o.stream = :stream AND o."offset" < :offset
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
WHERE execution_id = :execution_id AND command_host_id = :command_host_id AND stream = :stream AND "offset" < :offset
ORDER BY "offset" DESC LIMIT :pieces;

-- name: newest_of_task
-- The piece before the newest pieces of a task.
SELECT id FROM output_chunks WHERE task_id = :task_id ORDER BY id DESC LIMIT 1 OFFSET :count;

-- name: streams_of_host
-- The streams of a task on one host that have output, in the order of commands, each with its newest
-- piece.
SELECT ch.id, ch.execution_id, streams.number AS stream, newest.id AS newest,
    newest."offset" AS newest_offset
FROM commands AS k JOIN command_hosts AS ch ON ch.command_id = k.id
CROSS JOIN (VALUES (1::bigint), (2)) AS streams (number)
CROSS JOIN LATERAL (
    SELECT o.id, o."offset" FROM output_chunks AS o
    WHERE o.execution_id = ch.execution_id AND o.command_host_id = ch.id AND o.stream = streams.number
    ORDER BY o."offset" DESC LIMIT 1) AS newest
WHERE k.task_id = :task_id AND ch.host = (SELECT id FROM hosts WHERE host_id = :host_id)
ORDER BY k.position, streams.number;

-- name: streams_of_execution
-- The same of an execution of a task.
SELECT ch.id, ch.execution_id, streams.number AS stream, newest.id AS newest,
    newest."offset" AS newest_offset
FROM command_hosts AS ch CROSS JOIN (VALUES (1::bigint), (2)) AS streams (number)
CROSS JOIN LATERAL (
    SELECT o.id, o."offset" FROM output_chunks AS o
    WHERE o.execution_id = :execution_id AND o.command_host_id = ch.id AND o.stream = streams.number
    ORDER BY o."offset" DESC LIMIT 1) AS newest
WHERE ch.execution_id = :execution_id AND +ch.task_id = :task_id
ORDER BY streams.number;

-- name: first_pieces
-- The first pieces of streams, each a JSON array: its id, row of `command_hosts`, execution, stream.
SELECT o.id, o.command_host_id, o.stream, o."offset", o.gap, o.data, o.stored_at,
       ch.execution_id, ch.position, h.name AS host_name
FROM jsonb_array_elements(:streams::jsonb) WITH ORDINALITY AS wanted (value, number)
JOIN output_chunks AS o ON o.execution_id = (wanted.value->>2)
    AND o.command_host_id = (wanted.value->>1)::bigint
    AND o.stream = (wanted.value->>3)::bigint AND o."offset" = 0
JOIN command_hosts AS ch ON ch.id = o.command_host_id JOIN hosts AS h ON h.id = ch.host
ORDER BY wanted.number;

-- name: newest_of_stream
-- The newest pieces of one stream.
SELECT id FROM output_chunks
WHERE execution_id = :execution_id AND command_host_id = :command_host_id AND stream = :stream
ORDER BY "offset" DESC LIMIT :count;

-- name: first_at
-- The first piece of one stream that begins at an offset or after it.
SELECT id, "offset" FROM output_chunks
WHERE execution_id = :execution_id AND command_host_id = :command_host_id AND stream = :stream AND "offset" >= :offset
ORDER BY "offset" LIMIT 1;
