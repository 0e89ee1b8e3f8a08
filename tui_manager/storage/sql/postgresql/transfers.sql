-- name: not_brought
-- Of the rows for `insert`: fetches that name a set that is not here, or that has other files or bytes.
SELECT ch.execution_id
FROM jsonb_array_elements(:rows::jsonb) AS r (value)
JOIN command_hosts AS ch ON ch.id = (r.value->>0)::bigint
JOIN commands AS c ON c.id = ch.command_id
WHERE ch.id = ANY (ARRAY(SELECT (value->>0)::bigint FROM jsonb_array_elements(:rows::jsonb)))
  AND c.fetch_step IS NOT NULL AND r.value->>6 IS NOT NULL
  AND NOT EXISTS (
    SELECT 1 FROM file_sets AS s WHERE s.sha256 = r.value->>6
    AND s.files = (r.value->>2)::bigint AND s.bytes = (r.value->>1)::bigint);

-- name: insert
-- What copies, fetches and updates did; `:rows` is a JSON array of arrays. Any other command has no row.
-- A fetch has brought the set that its host names only if that has as many files and bytes.
INSERT INTO transfers (command_host, bytes, files, unchanged_files, received_bytes, sha256,
                       stored_sha256)
SELECT ch.id, (r.value->>1)::bigint, (r.value->>2)::bigint, (r.value->>3)::bigint,
       (r.value->>4)::bigint, r.value->>5,
       (SELECT s.sha256 FROM file_sets AS s
        WHERE c.fetch_step IS NOT NULL AND s.sha256 = r.value->>6
        AND s.files = (r.value->>2)::bigint AND s.bytes = (r.value->>1)::bigint)
FROM jsonb_array_elements(:rows::jsonb) AS r (value)
JOIN command_hosts AS ch ON ch.id = (r.value->>0)::bigint
JOIN commands AS c ON c.id = ch.command_id
WHERE ch.id = ANY (ARRAY(SELECT (value->>0)::bigint FROM jsonb_array_elements(:rows::jsonb)))
  AND (c.copy_step IS NOT NULL OR c.fetch_step IS NOT NULL OR c.update_step IS NOT NULL);

-- name: of_command_hosts
-- What some command hosts did, by their ids, a JSON array; of a fetch with the set that it has brought.
SELECT x.*, f.manifest_size, f.size, f.files AS stored_files, f.bytes AS stored_bytes
FROM transfers AS x LEFT JOIN file_sets AS f ON f.sha256 = x.stored_sha256
WHERE x.command_host = ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text(:ids::jsonb)));

-- name: of_execution
-- What an execution copies, fetches or installs, and how far it is.
SELECT ch.host, ch.task_id, ch.status, ch.sent_at, ch.cancel_requested_at,
       c.copy_step, c.fetch_step, c.update_step
FROM command_hosts AS ch JOIN commands AS c ON c.id = ch.command_id
WHERE ch.execution_id = :execution_id;
