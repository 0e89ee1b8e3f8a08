-- name: ready_hosts
-- Those of some hosts that have a command which may be sent now.
SELECT asked.host::bigint AS host FROM jsonb_array_elements_text(:hosts::jsonb) AS asked (host)
CROSS JOIN LATERAL (
    SELECT ch.id FROM command_hosts AS ch JOIN tasks AS t ON t.id = ch.task_id
    WHERE ch.host = asked.host::bigint AND ch.status = 'pending' AND ch.ready
      AND ch.sent_at IS NULL AND t.status = 'running' AND t.paused_at IS NULL
    LIMIT 1) AS ready;
-- With LIMIT it looks for each host by itself, also if there are no statistics yet.

-- name: unanswered_cancels
-- Commands of some tasks that were sent, are to end and have not, on the hosts of one manager.
SELECT ch.host, ch.execution_id
FROM command_hosts AS ch JOIN hosts AS h ON h.id = ch.host AND h.gateway = :gateway
WHERE ch.task_id = ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text(:tasks::jsonb)))
  AND ch.attention IN (3, 4) AND ch.sent_at IS NOT NULL AND ch.cancel_requested_at IS NOT NULL
ORDER BY ch.id;

-- name: all_unanswered_cancels
-- The same of all tasks, on some hosts.
SELECT ch.host, ch.execution_id
FROM jsonb_array_elements_text(:hosts::jsonb) AS asked (host)
JOIN command_hosts AS ch ON ch.host = asked.host::bigint
WHERE ch.status IN ('pending', 'running') AND ch.sent_at IS NOT NULL
  AND ch.cancel_requested_at IS NOT NULL
ORDER BY ch.id;

-- name: running_elsewhere
-- How many commands run on each host that is connected to another manager.
SELECT ch.host, count(*) AS running
FROM command_hosts AS ch JOIN hosts AS h ON h.id = ch.host
WHERE ch.status = 'running' AND ch.sent_at IS NOT NULL AND h.online AND h.gateway <> :gateway
GROUP BY ch.host;
