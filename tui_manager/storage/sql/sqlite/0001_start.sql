-- The first schema. Instants are microseconds since 1970 UTC, durations microseconds.

CREATE TABLE manager (
    manager_id TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE hosts (
    id INTEGER PRIMARY KEY,
    host_id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    labels TEXT NOT NULL DEFAULT '{}',      -- JSON object
    admission TEXT NOT NULL CHECK (admission IN ('pending', 'admitted', 'rejected', 'revoked')),
    generation INTEGER NOT NULL DEFAULT 0,  -- of the newest session
    journal_id TEXT NOT NULL DEFAULT '',
    machine_id TEXT NOT NULL DEFAULT '',
    boot_id TEXT NOT NULL DEFAULT '',
    hostname TEXT NOT NULL DEFAULT '',
    os TEXT NOT NULL DEFAULT '',
    arch TEXT NOT NULL DEFAULT '',
    agent_version TEXT NOT NULL DEFAULT '',
    address TEXT NOT NULL DEFAULT '',
    capacity INTEGER NOT NULL DEFAULT 0,
    first_seen INTEGER NOT NULL,
    since INTEGER NOT NULL                  -- came online, or went offline
) STRICT;

CREATE UNIQUE INDEX hosts_admitted_name ON hosts (name) WHERE admission = 'admitted';

CREATE TABLE tasks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,   -- never said twice, also after pruning
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    target TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'running', 'completed', 'failed', 'canceled')),
    host_count INTEGER NOT NULL DEFAULT 0,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    cancel_requested_at INTEGER,
    total INTEGER NOT NULL DEFAULT 0,
    pending INTEGER NOT NULL DEFAULT 0,
    running INTEGER NOT NULL DEFAULT 0,
    completed INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    timeout INTEGER NOT NULL DEFAULT 0,
    canceled INTEGER NOT NULL DEFAULT 0,
    skipped INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX tasks_unended ON tasks (status) WHERE status IN ('pending', 'running');

CREATE TABLE commands (
    id INTEGER PRIMARY KEY,
    task_id INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,              -- in the task, from 0
    text TEXT NOT NULL,
    timeout_after INTEGER NOT NULL,          -- microseconds
    parameters TEXT NOT NULL,               -- JSON object
    environment TEXT NOT NULL,              -- JSON object
    cwd TEXT NOT NULL,
    total INTEGER NOT NULL DEFAULT 0,
    pending INTEGER NOT NULL DEFAULT 0,
    running INTEGER NOT NULL DEFAULT 0,
    completed INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    timeout INTEGER NOT NULL DEFAULT 0,
    canceled INTEGER NOT NULL DEFAULT 0,
    skipped INTEGER NOT NULL DEFAULT 0,
    UNIQUE (task_id, position)
) STRICT;

