-- Templates: task files under a name. A task keeps the name and version of the one that it came from.

CREATE TABLE templates (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL  -- the newest; the row stays after a delete, so that it goes on counting
) STRICT;

CREATE TABLE template_versions (
    id INTEGER PRIMARY KEY,
    template INTEGER NOT NULL REFERENCES templates (id),
    version INTEGER NOT NULL,
    description TEXT NOT NULL,
    saved_by TEXT NOT NULL,
    saved_at INTEGER NOT NULL,  -- microseconds since 1970 UTC
    size INTEGER NOT NULL,      -- bytes of the text
    text TEXT NOT NULL,         -- TOML
    UNIQUE (template, version)
) STRICT;

-- What clients asked with. A save of the text that is the newest makes no version, so a version can have
-- several.
CREATE TABLE template_requests (
    id INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL UNIQUE,  -- a UUID of the client
    version INTEGER NOT NULL REFERENCES template_versions (id) ON DELETE CASCADE
) STRICT;

CREATE INDEX requests_of_version ON template_requests (version);

ALTER TABLE tasks ADD COLUMN template_name TEXT;        -- NULL: it was made from none
ALTER TABLE tasks ADD COLUMN template_version INTEGER;
