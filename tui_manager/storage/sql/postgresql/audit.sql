-- name: insert
-- One act, in its own transaction.
INSERT INTO audit (at, actor, action, task_id, host_id, detail)
VALUES (:at, :actor, :action, :task_id, :host_id, :detail);

-- name: task_name
-- What people call a task.
SELECT name FROM tasks WHERE id = :task_id;
