-- name: all
-- Every host, for the directory that the service keeps in memory.
SELECT * FROM hosts;

-- name: by_host_id
-- One host by the id that its agent knows.
SELECT * FROM hosts WHERE host_id = :host_id;

-- name: by_name
-- Whoever has this name and has not been turned away.
SELECT * FROM hosts WHERE name = :name AND admission IN ('pending', 'admitted');

-- name: insert
-- A host that was never seen before.
INSERT INTO hosts (host_id, name, admission, first_seen, since)
VALUES (:host_id, :name, :admission, :now, :now);

-- name: open_session
-- An agent has dialed in; the generation counts its sessions.
UPDATE hosts SET
    generation = generation + 1, name = :name, labels = :labels, journal_id = :journal_id,
    machine_id = :machine_id, boot_id = :boot_id, hostname = :hostname, os = :os, arch = :arch,
    agent_version = :agent_version, address = :address, capacity = :capacity, since = :now
WHERE host_id = :host_id
RETURNING *;

-- name: close_session
-- The newest session has ended; the end of an older one never comes here.
UPDATE hosts SET since = :now WHERE host_id = :host_id AND generation = :generation;

-- name: targetable
-- What a target may resolve to.
SELECT id, host_id, name, labels FROM hosts WHERE admission = 'admitted';
