-- name: unended_tasks
-- The newest tasks that have not ended on a host.
SELECT DISTINCT task_id FROM command_hosts INDEXED BY command_hosts_unended
WHERE host = :host AND status IN ('pending', 'running') ORDER BY task_id DESC LIMIT :limit;

-- name: of_tasks
-- What each of these tasks, a JSON array, did on a host: one command host a task, which says how it
-- went, with the begin of its first command there and the end of its last; the newest task first.
SELECT ch.*, h.host_id, h.name AS host_name, t.name AS task_name,
       (SELECT count(*) FROM commands WHERE task_id = t.id) AS steps,
       (SELECT min(step.started_at) FROM commands AS c JOIN command_hosts AS step
            ON step.command_id = c.id WHERE c.task_id = t.id AND step.host = ch.host) AS first_start,
       (SELECT max(step.finished_at) FROM commands AS c JOIN command_hosts AS step
            ON step.command_id = c.id WHERE c.task_id = t.id AND step.host = ch.host) AS last_end
FROM json_each(:tasks) AS wanted
CROSS JOIN tasks AS t ON t.id = wanted.value AND t.pruned_at IS NULL
CROSS JOIN command_hosts AS ch ON ch.id = (
    SELECT step.id FROM commands AS c JOIN command_hosts AS step ON step.command_id = c.id
    WHERE c.task_id = t.id AND step.host = :host
    ORDER BY CASE step.status WHEN 'running' THEN 0 WHEN 'pending' THEN 1 WHEN 'failed' THEN 2
                 WHEN 'timeout' THEN 2 WHEN 'canceled' THEN 3 WHEN 'skipped' THEN 4 ELSE 5 END,
             CASE step.status WHEN 'completed' THEN -step.position ELSE step.position END
    LIMIT 1)
CROSS JOIN hosts AS h ON h.id = ch.host
ORDER BY t.id DESC;

-- name: admission
-- The last time that a host was admitted.
SELECT at, actor, detail FROM audit INDEXED BY audit_of_host
WHERE host_id = :host_id AND action = 'admit_host' ORDER BY id DESC LIMIT 1;
