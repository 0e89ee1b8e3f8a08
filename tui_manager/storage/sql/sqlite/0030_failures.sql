-- What the screen of a task and the rows of lists say of hosts is read from indexes alone.

-- In which way a command failed: status, reason, exit code and signal, each of the last two may be
-- empty. NULL: it did not, or only because an earlier one did, or it was canceled with proof.
-- Each change of a row evaluates this. A list behind IN would be a table that SQLite makes each time.
ALTER TABLE command_hosts ADD COLUMN failure TEXT GENERATED ALWAYS AS (
    CASE WHEN (attention < 3 OR attention = 5)
            AND reason <> 'earlier_failed' AND reason <> 'canceled'
        THEN status || ' ' || reason || ' ' || coalesce(exit_code, '') || ' ' || coalesce(signal, '')
    END) VIRTUAL;
CREATE INDEX command_hosts_by_failure ON command_hosts (task_id, failure, position, id, host)
    WHERE failure IS NOT NULL;

DROP INDEX command_hosts_by_place;
CREATE INDEX command_hosts_by_place ON command_hosts (task_id, position, id, host);

-- All that a filter looks at in a command host. The status follows from the attention.
DROP INDEX command_hosts_by_attention;
CREATE INDEX command_hosts_by_attention
    ON command_hosts (task_id, attention, position, id, host, reason, exit_code, signal, batch);
