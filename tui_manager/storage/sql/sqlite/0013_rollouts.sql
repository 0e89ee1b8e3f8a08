-- How tasks go through their hosts, and what tasks leave out. Instants are microseconds since 1970
-- UTC, durations microseconds.

ALTER TABLE tasks ADD COLUMN paused_at INTEGER;      -- NULL: it is not paused
ALTER TABLE tasks ADD COLUMN include_maintenance INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN left_out TEXT NOT NULL DEFAULT '[]';  -- JSON array of hosts' names
ALTER TABLE tasks ADD COLUMN rerun_of INTEGER;       -- the task whose hosts it repeats

CREATE INDEX tasks_reruns ON tasks (rerun_of, id) WHERE rerun_of IS NOT NULL;

ALTER TABLE command_hosts ADD COLUMN batch INTEGER NOT NULL DEFAULT 0;  -- from 1; 0: no rollout

-- One row a task with a rollout: what was asked for, the numbers that this means for the hosts of the
-- task, and where it is. Counters are kept by triggers.
CREATE TABLE rollouts (
    task_id INTEGER PRIMARY KEY REFERENCES tasks (id) ON DELETE CASCADE,
    batches TEXT NOT NULL,                       -- as typed; empty: one batch of all hosts
    batch_order TEXT NOT NULL CHECK (batch_order IN ('name', 'random')),
    delay INTEGER NOT NULL,
    max_concurrency TEXT NOT NULL,               -- as typed
    max_failures TEXT NOT NULL,                  -- as typed
    strict INTEGER NOT NULL,
    hold TEXT NOT NULL CHECK (hold IN ('', 'each', 'first')),
    hold_timeout INTEGER NOT NULL,
    concurrency_limit INTEGER NOT NULL DEFAULT 0,  -- hosts under way; 0: no limit
    failure_budget INTEGER,                      -- hosts that may fail; NULL: all
    batch_count INTEGER NOT NULL DEFAULT 0,
    batch INTEGER NOT NULL DEFAULT 0,            -- that began last; 0: none
    batch_ended_at INTEGER,                      -- NULL: it has not ended
    held_until INTEGER,                          -- NULL: it waits for no operator
    released INTEGER NOT NULL DEFAULT 0,         -- the last batch whose hold an operator has ended
    skip_reason TEXT NOT NULL DEFAULT '',        -- why no further host begins; empty: hosts begin
    hosts_waiting INTEGER NOT NULL DEFAULT 0,
    hosts_expected INTEGER NOT NULL DEFAULT 0,
    hosts_under_way INTEGER NOT NULL DEFAULT 0,
    hosts_away INTEGER NOT NULL DEFAULT 0,
    hosts_failing INTEGER NOT NULL DEFAULT 0,    -- have failed, and not ended
    hosts_failed INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE rollout_batches (
    task_id INTEGER NOT NULL REFERENCES rollouts (task_id) ON DELETE CASCADE,
    number INTEGER NOT NULL,                     -- from 1
    hosts INTEGER NOT NULL,
    waiting INTEGER NOT NULL,                    -- their turn has not come
    ended INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    completed INTEGER NOT NULL DEFAULT 0,        -- all their commands have
    PRIMARY KEY (task_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollout_hosts (
    task_id INTEGER NOT NULL REFERENCES rollouts (task_id) ON DELETE CASCADE,
    host INTEGER NOT NULL REFERENCES hosts (id),
    place INTEGER NOT NULL,                      -- in the order of the rollout
    batch INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'expected', 'under_way', 'away', 'ended')),
    wait_until INTEGER,                          -- then it is not expected, or away, any more
    delivery_left INTEGER,                       -- of the delivery timeout, which stands still while
                                                 -- the host is connected and waits for a place
    unended INTEGER NOT NULL,                    -- its command hosts that have not ended
    incomplete INTEGER NOT NULL,                 -- that have not completed
    faults INTEGER NOT NULL DEFAULT 0,           -- that failed or timed out, without undeliverable ones
    PRIMARY KEY (task_id, host)
) STRICT, WITHOUT ROWID;

CREATE INDEX rollout_hosts_by_state ON rollout_hosts (task_id, state, batch, place);
CREATE INDEX rollout_hosts_begun ON rollout_hosts (host)
    WHERE state IN ('expected', 'under_way', 'away');
CREATE INDEX rollout_hosts_waiting ON rollout_hosts (task_id, wait_until)
    WHERE wait_until IS NOT NULL;

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
            WHEN state = 'ended' OR new.status IN ('running', 'completed') THEN 'under_way'
            ELSE state END,
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
        hosts_failing = hosts_failing + (new.state <> 'ended' AND new.faults > 0)
            - (old.state <> 'ended' AND old.faults > 0),
        hosts_failed = hosts_failed + (new.faults > 0) - (old.faults > 0)
    WHERE task_id = new.task_id;
    UPDATE rollout_batches SET
        waiting = waiting + (new.state = 'waiting') - (old.state = 'waiting'),
        ended = ended + (new.state = 'ended') - (old.state = 'ended'),
        failed = failed + (new.faults > 0) - (old.faults > 0),
        completed = completed + (new.incomplete = 0) - (old.incomplete = 0)
    WHERE task_id = new.task_id AND number = new.batch;
END;
