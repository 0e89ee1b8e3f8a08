-- name: under_way
-- How many commands of some hosts were sent and have not ended, if there are more than `:spare`.
SELECT host, count(*) AS commands FROM command_hosts
WHERE host = ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text(:hosts::jsonb)))
  AND status IN ('pending', 'running') AND sent_at IS NOT NULL
GROUP BY host HAVING count(*) > :spare;

-- name: to_send
-- Commands that may be sent to some hosts now, in the order of each host. A host that is not admitted
-- is sent nothing, and of a paused task nothing is sent.
SELECT coalesce(json_agg(json_build_array(
    ch.id, ch.host, ch.execution_id, ch.command_id, ch.task_id, ch.position, ch.batch,
    ch.deliver_before) ORDER BY asked.number, ch.id), '[]')
FROM jsonb_array_elements_text(:hosts::jsonb) WITH ORDINALITY AS asked (host, number)
JOIN hosts AS h ON h.id = asked.host::bigint AND (h.admission = 'admitted') IS TRUE  -- by the id alone
    AND h.id = ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text(:hosts::jsonb)))
CROSS JOIN LATERAL (
    SELECT waiting.* FROM command_hosts AS waiting JOIN tasks AS t ON t.id = waiting.task_id
    WHERE waiting.host = h.id AND waiting.status = 'pending' AND waiting.ready
      AND waiting.sent_at IS NULL AND t.status = 'running' AND t.paused_at IS NULL
      AND (waiting.deliver_before IS NULL OR waiting.deliver_before > :now)
    ORDER BY waiting.id LIMIT :room) AS ch;

-- name: commands
-- The texts and limits of commands.
SELECT k.*, EXISTS (SELECT FROM secrets AS s WHERE s.command_id = k.id OFFSET 0) AS has_secrets
FROM commands AS k
WHERE k.id = ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text(:command_ids::jsonb)));

-- name: mark_sent
-- Committed before commands are handed to sessions. Those that another manager changes just now, for
-- example because they are cancelled, are left out.
WITH change AS MATERIALIZED (
    SELECT (value->>0)::bigint AS id, (value->>1)::bigint AS now, value->>2 AS journal_id,
           (value->>3)::bigint AS output_limit
    FROM jsonb_array_elements(:rows::jsonb)),
free AS MATERIALIZED (
    SELECT id FROM command_hosts
    WHERE id = ANY (ARRAY(SELECT id FROM change)) AND +attention = 4 AND sent_at IS NULL
    FOR UPDATE SKIP LOCKED)
UPDATE command_hosts AS ch SET sent_at = change.now, sent_journal_id = change.journal_id,
    output_limit = change.output_limit
FROM change WHERE ch.id = ANY (ARRAY(SELECT id FROM free)) AND ch.id = change.id;

-- name: sent
-- Those of some commands that are marked as sent.
SELECT id FROM command_hosts
WHERE id = ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text(:row_ids::jsonb)))
  AND sent_at IS NOT NULL;
