-- name: insert
-- A new schedule.
INSERT INTO schedules (name, cron, zone, overlap, misfire, template, template_version, parameters,
                       target, task_file, created_by, created_at, request_id, handled_until, next_due,
                       checked_version)
VALUES (:name, :cron, :zone, :overlap, :misfire, :template, :template_version, :parameters, :target,
        :task_file, :actor, :now, :request_id, :after, :next_due, :checked_version)
RETURNING id;

-- name: edit
-- Another description; due times before now have their rows.
UPDATE schedules SET revision = revision + 1, cron = :cron, zone = :zone, overlap = :overlap,
    misfire = :misfire, template = :template, template_version = :template_version,
    parameters = :parameters, target = :target, task_file = :task_file, handled_until = :after,
    next_due = :next_due, problem = '', checked_version = :checked_version
WHERE id = :id;

-- name: lock
-- Only this transaction changes this schedule, or starts its task, until its end.
SELECT id FROM schedules WHERE name = :name;

-- name: by_name
-- One schedule.
SELECT * FROM schedules WHERE name = :name;

-- name: by_id
-- The same by its number.
SELECT * FROM schedules WHERE id = :id;

-- name: of_request
-- The schedule that a request has added.
SELECT * FROM schedules WHERE request_id = :request_id;

-- name: count
-- How many there are.
SELECT count(*) AS total FROM schedules;

-- name: running
-- A task of a schedule that has not ended.
SELECT id FROM tasks
WHERE schedule = :id AND status IN ('pending', 'running') AND pruned_at IS NULL
ORDER BY id DESC LIMIT 1;

-- name: set_task
-- Which schedule has started a task.
UPDATE tasks SET schedule = :id WHERE id = :task_id;

-- name: handle
-- Due times up to an instant have their rows.
UPDATE schedules SET handled_until = :handled_until, next_due = :next_due WHERE id = :id;

-- name: set_unreadable
-- Nothing is due any more, because cron or zone cannot be read.
UPDATE schedules SET handled_until = :handled_until, next_due = NULL, problem = :problem
WHERE id = :id;

-- name: pause
-- Nothing is due any more.
UPDATE schedules SET paused_at = :now WHERE id = :id AND paused_at IS NULL;

-- name: resume
-- The end of a pause.
UPDATE schedules SET paused_at = NULL WHERE id = :id AND paused_at IS NOT NULL;

-- name: delete
-- With its history.
DELETE FROM schedules WHERE id = :id;

-- name: due
-- Schedules that are due, in this order.
SELECT id FROM schedules WHERE paused_at IS NULL AND next_due <= :now
ORDER BY next_due, id LIMIT :limit;

-- name: handled_ahead
-- Schedules whose due times were handled by a clock that was ahead.
SELECT id FROM schedules WHERE handled_until > :now ORDER BY id LIMIT :limit;

-- name: next_due
-- When the next one is due.
SELECT min(next_due) AS next_due FROM schedules WHERE paused_at IS NULL;

-- name: waiting
-- Schedules of which a due time waits, with a task for whose end it waits.
SELECT r.schedule, (
    SELECT max(id) FROM tasks
    WHERE schedule = r.schedule AND status IN ('pending', 'running') AND pruned_at IS NULL) AS task
FROM schedule_runs AS r WHERE r.decided_at IS NULL ORDER BY r.id;

-- name: newest_version
-- Of a template.
SELECT t.version FROM templates AS t
JOIN template_versions AS v ON v.template = t.id AND v.version = t.version
WHERE t.name = :template;

-- name: task_size
-- Of the task file, or of the version of the template that is to be started.
SELECT CASE WHEN s.template = '' THEN length(s.task_file) ELSE coalesce((
    SELECT v.size FROM templates AS t JOIN template_versions AS v ON v.template = t.id
    WHERE t.name = s.template AND v.version = coalesce(nullif(s.template_version, 0), t.version)), 0)
    END AS size
FROM schedules AS s WHERE s.id = :id;

-- name: unchecked
-- Schedules whose template was saved or deleted since they were looked at.
SELECT s.id FROM schedules AS s
WHERE s.template <> '' AND s.checked_version <> coalesce((
    SELECT t.version FROM templates AS t
    JOIN template_versions AS v ON v.template = t.id AND v.version = t.version
    WHERE t.name = s.template), 0)
ORDER BY s.id LIMIT :limit;

-- name: set_problem
-- What was found by a version of the template.
UPDATE schedules SET problem = :problem, checked_version = :version
WHERE id = :id AND revision = :revision;

-- name: of_template
-- Schedules that use a template, by name.
SELECT name FROM schedules WHERE template = :template AND template <> '' ORDER BY name;

-- name: window
-- Schedules without their task files, by name or by when they are due.
SELECT s.id, s.name, s.revision, s.cron, s.zone, s.overlap, s.misfire, s.template,
    s.template_version, s.parameters, s.target, '' AS task_file, s.created_by, s.created_at,
    s.next_due, s.paused_at, s.problem, count(*) OVER () AS matching
FROM schedules AS s
WHERE NOT :faults OR s.problem <> '' OR (
    SELECT skipped FROM schedule_runs WHERE schedule = s.id ORDER BY id DESC LIMIT 1) <> ''
ORDER BY
    CASE WHEN :sort = 'next' THEN s.paused_at IS NOT NULL OR s.next_due IS NULL END,
    CASE WHEN :sort = 'next' THEN CASE WHEN :descending THEN -s.next_due ELSE s.next_due END END,
    CASE WHEN :descending THEN s.name END DESC, s.name
LIMIT :limit OFFSET :offset;
