-- name: ready_hosts
-- Those of some hosts that have a command which may be sent now.
SELECT asked.value AS host FROM json_each(:hosts) AS asked
WHERE EXISTS (
    SELECT 1 FROM command_hosts AS ch JOIN tasks AS t ON t.id = ch.task_id
    WHERE ch.host = asked.value AND ch.status = 'pending' AND ch.ready = 1
      AND ch.sent_at IS NULL AND t.status = 'running' AND t.paused_at IS NULL);

-- name: unanswered_cancels
-- Commands of some tasks that were sent, are to end and have not, on the hosts of one manager.
SELECT ch.host, ch.execution_id
FROM command_hosts AS ch JOIN hosts AS h ON h.id = ch.host AND h.gateway = :gateway
WHERE ch.task_id IN (SELECT value FROM json_each(:tasks))
  AND ch.attention IN (3, 4) AND ch.sent_at IS NOT NULL AND ch.cancel_requested_at IS NOT NULL
ORDER BY ch.id;

-- name: all_unanswered_cancels
-- The same of all tasks, on some hosts.
SELECT ch.host, ch.execution_id
FROM json_each(:hosts) AS asked JOIN command_hosts AS ch ON ch.host = asked.value
WHERE ch.status IN ('pending', 'running') AND ch.sent_at IS NOT NULL
  AND ch.cancel_requested_at IS NOT NULL
ORDER BY ch.id;

-- name: running_elsewhere
-- How many commands run on each host that is connected to another manager.
SELECT ch.host, count(*) AS running
FROM command_hosts AS ch JOIN hosts AS h ON h.id = ch.host
WHERE ch.status = 'running' AND ch.sent_at IS NOT NULL AND h.online AND h.gateway <> :gateway
GROUP BY ch.host;
