-- name: insert
-- A join token; the secret itself is nowhere.
INSERT INTO tokens (secret_hash, created_at, created_by, expires_at, uses, auto_approve, labels)
VALUES (:secret_hash, :now, :created_by, :expires_at, :uses, :auto_approve, :labels)
RETURNING *;

-- name: by_secret
-- The token that a host shows.
SELECT * FROM tokens WHERE secret_hash = :secret_hash;

-- name: use
-- One host more has enrolled with it, if one more may.
UPDATE tokens SET used = used + 1 WHERE id = :id AND used < uses AND expires_at > :now;
