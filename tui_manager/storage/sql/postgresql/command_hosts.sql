-- One statement changes many rows: `:rows` is a JSON array of arrays. What is read for a report is
-- one too (`storage/engine/statements.py` says why).
--
-- PostgreSQL plans by statistics that are a minute old, and may not know of thousands of new rows. So
-- what is looked for by its id is asked for with `= ANY (ARRAY(…))` instead of a join, and its status
-- in a form that no index has: `+attention` is 0 for failed, 3 running, 4 pending, 5 canceled. What is
-- looked for by host and task is asked for in a lateral subquery that stays one: OFFSET or LIMIT.

-- name: insert
-- One command on its hosts, in the order of hosts, when its task starts.
INSERT INTO command_hosts (task_id, command_id, position, execution_id, host, status, reason, ready,
                           finished_at, deliver_before, batch)
SELECT :task_id, :command_id, :position,
       r.value->>0, (r.value->>1)::bigint, r.value->>2, r.value->>3, (r.value->>4)::boolean,
       (r.value->>5)::bigint, (r.value->>6)::bigint, (r.value->>7)::bigint
FROM jsonb_array_elements(:rows::jsonb) WITH ORDINALITY AS r (value, number) ORDER BY r.number;

-- name: stored_executions
-- The executions that reports name, of any host.
WITH ch AS MATERIALIZED (
    SELECT * FROM command_hosts
    WHERE execution_id = ANY (ARRAY(SELECT jsonb_array_elements_text(:execution_ids::jsonb))))
SELECT coalesce(json_agg(json_build_array(
    ch.id, ch.execution_id, ch.host, ch.task_id, ch.position, ch.status, ch.reason,
    ch.stdout_bytes, ch.stderr_bytes, ch.stdout_total, ch.stderr_total, ch.exit_code, ch.signal,
    ch.output_limit, ch.cancel_requested_at IS NOT NULL, t.status = 'canceled', ch.not_held)), '[]')
FROM ch JOIN tasks AS t ON t.id = ch.task_id AND t.pruned_at IS NULL;

-- name: start
-- Guard of START: the agent says that it runs. A canceled task stays canceled, so a lost execution of
-- it does not run again: the agent is told to end it, and its result replaces the guess. What runs
-- was sent, also if the agent has denied in between that it has it.
UPDATE command_hosts AS ch SET status = 'running', reason = '', finished_at = NULL,
    sent_at = coalesce(ch.sent_at, change.now),
    started_at = coalesce(ch.started_at, change.now)
FROM (SELECT (value->>0)::bigint AS id, (value->>1)::bigint AS now
      FROM jsonb_array_elements(:rows::jsonb)) AS change
WHERE ch.id = ANY (ARRAY(SELECT (value->>0)::bigint FROM jsonb_array_elements(:rows::jsonb)))
  AND ch.id = change.id
  AND (+ch.attention = 4 OR (+ch.attention = 0 AND ch.reason = 'agent_lost'
    AND NOT EXISTS (SELECT FROM tasks AS t
                    WHERE t.id = ch.task_id AND t.status = 'canceled' OFFSET 0)));

-- name: finish
-- Guard of COMPLETE, FAIL, TIME_OUT and CONFIRM_CANCEL: a result, which may replace a guess, and how
-- much output is stored with it.
UPDATE command_hosts AS ch SET
    late = ch.late OR ch.status IN ('failed', 'canceled'),
    status = change.value->>1, reason = change.value->>2, detail = change.value->>3,
    exit_code = (change.value->>4)::bigint, signal = (change.value->>5)::bigint,
    started_at = coalesce((change.value->>6)::bigint, ch.started_at),
    finished_at = (change.value->>7)::bigint,
    stdout_bytes = (change.value->>8)::bigint, stderr_bytes = (change.value->>9)::bigint,
    stdout_total = (change.value->>10)::bigint, stderr_total = (change.value->>11)::bigint,
    truncated_bytes = greatest(ch.truncated_bytes, (change.value->>12)::bigint),
    cpu = (change.value->>13)::bigint, memory_peak = (change.value->>14)::bigint,
    kill_incomplete = (change.value->>15)::boolean
