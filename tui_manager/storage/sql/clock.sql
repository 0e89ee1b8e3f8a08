-- name: stored
-- The row, if there is one.
SELECT trusted_at, shown_at, since, waited FROM clock;

-- name: store
-- Replaces the row.
INSERT OR REPLACE INTO clock (id, trusted_at, shown_at, since, waited)
VALUES (1, :trusted_at, :shown_at, :since, :waited);

-- name: move_errors
-- The clock has jumped: what was written before is further behind by as much.
UPDATE clock_errors SET behind = behind + :by;

-- name: add_error
-- What was written since the jump before.
INSERT INTO clock_errors (began, ended, behind, at_start) VALUES (:began, :ended, :by, :at_start);

-- name: remove_mended
-- A clock that is back shows what it showed then.
DELETE FROM clock_errors WHERE abs(behind) <= :jump;

-- name: move_deadlines
-- A delivery timeout is a duration: its end moves with the clock.
UPDATE command_hosts SET deliver_before = deliver_before + :by
WHERE status = 'pending' AND sent_at IS NULL AND deliver_before IS NOT NULL;

-- name: move_deadlines_of_sent
-- The same for what was sent and has not begun.
UPDATE command_hosts SET deliver_before = deliver_before + :by
WHERE status = 'pending' AND sent_at IS NOT NULL AND deliver_before IS NOT NULL;

-- name: forget_start
-- The operator says that the manager was off for so long.
DELETE FROM clock_errors WHERE at_start = 1;

-- name: remove_old
-- Errors of which nothing is left that could be pruned too early.
DELETE FROM clock_errors WHERE max(ended, ended + behind) < :before;
