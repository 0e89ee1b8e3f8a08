-- name: insert
-- What became of a due time, or of several.
INSERT INTO schedule_runs (schedule, due, first_due, count, task_id, skipped, detail, by_operator,
                           request_id, decided_at)
VALUES (:id, :due, :first_due, :count, :task_id, :skipped, :detail, :by_operator, :request_id,
        :decided_at);

-- name: forget_old
-- What is beyond the number of rows that are kept.
DELETE FROM schedule_runs WHERE schedule = :id AND decided_at IS NOT NULL AND id <= (
    SELECT id FROM schedule_runs WHERE schedule = :id ORDER BY id DESC LIMIT 1 OFFSET :kept);

-- name: waiting
-- The due time that waits.
SELECT * FROM schedule_runs WHERE schedule = :id AND decided_at IS NULL;

-- name: end_wait
-- What became of it.
UPDATE schedule_runs SET task_id = :task_id, skipped = :skipped, detail = :detail, decided_at = :now
WHERE schedule = :id AND decided_at IS NULL RETURNING due;

-- name: of_request
-- The task that a request has started.
SELECT r.task_id, s.name FROM schedule_runs AS r JOIN schedules AS s ON s.id = r.schedule
WHERE r.request_id = :request_id;

-- name: last
-- The newest row of a schedule.
SELECT * FROM schedule_runs WHERE schedule = :id ORDER BY id DESC LIMIT 1;

-- name: window
-- Rows of a schedule, the newest first.
SELECT * FROM schedule_runs WHERE schedule = :id ORDER BY id DESC LIMIT :limit OFFSET :offset;

-- name: count
-- How many there are.
SELECT count(*) AS found FROM schedule_runs WHERE schedule = :id;

-- name: count_faults
-- How many there are at which nothing ran.
SELECT count(*) AS found FROM schedule_runs WHERE schedule = :id AND skipped <> '';

-- name: faulty_window
-- Due times at which nothing ran.
SELECT * FROM schedule_runs WHERE schedule = :id AND skipped <> ''
ORDER BY id DESC LIMIT :limit OFFSET :offset;
