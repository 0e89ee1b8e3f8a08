-- name: named
-- Every host of this name that was not removed.
SELECT * FROM hosts WHERE name = :name AND removed_at IS NULL ORDER BY id;

-- name: in_admission
-- Every host with this admission.
SELECT * FROM hosts WHERE admission = :admission ORDER BY id;

-- name: count_pending
-- How many hosts of a join token wait for approval.
SELECT count(*) AS pending FROM hosts WHERE token_id = :token_id AND admission = 'pending';

-- name: enroll
-- A host with a new key.
INSERT INTO hosts (host_id, name, labels, agent_labels, bound_labels, admission, machine_id, hostname, os, arch,
    agent_version, address, key_hash, fingerprint, note, token_id, first_seen, since)
VALUES (:host_id, :name, :labels, :agent_labels, :bound_labels, :admission, :machine_id, :hostname, :os, :arch,
    :agent_version, :address, :key_hash, :fingerprint, :note, :token_id, :now, :now)
RETURNING *;

-- name: enroll_again
-- A known key: what its agent says of itself. An empty machine id changes nothing.
UPDATE hosts SET name = :name, labels = :labels, agent_labels = :agent_labels, hostname = :hostname, os = :os, arch = :arch,
    machine_id = coalesce(nullif(:machine_id::text, ''), machine_id), agent_version = :agent_version,
    address = :address, token_id = :token_id
WHERE host_id = :host_id
RETURNING *;

-- name: admit
-- Guard of ADMIT: an operator or its token approves it.
UPDATE hosts SET admission = 'admitted', note = '' WHERE host_id = :host_id
    AND admission IN ('pending') RETURNING *;

-- name: reject
-- Guard of REJECT: an operator rejects it.
UPDATE hosts SET admission = 'rejected' WHERE host_id = :host_id
    AND admission IN ('pending') RETURNING *;

-- name: revoke
-- Guard of REVOKE: it was admitted, and is refused for ever.
UPDATE hosts SET admission = 'revoked' WHERE host_id = :host_id
    AND admission IN ('admitted') RETURNING *;

-- name: remove
-- Guard of REMOVE: it is forgotten. The row stays for its history, and for its key, which is refused.
UPDATE hosts SET admission = 'revoked', removed_at = :now WHERE host_id = :host_id
    AND admission IN ('pending', 'admitted', 'rejected', 'revoked') AND removed_at IS NULL
RETURNING *;

-- name: put_back
-- Guard of PUT_BACK: its name or machine is another than when it was approved.
UPDATE hosts SET admission = 'pending', note = :note WHERE host_id = :host_id
    AND admission IN ('pending', 'admitted') RETURNING *;
