-- name: insert
-- One act, in its own transaction.
INSERT INTO audit (at, actor, action, task_id, host_id, detail)
VALUES (:at, :actor, :action, :task_id, :host_id, :detail);
