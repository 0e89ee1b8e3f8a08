-- name: insert
-- A join token. Its secret is stored as a hash only.
INSERT INTO tokens (secret_hash, created_at, created_by, expires_at, uses, auto_approve, labels,
                    key_sha256)
VALUES (:secret_hash, :now, :created_by, :expires_at, :uses, :auto_approve, :labels, :key_sha256)
RETURNING *;

-- name: by_secret
-- The token that a host shows.
SELECT * FROM tokens WHERE secret_hash = :secret_hash;

-- name: by_id
-- The token that an operator names.
SELECT * FROM tokens WHERE id = :id;

-- name: window
-- Tokens, the newest first: those with which hosts may still enrol, or all.
SELECT *, count(*) OVER () AS matching FROM tokens
WHERE (:everything OR (revoked_at IS NULL AND expires_at > :now AND used < uses))
    AND (:pattern = '' OR created_by LIKE :pattern ESCAPE '\')
ORDER BY id DESC LIMIT :limit OFFSET :offset;

-- name: count
-- How many there are, valid or not.
SELECT count(*) AS total FROM tokens;

-- name: use
-- One more host has enrolled with it, if it has a use left.
UPDATE tokens SET used = used + 1
WHERE id = :id AND used < uses AND expires_at > :now AND revoked_at IS NULL;

-- name: revoke
-- Revokes it, unless it has expired or was revoked. A used up token can be revoked: hosts that have
-- enrolled with it can use it again.
UPDATE tokens SET revoked_at = :now
WHERE id = :id AND revoked_at IS NULL AND expires_at > :now
RETURNING *;
