-- name: insert
-- One command on one host, when its task starts.
INSERT INTO command_hosts (execution_id, task_id, command_id, position, host, status, reason, ready,
                           finished_at, deliver_before)
VALUES (:execution_id, :task_id, :command_id, :position, :host, :status, :reason, :ready,
        :finished_at, :deliver_before);

-- name: of_host
-- What a report speaks of: only the host's own.
SELECT id, task_id, command_id, position, host, status, reason, stdout_bytes, stderr_bytes,
       stdout_total, stderr_total, exit_code, signal, cancel_requested_at, execution_id,
       output_limit
FROM command_hosts WHERE execution_id = :execution_id AND host = :host;

-- name: start
-- Guard of START: the agent says that it runs.
UPDATE command_hosts SET status = 'running', reason = '', finished_at = NULL,
    started_at = coalesce(started_at, :started_at)
WHERE id = :id AND (status = 'pending' OR (status = 'failed' AND reason = 'agent_lost'));

-- name: finish
-- Guard of COMPLETE, FAIL, TIME_OUT and CONFIRM_CANCEL: a result, which replaces a guess.
UPDATE command_hosts SET
    late = late OR status IN ('failed', 'canceled'),
    status = :status, reason = :reason, detail = :detail, exit_code = :exit_code, signal = :signal,
    started_at = coalesce(:started_at, started_at), finished_at = :finished_at,
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
WHERE task_id = :task_id AND status = 'pending' AND sent_at IS NULL;

-- name: request_cancel
-- What was sent is asked to end; its status changes when the agent proves it.
UPDATE command_hosts SET cancel_requested_at = coalesce(cancel_requested_at, :now)
WHERE task_id = :task_id AND status IN ('pending', 'running')
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
  AND status IN ('pending') AND sent_at IS NULL;

-- name: make_ready
-- The next command on this host: the one before has completed.
UPDATE command_hosts SET ready = 1, deliver_before = (
    SELECT :now + delivery_timeout FROM tasks WHERE id = :task_id AND offline = 'wait')
WHERE host = :host AND task_id = :task_id AND position = :position AND status = 'pending';

-- name: to_send
-- What may be sent to a host now, in order.
SELECT ch.id, ch.execution_id, ch.command_id, ch.task_id, ch.position, ch.deliver_before
FROM command_hosts AS ch JOIN tasks AS t ON t.id = ch.task_id
WHERE ch.host = :host AND ch.status = 'pending' AND ch.ready = 1 AND ch.sent_at IS NULL
  AND t.status = 'running' AND (ch.deliver_before IS NULL OR ch.deliver_before > :now)
ORDER BY ch.id LIMIT :room;

-- name: unsent_of_host
-- What waits for a host that is away for too long, and has no delivery timeout of its own.
SELECT id, task_id, host, position FROM command_hosts
WHERE host = :host AND status = 'pending' AND ready = 1 AND sent_at IS NULL
  AND deliver_before IS NULL;

-- name: undelivered
-- What was not sent within its delivery timeout, whatever became of its host.
SELECT id, task_id, host, position FROM command_hosts
WHERE status = 'pending' AND sent_at IS NULL AND deliver_before <= :now;

-- name: mark_sent
-- Committed before the command is handed to a session.
UPDATE command_hosts SET sent_at = :now, sent_journal_id = :journal_id,
    output_limit = :output_limit WHERE id = :id;

-- name: mark_unsent
-- The journal that it was sent to has never seen it: it is sent again.
UPDATE command_hosts SET sent_at = NULL WHERE id = :id AND status = 'pending';

-- name: command
-- What is to be run.
SELECT text, timeout_after, parameters, environment, cwd FROM commands WHERE id = :command_id;

-- name: sent_unended
-- What a returning agent must answer for.
SELECT id, execution_id, task_id, position, status, sent_journal_id, cancel_requested_at
FROM command_hosts
WHERE host = :host AND status IN ('pending', 'running') AND sent_at IS NOT NULL;

-- name: held
-- What the manager knows of an execution that a returning agent holds.
SELECT ch.id, ch.task_id, ch.status, ch.reason, ch.stdout_bytes, ch.stderr_bytes,
       ch.stdout_total, ch.stderr_total,
       ch.sent_at IS NULL AND ch.status = 'pending' AS unsent, ch.cancel_requested_at IS NOT NULL
           OR t.cancel_requested_at IS NOT NULL AS canceled
FROM command_hosts AS ch JOIN tasks AS t ON t.id = ch.task_id
WHERE ch.execution_id = :execution_id AND ch.host = :host;

-- name: stored
-- How far the output of an execution is stored, and what came past its limit.
UPDATE command_hosts SET stdout_bytes = :stdout, stderr_bytes = :stderr,
    truncated_bytes = max(truncated_bytes, :truncated) WHERE id = :id;

-- name: by_attention
-- A window of a task: faults, running, pending, completed.
SELECT ch.*, h.host_id, h.name AS host_name FROM command_hosts AS ch JOIN hosts AS h ON h.id = ch.host
WHERE ch.task_id = :task_id ORDER BY ch.attention, ch.position, ch.id LIMIT :limit OFFSET :offset;

-- name: by_place
-- A window of a task by command and host.
SELECT ch.*, h.host_id, h.name AS host_name FROM command_hosts AS ch JOIN hosts AS h ON h.id = ch.host
WHERE ch.task_id = :task_id ORDER BY ch.position, ch.id LIMIT :limit OFFSET :offset;

-- name: filtered
-- A window of those of a task that pass a filter.
SELECT ch.*, h.host_id, h.name AS host_name, count(*) OVER () AS matching
FROM command_hosts AS ch JOIN hosts AS h ON h.id = ch.host
WHERE ch.task_id = :task_id
  AND (:command IS NULL OR ch.position = :command)
  AND (NOT :faults_only OR ch.attention < 3)
  AND (:pattern = '' OR h.name LIKE :pattern ESCAPE '\' OR ch.status LIKE :pattern ESCAPE '\'
       OR ch.reason LIKE :pattern ESCAPE '\')
ORDER BY CASE WHEN :by_host THEN 0 ELSE ch.attention END, ch.position, ch.id
LIMIT :limit OFFSET :offset;

-- name: hosts_with_work
-- Hosts that have something sent or waiting: who must be watched for silence.
SELECT DISTINCT h.host_id FROM command_hosts AS ch JOIN hosts AS h ON h.id = ch.host
WHERE ch.status IN ('pending', 'running');
