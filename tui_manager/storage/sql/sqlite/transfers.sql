-- name: not_brought
-- Of the rows for `insert`: fetches that name a set that is not here, or that has other files or bytes.
SELECT ch.execution_id
FROM json_each(:rows) AS r
CROSS JOIN command_hosts AS ch ON ch.id = json_extract(r.value, '$[0]')
CROSS JOIN commands AS c ON c.id = ch.command_id
WHERE c.fetch_step IS NOT NULL AND json_extract(r.value, '$[6]') IS NOT NULL
AND NOT EXISTS (
    SELECT 1 FROM file_sets AS s WHERE s.sha256 = json_extract(r.value, '$[6]')
    AND s.files = json_extract(r.value, '$[2]') AND s.bytes = json_extract(r.value, '$[1]'));

-- name: insert
-- What copies, fetches and updates did; `:rows` is a JSON array of arrays. Any other command has no row.
-- A fetch has brought the set that its host names only if that has as many files and bytes.
INSERT INTO transfers (command_host, bytes, files, unchanged_files, received_bytes, sha256,
                       stored_sha256)
SELECT ch.id, json_extract(r.value, '$[1]'), json_extract(r.value, '$[2]'),
       json_extract(r.value, '$[3]'), json_extract(r.value, '$[4]'), json_extract(r.value, '$[5]'),
       (SELECT s.sha256 FROM file_sets AS s
        WHERE c.fetch_step IS NOT NULL AND s.sha256 = json_extract(r.value, '$[6]')
        AND s.files = json_extract(r.value, '$[2]') AND s.bytes = json_extract(r.value, '$[1]'))
FROM json_each(:rows) AS r
CROSS JOIN command_hosts AS ch ON ch.id = json_extract(r.value, '$[0]')
CROSS JOIN commands AS c ON c.id = ch.command_id
WHERE c.copy_step IS NOT NULL OR c.fetch_step IS NOT NULL OR c.update_step IS NOT NULL;

-- name: of_command_hosts
-- What some command hosts did, by their ids, a JSON array; of a fetch with the set that it has brought.
SELECT x.*, f.manifest_size, f.size, f.files AS stored_files, f.bytes AS stored_bytes
FROM json_each(:ids) AS wanted
CROSS JOIN transfers AS x ON x.command_host = wanted.value
LEFT JOIN file_sets AS f ON f.sha256 = x.stored_sha256;

-- name: of_execution
-- What an execution copies, fetches or installs, and how far it is.
SELECT ch.host, ch.task_id, ch.status, ch.sent_at, ch.cancel_requested_at,
       c.copy_step, c.fetch_step, c.update_step
FROM command_hosts AS ch JOIN commands AS c ON c.id = ch.command_id
WHERE ch.execution_id = :execution_id;
