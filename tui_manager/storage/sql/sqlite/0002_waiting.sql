-- Tasks that wait for hosts which are offline. Instants and durations are microseconds.

ALTER TABLE tasks ADD COLUMN offline TEXT NOT NULL DEFAULT 'fail'
    CHECK (offline IN ('fail', 'wait'));
ALTER TABLE tasks ADD COLUMN delivery_timeout INTEGER NOT NULL DEFAULT 3600000000;

-- Of a task that waits: set when the command's turn comes on its host.
ALTER TABLE command_hosts ADD COLUMN deliver_before INTEGER;

CREATE INDEX command_hosts_undelivered ON command_hosts (deliver_before)
    WHERE status = 'pending' AND sent_at IS NULL AND deliver_before IS NOT NULL;
