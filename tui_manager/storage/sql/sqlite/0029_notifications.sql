-- Notifications of events for programs and web servers, until they are delivered.

-- Who receives them, as the settings of the manager that plans have it, and how it stands with each.
CREATE TABLE receivers (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('hook', 'webhook')),
    place TEXT NOT NULL,                   -- a path, or a URL without what may be secret
    events TEXT NOT NULL,                  -- JSON array
    after_failures INTEGER NOT NULL,
    in_settings INTEGER NOT NULL DEFAULT 1,
    delivered INTEGER NOT NULL DEFAULT 0,  -- counts
    given_up INTEGER NOT NULL DEFAULT 0,
    dropped INTEGER NOT NULL DEFAULT 0,
    delivered_at INTEGER,
    failing_since INTEGER,                 -- NULL: the last try succeeded
    last_error TEXT NOT NULL DEFAULT '',
    lost_at INTEGER                        -- when one was given up or dropped last
) STRICT;

CREATE TABLE wanted_events (
    event TEXT NOT NULL,
    receiver TEXT NOT NULL,
    PRIMARY KEY (event, receiver)
) STRICT, WITHOUT ROWID;

CREATE TABLE notifications (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- in this order they are delivered
    receiver TEXT NOT NULL,
    event TEXT NOT NULL,
    event_id TEXT NOT NULL,                -- a UUID; all receivers of an event get the same one
    at INTEGER NOT NULL,
    task_id INTEGER,                       -- that it is about; NULL: none
    corrected INTEGER NOT NULL DEFAULT 0,  -- the task had ended before
    detail TEXT NOT NULL DEFAULT '{}',     -- JSON object
    gathered INTEGER NOT NULL DEFAULT 0    -- nothing more is added to its hosts
) STRICT;

CREATE INDEX notifications_of_receiver ON notifications (receiver, id);

-- Hosts that were silent for too long, and are not back.
CREATE TABLE lost_hosts (
    host INTEGER PRIMARY KEY REFERENCES hosts (id) ON DELETE CASCADE,
    since INTEGER NOT NULL
) STRICT;

-- Those that are away now are no news.
INSERT INTO lost_hosts (host, since)
SELECT id, since FROM hosts WHERE online = 0 AND admission = 'admitted';

ALTER TABLE tasks ADD COLUMN reopened INTEGER NOT NULL DEFAULT 0;  -- it had ended, and ran again

-- Ends of the same task in order, to count its failures in a row.
CREATE INDEX tasks_in_a_row ON tasks (
    coalesce('schedule ' || schedule, 'template ' || template_name,
             'task ' || name || char(10) || target),
    finished_at, id)
    WHERE status IN ('completed', 'failed') AND pruned_at IS NULL;
