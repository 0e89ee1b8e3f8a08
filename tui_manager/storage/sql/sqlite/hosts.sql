-- name: by_host_id
-- One host by the id that its agent knows, removed or not.
SELECT * FROM hosts WHERE host_id = :host_id;

-- name: lock
-- Some hosts as they are now, which only this transaction changes until its end.
SELECT * FROM hosts WHERE host_id IN (SELECT value FROM json_each(:host_ids));

-- name: by_key
-- The host that has enrolled with this key, turned away, removed or not.
SELECT * FROM hosts WHERE key_hash = :key_hash;

-- name: by_name
-- The hosts with this name that were not turned away, the admitted one first.
SELECT * FROM hosts WHERE name = :name AND admission IN ('pending', 'admitted')
ORDER BY admission, id;

-- name: admissions_of
-- How all hosts with a name stand, also those that were turned away.
SELECT admission FROM hosts WHERE name = :name AND removed_at IS NULL;

-- name: by_machine
-- The hosts with this machine id that were not turned away, admitted ones first.
SELECT * FROM hosts WHERE machine_id = :machine_id AND admission IN ('pending', 'admitted')
ORDER BY admission, id;

-- name: insert
-- A new host.
INSERT INTO hosts (host_id, name, admission, first_seen, since)
VALUES (:host_id, :name, :admission, :now, :now);

-- name: open_session
-- An agent has dialed in; the generation counts its sessions. From now on no other session of the host
-- writes. An empty machine id changes nothing, and neither do facts that are NULL.
UPDATE hosts SET
    generation = generation + 1, name = :name, labels = :labels, agent_labels = :agent_labels,
    journal_id = :journal_id,
    machine_id = coalesce(nullif(:machine_id, ''), machine_id), boot_id = :boot_id,
    hostname = :hostname, os = :os, arch = :arch, agent_version = :agent_version,
    agent_build = :agent_build, installed_by = :installed_by,
    address = :address, capacity = :capacity, since = :now, online = 1, gateway = :gateway,
    gateway_run = coalesce((SELECT runs FROM gateways WHERE id = :gateway), 0),
    instance_id = :instance_id,
    facts = coalesce(:facts, facts), facts_at = iif(:facts IS NULL, facts_at, :now)
WHERE host_id = :host_id
RETURNING *;

-- name: store_facts
-- What an agent tells of its machine; if its session is not the newest by now, or the host was removed,
-- nothing changes.
UPDATE hosts SET facts = :facts, facts_at = :now
WHERE host_id = :host_id AND generation = :generation AND removed_at IS NULL RETURNING *;

-- name: close_session
-- A session has ended; if a newer one has begun, nothing changes. `online` stays if the manager stops.
UPDATE hosts SET since = :now, online = :online
WHERE host_id = :host_id AND generation = :generation;

-- name: set_offline
-- Hosts that did not come back, unless a newer session has begun meanwhile.
UPDATE hosts AS h SET online = 0
FROM json_each(:sessions) AS session
WHERE h.id = session.value->>0 AND h.generation = session.value->>1;

-- name: set_online
-- Hosts of a manager that count as offline, and are connected to it with these sessions.
UPDATE hosts AS h SET online = 1, since = :now
FROM json_each(:sessions) AS session
WHERE h.id = session.value->>0 AND h.generation = session.value->>1
  AND h.gateway = :gateway AND NOT h.online;

-- name: fence
-- Those of some sessions that are the newest of their hosts. There is one manager, so nobody can change
-- that before the end of the transaction.
SELECT h.id, h.admission FROM json_each(:sessions) AS session
JOIN hosts AS h ON h.id = session.value->>0
WHERE h.generation = session.value->>1 AND h.gateway = :gateway;

-- name: lock_away
-- Hosts of which no newer session has begun, and which are not connected to another manager that is
-- alive and has not started again since.
SELECT h.id FROM json_each(:sessions) AS session
JOIN hosts AS h ON h.id = session.value->>0
WHERE h.generation = session.value->>1
  AND NOT (h.online AND EXISTS (
    SELECT 1 FROM gateways AS g
    WHERE g.id = h.gateway AND g.runs = h.gateway_run
      AND g.id IN (SELECT value FROM json_each(:alive))));

-- name: connected_to
-- Those of some hosts that are connected to one of some managers.
SELECT h.id FROM hosts AS h JOIN gateways AS g ON g.id = h.gateway AND g.runs = h.gateway_run
WHERE h.id IN (SELECT value FROM json_each(:row_ids)) AND h.online = 1
  AND g.id IN (SELECT value FROM json_each(:gateways));

-- name: changed_since
-- Every host: only several managers need to know what the others have changed.
SELECT * FROM hosts WHERE :seen IS NOT NULL AND :also IS NOT NULL ORDER BY id;

-- name: last_seen
-- What `changed_since` takes the next time.
SELECT 0 AS seen;

-- name: targetable
-- All hosts to which a target may resolve.
SELECT id, host_id, name, labels, iif(:with_facts, facts, '{}') AS facts,
       maintenance_reason, maintenance_until, maintenance_by, agent_version, agent_build, installed_by
FROM hosts WHERE admission = 'admitted';

-- name: targetable_named
-- The same, but only hosts with some names.
SELECT id, host_id, name, labels, iif(:with_facts, facts, '{}') AS facts,
       maintenance_reason, maintenance_until, maintenance_by, agent_version, agent_build, installed_by
FROM hosts WHERE admission = 'admitted' AND name IN (SELECT value FROM json_each(:names));
