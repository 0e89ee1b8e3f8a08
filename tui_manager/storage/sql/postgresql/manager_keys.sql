-- name: shared_keys
-- What all managers on the database must have in common.
SELECT cluster_key, host_authority, server_authority, secrets_key FROM manager;

-- name: claim
-- The first manager says which keys it has. Of two at once, the second changes nothing.
UPDATE manager SET cluster_key = :cluster_key, host_authority = :host_authority,
    server_authority = :server_authority, secrets_key = NULL
WHERE cluster_key = '';

-- name: insert_secrets_key
-- The key for secrets, if there is none yet.
UPDATE manager SET secrets_key = :key WHERE secrets_key IS NULL AND cluster_key = '';

-- name: forget
-- The next manager that starts is the first one again.
UPDATE manager SET cluster_key = '', host_authority = '', server_authority = '', secrets_key = NULL;
