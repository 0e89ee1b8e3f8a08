-- Steps of a task: how one follows the other on a host, and the bytes that they bring along.

ALTER TABLE commands ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE commands ADD COLUMN on_failure TEXT NOT NULL DEFAULT 'stop'
    CHECK (on_failure IN ('stop', 'continue'));
ALTER TABLE commands ADD COLUMN always INTEGER NOT NULL DEFAULT 0;
ALTER TABLE commands ADD COLUMN barrier INTEGER NOT NULL DEFAULT 0;
ALTER TABLE commands ADD COLUMN arguments TEXT NOT NULL DEFAULT '[]';  -- JSON array, of a script
ALTER TABLE commands ADD COLUMN script_size INTEGER;                   -- bytes; NULL: no script
ALTER TABLE commands ADD COLUMN script_sha256 TEXT;
ALTER TABLE commands ADD COLUMN stdin_size INTEGER;                    -- bytes; NULL: /dev/null
ALTER TABLE commands ADD COLUMN stdin_sha256 TEXT;

CREATE TABLE command_contents (
    id INTEGER PRIMARY KEY,
    command_id INTEGER NOT NULL REFERENCES commands (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('script', 'stdin')),
    data BLOB NOT NULL,
    UNIQUE (command_id, kind)
) STRICT;

-- What follows a step is read for each result of a task with several steps.
CREATE INDEX commands_in_order ON commands (task_id, position, on_failure, barrier);

-- Hosts of a rollout wait for each other at a barrier. A table's list of states cannot be changed, so
-- the table is made anew.

ALTER TABLE rollouts ADD COLUMN hosts_at_barrier INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollouts ADD COLUMN open_barrier INTEGER NOT NULL DEFAULT 0;  -- the step whose barrier was
                                                 -- opened last in the batch that began last; 0: none
ALTER TABLE rollout_batches ADD COLUMN at_barrier INTEGER NOT NULL DEFAULT 0;

DROP TRIGGER rollout_hosts_counted;
ALTER TABLE rollout_hosts RENAME TO rollout_hosts_before;

CREATE TABLE rollout_hosts (
    task_id INTEGER NOT NULL REFERENCES rollouts (task_id) ON DELETE CASCADE,
    host INTEGER NOT NULL REFERENCES hosts (id),
    place INTEGER NOT NULL,                      -- in the order of the rollout
    batch INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'expected', 'under_way', 'away', 'at_barrier', 'ended')),
    barrier INTEGER,                             -- the position of the step before which it waits at a
                                                 -- barrier; NULL in all other states
    wait_until INTEGER,                          -- then it is not expected, or away, any more
    delivery_left INTEGER,                       -- of the delivery timeout, which stands still while
                                                 -- the host is connected and waits for a place
    unended INTEGER NOT NULL,                    -- its command hosts that have not ended
    incomplete INTEGER NOT NULL,                 -- that have not completed
    faults INTEGER NOT NULL DEFAULT 0,           -- that failed or timed out, without undeliverable ones
    CHECK ((barrier IS NOT NULL) = (state = 'at_barrier')),
    PRIMARY KEY (task_id, host)
) STRICT, WITHOUT ROWID;

INSERT INTO rollout_hosts (task_id, host, place, batch, state, wait_until, delivery_left, unended,
                           incomplete, faults)
SELECT task_id, host, place, batch, state, wait_until, delivery_left, unended, incomplete, faults
FROM rollout_hosts_before;
DROP TABLE rollout_hosts_before;

CREATE INDEX rollout_hosts_by_state ON rollout_hosts (task_id, state, batch, place);
CREATE INDEX rollout_hosts_begun ON rollout_hosts (host)
    WHERE state IN ('expected', 'under_way', 'away');
CREATE INDEX rollout_hosts_waiting ON rollout_hosts (task_id, wait_until)
    WHERE wait_until IS NOT NULL;
CREATE INDEX rollout_hosts_at_barrier ON rollout_hosts (task_id, batch, barrier, place)
    WHERE barrier IS NOT NULL;

CREATE TRIGGER rollout_hosts_counted AFTER UPDATE OF status, reason ON command_hosts
WHEN new.batch > 0
BEGIN
    UPDATE rollout_hosts SET
        unended = unended + (new.status IN ('pending', 'running'))
            - (old.status IN ('pending', 'running')),
        incomplete = incomplete + (old.status = 'completed') - (new.status = 'completed'),
        faults = faults
            + (new.status IN ('failed', 'timeout') AND new.reason <> 'undeliverable')
            - (old.status IN ('failed', 'timeout') AND old.reason <> 'undeliverable'),
        state = CASE
            WHEN unended + (new.status IN ('pending', 'running'))
                - (old.status IN ('pending', 'running')) = 0 THEN 'ended'
            WHEN state = 'ended' OR new.status IN ('running', 'completed')
                OR (new.status IN ('failed', 'timeout') AND new.reason <> 'undeliverable')
                THEN 'under_way'
            ELSE state END,
        barrier = CASE
            WHEN unended + (new.status IN ('pending', 'running'))
                - (old.status IN ('pending', 'running')) > 0
                AND (new.status NOT IN ('running', 'completed', 'failed', 'timeout')
                    OR new.reason = 'undeliverable') THEN barrier END,
        wait_until = CASE
            WHEN new.status <> 'running' AND unended + (new.status IN ('pending', 'running'))
                - (old.status IN ('pending', 'running')) > 0 THEN wait_until END
    WHERE task_id = new.task_id AND host = new.host;
END;

CREATE TRIGGER rollouts_counted AFTER UPDATE OF state, faults, incomplete ON rollout_hosts
WHEN old.state <> new.state OR (old.faults > 0) <> (new.faults > 0)
    OR (old.incomplete = 0) <> (new.incomplete = 0)
BEGIN
    UPDATE rollouts SET
        hosts_waiting = hosts_waiting + (new.state = 'waiting') - (old.state = 'waiting'),
        hosts_expected = hosts_expected + (new.state = 'expected') - (old.state = 'expected'),
        hosts_under_way = hosts_under_way + (new.state = 'under_way') - (old.state = 'under_way'),
        hosts_away = hosts_away + (new.state = 'away') - (old.state = 'away'),
        hosts_at_barrier = hosts_at_barrier + (new.state = 'at_barrier')
            - (old.state = 'at_barrier'),
        hosts_failing = hosts_failing + (new.state <> 'ended' AND new.faults > 0)
            - (old.state <> 'ended' AND old.faults > 0),
        hosts_failed = hosts_failed + (new.faults > 0) - (old.faults > 0)
    WHERE task_id = new.task_id;
    UPDATE rollout_batches SET
        waiting = waiting + (new.state = 'waiting') - (old.state = 'waiting'),
        ended = ended + (new.state = 'ended') - (old.state = 'ended'),
        at_barrier = at_barrier + (new.state = 'at_barrier') - (old.state = 'at_barrier'),
        failed = failed + (new.faults > 0) - (old.faults > 0),
        completed = completed + (new.incomplete = 0) - (old.incomplete = 0)
    WHERE task_id = new.task_id AND number = new.batch;
END;
