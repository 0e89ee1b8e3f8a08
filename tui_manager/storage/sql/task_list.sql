-- name: count
-- All tasks. SQLite adds up what stands in each page of the smallest index.
SELECT count(*) AS total FROM tasks;

-- name: window
-- A window of the list, the newest first.
SELECT * FROM tasks ORDER BY id DESC LIMIT :limit OFFSET :offset;

-- name: window_from_the_end
-- The same from the oldest on, which is nearer in the second half.
SELECT * FROM tasks ORDER BY id LIMIT :limit OFFSET :offset;

-- name: these
-- Rows by their ids, a JSON array, the newest first.
SELECT t.* FROM json_each(:ids) AS wanted JOIN tasks AS t ON t.id = wanted.value
ORDER BY wanted.key;

-- name: newest
-- The highest id.
SELECT coalesce(max(id), 0) AS id FROM tasks;

-- name: last
-- The last of so many from a row downwards; none when there are not so many.
SELECT id FROM tasks WHERE id <= :high ORDER BY id DESC LIMIT 1 OFFSET :looks - 1;

-- name: passing
-- Of those from a row down to another the ones that contain the text.
SELECT id FROM tasks
WHERE id BETWEEN :low AND :high
  AND (name LIKE :pattern ESCAPE '\' OR target LIKE :pattern ESCAPE '\'
       OR status LIKE :pattern ESCAPE '\' OR CAST(id AS TEXT) = :exact)
ORDER BY id DESC;

-- name: last_fault
-- The last of so many that need attention, from a row downwards.
SELECT id FROM tasks INDEXED BY tasks_with_faults
WHERE failed + timeout + skipped > 0 AND id <= :high
ORDER BY id DESC LIMIT 1 OFFSET :looks - 1;

-- name: passing_faults
-- Of those that need attention, from a row down to another, the ones that contain the text.
SELECT id FROM tasks INDEXED BY tasks_with_faults
WHERE failed + timeout + skipped > 0 AND id BETWEEN :low AND :high
  AND (:pattern = '' OR name LIKE :pattern ESCAPE '\' OR target LIKE :pattern ESCAPE '\'
       OR status LIKE :pattern ESCAPE '\' OR CAST(id AS TEXT) = :exact)
ORDER BY id DESC;

-- name: passing_of
-- Which of these rows, a JSON array of ids, pass.
SELECT id FROM tasks
WHERE id IN (SELECT value FROM json_each(:ids))
  AND (NOT :faults_only OR failed + timeout + skipped > 0)
  AND (:pattern = '' OR name LIKE :pattern ESCAPE '\' OR target LIKE :pattern ESCAPE '\'
       OR status LIKE :pattern ESCAPE '\' OR CAST(id AS TEXT) = :exact);
