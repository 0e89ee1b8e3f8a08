-- name: host_classes
-- The hosts of a task that has ended, each with its class: the number of the first that fits, in the
-- order of `domain/tasks/host_class.py`. That file has the rule too, and a test compares the two.
SELECT h.host_id, h.name, min(CASE
        WHEN ch.status = 'completed' THEN 3
        WHEN ch.reason IN ('agent_lost', 'agent_state_lost', 'interrupted', 'cancel_unconfirmed')
            THEN 0
        WHEN ch.status = 'timeout' THEN 1
        WHEN ch.status = 'failed' AND ch.reason <> 'undeliverable' THEN 1
        WHEN ch.status = 'canceled' AND ch.started_at IS NOT NULL THEN 1
        ELSE 2 END) AS class
FROM command_hosts AS ch JOIN hosts AS h ON h.id = ch.host
WHERE ch.task_id = :task_id GROUP BY ch.host;
