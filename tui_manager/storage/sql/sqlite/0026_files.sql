-- Files to and from hosts. Their bytes are in the folder `files` of the state folder.

ALTER TABLE commands ADD COLUMN copy_step TEXT;     -- JSON object; NULL: it copies nothing
ALTER TABLE commands ADD COLUMN fetch_step TEXT;    -- JSON object; NULL: it fetches nothing
ALTER TABLE commands ADD COLUMN files_sha256 TEXT;  -- the set that it copies

CREATE INDEX commands_of_files ON commands (files_sha256) WHERE files_sha256 IS NOT NULL;

-- Sets of files: a manifest and the data.
CREATE TABLE file_sets (
    id INTEGER PRIMARY KEY,
    sha256 TEXT NOT NULL UNIQUE,      -- of the manifest
    manifest_size INTEGER NOT NULL,   -- bytes
    size INTEGER NOT NULL,            -- bytes of the data
    files INTEGER NOT NULL,           -- without folders
    bytes INTEGER NOT NULL,           -- of all files; equal ones count each time
    stored_at INTEGER NOT NULL,       -- when it last came; microseconds since 1970 UTC
    used_at INTEGER NOT NULL,         -- by an upload, a task or a transfer
    upload INTEGER                    -- whose pieces are its bytes, of file_uploads; NULL: there are none
) STRICT;

CREATE INDEX file_sets_by_use ON file_sets (used_at);
CREATE INDEX file_sets_of_upload ON file_sets (upload) WHERE upload IS NOT NULL;

-- The bytes of sets, for the other managers of a PostgreSQL database: a manager writes them piece by
-- piece as an upload, and then the set names it. On SQLite both tables stay empty.
CREATE TABLE file_uploads (
    id INTEGER PRIMARY KEY,
    seen_at INTEGER NOT NULL          -- microseconds since 1970 UTC; one that no set names ends a day later
) STRICT;

CREATE TABLE file_pieces (
    id INTEGER PRIMARY KEY,
    upload INTEGER NOT NULL REFERENCES file_uploads (id),
    part TEXT NOT NULL CHECK (part IN ('manifest', 'data')),
    number INTEGER NOT NULL,          -- of the piece in its part, from 0
    bytes BLOB NOT NULL,              -- 1 MiB; of the last piece less
    UNIQUE (upload, part, number)
) STRICT;

-- The sets that saved task files name: of versions of templates, and of schedules. They are kept.
CREATE TABLE template_files (
    id INTEGER PRIMARY KEY,
    version INTEGER NOT NULL REFERENCES template_versions (id) ON DELETE CASCADE,
    sha256 TEXT NOT NULL,             -- of file_sets
    UNIQUE (version, sha256)
) STRICT;

CREATE INDEX template_files_by_set ON template_files (sha256);

CREATE TABLE schedule_files (
    id INTEGER PRIMARY KEY,
    schedule INTEGER NOT NULL REFERENCES schedules (id) ON DELETE CASCADE,
    sha256 TEXT NOT NULL,             -- of file_sets
    UNIQUE (schedule, sha256)
) STRICT;

CREATE INDEX schedule_files_by_set ON schedule_files (sha256);

-- What completed copies and fetches did.
CREATE TABLE transfers (
    command_host INTEGER PRIMARY KEY REFERENCES command_hosts (id) ON DELETE CASCADE,
    bytes INTEGER NOT NULL,           -- of all its files
    files INTEGER NOT NULL,           -- without folders
    unchanged_files INTEGER NOT NULL, -- of a copy: the host had them
    received_bytes INTEGER NOT NULL,  -- that had to be sent
    sha256 TEXT NOT NULL,             -- of the file if it is one file, else of the manifest
    stored_sha256 TEXT                -- of a fetch: the set that it has brought
) STRICT;

CREATE INDEX transfers_of_files ON transfers (stored_sha256) WHERE stored_sha256 IS NOT NULL;
