-- Who belongs: enrolled keys, join tokens, secrets of commands. Instants are microseconds since 1970.

ALTER TABLE hosts ADD COLUMN key_hash BLOB;         -- SHA-256 of the key; NULL: known without TLS
ALTER TABLE hosts ADD COLUMN fingerprint TEXT NOT NULL DEFAULT '';   -- of the key, in words
ALTER TABLE hosts ADD COLUMN bound_labels TEXT NOT NULL DEFAULT '{}';  -- JSON; win over the agent's
ALTER TABLE hosts ADD COLUMN note TEXT NOT NULL DEFAULT '';  -- what is odd, for who approves
ALTER TABLE hosts ADD COLUMN token_id INTEGER;      -- of the join token that it enrolled with

CREATE UNIQUE INDEX hosts_of_key ON hosts (key_hash) WHERE key_hash IS NOT NULL;
CREATE INDEX hosts_of_machine ON hosts (machine_id);
CREATE INDEX hosts_of_name ON hosts (name);

CREATE TABLE tokens (
    id INTEGER PRIMARY KEY,
    secret_hash BLOB NOT NULL UNIQUE,               -- SHA-256; the secret itself is nowhere
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    uses INTEGER NOT NULL,                          -- hosts that may enrol with it
    used INTEGER NOT NULL DEFAULT 0 CHECK (used <= uses),
    auto_approve INTEGER NOT NULL,
    labels TEXT NOT NULL                            -- JSON object
) STRICT;

ALTER TABLE commands ADD COLUMN run_as_user TEXT NOT NULL DEFAULT '';

CREATE TABLE secrets (
    command_id INTEGER NOT NULL REFERENCES commands (id) ON DELETE CASCADE,
    name TEXT NOT NULL,                             -- of the environment variable
    value BLOB,                                     -- sealed with a key of the state folder; NULL: erased
    PRIMARY KEY (command_id, name)
) STRICT, WITHOUT ROWID;

-- Whoever ends a task erases its secrets.
CREATE TRIGGER secrets_end_with_the_task AFTER UPDATE OF status ON tasks
WHEN new.status IN ('completed', 'failed', 'canceled')
BEGIN
    UPDATE secrets SET value = NULL
    WHERE command_id IN (SELECT id FROM commands WHERE task_id = new.id);
END;

CREATE INDEX audit_of_host ON audit (host_id, id) WHERE host_id IS NOT NULL;
CREATE INDEX audit_of_task ON audit (task_id, id) WHERE task_id IS NOT NULL;
