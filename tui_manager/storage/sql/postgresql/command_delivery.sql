-- See `command_hosts.sql` on what is looked for by its id.

-- name: unsent_of_host
-- Unsent commands of a host that is away for too long, without a delivery timeout. Those of paused
-- tasks are judged when their task is resumed.
SELECT ch.id, ch.task_id, ch.host, ch.position FROM command_hosts AS ch
WHERE ch.host = :host AND ch.status = 'pending' AND ch.ready AND ch.sent_at IS NULL
  AND ch.deliver_before IS NULL
  AND NOT EXISTS (SELECT FROM tasks AS t WHERE t.id = ch.task_id AND t.paused_at IS NOT NULL)
ORDER BY ch.id;

-- name: unsent_since
-- Unsent commands of a host, without a delivery timeout, of tasks that have started since an instant.
SELECT ch.id, ch.task_id, ch.host, ch.position FROM command_hosts AS ch
WHERE ch.host = :host AND ch.status = 'pending' AND ch.ready AND ch.sent_at IS NULL
  AND ch.deliver_before IS NULL AND EXISTS (
    SELECT FROM tasks AS t
    WHERE t.id = ch.task_id AND t.started_at >= :since AND t.paused_at IS NULL)
ORDER BY ch.id;

-- name: unsent_of_task
-- Unsent commands of a task whose turn has come, without a delivery timeout. The planner waits for
-- hosts of a rollout.
SELECT id, task_id, host, position FROM command_hosts
WHERE task_id = :task_id AND attention = 4 AND ready AND sent_at IS NULL AND deliver_before IS NULL
  AND batch = 0
ORDER BY position, id;

-- name: hosts_to_send
-- Hosts with an unsent command of a task whose turn has come.
SELECT DISTINCT host FROM command_hosts
WHERE task_id = :task_id AND attention = 4 AND ready AND sent_at IS NULL;

-- name: extend_delivery
-- The delivery timeouts of a task did not run while it was paused, also of commands that were sent and
-- have not begun. One that began in the pause is stored as if it had begun with the pause.
UPDATE command_hosts SET deliver_before = deliver_before + :by
WHERE task_id = :task_id AND attention = 4 AND deliver_before IS NOT NULL;

-- name: unsent_of_turned_away
-- Unsent commands of a host that will never be sent a command again: of each task the next one, whether
-- its turn has come or not.
SELECT ch.id, ch.task_id, ch.host, ch.position FROM command_hosts AS ch
WHERE ch.host = :host AND ch.status = 'pending' AND ch.sent_at IS NULL
  AND NOT EXISTS (
    SELECT FROM command_hosts AS before
    WHERE before.host = ch.host AND before.task_id = ch.task_id AND before.position < ch.position
      AND before.status IN ('pending', 'running'))
ORDER BY ch.task_id, ch.position;

-- name: undelivered
-- Commands that were not sent within their delivery timeout, which does not run in a pause.
SELECT ch.id, ch.task_id, ch.host, ch.position FROM command_hosts AS ch
WHERE ch.status = 'pending' AND ch.sent_at IS NULL AND ch.deliver_before <= :now
  AND NOT EXISTS (SELECT FROM tasks AS t WHERE t.id = ch.task_id AND t.paused_at IS NOT NULL)
ORDER BY ch.deliver_before, ch.id;

-- name: hosts_to_give_up
-- Hosts with a sent command that has not begun, and is past its delivery timeout or was cancelled. The
-- timeout does not run in a pause.
SELECT DISTINCT ch.host FROM command_hosts AS ch
WHERE ch.status = 'pending' AND ch.sent_at IS NOT NULL AND ch.deliver_before IS NOT NULL
  AND (ch.cancel_requested_at IS NOT NULL OR (ch.deliver_before <= :now
    AND NOT EXISTS (SELECT FROM tasks AS t
                    WHERE t.id = ch.task_id AND t.paused_at IS NOT NULL OFFSET 0)));

-- name: mark_held
-- The journal of its host holds it, so it was sent.
UPDATE command_hosts SET sent_at = :now, sent_journal_id = :journal_id, output_limit = NULL
WHERE id = :id;

-- name: mark_unsent
-- The journal to which it was sent has never seen it: it is sent again.
UPDATE command_hosts SET sent_at = NULL WHERE id = :id AND +attention = 4;

-- name: cancel_is_requested
-- An operator has asked for the end of this row, or of its task.
SELECT 1 FROM command_hosts AS ch JOIN tasks AS t ON t.id = ch.task_id
WHERE ch.id = :id AND (ch.cancel_requested_at IS NOT NULL OR t.cancel_requested_at IS NOT NULL);

-- name: sent_unended
-- Commands of which a returning agent must say what became.
SELECT id, execution_id, task_id, position, status, sent_journal_id, cancel_requested_at
FROM command_hosts
WHERE host = :host AND status IN ('pending', 'running') AND sent_at IS NOT NULL
ORDER BY id;

-- name: guessed
-- Commands that were sent to this journal, never reported as begun, and ended by a guess.
SELECT ch.id, ch.execution_id FROM command_hosts AS ch JOIN tasks AS t ON t.id = ch.task_id
WHERE ch.host = :host AND ch.reason IN ('agent_lost', 'cancel_unconfirmed')
  AND ch.started_at IS NULL AND ch.sent_journal_id = :journal_id AND t.pruned_at IS NULL
ORDER BY ch.id LIMIT :limit;

-- name: mark_not_held
-- The journal to which they were sent does not hold them: the agent is asked how they ended.
UPDATE command_hosts SET not_held = true
WHERE id = ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text(:row_ids::jsonb)));

-- name: held
-- What is stored of an execution that a returning agent holds.
SELECT ch.id, ch.task_id, ch.status, ch.reason, ch.stdout_bytes, ch.stderr_bytes,
       ch.stdout_total, ch.stderr_total,
       ch.sent_at IS NULL AND ch.status = 'pending' AS unsent,
       ch.cancel_requested_at IS NOT NULL OR t.cancel_requested_at IS NOT NULL AS canceled
FROM command_hosts AS ch JOIN tasks AS t ON t.id = ch.task_id
WHERE ch.execution_id = :execution_id AND ch.host = :host AND t.pruned_at IS NULL;
