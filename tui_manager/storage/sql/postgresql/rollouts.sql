-- Rows of a rollout change here, or by the triggers of the migration when its command hosts do. `:hosts`
-- is a JSON array of hosts' row ids.

-- name: insert
-- What was asked for, with the task.
INSERT INTO rollouts (task_id, batches, batch_order, delay, max_concurrency, max_failures, strict,
                      hold, hold_timeout)
VALUES (:task_id, :batches, :batch_order, :delay, :max_concurrency, :max_failures, :strict, :hold,
        :hold_timeout);

-- name: start
-- The numbers, when the task starts.
UPDATE rollouts SET concurrency_limit = :concurrency_limit, failure_budget = :failure_budget,
    batch_count = :batch_count, hosts_waiting = :hosts
WHERE task_id = :task_id;

-- name: insert_batches
-- Sizes in order.
INSERT INTO rollout_batches (task_id, number, hosts, waiting)
SELECT :task_id, number, value::bigint, value::bigint
FROM jsonb_array_elements_text(:sizes::jsonb) WITH ORDINALITY AS sizes (value, number);

-- name: insert_hosts
-- Rows of [host, batch] in the order of the rollout.
INSERT INTO rollout_hosts (task_id, host, place, batch, unended, incomplete)
SELECT :task_id, (value->>0)::bigint, number - 1, (value->>1)::bigint, :commands, :commands
FROM jsonb_array_elements(:hosts::jsonb) WITH ORDINALITY AS hosts (value, number);

-- name: running
-- Tasks that run and have a rollout.
SELECT r.task_id FROM tasks AS t JOIN rollouts AS r ON r.task_id = t.id
WHERE t.status IN ('pending', 'running') AND t.status = 'running' ORDER BY r.task_id;

-- name: state
-- All that is decided on: one row of each table.
SELECT r.*, t.paused_at IS NOT NULL AS paused, t.offline, t.delivery_timeout, t.include_maintenance,
    coalesce(b.hosts, 0) AS current_hosts, coalesce(b.waiting, 0) AS current_waiting,
    coalesce(b.ended, 0) AS current_ended, coalesce(b.failed, 0) AS current_failed,
    coalesce(b.completed, 0) AS current_completed, coalesce(b.at_barrier, 0) AS current_at_barrier,
    (SELECT min(barrier) FROM rollout_hosts
     WHERE task_id = r.task_id AND batch = r.batch AND barrier IS NOT NULL) AS barrier
FROM rollouts AS r JOIN tasks AS t ON t.id = r.task_id
LEFT JOIN rollout_batches AS b ON b.task_id = r.task_id AND b.number = r.batch
WHERE r.task_id = :task_id AND t.status = 'running' AND t.cancel_requested_at IS NULL;

-- name: begin_batch
-- Its hosts may begin.
UPDATE rollouts SET batch = :number, batch_ended_at = NULL, held_until = NULL, open_barrier = 0
WHERE task_id = :task_id;

-- name: end_batch
-- Each host of the batch that began last has ended.
UPDATE rollouts SET batch_ended_at = :now, held_until = :held_until WHERE task_id = :task_id;

-- name: reopen_batch
-- A host of it runs again.
UPDATE rollouts SET batch_ended_at = NULL, held_until = NULL WHERE task_id = :task_id;

-- name: open_barrier
-- Hosts of the batch that began last need not wait before this step any more.
UPDATE rollouts SET open_barrier = :step WHERE task_id = :task_id;

-- name: skip_rest
-- No further host begins.
UPDATE rollouts SET skip_reason = :reason, held_until = NULL WHERE task_id = :task_id;

-- name: skip_reason
-- Why no further host begins.
SELECT skip_reason FROM rollouts WHERE task_id = :task_id;

-- name: release
-- An operator ends the hold.
UPDATE rollouts SET released = batch, held_until = NULL
WHERE task_id = :task_id AND held_until IS NOT NULL AND EXISTS (
    SELECT 1 FROM tasks AS t WHERE t.id = rollouts.task_id AND t.status = 'running' AND t.cancel_requested_at IS NULL);

-- name: end_hold
-- The task is canceled, or has ended.
UPDATE rollouts SET held_until = NULL WHERE task_id = :task_id AND held_until IS NOT NULL;

-- name: move_deadlines
-- The clock has jumped; these are ends of durations.
UPDATE rollouts SET held_until = held_until + :by, batch_ended_at = batch_ended_at + :by
WHERE task_id IN (SELECT id FROM tasks WHERE status IN ('pending', 'running'));

-- name: move_waits
-- The same for hosts that are waited for.
UPDATE rollout_hosts SET wait_until = wait_until + :by
WHERE wait_until IS NOT NULL AND task_id IN (
    SELECT id FROM tasks WHERE status IN ('pending', 'running'));

-- name: extend_waits
-- The same after a pause of the task. A wait that began in the pause is stored as if it had begun with
-- the pause.
UPDATE rollout_hosts SET wait_until = wait_until + :by
WHERE task_id = :task_id AND wait_until IS NOT NULL;