FROM jsonb_array_elements(:rows::jsonb) AS change (value)
WHERE ch.id = ANY (ARRAY(SELECT (value->>0)::bigint FROM jsonb_array_elements(:rows::jsonb)))
  AND ch.id = (change.value->>0)::bigint
  AND (+ch.attention IN (3, 4) OR (+ch.attention = 0 AND ch.reason = 'agent_lost')
    OR (+ch.attention = 5 AND ch.reason = 'cancel_unconfirmed'));

-- name: cancel_unsent
-- Guard of CANCEL_UNSENT: rows that were never sent end at once.
UPDATE command_hosts SET status = 'canceled', reason = 'canceled', ready = false,
    cancel_requested_at = :now, finished_at = :now
WHERE task_id = :task_id AND attention = 4 AND sent_at IS NULL;

-- name: request_cancel
-- Rows that were sent are to end. Their status changes when the agent proves it.
UPDATE command_hosts SET cancel_requested_at = coalesce(cancel_requested_at, :now)
WHERE task_id = :task_id AND attention IN (3, 4)
RETURNING host, execution_id;

-- name: hosts_of_task
-- Which of some hosts a task has, by the rows of its first command.
SELECT h.id, h.host_id, h.name
FROM jsonb_array_elements_text(:host_ids::jsonb) WITH ORDINALITY AS asked (host_id, number)
JOIN hosts AS h ON h.host_id = asked.host_id
JOIN command_hosts AS ch ON ch.host = h.id AND ch.command_id = (
    SELECT id FROM commands WHERE task_id = :task_id AND position = 0)
ORDER BY asked.number;

-- name: cancel_unsent_on_hosts
-- Guard of CANCEL_UNSENT: the same on some hosts of the task only.
UPDATE command_hosts SET status = 'canceled', reason = 'canceled', ready = false,
    cancel_requested_at = :now, finished_at = :now
WHERE host = ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text(:hosts::jsonb)))
  AND +task_id = :task_id AND status = 'pending' AND sent_at IS NULL;

-- name: request_cancel_on_hosts
-- The same for rows that were sent.
UPDATE command_hosts SET cancel_requested_at = coalesce(cancel_requested_at, :now)
WHERE host = ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text(:hosts::jsonb)))
  AND +task_id = :task_id AND status IN ('pending', 'running')
RETURNING host, execution_id;

-- name: give_up_sending
-- Guard of GIVE_UP_SENDING: the command never left the manager, and its host is offline.
UPDATE command_hosts SET status = 'failed', reason = 'undeliverable', detail = :detail,
    ready = false, finished_at = :now
WHERE id = :id AND +attention = 4 AND sent_at IS NULL;

-- name: refuse_sending
-- Guard of REFUSE_SENDING: the command never left the manager, and its host cannot do it.
UPDATE command_hosts SET status = 'failed', reason = 'rejected', detail = :detail,
    ready = false, finished_at = :now
WHERE id = :id AND +attention = 4 AND sent_at IS NULL;

-- name: lose_agent
-- Guard of LOSE_AGENT: rows that were sent to a host that is away for too long. A row with a delivery
-- timeout that has not begun fails after that, or `:for_good`. The timeout does not run in a pause.
UPDATE command_hosts AS ch SET status = 'failed', reason = 'agent_lost', finished_at = :now
WHERE ch.host = :host AND ch.status IN ('pending', 'running') AND ch.sent_at IS NOT NULL
  AND ch.cancel_requested_at IS NULL
  AND (:for_good OR ch.status = 'running' OR ch.deliver_before IS NULL OR (ch.deliver_before <= :now
    AND NOT EXISTS (SELECT FROM tasks AS t
                    WHERE t.id = ch.task_id AND t.paused_at IS NOT NULL OFFSET 0)))
RETURNING ch.task_id, ch.position, ch.status, ch.reason;

-- name: lose_canceled
-- Guard of LOSE_CANCELED: the same, if the operator had cancelled the row.
UPDATE command_hosts SET status = 'canceled', reason = 'cancel_unconfirmed', finished_at = :now
WHERE host = :host AND status IN ('pending', 'running') AND sent_at IS NOT NULL
  AND cancel_requested_at IS NOT NULL
