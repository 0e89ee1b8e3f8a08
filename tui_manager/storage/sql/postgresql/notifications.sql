-- name: some_are_wanted
-- Whether any receiver wants any event. Most managers have none.
SELECT 1 FROM wanted_events LIMIT 1;

-- name: add
-- A notification for each receiver that wants this event.
INSERT INTO notifications (receiver, event, event_id, at, task_id, detail)
SELECT receiver, event, :event_id, :at, :task_id::bigint, :detail
FROM wanted_events WHERE event = :event ORDER BY receiver;

-- name: add_end_of_task
-- The same for the end of a task, which is two events at once.
INSERT INTO notifications (receiver, event, event_id, at, task_id, corrected)
SELECT receiver, event, CASE event WHEN :ended THEN :ended_id::text ELSE :outcome_id::text END, :at,
    :task_id, :corrected::boolean OR (SELECT reopened FROM tasks WHERE id = :task_id)
FROM wanted_events WHERE event IN (:ended, :outcome) ORDER BY event, receiver;

-- name: register
-- A receiver as the settings have it; its counts stay.
INSERT INTO receivers (name, kind, place, events, after_failures)
VALUES (:name, :kind, :place, :events, :after_failures)
ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, place = excluded.place,
    events = excluded.events, after_failures = excluded.after_failures, in_settings = true;

-- name: leave_out
-- No receiver is in the settings, until `register` says so.
UPDATE receivers SET in_settings = false WHERE in_settings;

-- name: want_nothing
-- No receiver wants any event, until `want` says so.
DELETE FROM wanted_events;

-- name: want
-- A receiver wants an event.
INSERT INTO wanted_events (event, receiver) VALUES (:event, :receiver);

-- name: forget
-- Receivers that the settings do not have any more, and for which nothing waits.
DELETE FROM receivers WHERE NOT in_settings
  AND NOT EXISTS (SELECT 1 FROM notifications WHERE receiver = receivers.name);

-- name: forget_old
-- What has waited since before an instant for a receiver that the settings do not have.
DELETE FROM notifications WHERE at < :before
  AND receiver IN (SELECT name FROM receivers WHERE NOT in_settings);

-- name: list
-- The receivers of the settings by name, with the number of notifications that wait for each.
SELECT r.*, (SELECT count(*) FROM notifications WHERE receiver = r.name) AS pending
FROM receivers AS r WHERE in_settings ORDER BY name;

-- name: some_are_known
-- Whether there is a receiver, also one that the settings do not have any more.
SELECT 1 FROM receivers LIMIT 1;

-- name: newest
-- The number of the newest notification.
SELECT max(id) AS newest FROM notifications;

-- name: oldest
-- The oldest notification of a receiver.
SELECT * FROM notifications WHERE receiver = :receiver ORDER BY id LIMIT 1;

-- name: more_than
-- Whether more than some notifications wait for a receiver.
SELECT 1 FROM notifications WHERE receiver = :receiver ORDER BY id LIMIT 1 OFFSET :kept;

-- name: drop_oldest
-- Keeps only the newest ones of a receiver.
DELETE FROM notifications WHERE receiver = :receiver AND id <= (
    SELECT id FROM notifications WHERE receiver = :receiver ORDER BY id DESC LIMIT 1 OFFSET :kept);

-- name: of_hosts
-- What a receiver has not been told yet of lost and returned hosts, the oldest first.
SELECT * FROM notifications WHERE receiver = :receiver AND id >= :first
  AND event IN ('host_lost', 'host_back') ORDER BY id;

-- name: gather
-- A notification gets the hosts of others.
UPDATE notifications SET detail = :detail, gathered = true WHERE id = :id;

-- name: remove
-- A notification is delivered, or never will be.
DELETE FROM notifications WHERE id = :id;

-- name: remove_old
-- Those of a receiver from before an instant.
DELETE FROM notifications WHERE receiver = :receiver AND at < :before;

-- name: count_delivered
-- A receiver has taken one.
UPDATE receivers SET delivered = delivered + 1, delivered_at = :now, failing_since = NULL,
    last_error = '' WHERE name = :name;

-- name: end_failing
-- A receiver has taken a test. What it took is not counted.
UPDATE receivers SET failing_since = NULL, last_error = ''
WHERE name = :name AND failing_since IS NOT NULL;

-- name: count_failed
-- A try has failed.
UPDATE receivers SET failing_since = coalesce(failing_since, :now), last_error = :error
WHERE name = :name;

-- name: count_lost
-- Some were given up or dropped.
UPDATE receivers SET given_up = given_up + :given_up, dropped = dropped + :dropped, lost_at = :now
WHERE name = :name;

-- name: earlier_ends
-- How the same task ended before: of the same schedule, else of the same template, else of the same name
-- and target. The newest end first.
SELECT t.status FROM tasks AS t
WHERE coalesce('schedule ' || t.schedule::text, 'template ' || t.template_name,
               'task ' || t.name || chr(10) || t.target) = (
    SELECT coalesce('schedule ' || schedule::text, 'template ' || template_name,
                    'task ' || name || chr(10) || target) FROM tasks WHERE id = :task_id)
  AND t.status IN ('completed', 'failed') AND t.pruned_at IS NULL
  AND (t.finished_at, t.id) < (SELECT finished_at, id FROM tasks WHERE id = :task_id)
ORDER BY t.finished_at DESC, t.id DESC LIMIT :limit;

-- name: later_end
-- The first end of the same task after this one.
SELECT t.status FROM tasks AS t
WHERE coalesce('schedule ' || t.schedule::text, 'template ' || t.template_name,
               'task ' || t.name || chr(10) || t.target) = (
    SELECT coalesce('schedule ' || schedule::text, 'template ' || template_name,
                    'task ' || name || chr(10) || target) FROM tasks WHERE id = :task_id)
  AND t.status IN ('completed', 'failed') AND t.pruned_at IS NULL
  AND (t.finished_at, t.id) > (SELECT finished_at, id FROM tasks WHERE id = :task_id)
ORDER BY t.finished_at, t.id LIMIT 1;

-- name: lost_hosts
-- The hosts that are lost, with their row ids.
SELECT host FROM lost_hosts;

-- name: lose_hosts
-- Hosts, a JSON array of row ids, are lost from now on. Those that were lost already are not named.
INSERT INTO lost_hosts (host, since)
SELECT id, :now FROM hosts
WHERE id = ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text(:hosts::jsonb)))
  AND admission = 'admitted'
ON CONFLICT (host) DO NOTHING RETURNING host;

-- name: find_hosts
-- Hosts, a JSON array of row ids, are lost no more. Those that were not lost are not named.
DELETE FROM lost_hosts
WHERE host = ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text(:hosts::jsonb)))
RETURNING host;

-- name: names_of_hosts
-- The names of hosts, a JSON array of row ids, in order, without those that were removed.
SELECT name FROM hosts
WHERE id = ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text(:hosts::jsonb)))
  AND removed_at IS NULL ORDER BY name;
