-- Tasks that are pruned, but not yet cleared away, are not listed.

-- name: count
-- All tasks but the pruned.
SELECT coalesce(sum(listed), 0)::bigint AS total FROM task_counts;

-- name: window
-- A window of the list without some tasks, a JSON array, the newest first. Skipped rows are counted
-- on the index alone.
SELECT t.*, r.* FROM (
    SELECT id FROM tasks WHERE pruned_at IS NULL
      AND (:without::text = '[]' OR id NOT IN (
        SELECT value::bigint FROM jsonb_array_elements_text(:without::jsonb) AS without (value)))
    ORDER BY id DESC LIMIT :limit OFFSET greatest(:offset, 0)) AS found
JOIN counted_tasks AS t ON t.id = found.id LEFT JOIN rollouts AS r ON r.task_id = t.id ORDER BY t.id DESC;

-- name: window_from_the_end
-- The same behind a task, the oldest first, which is nearer in the second half of the list.
SELECT t.*, r.* FROM (
    SELECT id FROM tasks WHERE pruned_at IS NULL AND id > :behind
      AND (:without::text = '[]' OR id NOT IN (
        SELECT value::bigint FROM jsonb_array_elements_text(:without::jsonb) AS without (value)))
    ORDER BY id LIMIT :limit OFFSET greatest(:offset, 0)) AS found
JOIN counted_tasks AS t ON t.id = found.id LEFT JOIN rollouts AS r ON r.task_id = t.id ORDER BY t.id;

-- name: each_nth
-- Of the tasks behind one, each `:step`-th, the oldest first.
WITH RECURSIVE found (id) AS (
    SELECT :behind::bigint UNION ALL
    SELECT (SELECT t.id FROM tasks AS t
            WHERE t.pruned_at IS NULL AND t.id > found.id ORDER BY t.id LIMIT 1 OFFSET :step - 1)
    FROM found WHERE found.id IS NOT NULL)
SELECT id FROM found WHERE id > :behind ORDER BY id;

-- name: count_newer
-- How many tasks have a higher number than one.
SELECT count(*) AS newer FROM tasks WHERE pruned_at IS NULL AND id > :newest;

-- name: running
-- The tasks that run, the newest first, or the one that was started last.
SELECT id FROM tasks
WHERE pruned_at IS NULL AND status = 'running'
ORDER BY CASE WHEN :by_start THEN start_order END DESC, id DESC;

-- name: by_ids
-- Rows by their ids, a JSON array, the newest first.
SELECT t.*, r.* FROM jsonb_array_elements_text(:ids::jsonb) WITH ORDINALITY AS wanted (value, key)
JOIN counted_tasks AS t ON t.id = wanted.value::bigint
LEFT JOIN rollouts AS r ON r.task_id = t.id
WHERE t.pruned_at IS NULL ORDER BY wanted.key;

-- name: fields
-- What a filter looks at, in rows by their ids, a JSON array. The commands are there only if they are
-- wanted.
SELECT coalesce(json_agg(json_build_array(
    t.id, t.name, t.target, t.status, t.created_by, t.template_name,
    CASE WHEN :commands THEN (
        SELECT coalesce(json_agg(substr(text, 1, 4000) ORDER BY position), '[]')
        FROM commands WHERE task_id = t.id) END)), '[]')
FROM jsonb_array_elements_text(:ids::jsonb) AS wanted (value)
JOIN tasks AS t ON t.id = wanted.value::bigint;

-- name: of_host
-- The newest tasks that ran on a host.
SELECT t.*, r.* FROM (
    SELECT ch.task_id FROM command_hosts AS ch
    JOIN tasks AS listed ON listed.id = ch.task_id AND listed.pruned_at IS NULL
    WHERE ch.host = :host AND ch.position = 0 ORDER BY ch.task_id DESC LIMIT :limit) AS found
JOIN counted_tasks AS t ON t.id = found.task_id LEFT JOIN rollouts AS r ON r.task_id = t.id
ORDER BY t.id DESC;

-- name: newest
-- The highest id.
SELECT coalesce(max(id), 0) AS id FROM tasks;

-- name: hosts_named
-- The hosts with a name or a host_id, also those that are gone.
SELECT id FROM hosts WHERE name = :host UNION SELECT id FROM hosts WHERE host_id = :host;

-- name: first_since
-- The lowest number of the tasks that were created since then: so high that no task has it if there
-- are none, and 0 if there are as many as are counted, or more.
SELECT CASE count(*) WHEN :count THEN 0 ELSE coalesce(min(id), 9223372036854775807) END AS id
FROM (SELECT id FROM tasks WHERE pruned_at IS NULL AND created_at >= :since
      ORDER BY created_at, id LIMIT :count) AS newest;

