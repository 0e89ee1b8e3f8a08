-- The limit that a command was sent with: what its agent reports beyond it is not stored.

ALTER TABLE command_hosts ADD COLUMN output_limit INTEGER;  -- bytes, both streams together
