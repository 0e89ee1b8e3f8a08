-- What was sent and has not ended is found by an index, however much waits behind it.

CREATE INDEX command_hosts_under_way ON command_hosts (host)
    WHERE status IN ('pending', 'running') AND sent_at IS NOT NULL;
