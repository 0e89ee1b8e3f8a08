-- name: insert
-- A script, or what a step reads from stdin.
INSERT INTO command_contents (command_id, kind, data)
SELECT id, :kind, :data FROM commands WHERE task_id = :task_id AND position = :position;

-- name: copy
-- Those of a task that is run again, for the same steps of the new task.
INSERT INTO command_contents (command_id, kind, data)
SELECT made.id, c.kind, c.data
FROM commands AS earlier
JOIN commands AS made ON made.task_id = :task_id AND made.position = earlier.position
JOIN command_contents AS c ON c.command_id = earlier.id
WHERE earlier.task_id = :of_task
ORDER BY c.id;

-- name: of_task
-- All of a task.
SELECT k.position, c.kind, c.data FROM commands AS k
JOIN command_contents AS c ON c.command_id = k.id
WHERE k.task_id = :task_id ORDER BY k.position;

-- name: of_execution
-- Those of the command of a command host.
SELECT c.kind, c.data FROM command_hosts AS ch
JOIN command_contents AS c ON c.command_id = ch.command_id
WHERE ch.execution_id = :execution_id;
