-- name: begin
-- A manager starts.
UPDATE gateways SET name = :name, address = '', version = :version, started_at = :now,
    stopped_at = NULL, missed_at = NULL, runs = runs + 1, beats = beats + 1, figures = '{}'
WHERE id = :gateway;

-- name: lock
-- A manager as it is now; until the end of the transaction nobody misses it.
SELECT missed_at FROM gateways WHERE id = :gateway;

-- name: beat
-- A manager runs. If others have missed it, they see it again.
UPDATE gateways SET beats = beats + 1, address = :address, figures = :figures, stopped_at = NULL,
    missed_at = NULL
WHERE id = :gateway;

-- name: store_vitals
-- The newest vitals of its hosts.
INSERT INTO gateway_vitals (gateway, vitals) VALUES (:gateway, :vitals)
ON CONFLICT (gateway) DO UPDATE SET vitals = excluded.vitals;

-- name: vitals
-- The same of some managers.
SELECT gateway, vitals FROM gateway_vitals
WHERE gateway IN (SELECT value FROM json_each(:gateways));

-- name: stop
-- A manager stops in order.
UPDATE gateways SET stopped_at = :now WHERE id = :gateway;

-- name: all
-- All managers that ever used the database.
SELECT * FROM gateways ORDER BY id;

-- name: numbers
-- There is one manager, whose transactions nobody counts.
SELECT 0 AS gateway, 0 AS number WHERE 0;

-- name: miss
-- A manager that was not heard for too long; if it has been heard meanwhile, nothing changes.
UPDATE gateways SET missed_at = :now
WHERE id = :gateway AND beats = :beats AND missed_at IS NULL;

-- name: leave_hosts
-- The hosts of a manager that was missed are offline now, if no other one has them.
UPDATE hosts SET online = 0, since = :now WHERE gateway = :gateway AND online = 1 RETURNING id;

-- name: server_time
-- What the clock of the server shows, in microseconds since 1970 UTC.
SELECT CAST(unixepoch('subsec') * 1000000 AS INTEGER) AS now;

-- name: leader
-- Who leads.
SELECT gateway, epoch, renewals FROM leader;

-- name: renew
-- The leader goes on.
UPDATE leader SET renewals = renewals + 1 WHERE gateway = :gateway;

-- name: take_over
-- A new leader, if nobody has renewed the lease or taken over since it was read.
UPDATE leader SET gateway = :gateway, epoch = epoch + 1, renewals = 0
WHERE epoch = :epoch AND renewals = :renewals RETURNING gateway, epoch, renewals;

-- name: release
-- A leader stops, and another one need not wait.
UPDATE leader SET gateway = 0 WHERE gateway = :gateway;
