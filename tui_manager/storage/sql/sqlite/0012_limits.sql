-- Limits of a command's processes together, on each host. 0: no limit.

ALTER TABLE commands ADD COLUMN memory_max INTEGER NOT NULL DEFAULT 0;  -- bytes
ALTER TABLE commands ADD COLUMN tasks_max INTEGER NOT NULL DEFAULT 0;   -- processes and threads
ALTER TABLE commands ADD COLUMN cpu_max INTEGER NOT NULL DEFAULT 0;     -- percent of one core
