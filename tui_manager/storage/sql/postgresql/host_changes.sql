-- name: unended_tasks
-- The tasks of a host's commands that have not ended, and how many commands these are.
SELECT task_id, count(*) AS commands FROM command_hosts
WHERE host = :host AND status IN ('pending', 'running') GROUP BY task_id ORDER BY task_id;

-- name: agent_labels
-- The labels of a host as its agent says them.
SELECT agent_labels FROM hosts WHERE host_id = :host_id;

-- name: label
-- What operators label a host with, and the labels that it has by that.
UPDATE hosts SET operator_labels = :operator_labels, labels = :labels
WHERE host_id = :host_id RETURNING *;

-- name: rename
-- An operator gives a host its name. From now on the name that its agent gives is ignored.
UPDATE hosts SET name = :name, renamed = true WHERE host_id = :host_id RETURNING *;

-- name: set_maintenance
-- Begins a maintenance, replaces one, or ends it (all three NULL).
UPDATE hosts SET maintenance_reason = :reason, maintenance_until = :until, maintenance_by = :by
WHERE host_id = :host_id RETURNING *;
