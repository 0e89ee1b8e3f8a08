-- The hosts of a rollout whose turn it is. `:hosts` is a JSON array of hosts' row ids, and the current
-- command of a host is the first one in the task that has not ended. See `command_hosts.sql` on what is
-- looked for by its id, on `+attention` and on OFFSET 0.

-- name: waiting
-- The next hosts of a batch whose turn has not come, in order.
SELECT host FROM rollout_hosts
WHERE task_id = :task_id AND state = 'waiting' AND batch = :batch ORDER BY place LIMIT :limit;

-- name: candidates
-- What is known of hosts that are to begin, in the order of the rollout, with their first commands.
SELECT rh.host, rh.state, ch.id AS row_id,
    h.admission = 'admitted' AND h.removed_at IS NULL AS belongs, h.admission,
    h.maintenance_reason IS NOT NULL
        AND (h.maintenance_until IS NULL OR h.maintenance_until > :now) AS in_maintenance
FROM jsonb_array_elements_text(:hosts::jsonb) AS asked (value)
JOIN rollout_hosts AS rh ON rh.task_id = :task_id AND rh.host = asked.value::bigint
JOIN hosts AS h ON h.id = rh.host
JOIN command_hosts AS ch ON ch.host = rh.host AND ch.task_id = :task_id AND ch.position = 0
    AND ch.status IN ('pending', 'running')
WHERE rh.state IN ('waiting', 'expected') ORDER BY rh.place;

-- name: not_begun
-- Hosts whose turn has not come, or which are waited for and have not begun.
SELECT host FROM rollout_hosts
WHERE task_id = :task_id AND state IN ('waiting', 'expected') LIMIT :limit;

-- name: not_sent
-- Hosts that may begin, but of which no command was sent. One that another manager claims just now is
-- waited for.
SELECT rh.host FROM rollout_hosts AS rh
JOIN command_hosts AS ch ON ch.host = rh.host AND ch.task_id = rh.task_id AND ch.position = 0
    AND ch.status IN ('pending', 'running')
WHERE rh.task_id = :task_id AND rh.state = 'under_way' AND ch.status = 'pending'
  AND ch.sent_at IS NULL
FOR NO KEY UPDATE OF ch;

-- name: overdue
-- Hosts that were waited for long enough, with their current commands, of which some may have been sent
-- in spite of what is stored.
SELECT current.* FROM rollout_hosts AS rh
CROSS JOIN LATERAL (
    SELECT ch.id, ch.task_id, ch.host, ch.position,
        ch.status = 'pending' AND ch.sent_at IS NULL AS unsent FROM command_hosts AS ch
    WHERE ch.host = rh.host AND ch.task_id = rh.task_id AND ch.status IN ('pending', 'running')
    ORDER BY ch.position LIMIT 1) AS current
WHERE rh.task_id = :task_id AND rh.wait_until IS NOT NULL AND rh.wait_until <= :now
ORDER BY rh.host LIMIT :limit;

-- name: next_wait
-- When the first host is not waited for any more.
SELECT min(wait_until) AS due FROM rollout_hosts
WHERE task_id = :task_id AND wait_until IS NOT NULL;

-- name: begun
-- Hosts of running rollouts that are waited for or under way, of some hosts. `unsent`: the next command
-- was not sent; `new`: none was.
SELECT rh.task_id, rh.host, rh.state, t.offline, t.paused_at,
    NOT EXISTS (
        SELECT 1 FROM command_hosts AS ch WHERE ch.host = rh.host AND ch.task_id = rh.task_id
          AND ch.status IN ('pending', 'running')
          AND (ch.sent_at IS NOT NULL OR ch.status = 'running') OFFSET 0) AS unsent,
    EXISTS (
        SELECT 1 FROM command_hosts AS ch WHERE ch.host = rh.host AND ch.task_id = rh.task_id
          AND ch.position = 0 AND ch.status IN ('pending', 'running')
          AND ch.status = 'pending' OFFSET 0) AS new
FROM jsonb_array_elements_text(:hosts::jsonb) AS asked (value)
JOIN rollout_hosts AS rh ON rh.host = asked.value::bigint AND rh.state IN ('expected', 'under_way', 'away')
JOIN tasks AS t ON t.id = rh.task_id AND t.status = 'running';

-- name: begun_of_task
-- All of these hosts of one task.
SELECT host FROM rollout_hosts
WHERE task_id = :task_id AND state IN ('expected', 'under_way', 'away');

-- name: stop_at_barrier
-- Hosts whose next command behind a position has a barrier wait there.
UPDATE rollout_hosts SET state = 'at_barrier', barrier = next.position, wait_until = NULL
FROM (SELECT ended.task_id, ended.host, (
        SELECT min(ch.position) FROM command_hosts AS ch
        WHERE ch.host = ended.host AND ch.task_id = ended.task_id AND ch.position > ended.position
          AND ch.status IN ('pending', 'running')) AS position
      FROM (SELECT (value->>0)::bigint AS task_id, (value->>1)::bigint AS host,
                   (value->>2)::bigint AS position
            FROM jsonb_array_elements(:rows::jsonb) AS rows (value)) AS ended) AS next
