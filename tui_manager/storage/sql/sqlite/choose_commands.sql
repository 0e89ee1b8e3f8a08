-- name: under_way
-- How many commands of some hosts were sent and have not ended, if there are more than `:spare`.
SELECT host, count(*) AS commands FROM command_hosts
WHERE host IN (SELECT value FROM json_each(:hosts))
  AND status IN ('pending', 'running') AND sent_at IS NOT NULL
GROUP BY host HAVING count(*) > :spare;

-- name: to_send
-- Commands that may be sent to some hosts now, in the order of each host. A host that is not admitted
-- is sent nothing, and of a paused task nothing is sent.
SELECT json_group_array(json_array(
    ch.id, ch.host, ch.execution_id, ch.command_id, ch.task_id, ch.position, ch.batch,
    ch.deliver_before))
FROM json_each(:hosts) AS asked
CROSS JOIN hosts AS h ON h.id = asked.value AND h.admission = 'admitted'
CROSS JOIN command_hosts AS ch ON ch.id IN (
    SELECT waiting.id FROM command_hosts AS waiting JOIN tasks AS t ON t.id = waiting.task_id
    WHERE waiting.host = asked.value AND waiting.status = 'pending' AND waiting.ready = 1
      AND waiting.sent_at IS NULL AND t.status = 'running' AND t.paused_at IS NULL
      AND (waiting.deliver_before IS NULL OR waiting.deliver_before > :now)
    ORDER BY waiting.id LIMIT :room);

-- name: commands
-- The texts and limits of commands.
SELECT *, EXISTS (SELECT 1 FROM secrets WHERE command_id = commands.id) AS has_secrets
FROM commands
WHERE id IN (SELECT value FROM json_each(:command_ids));

-- name: mark_sent
-- Committed before commands are handed to sessions.
UPDATE command_hosts SET sent_at = json_extract(change.value, '$[1]'),
    sent_journal_id = json_extract(change.value, '$[2]'),
    output_limit = json_extract(change.value, '$[3]')
FROM json_each(:rows) AS change WHERE command_hosts.id = json_extract(change.value, '$[0]');

-- name: sent
-- Those of some commands that are marked as sent.
SELECT id FROM command_hosts
WHERE id IN (SELECT value FROM json_each(:row_ids)) AND sent_at IS NOT NULL;
