-- name: insert
-- A secret of a new command, sealed.
INSERT INTO secrets (command_id, name, value) VALUES (:command_id, :name, :value);

-- name: of_task
-- Which secrets the commands of a task have, without their values.
SELECT s.command_id, s.name FROM secrets AS s JOIN commands AS k ON k.id = s.command_id
WHERE k.task_id = :task_id ORDER BY s.command_id, s.name;

-- name: of_commands
-- Secrets of commands that are sent; NULL: erased, because their task has ended.
SELECT command_id, name, value FROM secrets
WHERE command_id IN (SELECT value::bigint FROM jsonb_array_elements_text(:command_ids::jsonb))
ORDER BY command_id, name;

-- name: erase
-- Erases all values, in a copy that leaves the state folder.
UPDATE secrets SET value = NULL WHERE value IS NOT NULL;