-- name: scan
-- Looks at some tasks, and says which of them pass a filter: their keys and ids. These tasks are
-- `ids`, a JSON array, or so many behind a place in an order; then `last` is the place of the last,
-- null if there are fewer. Only the part of the order is run. `statuses` and `hosts` are JSON arrays.
-- Null lets all tasks pass; with `all_pass` the order has no others. A creator is an actor, or a user
-- at any terminal.
WITH looked_at (key, id) AS MATERIALIZED (
    SELECT CASE :sort WHEN 'started' THEN start_order WHEN 'finished' THEN finish_order
        WHEN 'duration' THEN duration ELSE 0 END, tasks.id
    FROM jsonb_array_elements_text(:ids::jsonb) AS given (value)
    JOIN tasks ON tasks.id = given.value::bigint
    WHERE :scan = 'ids'
    UNION ALL (
        SELECT 0, id FROM tasks
        WHERE :scan = 'created_descending' AND pruned_at IS NULL
          AND id < :id AND id >= :first
        ORDER BY id DESC LIMIT :count)
    UNION ALL (
        SELECT 0, id FROM tasks
        WHERE :scan = 'created_ascending' AND pruned_at IS NULL AND id > :id
        ORDER BY id LIMIT :count)
    UNION ALL (
        SELECT 0, id FROM tasks
        WHERE :scan = 'faults_descending' AND pruned_at IS NULL AND has_faults AND id < :id
        ORDER BY id DESC LIMIT :count)
    UNION ALL (
        SELECT 0, id FROM tasks
        WHERE :scan = 'of_status_descending' AND pruned_at IS NULL AND status = :status::text
          AND id < :id
        ORDER BY status DESC, id DESC LIMIT :count)
    UNION ALL (
        SELECT 0, task_id FROM command_hosts
        WHERE :scan = 'of_host_descending' AND position = 0 AND host = :host::bigint
          AND task_id < :id
        ORDER BY task_id DESC LIMIT :count)
    UNION ALL (
        SELECT start_order, id FROM tasks
        WHERE :scan = 'started_descending' AND pruned_at IS NULL
          AND (start_order, id) < (:key, :id)
        ORDER BY start_order DESC, id DESC LIMIT :count)
    UNION ALL (
        SELECT start_order, id FROM tasks
        WHERE :scan = 'started_ascending' AND pruned_at IS NULL
          AND (start_order, id) > (:key, :id)
        ORDER BY start_order, id LIMIT :count)
    UNION ALL (
        SELECT finish_order, id FROM tasks
        WHERE :scan = 'finished_descending' AND pruned_at IS NULL
          AND (finish_order, id) < (:key, :id)
        ORDER BY finish_order DESC, id DESC LIMIT :count)
    UNION ALL (
        SELECT finish_order, id FROM tasks
        WHERE :scan = 'finished_ascending' AND pruned_at IS NULL
          AND (finish_order, id) > (:key, :id)
        ORDER BY finish_order, id LIMIT :count)
    UNION ALL (
        SELECT duration, id FROM tasks
        WHERE :scan = 'duration_descending' AND pruned_at IS NULL
          AND (duration, id) < (:key, :id)
        ORDER BY duration DESC, id DESC LIMIT :count)
    UNION ALL (
        SELECT duration, id FROM tasks
        WHERE :scan = 'duration_ascending' AND pruned_at IS NULL
          AND (duration, id) > (:key, :id)
        ORDER BY duration, id LIMIT :count)
), numbered AS (
    SELECT key, id, row_number() OVER () AS number FROM looked_at
), passing AS (
    SELECT * FROM numbered WHERE :all_pass
    UNION ALL
    SELECT numbered.* FROM numbered
    CROSS JOIN LATERAL (SELECT * FROM tasks WHERE tasks.id = numbered.id OFFSET 0) AS t
    WHERE NOT :all_pass AND t.pruned_at IS NULL
      AND (NOT :faults_only OR t.has_faults)
      AND (:statuses::text IS NULL OR t.status IN (
           SELECT value FROM jsonb_array_elements_text(:statuses::jsonb) AS statuses (value)))
      AND (:created_by::text IS NULL OR t.created_by = :created_by
           OR starts_with(t.created_by, :created_by || '@'))
      AND (:since::bigint IS NULL OR t.created_at >= :since)
      AND (:hosts::text IS NULL OR EXISTS (
           SELECT 1 FROM jsonb_array_elements_text(:hosts::jsonb) AS hosts (value)
           CROSS JOIN LATERAL (
               SELECT 1 FROM command_hosts AS ch
               WHERE (ch.host, ch.task_id) >= (hosts.value::bigint, t.id)
                 AND (ch.host, ch.task_id) <= (hosts.value::bigint, t.id) AND ch.position = 0
               ORDER BY ch.host, ch.task_id LIMIT 1) AS ch
           OFFSET 0))
)
SELECT coalesce(json_agg(key ORDER BY number), '[]') AS keys,
    coalesce(json_agg(id ORDER BY number), '[]') AS ids,
    (SELECT json_build_array(key, id) FROM numbered WHERE number = :count) AS last
FROM passing;
