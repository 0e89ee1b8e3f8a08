-- name: newest
-- The newest version of a template, without its text.
SELECT t.id AS template, t.name, v.version, v.description, v.saved_by, v.saved_at,
    (SELECT count(*) FROM schedules AS s WHERE s.template = t.name AND s.template <> '') AS schedules
FROM templates AS t JOIN template_versions AS v ON v.template = t.id AND v.version = t.version
WHERE t.name = :name;

-- name: lock
-- Only this transaction saves or deletes this template, or gives it to a schedule, until its end.
SELECT id FROM templates WHERE name = :name FOR NO KEY UPDATE;

-- name: text
-- The text of one version.
SELECT text FROM template_versions WHERE template = :template AND version = :version;

-- name: has
-- Whether there is this version.
SELECT 1 FROM templates AS t JOIN template_versions AS v ON v.template = t.id
WHERE t.name = :name AND v.version = :version;

-- name: versions
-- Who saved the versions of a template, the newest first.
SELECT version, saved_by, saved_at FROM template_versions WHERE template = :template
ORDER BY version DESC LIMIT :limit;

-- name: of_request
-- The version that a request has saved, or found.
SELECT t.name, v.version FROM template_requests AS r
JOIN template_versions AS v ON v.id = r.version JOIN templates AS t ON t.id = v.template
WHERE r.request_id = :request_id;

-- name: insert_request
-- The version that a request gets.
INSERT INTO template_requests (request_id, version)
SELECT :request_id::text, v.id FROM templates AS t JOIN template_versions AS v ON v.template = t.id
WHERE t.name = :name AND v.version = :version;

-- name: forget_requests
-- Requests of a version beyond what is kept, the oldest first.
DELETE FROM template_requests WHERE id IN (
    SELECT r.id FROM templates AS t JOIN template_versions AS v ON v.template = t.id
    JOIN template_requests AS r ON r.version = v.id
    WHERE t.name = :name AND v.version = :version ORDER BY r.id DESC OFFSET :kept);

-- name: count_up
-- The number of the next version. The first of a new name is 1.
INSERT INTO templates (name, version) VALUES (:name, 1)
ON CONFLICT (name) DO UPDATE SET version = templates.version + 1
RETURNING id, version;

-- name: insert_version
-- The text under that number.
INSERT INTO template_versions (template, version, description, saved_by, saved_at, size, text)
VALUES (:template, :version, :description, :saved_by, :now, :size, :text);

-- name: forget_old
-- Versions beyond what is kept of a template, by number and by bytes. The newest always stays, and so
-- does one that a schedule names.
DELETE FROM template_versions WHERE id IN (
    SELECT id FROM (
        SELECT id, row_number() OVER newest_first AS number, sum(size) OVER newest_first AS bytes
        FROM template_versions WHERE template = :template
        WINDOW newest_first AS (ORDER BY version DESC)) AS numbered
    WHERE number > 1 AND (number > :versions OR bytes > :bytes))
AND version NOT IN (SELECT template_version FROM schedules WHERE template = :name AND template <> '');

-- name: delete
-- All versions of a template. Its row keeps counting.
DELETE FROM template_versions WHERE template = :template;

-- name: window
-- Templates by name, or by when they were saved.
SELECT t.name, v.version, v.description, v.saved_by, v.saved_at, count(*) OVER () AS matching,
    (SELECT count(*) FROM schedules AS s WHERE s.template = t.name AND s.template <> '') AS schedules
FROM templates AS t JOIN template_versions AS v ON v.template = t.id AND v.version = t.version
ORDER BY CASE WHEN :sort = 'saved' THEN CASE WHEN :descending THEN -v.saved_at ELSE v.saved_at END END,
    CASE WHEN :descending THEN t.name END DESC, t.name
LIMIT :limit OFFSET :offset;

-- name: count
-- How many there are.
SELECT count(*) AS total
FROM templates AS t JOIN template_versions AS v ON v.template = t.id AND v.version = t.version;