JOIN commands AS k ON k.task_id = next.task_id AND k.position = next.position AND k.barrier
WHERE rollout_hosts.task_id = next.task_id AND rollout_hosts.host = next.host
  AND rollout_hosts.state <> 'ended'
RETURNING rollout_hosts.task_id, rollout_hosts.host;

-- name: at_barrier
-- Hosts of a batch that wait before a step, in order.
SELECT host FROM rollout_hosts
WHERE task_id = :task_id AND batch = :batch AND barrier IS NOT NULL AND barrier = :step
ORDER BY place LIMIT :limit;

-- name: set_delivery_left
-- The whole delivery timeout is left to hosts that are connected and wait for a place.
UPDATE rollout_hosts SET delivery_left = :delivery_timeout
WHERE task_id = :task_id AND host = ANY (ARRAY(
    SELECT value::bigint FROM jsonb_array_elements_text(:hosts::jsonb) AS asked (value)));

-- name: set_state
-- The state of some hosts that have not ended, and until when they are waited for.
UPDATE rollout_hosts SET state = :state, barrier = NULL, wait_until = :wait_until
WHERE task_id = :task_id AND host = ANY (ARRAY(
    SELECT value::bigint FROM jsonb_array_elements_text(:hosts::jsonb) AS asked (value)))
  AND state <> 'ended';

-- name: set_wait
-- Until when some hosts are waited for; NULL: they are there.
UPDATE rollout_hosts SET wait_until = :wait_until
WHERE task_id = :task_id AND host = ANY (ARRAY(
    SELECT value::bigint FROM jsonb_array_elements_text(:hosts::jsonb) AS asked (value)));

-- name: set_ready
-- Whether the current commands of some hosts may be sent.
UPDATE command_hosts SET ready = :ready
WHERE id = ANY (ARRAY(
    SELECT (SELECT ch.id FROM command_hosts AS ch
            WHERE ch.host = asked.value::bigint AND ch.task_id = :task_id
              AND ch.status IN ('pending', 'running') ORDER BY ch.position LIMIT 1)
    FROM jsonb_array_elements_text(:hosts::jsonb) AS asked (value)))
  AND +attention = 4 AND sent_at IS NULL;

-- name: start_delivery
-- The delivery timeout of the current commands of hosts that are offline begins.
UPDATE command_hosts SET deliver_before = :deliver_before
WHERE id = ANY (ARRAY(
    SELECT (SELECT ch.id FROM command_hosts AS ch
            WHERE ch.host = asked.value::bigint AND ch.task_id = :task_id
              AND ch.status IN ('pending', 'running') ORDER BY ch.position LIMIT 1)
    FROM jsonb_array_elements_text(:hosts::jsonb) AS asked (value)))
  AND +attention = 4 AND sent_at IS NULL;

-- name: keep_delivery_left
-- What is left of the delivery timeout of a host that is connected and waits for a place.
UPDATE rollout_hosts SET delivery_left = (
    SELECT ch.deliver_before - :now FROM command_hosts AS ch
    WHERE ch.host = :host AND ch.task_id = :task_id AND ch.status IN ('pending', 'running')
    ORDER BY ch.position LIMIT 1)
WHERE task_id = :task_id AND host = :host AND delivery_left IS NULL;

-- name: stop_current_delivery
-- It stands still.
UPDATE command_hosts SET deliver_before = NULL
WHERE id = (
    SELECT ch.id FROM command_hosts AS ch
    WHERE ch.host = :host AND ch.task_id = :task_id AND ch.status IN ('pending', 'running')
    ORDER BY ch.position LIMIT 1)
  AND +attention = 4 AND sent_at IS NULL;

-- name: continue_delivery
-- Delivery timeouts that stood still go on.
UPDATE command_hosts SET deliver_before = :now + (
    SELECT delivery_left FROM rollout_hosts AS rh
    WHERE rh.task_id = :task_id AND rh.host = command_hosts.host)
WHERE id = ANY (ARRAY(
    SELECT (SELECT ch.id FROM command_hosts AS ch
            WHERE ch.host = rh.host AND ch.task_id = :task_id
              AND ch.status IN ('pending', 'running') ORDER BY ch.position LIMIT 1)
    FROM jsonb_array_elements_text(:hosts::jsonb) AS asked (value)
    JOIN rollout_hosts AS rh ON rh.task_id = :task_id AND rh.host = asked.value::bigint
        AND rh.delivery_left IS NOT NULL))
  AND +attention = 4 AND sent_at IS NULL;

-- name: forget_delivery_left
-- They stand still no more.
UPDATE rollout_hosts SET delivery_left = NULL
WHERE task_id = :task_id AND host = ANY (ARRAY(
    SELECT value::bigint FROM jsonb_array_elements_text(:hosts::jsonb) AS asked (value)))
  AND delivery_left IS NOT NULL;

-- name: stop_delivery
-- The turn of some hosts is taken back.
UPDATE command_hosts SET deliver_before = NULL
WHERE id = ANY (ARRAY(
    SELECT ch.id FROM jsonb_array_elements_text(:hosts::jsonb) AS asked (value)
    JOIN command_hosts AS ch ON ch.host = asked.value::bigint AND ch.task_id = :task_id AND ch.position = 0
        AND ch.status IN ('pending', 'running')))
  AND +attention = 4 AND sent_at IS NULL;
