-- Commands that were sent and of which their agents have not said that they began.

-- Its agent came back with the journal that it was sent to, and without it.
ALTER TABLE command_hosts ADD COLUMN not_held INTEGER NOT NULL DEFAULT 0;

-- Of tasks that wait for their hosts: what may still be delivered, or may have begun.
CREATE INDEX command_hosts_unanswered ON command_hosts (host)
    WHERE status = 'pending' AND sent_at IS NOT NULL AND deliver_before IS NOT NULL;

-- What was given up by a guess and may never have begun.
CREATE INDEX command_hosts_guessed ON command_hosts (host)
    WHERE reason IN ('agent_lost', 'cancel_unconfirmed') AND started_at IS NULL;
