-- name: begin
-- A new upload.
INSERT INTO file_uploads (seen_at) VALUES (:now) RETURNING id;

-- name: insert
-- One piece of it.
INSERT INTO file_pieces (upload, part, number, bytes) VALUES (:upload, :part, :number, :bytes)
ON CONFLICT DO NOTHING;

-- name: see
-- The upload goes on.
UPDATE file_uploads SET seen_at = :now WHERE id = :upload;

-- name: piece
-- One piece of an upload.
SELECT bytes FROM file_pieces WHERE upload = :upload AND part = :part AND number = :number;

-- name: abandon
-- No set names the upload any more, or it was not needed.
UPDATE file_uploads SET seen_at = 0 WHERE id = :upload;

-- name: abandoned
-- The oldest upload that no set names and nobody writes.
SELECT u.id FROM file_uploads AS u
WHERE u.seen_at < :before AND NOT EXISTS (SELECT 1 FROM file_sets AS s WHERE s.upload = u.id)
ORDER BY u.id LIMIT 1;

-- name: remove_pieces
-- Some pieces of an upload.
DELETE FROM file_pieces WHERE id IN (
    SELECT id FROM file_pieces WHERE upload = :upload ORDER BY id LIMIT :limit);

-- name: remove
-- An upload without pieces.
DELETE FROM file_uploads WHERE id = :upload;
