-- Tasks are found by the hosts that they ran on.

CREATE INDEX command_hosts_of_host ON command_hosts (host, task_id);
CREATE INDEX hosts_named ON hosts (name);
