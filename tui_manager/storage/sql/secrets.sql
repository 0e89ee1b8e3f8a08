-- name: insert
-- A secret of a new command, sealed.
INSERT INTO secrets (command_id, name, value) VALUES (:command_id, :name, :value);

-- name: of_task
-- Which secrets the commands of a task have, without their values.
SELECT s.command_id, s.name FROM secrets AS s JOIN commands AS k ON k.id = s.command_id
WHERE k.task_id = :task_id ORDER BY s.command_id, s.name;

-- name: of_command
-- What a command that is sent takes along; NULL: erased, because its task has ended.
SELECT name, value FROM secrets WHERE command_id = :command_id ORDER BY name;

-- name: erase
-- All values, of a copy that is to leave the state folder.
UPDATE secrets SET value = NULL WHERE value IS NOT NULL;
