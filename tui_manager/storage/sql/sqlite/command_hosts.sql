-- SQLite uses an index of a part of the rows only if a statement repeats the condition of the index
-- word by word. That is why some conditions here stand twice. `attention` is 3 for running and 4 for
-- pending.
--
-- One statement changes many rows: `:rows` is a JSON array of arrays. What is read for a report is
-- one too (`storage/engine/statements.py` says why).

-- name: insert
-- One command on its hosts, in the order of hosts, when its task starts.
INSERT INTO command_hosts (task_id, command_id, position, execution_id, host, status, reason, ready,
                           finished_at, deliver_before, batch)
SELECT :task_id, :command_id, :position,
       json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
       json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]'),
       json_extract(value, '$[6]'), json_extract(value, '$[7]')
FROM json_each(:rows);

-- name: stored_executions
-- The executions that reports name, of any host.
SELECT json_group_array(json_array(
    ch.id, ch.execution_id, ch.host, ch.task_id, ch.position, ch.status, ch.reason,
    ch.stdout_bytes, ch.stderr_bytes, ch.stdout_total, ch.stderr_total, ch.exit_code, ch.signal,
    ch.output_limit, ch.cancel_requested_at IS NOT NULL, t.status = 'canceled', ch.not_held))
FROM json_each(:execution_ids) AS wanted
CROSS JOIN command_hosts AS ch ON ch.execution_id = wanted.value
CROSS JOIN tasks AS t ON t.id = ch.task_id AND t.pruned_at IS NULL;

-- name: start
-- Guard of START: the agent says that it runs. A canceled task stays canceled, so a lost execution of
-- it does not run again: the agent is told to end it, and its result replaces the guess. What runs
-- was sent, also if the agent has denied in between that it has it.
UPDATE command_hosts SET status = 'running', reason = '', finished_at = NULL,
    sent_at = coalesce(sent_at, json_extract(change.value, '$[1]')),
    started_at = coalesce(started_at, json_extract(change.value, '$[1]'))
FROM json_each(:rows) AS change
WHERE command_hosts.id = json_extract(change.value, '$[0]')
  AND (status = 'pending' OR (status = 'failed' AND reason = 'agent_lost'
    AND NOT EXISTS (SELECT 1 FROM tasks WHERE id = task_id AND status = 'canceled')));

-- name: finish
-- Guard of COMPLETE, FAIL, TIME_OUT and CONFIRM_CANCEL: a result, which may replace a guess, and how
-- much output is stored with it.
UPDATE command_hosts SET
    late = late OR status IN ('failed', 'canceled'),
    status = json_extract(change.value, '$[1]'), reason = json_extract(change.value, '$[2]'),
    detail = json_extract(change.value, '$[3]'), exit_code = json_extract(change.value, '$[4]'),
    signal = json_extract(change.value, '$[5]'),
    started_at = coalesce(json_extract(change.value, '$[6]'), started_at),
    finished_at = json_extract(change.value, '$[7]'),
    stdout_bytes = json_extract(change.value, '$[8]'), stderr_bytes = json_extract(change.value, '$[9]'),
    stdout_total = json_extract(change.value, '$[10]'),
    stderr_total = json_extract(change.value, '$[11]'),
    truncated_bytes = max(truncated_bytes, json_extract(change.value, '$[12]')),
    cpu = json_extract(change.value, '$[13]'), memory_peak = json_extract(change.value, '$[14]'),
    kill_incomplete = json_extract(change.value, '$[15]')
FROM json_each(:rows) AS change
WHERE command_hosts.id = json_extract(change.value, '$[0]') AND (status IN ('pending', 'running')
    OR (status = 'failed' AND reason = 'agent_lost')
    OR (status = 'canceled' AND reason = 'cancel_unconfirmed'));

-- name: cancel_unsent
-- Guard of CANCEL_UNSENT: rows that were never sent end at once.
UPDATE command_hosts SET status = 'canceled', reason = 'canceled', ready = 0,
    cancel_requested_at = :now, finished_at = :now
WHERE task_id = :task_id AND attention = 4 AND status = 'pending' AND sent_at IS NULL;

-- name: request_cancel
-- Rows that were sent are to end. Their status changes when the agent proves it.
UPDATE command_hosts SET cancel_requested_at = coalesce(cancel_requested_at, :now)
WHERE task_id = :task_id AND attention IN (3, 4) AND status IN ('pending', 'running')
RETURNING host, execution_id;

-- name: hosts_of_task
-- Which of some hosts a task has, by the rows of its first command.
SELECT h.id, h.host_id, h.name FROM json_each(:host_ids) AS asked
CROSS JOIN hosts AS h ON h.host_id = asked.value
CROSS JOIN command_hosts AS ch ON ch.host = h.id AND ch.command_id = (
    SELECT id FROM commands WHERE task_id = :task_id AND position = 0);

-- name: cancel_unsent_on_hosts
-- Guard of CANCEL_UNSENT: the same on some hosts of the task only.
UPDATE command_hosts SET status = 'canceled', reason = 'canceled', ready = 0,
    cancel_requested_at = :now, finished_at = :now
WHERE host IN (SELECT value FROM json_each(:hosts)) AND task_id = :task_id
  AND status IN ('pending', 'running') AND status = 'pending' AND sent_at IS NULL;

