-- SQLite uses an index of a part of the rows only where a statement repeats the condition of the
-- index word by word, which is why some conditions here stand twice. `attention` is 3 for running and
-- 4 for pending.

-- name: insert
-- One command on one host, when its task starts.
INSERT INTO command_hosts (execution_id, task_id, command_id, position, host, status, reason, ready,
                           finished_at, deliver_before)
VALUES (:execution_id, :task_id, :command_id, :position, :host, :status, :reason, :ready,
        :finished_at, :deliver_before);

-- name: known
-- What reports speak of, whosever it is.
SELECT ch.id, ch.execution_id, ch.host, ch.task_id, ch.position, ch.status, ch.reason,
       ch.stdout_bytes, ch.stderr_bytes, ch.stdout_total, ch.stderr_total, ch.exit_code, ch.signal,
       ch.output_limit, ch.cancel_requested_at, t.status AS task_status
FROM json_each(:execution_ids) AS told
CROSS JOIN command_hosts AS ch ON ch.execution_id = told.value
CROSS JOIN tasks AS t ON t.id = ch.task_id AND t.pruned_at IS NULL;

-- name: start
-- Guard of START: the agent says that it runs. A canceled task stays canceled, and so what was lost
-- of it opens nothing again: the agent is told to end it, and its result replaces the guess.
UPDATE command_hosts SET status = 'running', reason = '', finished_at = NULL,
    started_at = coalesce(started_at, :started_at)
WHERE id = :id AND (status = 'pending' OR (status = 'failed' AND reason = 'agent_lost'
    AND NOT EXISTS (SELECT 1 FROM tasks WHERE id = task_id AND status = 'canceled')));

-- name: finish
-- Guard of COMPLETE, FAIL, TIME_OUT and CONFIRM_CANCEL: a result, which replaces a guess; and how
-- far the output is stored with it.
UPDATE command_hosts SET
    late = late OR status IN ('failed', 'canceled'),
    status = :status, reason = :reason, detail = :detail, exit_code = :exit_code, signal = :signal,
    started_at = coalesce(:started_at, started_at), finished_at = :finished_at,
    stdout_bytes = :stdout_bytes, stderr_bytes = :stderr_bytes,
    stdout_total = :stdout_total, stderr_total = :stderr_total,
    truncated_bytes = max(truncated_bytes, :truncated_bytes),
    cpu = :cpu, memory_peak = :memory_peak, kill_incomplete = :kill_incomplete
WHERE id = :id AND (status IN ('pending', 'running')
    OR (status = 'failed' AND reason = 'agent_lost')
    OR (status = 'canceled' AND reason = 'cancel_unconfirmed'));

-- name: cancel_unsent
-- Guard of CANCEL_UNSENT: what was never sent ends at once.
UPDATE command_hosts SET status = 'canceled', reason = 'canceled', ready = 0,
    cancel_requested_at = :now, finished_at = :now
WHERE task_id = :task_id AND attention = 4 AND status = 'pending' AND sent_at IS NULL;

-- name: request_cancel
-- What was sent is asked to end; its status changes when the agent proves it.
UPDATE command_hosts SET cancel_requested_at = coalesce(cancel_requested_at, :now)
WHERE task_id = :task_id AND attention IN (3, 4) AND status IN ('pending', 'running')
RETURNING host, execution_id;

-- name: give_up_sending
-- Guard of GIVE_UP_SENDING: the command never left the manager, and its host is offline.
UPDATE command_hosts SET status = 'failed', reason = 'undeliverable', detail = :detail,
    ready = 0, finished_at = :now
WHERE id = :id AND status = 'pending';

-- name: lose_agent
-- Guard of LOSE_AGENT: what was sent to a host that is away for too long.
UPDATE command_hosts SET status = 'failed', reason = 'agent_lost', finished_at = :now
WHERE host = :host AND status IN ('pending', 'running') AND sent_at IS NOT NULL
  AND cancel_requested_at IS NULL
RETURNING task_id, position;

-- name: lose_canceled
-- Guard of LOSE_CANCELED: the same where the operator had cancelled.
UPDATE command_hosts SET status = 'canceled', reason = 'cancel_unconfirmed', finished_at = :now
WHERE host = :host AND status IN ('pending', 'running') AND sent_at IS NOT NULL
  AND cancel_requested_at IS NOT NULL
RETURNING task_id, position;

-- name: lose_state
-- Guard of LOSE_STATE: the agent is back with another journal, or without the execution.
UPDATE command_hosts SET status = 'failed', reason = 'agent_state_lost', finished_at = :now
WHERE id = :id AND status IN ('pending', 'running');

-- name: skip
-- Guard of SKIP: the commands behind one that did not complete on this host.
UPDATE command_hosts SET status = 'skipped', reason = :reason, ready = 0, finished_at = :now
WHERE host = :host AND task_id = :task_id AND position > :position
  AND status IN ('pending', 'running') AND status = 'pending' AND sent_at IS NULL;

-- name: make_ready
-- The next command on this host: the one before has completed.
UPDATE command_hosts SET ready = 1, deliver_before = (
    SELECT :now + delivery_timeout FROM tasks WHERE id = :task_id AND offline = 'wait')
WHERE host = :host AND task_id = :task_id AND position = :position
  AND status IN ('pending', 'running') AND status = 'pending';

-- name: stored
-- How far the output of an execution is stored, and what came past its limit.
UPDATE command_hosts SET stdout_bytes = :stdout, stderr_bytes = :stderr,
    truncated_bytes = max(truncated_bytes, :truncated) WHERE id = :id;

-- name: hosts_with_work
-- Hosts that have something sent or waiting: who must be watched for silence.
SELECT DISTINCT h.host_id FROM command_hosts AS ch JOIN hosts AS h ON h.id = ch.host
WHERE ch.status IN ('pending', 'running');
