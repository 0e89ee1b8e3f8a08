-- name: all
-- Every host, for the directory that the service keeps in memory.
SELECT * FROM hosts;

-- name: by_host_id
-- One host by the id that its agent knows.
SELECT * FROM hosts WHERE host_id = :host_id;

-- name: by_key
-- Whoever has enrolled with this key, turned away or not.
SELECT * FROM hosts WHERE key_hash = :key_hash;

-- name: by_name
-- Whoever has this name and has not been turned away, the admitted one first.
SELECT * FROM hosts WHERE name = :name AND admission IN ('pending', 'admitted')
ORDER BY admission, id;

-- name: by_machine
-- Whoever says that it is this machine and has not been turned away, admitted ones first.
SELECT * FROM hosts WHERE machine_id = :machine_id AND admission IN ('pending', 'admitted')
ORDER BY admission, id;

-- name: insert
-- A host that was never seen before.
INSERT INTO hosts (host_id, name, admission, first_seen, since)
VALUES (:host_id, :name, :admission, :now, :now);

-- name: open_session
-- An agent has dialed in; the generation counts its sessions. An empty machine id tells nothing.
UPDATE hosts SET
    generation = generation + 1, name = :name, labels = :labels, journal_id = :journal_id,
    machine_id = coalesce(nullif(:machine_id, ''), machine_id), boot_id = :boot_id,
    hostname = :hostname, os = :os, arch = :arch, agent_version = :agent_version,
    address = :address, capacity = :capacity, since = :now
WHERE host_id = :host_id
RETURNING *;

-- name: close_session
-- The newest session has ended; the end of an older one never comes here.
UPDATE hosts SET since = :now WHERE host_id = :host_id AND generation = :generation;

-- name: turned_away
-- Which of some hosts have been turned away.
SELECT id, admission FROM hosts
WHERE id IN (SELECT value FROM json_each(:row_ids)) AND admission IN ('rejected', 'revoked');

-- name: targetable
-- What a target may resolve to.
SELECT id, host_id, name, labels FROM hosts WHERE admission = 'admitted';

-- name: targetable_named
-- The same of some names.
SELECT id, host_id, name, labels FROM hosts
WHERE admission = 'admitted' AND name IN (SELECT value FROM json_each(:names));
