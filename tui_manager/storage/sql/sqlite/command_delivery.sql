-- name: unsent_of_host
-- Unsent commands of a host that is away for too long, without a delivery timeout. Those of paused
-- tasks are judged when their task is resumed.
SELECT id, task_id, host, position FROM command_hosts
WHERE host = :host AND status = 'pending' AND ready = 1 AND sent_at IS NULL
  AND deliver_before IS NULL
  AND NOT EXISTS (SELECT 1 FROM tasks WHERE id = task_id AND paused_at IS NOT NULL);

-- name: unsent_since
-- Unsent commands of a host, without a delivery timeout, of tasks that have started since an instant.
SELECT id, task_id, host, position FROM command_hosts
WHERE host = :host AND status = 'pending' AND ready = 1 AND sent_at IS NULL
  AND deliver_before IS NULL AND EXISTS (
    SELECT 1 FROM tasks WHERE id = task_id AND started_at >= :since AND paused_at IS NULL);

-- name: unsent_of_task
-- Unsent commands of a task whose turn has come, without a delivery timeout. The planner waits for
-- hosts of a rollout.
SELECT id, task_id, host, position FROM command_hosts
WHERE task_id = :task_id AND attention = 4 AND status = 'pending' AND ready = 1
  AND sent_at IS NULL AND deliver_before IS NULL AND batch = 0;

-- name: hosts_to_send
-- Hosts with an unsent command of a task whose turn has come.
SELECT DISTINCT host FROM command_hosts
WHERE task_id = :task_id AND attention = 4 AND status = 'pending' AND ready = 1
  AND sent_at IS NULL;

-- name: extend_delivery
-- The delivery timeouts of a task did not run while it was paused, also of commands that were sent and
-- have not begun. One that began in the pause is stored as if it had begun with the pause.
UPDATE command_hosts SET deliver_before = deliver_before + :by
WHERE task_id = :task_id AND attention = 4 AND status = 'pending' AND deliver_before IS NOT NULL;

-- name: unsent_of_turned_away
-- Unsent commands of a host that will never be sent a command again: of each task the next one, whether
-- its turn has come or not.
SELECT id, task_id, host, position FROM command_hosts AS ch
WHERE host = :host AND status IN ('pending', 'running') AND status = 'pending' AND sent_at IS NULL
  AND NOT EXISTS (
    SELECT 1 FROM command_hosts AS before
    WHERE before.host = ch.host AND before.task_id = ch.task_id AND before.position < ch.position
      AND before.status IN ('pending', 'running'));

-- name: undelivered
-- Commands that were not sent within their delivery timeout, which does not run in a pause.
SELECT id, task_id, host, position FROM command_hosts
WHERE status = 'pending' AND sent_at IS NULL AND deliver_before <= :now
  AND NOT EXISTS (SELECT 1 FROM tasks WHERE id = task_id AND paused_at IS NOT NULL);

-- name: hosts_to_give_up
-- Hosts with a sent command that has not begun, and is past its delivery timeout or was cancelled. The
-- timeout does not run in a pause.
SELECT DISTINCT host FROM command_hosts
WHERE status = 'pending' AND sent_at IS NOT NULL AND deliver_before IS NOT NULL
  AND (cancel_requested_at IS NOT NULL OR (deliver_before <= :now
    AND NOT EXISTS (SELECT 1 FROM tasks WHERE id = task_id AND paused_at IS NOT NULL)));

-- name: mark_held
-- The journal of its host holds it, so it was sent.
UPDATE command_hosts SET sent_at = :now, sent_journal_id = :journal_id, output_limit = NULL
WHERE id = :id;

-- name: mark_unsent
-- The journal to which it was sent has never seen it: it is sent again.
UPDATE command_hosts SET sent_at = NULL WHERE id = :id AND status = 'pending';

-- name: cancel_is_requested
-- An operator has asked for the end of this row, or of its task.
SELECT 1 FROM command_hosts AS ch JOIN tasks AS t ON t.id = ch.task_id
WHERE ch.id = :id AND (ch.cancel_requested_at IS NOT NULL OR t.cancel_requested_at IS NOT NULL);

-- name: sent_unended
-- Commands of which a returning agent must say what became.
SELECT id, execution_id, task_id, position, status, sent_journal_id, cancel_requested_at
FROM command_hosts
WHERE host = :host AND status IN ('pending', 'running') AND sent_at IS NOT NULL;

-- name: guessed
-- Commands that were sent to this journal, never reported as begun, and ended by a guess.
SELECT ch.id, ch.execution_id FROM command_hosts AS ch JOIN tasks AS t ON t.id = ch.task_id
WHERE ch.host = :host AND ch.reason IN ('agent_lost', 'cancel_unconfirmed')
  AND ch.started_at IS NULL AND ch.sent_journal_id = :journal_id AND t.pruned_at IS NULL
ORDER BY ch.id LIMIT :limit;

-- name: mark_not_held
-- The journal to which they were sent does not hold them: the agent is asked how they ended.
UPDATE command_hosts SET not_held = 1
WHERE id IN (SELECT value FROM json_each(:row_ids));

-- name: held
-- What is stored of an execution that a returning agent holds.
SELECT ch.id, ch.task_id, ch.status, ch.reason, ch.stdout_bytes, ch.stderr_bytes,
       ch.stdout_total, ch.stderr_total,
       ch.sent_at IS NULL AND ch.status = 'pending' AS unsent, ch.cancel_requested_at IS NOT NULL
           OR t.cancel_requested_at IS NOT NULL AS canceled
FROM command_hosts AS ch JOIN tasks AS t ON t.id = ch.task_id
WHERE ch.execution_id = :execution_id AND ch.host = :host AND t.pruned_at IS NULL;
