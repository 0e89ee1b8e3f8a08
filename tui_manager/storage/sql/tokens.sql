-- name: insert
-- A join token; the secret itself is nowhere.
INSERT INTO tokens (secret_hash, created_at, created_by, expires_at, uses, auto_approve, labels)
VALUES (:secret_hash, :now, :created_by, :expires_at, :uses, :auto_approve, :labels)
RETURNING *;

-- name: by_secret
-- The token that a host shows.
SELECT * FROM tokens WHERE secret_hash = :secret_hash;

-- name: by_id
-- The token that an operator names.
SELECT * FROM tokens WHERE id = :id;

-- name: window
-- Tokens, the newest first: those that hosts may still enrol with, or everything.
SELECT *, count(*) OVER () AS matching FROM tokens
WHERE (:everything OR (revoked_at IS NULL AND expires_at > :now AND used < uses))
    AND (:pattern = '' OR created_by LIKE :pattern ESCAPE '\')
ORDER BY id DESC LIMIT :limit OFFSET :offset;

-- name: count
-- How many there are, whatever became of them.
SELECT count(*) AS total FROM tokens;

-- name: use
-- One host more has enrolled with it, if one more may.
UPDATE tokens SET used = used + 1
WHERE id = :id AND used < uses AND expires_at > :now AND revoked_at IS NULL;

-- name: revoke
-- It is taken back, if it was still good for anything; a used one is to the hosts that used it.
UPDATE tokens SET revoked_at = :now
WHERE id = :id AND revoked_at IS NULL AND expires_at > :now
RETURNING *;
