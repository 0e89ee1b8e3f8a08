-- When a piece of output was stored, in microseconds since 1970 UTC. Older pieces have no time.

ALTER TABLE output_chunks ADD COLUMN stored_at INTEGER;