CREATE TABLE command_hosts (
    id INTEGER PRIMARY KEY,                 -- within a command in the order of host names
    execution_id TEXT NOT NULL UNIQUE,
    task_id INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    command_id INTEGER NOT NULL REFERENCES commands (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,              -- of the command in the task
    host INTEGER NOT NULL REFERENCES hosts (id),
    status TEXT NOT NULL CHECK (status IN
        ('pending', 'running', 'completed', 'failed', 'timeout', 'canceled', 'skipped')),
    reason TEXT NOT NULL DEFAULT '',
    detail TEXT NOT NULL DEFAULT '',
    exit_code INTEGER,
    signal INTEGER,
    ready INTEGER NOT NULL DEFAULT 0,       -- may be sent: its turn has come on this host
    sent_at INTEGER,
    sent_journal_id TEXT,                   -- sent again to this journal only
    started_at INTEGER,
    finished_at INTEGER,
    cancel_requested_at INTEGER,
    stdout_bytes INTEGER NOT NULL DEFAULT 0,
    stderr_bytes INTEGER NOT NULL DEFAULT 0,
    stdout_total INTEGER,                   -- known with the result
    stderr_total INTEGER,
    truncated_bytes INTEGER NOT NULL DEFAULT 0,
    cpu INTEGER NOT NULL DEFAULT 0,
    memory_peak INTEGER NOT NULL DEFAULT 0, -- bytes
    late INTEGER NOT NULL DEFAULT 0,
    kill_incomplete INTEGER NOT NULL DEFAULT 0,
    -- The order of attention: faults, then what runs, what waits, what is well.
    attention INTEGER GENERATED ALWAYS AS (CASE status
        WHEN 'failed' THEN 0 WHEN 'timeout' THEN 1 WHEN 'skipped' THEN 2 WHEN 'running' THEN 3
        WHEN 'pending' THEN 4 WHEN 'canceled' THEN 5 ELSE 6 END) VIRTUAL
) STRICT;

CREATE INDEX command_hosts_by_attention ON command_hosts (task_id, attention, position, id);
CREATE INDEX command_hosts_by_place ON command_hosts (task_id, position, id);
CREATE INDEX command_hosts_of_command ON command_hosts (command_id);
CREATE INDEX command_hosts_to_send ON command_hosts (host, id)
    WHERE status = 'pending' AND ready = 1 AND sent_at IS NULL;
CREATE INDEX command_hosts_unended ON command_hosts (host, task_id, position)
    WHERE status IN ('pending', 'running');

-- Counters change in the transaction of the row, at constant cost, whoever changes the row.

CREATE TRIGGER command_hosts_counted_in AFTER INSERT ON command_hosts
BEGIN
    UPDATE commands SET
        total = total + 1,
        pending = pending + (new.status = 'pending'),
        running = running + (new.status = 'running'),
        completed = completed + (new.status = 'completed'),
        failed = failed + (new.status = 'failed'),
        timeout = timeout + (new.status = 'timeout'),
        canceled = canceled + (new.status = 'canceled'),
        skipped = skipped + (new.status = 'skipped')
    WHERE id = new.command_id;
    UPDATE tasks SET
        total = total + 1,
        pending = pending + (new.status = 'pending'),
        running = running + (new.status = 'running'),
        completed = completed + (new.status = 'completed'),
        failed = failed + (new.status = 'failed'),
        timeout = timeout + (new.status = 'timeout'),
        canceled = canceled + (new.status = 'canceled'),
        skipped = skipped + (new.status = 'skipped')
    WHERE id = new.task_id;
END;

CREATE TRIGGER command_hosts_counted_over AFTER UPDATE OF status ON command_hosts
WHEN old.status <> new.status
BEGIN
    UPDATE commands SET
        pending = pending + (new.status = 'pending') - (old.status = 'pending'),
        running = running + (new.status = 'running') - (old.status = 'running'),
        completed = completed + (new.status = 'completed') - (old.status = 'completed'),
        failed = failed + (new.status = 'failed') - (old.status = 'failed'),
        timeout = timeout + (new.status = 'timeout') - (old.status = 'timeout'),
        canceled = canceled + (new.status = 'canceled') - (old.status = 'canceled'),
        skipped = skipped + (new.status = 'skipped') - (old.status = 'skipped')
    WHERE id = new.command_id;
    UPDATE tasks SET
        pending = pending + (new.status = 'pending') - (old.status = 'pending'),
        running = running + (new.status = 'running') - (old.status = 'running'),
        completed = completed + (new.status = 'completed') - (old.status = 'completed'),
        failed = failed + (new.status = 'failed') - (old.status = 'failed'),
        timeout = timeout + (new.status = 'timeout') - (old.status = 'timeout'),
        canceled = canceled + (new.status = 'canceled') - (old.status = 'canceled'),
        skipped = skipped + (new.status = 'skipped') - (old.status = 'skipped')
    WHERE id = new.task_id;
END;

CREATE TABLE output_chunks (
    id INTEGER PRIMARY KEY,                 -- grows in the order of storing
    task_id INTEGER NOT NULL,
    command_host_id INTEGER NOT NULL REFERENCES command_hosts (id) ON DELETE CASCADE,
    stream INTEGER NOT NULL CHECK (stream IN (1, 2)),  -- stdout, stderr
    "offset" INTEGER NOT NULL,              -- of the first byte in its stream
    gap INTEGER NOT NULL DEFAULT 0,         -- instead of data: bytes that are gone
    data BLOB NOT NULL
) STRICT;

CREATE UNIQUE INDEX output_chunks_by_offset ON output_chunks (command_host_id, stream, "offset");
CREATE INDEX output_chunks_by_task ON output_chunks (task_id, id, command_host_id);

CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,                    -- user@terminal, or manager
    action TEXT NOT NULL,
    task_id INTEGER,
    host_id TEXT,
    detail TEXT NOT NULL DEFAULT '{}'       -- JSON object
) STRICT;

CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;

CREATE TRIGGER audit_keeps_its_rows BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