RETURNING task_id, position, status, reason;

-- name: lose_state
-- Guard of LOSE_STATE: the agent is back with another journal, or without the execution.
UPDATE command_hosts SET status = 'failed', reason = 'agent_state_lost', finished_at = :now
WHERE id = :id AND +attention IN (3, 4);

-- name: step_orders
-- What follows the steps of tasks that have more than one; `:tasks` is a JSON array of ids.
SELECT coalesce(json_agg(json_build_array(
    k.task_id, k.position, k.on_failure, k.barrier, t.cancel_requested_at IS NOT NULL)
    ORDER BY asked.number, k.position), '[]')
FROM jsonb_array_elements_text(:tasks::jsonb) WITH ORDINALITY AS asked (task_id, number)
JOIN tasks AS t ON t.id = asked.task_id::bigint
    AND EXISTS (SELECT FROM commands AS later WHERE later.task_id = t.id AND later.position > 0)
JOIN commands AS k ON k.task_id = t.id;

-- name: skip
-- Guard of SKIP: the commands after one on its host, but for those that are `always` if these are
-- spared.
WITH target AS MATERIALIZED (
    SELECT later.id, (r.value->>3)::bigint AS now
    FROM jsonb_array_elements(:rows::jsonb) AS r (value)
    CROSS JOIN LATERAL (
        SELECT ch.id FROM command_hosts AS ch
        WHERE ch.host = (r.value->>1)::bigint AND ch.task_id = (r.value->>0)::bigint
          AND ch.position > (r.value->>2)::bigint AND ch.status = 'pending' AND ch.sent_at IS NULL
          AND NOT (:spare_always AND (SELECT k.always FROM commands AS k WHERE k.id = ch.command_id))
        OFFSET 0) AS later)
UPDATE command_hosts AS ch SET status = 'skipped', reason = :reason, ready = false,
    finished_at = target.now
FROM target
WHERE ch.id = ANY (ARRAY(SELECT id FROM target)) AND ch.id = target.id
  AND +ch.attention = 4 AND ch.sent_at IS NULL;

-- name: make_ready
-- The next commands on some hosts: the first one behind a position that has not ended. In a pause, a
-- delivery timeout begins as if it had begun with the pause, which is added when the task is resumed.
WITH target AS MATERIALIZED (
    SELECT next.id, (r.value->>3)::bigint AS now
    FROM jsonb_array_elements(:rows::jsonb) AS r (value)
    CROSS JOIN LATERAL (
        SELECT ch.id, ch.status FROM command_hosts AS ch
        WHERE ch.host = (r.value->>1)::bigint AND ch.task_id = (r.value->>0)::bigint
          AND ch.position > (r.value->>2)::bigint AND ch.status IN ('pending', 'running')
        ORDER BY ch.position LIMIT 1) AS next
    WHERE next.status = 'pending')
UPDATE command_hosts AS ch SET ready = true, deliver_before = (
    SELECT coalesce(t.paused_at, target.now) + t.delivery_timeout FROM tasks AS t
    WHERE t.id = ch.task_id AND t.offline = 'wait')
FROM target
WHERE ch.id = ANY (ARRAY(SELECT id FROM target)) AND ch.id = target.id
  AND +ch.attention = 4;

-- name: set_output_sizes
-- How much output of executions is stored, and how much came over their limit.
UPDATE command_hosts AS ch SET
    stdout_bytes = (change.value->>1)::bigint, stderr_bytes = (change.value->>2)::bigint,
    truncated_bytes = greatest(ch.truncated_bytes, (change.value->>3)::bigint)
FROM jsonb_array_elements(:rows::jsonb) AS change (value)
WHERE ch.id = ANY (ARRAY(SELECT (value->>0)::bigint FROM jsonb_array_elements(:rows::jsonb)))
  AND ch.id = (change.value->>0)::bigint;

-- name: hosts_with_work
-- Hosts with commands that were sent or wait: their silence matters.
SELECT DISTINCT h.host_id FROM command_hosts AS ch JOIN hosts AS h ON h.id = ch.host
WHERE ch.status IN ('pending', 'running');
