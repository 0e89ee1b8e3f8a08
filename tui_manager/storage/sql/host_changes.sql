-- name: set_maintenance
-- Begins a maintenance, replaces one, or ends it (all three NULL).
UPDATE hosts SET maintenance_reason = :reason, maintenance_until = :until, maintenance_by = :by
WHERE host_id = :host_id RETURNING *;
