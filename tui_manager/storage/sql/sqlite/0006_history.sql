-- Long histories: what is asked of them is found by an index.

-- Of a task's rows this one has all that a filter looks at.
DROP INDEX command_hosts_by_attention;
CREATE INDEX command_hosts_by_attention
    ON command_hosts (task_id, attention, position, id, host, reason);

CREATE INDEX tasks_with_faults ON tasks (id) WHERE failed + timeout + skipped > 0;
CREATE INDEX tasks_by_end ON tasks (finished_at);
CREATE INDEX audit_of_faults ON audit (id) WHERE action IN ('refuse_host', 'violation');

-- And what a command does on one host.
DROP INDEX command_hosts_of_command;
CREATE INDEX command_hosts_of_command ON command_hosts (command_id, host);
