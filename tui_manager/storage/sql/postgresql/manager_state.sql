-- name: manager_id
-- The id, if there is one.
SELECT manager_id FROM manager;

-- name: insert_manager
-- The id, at the first start. Of two managers that start at once, the second waits and inserts none.
INSERT INTO manager (manager_id, created_at) VALUES (:manager_id, :now) ON CONFLICT DO NOTHING;

-- name: stored_clock
-- The stored time, if there is one.
SELECT trusted_at, shown_at, since, waited FROM clock;

-- name: locked_clock
-- The same, which nobody else replaces before the end of the transaction.
SELECT trusted_at, shown_at, since, waited FROM clock FOR UPDATE;

-- name: store_clock
-- Replaces the stored time.
INSERT INTO clock (id, trusted_at, shown_at, since, waited)
VALUES (1, :trusted_at, :shown_at, :since, :waited)
ON CONFLICT (id) DO UPDATE SET trusted_at = excluded.trusted_at, shown_at = excluded.shown_at,
    since = excluded.since, waited = excluded.waited;

-- name: move_errors
-- The clock has jumped: the times of all earlier rows are wrong by as much more.
UPDATE clock_errors SET behind = behind + :by;

-- name: add_error
-- The times of rows that were written since the jump before.
INSERT INTO clock_errors (began, ended, behind, at_start) VALUES (:began, :ended, :by, :at_start);

-- name: remove_small_errors
-- A clock that was put right again shows what it showed then.
DELETE FROM clock_errors WHERE abs(behind) <= :smallest;

-- name: move_deadlines
-- A delivery timeout is a duration: its end moves with the clock.
UPDATE command_hosts SET deliver_before = deliver_before + :by
WHERE status = 'pending' AND sent_at IS NULL AND deliver_before IS NOT NULL;

-- name: move_deadlines_of_sent
-- The same for commands that were sent and have not begun.
UPDATE command_hosts SET deliver_before = deliver_before + :by
WHERE status = 'pending' AND sent_at IS NOT NULL AND deliver_before IS NOT NULL;

-- name: move_pauses
-- The length of a pause is a duration too.
UPDATE tasks SET paused_at = paused_at + :by
WHERE status IN ('pending', 'running') AND paused_at IS NOT NULL;

-- name: forget_jumps_at_start
-- The operator says that the manager was off for so long.
DELETE FROM clock_errors WHERE at_start;

-- name: remove_old_errors
-- Errors that can no longer make the pruning remove something too early.
DELETE FROM clock_errors WHERE greatest(ended, ended + behind) < :before;
