-- What the client asked with: the same request id again finds what was done, and does nothing.

ALTER TABLE tasks ADD COLUMN request_id TEXT;        -- of the call that made the task
ALTER TABLE tasks ADD COLUMN start_request_id TEXT;  -- of the call that started it

CREATE UNIQUE INDEX tasks_of_request ON tasks (request_id) WHERE request_id IS NOT NULL;
