-- name: find
-- One set.
SELECT sha256, manifest_size, size, files, bytes, upload FROM file_sets
WHERE sha256 = :sha256;

-- name: insert
-- A set that has come, now or again.
INSERT INTO file_sets (sha256, manifest_size, size, files, bytes, stored_at, used_at, upload)
VALUES (:sha256, :manifest_size, :size, :files, :bytes, :now, :now, :upload)
ON CONFLICT (sha256) DO UPDATE SET stored_at = :now, used_at = :now,
    upload = coalesce(upload, excluded.upload)
RETURNING upload;

-- name: renew
-- A set that came once more, and is there already.
UPDATE file_sets SET stored_at = :now, used_at = :now WHERE sha256 = :sha256;

-- name: use
-- A set that a task uses. Until the end of the transaction nobody removes it.
UPDATE file_sets SET used_at = :now WHERE sha256 = :sha256
RETURNING sha256, manifest_size, size, files, bytes, upload;

-- name: total
-- Bytes of all sets.
SELECT coalesce(sum(manifest_size + size), 0) AS bytes FROM file_sets;

-- name: known
-- Which of these sets there are.
SELECT s.sha256 FROM json_each(:values) AS v JOIN file_sets AS s ON s.sha256 = v.value;

-- name: removable
-- Sets that nobody needs, those first that were not used for the longest time. A set is needed for a
-- while after it came, while a saved task file names it, and while a task that has not ended uses it;
-- with `unused`, while any task does that is not pruned. One that came while the clock was behind came
-- later than it says. `values`: only these sets, unless `any`.
SELECT s.sha256, s.manifest_size, s.size, s.files, s.bytes FROM file_sets AS s
WHERE s.stored_at < :before AND (:any OR s.sha256 IN (SELECT value FROM json_each(:values)))
AND NOT EXISTS (
    SELECT 1 FROM clock_errors AS e
    WHERE s.stored_at BETWEEN e.began AND e.ended AND s.stored_at + e.behind >= :before)
AND NOT EXISTS (SELECT 1 FROM template_files AS f WHERE f.sha256 = s.sha256)
AND NOT EXISTS (SELECT 1 FROM schedule_files AS f WHERE f.sha256 = s.sha256)
AND NOT EXISTS (
    SELECT 1 FROM commands AS c JOIN tasks AS t ON t.id = c.task_id
    WHERE c.files_sha256 = s.sha256 AND t.pruned_at IS NULL
    AND (:unused OR t.status IN ('pending', 'running')))
AND NOT EXISTS (
    SELECT 1 FROM transfers AS x JOIN command_hosts AS h ON h.id = x.command_host
    JOIN tasks AS t ON t.id = h.task_id
    WHERE x.stored_sha256 = s.sha256 AND t.pruned_at IS NULL
    AND (:unused OR t.status IN ('pending', 'running')))
ORDER BY s.used_at, s.id LIMIT :limit;

-- name: lock
-- Until the end of the transaction nobody else uses or removes these sets.
SELECT s.sha256 FROM json_each(:values) AS v JOIN file_sets AS s ON s.sha256 = v.value
ORDER BY s.sha256;

-- name: remove
-- One set; the bytes of its upload can be removed from now on.
DELETE FROM file_sets WHERE sha256 = :sha256 RETURNING upload;

-- name: all
-- All sets, for the check.
SELECT sha256, manifest_size, size, files, bytes, upload FROM file_sets ORDER BY sha256;

-- name: without_upload
-- Sets whose bytes other managers cannot have.
SELECT sha256, manifest_size, size, files, bytes FROM file_sets WHERE upload IS NULL
ORDER BY sha256;

-- name: name_in_template
-- A version of a template names a set.
INSERT INTO template_files (version, sha256)
SELECT v.id, :sha256 FROM templates AS t JOIN template_versions AS v ON v.template = t.id
WHERE t.name = :name AND v.version = :version
ON CONFLICT DO NOTHING;

-- name: forget_schedule
-- What the task file of a schedule named.
DELETE FROM schedule_files WHERE schedule = :schedule;

-- name: name_in_schedule
-- The task file of a schedule names a set.
INSERT INTO schedule_files (schedule, sha256) VALUES (:schedule, :sha256) ON CONFLICT DO NOTHING;
