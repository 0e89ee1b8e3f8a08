-- name: by_host_id
-- One host by the id that its agent knows, removed or not.
SELECT * FROM hosts WHERE host_id = :host_id;

-- name: lock
-- Some hosts as they are now, which only this transaction changes until its end.
SELECT * FROM hosts
WHERE host_id = ANY (ARRAY(SELECT jsonb_array_elements_text(:host_ids::jsonb)))
ORDER BY id FOR NO KEY UPDATE;

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
    address = :address, capacity = :capacity, since = :now, online = true, gateway = :gateway,
    gateway_run = coalesce((SELECT runs FROM gateways WHERE id = :gateway), 0),
    instance_id = :instance_id,
    facts = coalesce(:facts::text, facts),
    facts_at = CASE WHEN :facts::text IS NULL THEN facts_at ELSE :now END
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
UPDATE hosts AS h SET online = false
FROM jsonb_array_elements(:sessions::jsonb) AS session (value)
WHERE h.id = ANY (ARRAY(SELECT (value->>0)::bigint FROM jsonb_array_elements(:sessions::jsonb)))
  AND h.id = (session.value->>0)::bigint AND h.generation = (session.value->>1)::bigint;

-- name: set_online
-- Hosts of a manager that count as offline, and are connected to it with these sessions.
UPDATE hosts AS h SET online = true, since = :now
FROM jsonb_array_elements(:sessions::jsonb) AS session (value)
WHERE h.id = ANY (ARRAY(SELECT (value->>0)::bigint FROM jsonb_array_elements(:sessions::jsonb)))
  AND h.id = (session.value->>0)::bigint AND h.generation = (session.value->>1)::bigint
  AND h.gateway = :gateway AND NOT h.online;

-- name: fence
-- Those of some sessions that are the newest of their hosts, and stay it until the end of the
-- transaction: a newer session waits for the lock, and then sees what this one has written.
SELECT h.id, h.admission FROM hosts AS h
JOIN jsonb_array_elements(:sessions::jsonb) AS session (value)
  ON h.id = (session.value->>0)::bigint AND h.generation = (session.value->>1)::bigint
WHERE h.id = ANY (ARRAY(SELECT (value->>0)::bigint FROM jsonb_array_elements(:sessions::jsonb)))
  AND h.gateway = :gateway
ORDER BY h.id FOR SHARE OF h;

-- name: lock_away
-- Hosts of which no newer session has begun, and which are not connected to another manager that is
-- alive and has not started again since. A newer session waits for the lock.
SELECT h.id FROM hosts AS h
JOIN jsonb_array_elements(:sessions::jsonb) AS session (value)
  ON h.id = (session.value->>0)::bigint AND h.generation = (session.value->>1)::bigint
WHERE h.id = ANY (ARRAY(SELECT (value->>0)::bigint FROM jsonb_array_elements(:sessions::jsonb)))
  AND NOT (h.online AND EXISTS (
    SELECT 1 FROM gateways AS g
    WHERE g.id = h.gateway AND g.runs = h.gateway_run
      AND g.id = ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text(:alive::jsonb)))))
ORDER BY h.id FOR NO KEY UPDATE OF h;

-- name: connected_to
-- Those of some hosts that are connected to one of some managers.
SELECT h.id FROM hosts AS h JOIN gateways AS g ON g.id = h.gateway AND g.runs = h.gateway_run
WHERE h.id = ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text(:row_ids::jsonb)))
  AND h.online
  AND g.id = ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text(:gateways::jsonb)));

-- name: changed_since
-- Hosts that some transaction has changed that had not ended when `:seen` was read, and some others;
-- removed ones too.
SELECT * FROM hosts
WHERE changed >= :seen::text::xid8
   OR id = ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text(:also::jsonb)))
ORDER BY id;

-- name: last_seen
-- What `changed_since` takes the next time: the oldest transaction that has not ended.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS seen;

-- name: targetable
-- All hosts to which a target may resolve.
SELECT id, host_id, name, labels, CASE WHEN :with_facts THEN facts ELSE '{}' END AS facts,
       maintenance_reason, maintenance_until, maintenance_by, agent_version, agent_build, installed_by
FROM hosts WHERE admission = 'admitted' ORDER BY id;

-- name: targetable_named
-- The same, but only hosts with some names.
SELECT id, host_id, name, labels, CASE WHEN :with_facts THEN facts ELSE '{}' END AS facts,
       maintenance_reason, maintenance_until, maintenance_by, agent_version, agent_build, installed_by
FROM hosts
WHERE admission = 'admitted' AND name = ANY (ARRAY(SELECT jsonb_array_elements_text(:names::jsonb)))
ORDER BY id;