-- name: request_cancel_on_hosts
-- The same for rows that were sent.
UPDATE command_hosts SET cancel_requested_at = coalesce(cancel_requested_at, :now)
WHERE host IN (SELECT value FROM json_each(:hosts)) AND task_id = :task_id
  AND status IN ('pending', 'running')
RETURNING host, execution_id;

-- name: give_up_sending
-- Guard of GIVE_UP_SENDING: the command never left the manager, and its host is offline.
UPDATE command_hosts SET status = 'failed', reason = 'undeliverable', detail = :detail,
    ready = 0, finished_at = :now
WHERE id = :id AND status = 'pending' AND sent_at IS NULL;

-- name: refuse_sending
-- Guard of REFUSE_SENDING: the command never left the manager, and its host cannot do it.
UPDATE command_hosts SET status = 'failed', reason = 'rejected', detail = :detail,
    ready = 0, finished_at = :now
WHERE id = :id AND status = 'pending' AND sent_at IS NULL;

-- name: lose_agent
-- Guard of LOSE_AGENT: rows that were sent to a host that is away for too long. A row with a delivery
-- timeout that has not begun fails after that, or `:for_good`. The timeout does not run in a pause.
UPDATE command_hosts SET status = 'failed', reason = 'agent_lost', finished_at = :now
WHERE host = :host AND status IN ('pending', 'running') AND sent_at IS NOT NULL
  AND cancel_requested_at IS NULL
  AND (:for_good OR status = 'running' OR deliver_before IS NULL OR (deliver_before <= :now
    AND NOT EXISTS (SELECT 1 FROM tasks WHERE id = task_id AND paused_at IS NOT NULL)))
RETURNING task_id, position, status, reason;

-- name: lose_canceled
-- Guard of LOSE_CANCELED: the same, if the operator had cancelled the row.
UPDATE command_hosts SET status = 'canceled', reason = 'cancel_unconfirmed', finished_at = :now
WHERE host = :host AND status IN ('pending', 'running') AND sent_at IS NOT NULL
  AND cancel_requested_at IS NOT NULL
RETURNING task_id, position, status, reason;

-- name: lose_state
-- Guard of LOSE_STATE: the agent is back with another journal, or without the execution.
UPDATE command_hosts SET status = 'failed', reason = 'agent_state_lost', finished_at = :now
WHERE id = :id AND status IN ('pending', 'running');

-- name: step_orders
-- What follows the steps of tasks that have more than one; `:tasks` is a JSON array of ids.
SELECT json_group_array(json_array(
    k.task_id, k.position, k.on_failure, k.barrier, t.cancel_requested_at IS NOT NULL))
FROM json_each(:tasks) AS asked
CROSS JOIN tasks AS t ON t.id = asked.value AND t.total > t.host_count
CROSS JOIN commands AS k ON k.task_id = t.id;

-- name: skip
-- Guard of SKIP: the commands after one on its host, but for those that are `always` if these are
-- spared.
UPDATE command_hosts SET status = 'skipped', reason = :reason, ready = 0, finished_at = change.now
FROM (SELECT json_extract(value, '$[0]') AS task_id, json_extract(value, '$[1]') AS host,
             json_extract(value, '$[2]') AS position, json_extract(value, '$[3]') AS now
      FROM json_each(:rows)) AS change
WHERE command_hosts.host = change.host AND command_hosts.task_id = change.task_id
  AND command_hosts.position > change.position
  AND status IN ('pending', 'running') AND status = 'pending' AND sent_at IS NULL
  AND NOT (:spare_always AND (SELECT always FROM commands WHERE id = command_id));

-- name: make_ready
-- The next commands on some hosts: the first one behind a position that has not ended. In a pause, a
-- delivery timeout begins as if it had begun with the pause, which is added when the task is resumed.
UPDATE command_hosts SET ready = 1, deliver_before = (
    SELECT coalesce(paused_at, change.now) + delivery_timeout FROM tasks
    WHERE id = change.task_id AND offline = 'wait')
FROM (SELECT json_extract(value, '$[0]') AS task_id, json_extract(value, '$[1]') AS host,
             json_extract(value, '$[2]') AS position, json_extract(value, '$[3]') AS now
      FROM json_each(:rows)) AS change
WHERE command_hosts.host = change.host AND command_hosts.task_id = change.task_id
  AND command_hosts.position = (
    SELECT min(ch.position) FROM command_hosts AS ch
    WHERE ch.host = change.host AND ch.task_id = change.task_id AND ch.position > change.position
      AND ch.status IN ('pending', 'running'))
  AND status IN ('pending', 'running') AND status = 'pending';

-- name: set_output_sizes
-- How much output of executions is stored, and how much came over their limit.
UPDATE command_hosts SET
    stdout_bytes = json_extract(change.value, '$[1]'), stderr_bytes = json_extract(change.value, '$[2]'),
    truncated_bytes = max(truncated_bytes, json_extract(change.value, '$[3]'))
FROM json_each(:rows) AS change WHERE command_hosts.id = json_extract(change.value, '$[0]');

-- name: hosts_with_work
-- Hosts with commands that were sent or wait: their silence matters.
SELECT DISTINCT h.host_id FROM command_hosts AS ch JOIN hosts AS h ON h.id = ch.host
WHERE ch.status IN ('pending', 'running');
