-- name: sizes
-- How much was checked.
SELECT (SELECT count(*) FROM tasks) AS tasks, count(*) AS command_hosts,
    coalesce(sum(stdout_bytes + stderr_bytes), 0)::bigint AS output_bytes
FROM command_hosts;

-- name: managers
-- The database belongs to one manager.
SELECT count(*) AS found FROM manager HAVING count(*) <> 1;

-- name: task_counters
-- Counters of a task against a recount, and whether it says that it has faults.
SELECT * FROM (
    SELECT t.id AS task_id, jsonb_build_array(t.total, t.pending, t.running, t.completed, t.failed,
            t.timeout, t.canceled, t.skipped, t.has_faults::integer) AS stored,
        coalesce(c.counted, '[0,0,0,0,0,0,0,0,0]') AS counted
    FROM counted_tasks AS t LEFT JOIN (
        SELECT task_id, jsonb_build_array(count(*),
            count(*) FILTER (WHERE status = 'pending'), count(*) FILTER (WHERE status = 'running'),
            count(*) FILTER (WHERE status = 'completed'), count(*) FILTER (WHERE status = 'failed'),
            count(*) FILTER (WHERE status = 'timeout'), count(*) FILTER (WHERE status = 'canceled'),
            count(*) FILTER (WHERE status = 'skipped'),
            max((status IN ('failed', 'timeout', 'skipped'))::integer)) AS counted
        FROM command_hosts GROUP BY task_id) AS c ON c.task_id = t.id) AS compared
WHERE stored <> counted ORDER BY task_id;

-- name: command_counters
-- Counters of a command against a recount.
SELECT * FROM (
    SELECT k.id, k.task_id, k.position, jsonb_build_array(k.total, k.pending, k.running,
            k.completed, k.failed, k.timeout, k.canceled, k.skipped) AS stored,
        coalesce(c.counted, '[0,0,0,0,0,0,0,0]') AS counted
    FROM counted_commands AS k LEFT JOIN (
        SELECT command_id, jsonb_build_array(count(*),
            count(*) FILTER (WHERE status = 'pending'), count(*) FILTER (WHERE status = 'running'),
            count(*) FILTER (WHERE status = 'completed'), count(*) FILTER (WHERE status = 'failed'),
            count(*) FILTER (WHERE status = 'timeout'), count(*) FILTER (WHERE status = 'canceled'),
            count(*) FILTER (WHERE status = 'skipped')) AS counted
        FROM command_hosts GROUP BY command_id) AS c ON c.command_id = k.id) AS compared
WHERE stored <> counted ORDER BY id;

-- name: status_and_reason
-- Pairs that no transition leads to; `legal` is a JSON array of pairs.
SELECT ch.task_id, ch.execution_id, ch.status, ch.reason FROM command_hosts AS ch
WHERE (ch.status, ch.reason) NOT IN (
    SELECT value->>0, value->>1 FROM jsonb_array_elements(:legal::jsonb) AS legal (value))
ORDER BY ch.id;

-- name: ended_without_time
-- Ended command hosts have finished_at.
SELECT task_id, execution_id, status FROM command_hosts
WHERE status NOT IN ('pending', 'running') AND finished_at IS NULL ORDER BY id;

-- name: unended_with_time
-- Command hosts that have not ended have none.
SELECT task_id, execution_id, status FROM command_hosts
WHERE status IN ('pending', 'running') AND finished_at IS NOT NULL ORDER BY id;

-- name: running_unsent
-- Running command hosts were sent and have started.
SELECT task_id, execution_id FROM command_hosts
WHERE status = 'running' AND (sent_at IS NULL OR started_at IS NULL) ORDER BY id;

-- name: wrong_command
-- A command host has the task and the position of its command.
SELECT ch.task_id, ch.execution_id, k.task_id AS of_task, k.position AS of_position
FROM command_hosts AS ch JOIN commands AS k ON k.id = ch.command_id
WHERE ch.task_id <> k.task_id OR ch.position <> k.position ORDER BY ch.id;

-- name: twice_on_a_host
-- A command has one command host on each host.
SELECT min(task_id) AS task_id, min(position) AS position, host, count(*) AS times FROM command_hosts
GROUP BY command_id, host HAVING count(*) > 1;

-- name: incomplete_task
-- A started task has one command host for each of its commands on each of its hosts.
SELECT t.id AS task_id, t.host_count, c.commands, coalesce(ch.found, 0) AS found
FROM tasks AS t JOIN (SELECT task_id, count(*) AS commands FROM commands GROUP BY task_id) AS c
    ON c.task_id = t.id
LEFT JOIN (SELECT task_id, count(*) AS found FROM command_hosts GROUP BY task_id) AS ch
    ON ch.task_id = t.id
WHERE coalesce(ch.found, 0) <> t.host_count * c.commands ORDER BY t.id;

-- name: out_of_turn
-- An unsent command of a running task is ready when no command is left before it on its host and, in a
-- rollout, its host is under way; and only then. `bar`: 1 behind a failure that only commands that are
-- `always` follow, 2 behind an end that none follows.
SELECT task_id, execution_id, position, ready::integer AS ready, before FROM (
    SELECT ch.id, ch.task_id, ch.execution_id, ch.position, ch.status, ch.ready, ch.sent_at, k.always,
        coalesce(rh.state = 'under_way', true) AS begun, lag(ch.status) OVER place AS before,
        count(*) FILTER (WHERE ch.status IN ('pending', 'running')) OVER earlier AS left_before,
        coalesce(max(CASE
            WHEN ch.status = 'canceled' OR ch.reason IN ('undeliverable', 'agent_lost',
                'agent_state_lost', 'interrupted') THEN 2
            WHEN ch.status IN ('failed', 'timeout') AND k.on_failure = 'stop' THEN 1 ELSE 0 END)
            OVER earlier, 0) AS bar
    FROM command_hosts AS ch JOIN tasks AS t ON t.id = ch.task_id
    JOIN commands AS k ON k.id = ch.command_id
    LEFT JOIN rollout_hosts AS rh ON rh.task_id = ch.task_id AND rh.host = ch.host
    WHERE t.status = 'running'
    WINDOW place AS (PARTITION BY ch.task_id, ch.host ORDER BY ch.position),
        earlier AS (place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) AS placed
WHERE status = 'pending' AND sent_at IS NULL
  AND ((begun AND left_before = 0) <> ready OR bar > always::integer) ORDER BY id;

-- name: rollout_host
-- A host of a rollout against a recount of its command hosts.
SELECT * FROM (
    SELECT rh.task_id, rh.place, h.name AS host,
        json_build_array(rh.batch, (rh.state = 'ended')::integer, rh.unended, rh.incomplete,
            rh.faults)::text AS found,
        json_build_array(c.batch, (c.unended = 0)::integer, c.unended, c.incomplete,
            c.faults)::text AS expected
    FROM rollout_hosts AS rh JOIN hosts AS h ON h.id = rh.host JOIN (
        SELECT task_id, host, max(batch) AS batch,
            count(*) FILTER (WHERE status IN ('pending', 'running')) AS unended,
            count(*) FILTER (WHERE status <> 'completed') AS incomplete,
            count(*) FILTER (WHERE status IN ('failed', 'timeout') AND reason <> 'undeliverable')
                AS faults
        FROM command_hosts WHERE batch > 0 GROUP BY task_id, host) AS c
        ON c.task_id = rh.task_id AND c.host = rh.host) AS compared
WHERE found <> expected ORDER BY task_id, place;

-- name: barrier
-- A host that waits at a barrier has ended all commands before that step, and not that one.
SELECT rh.task_id, h.name AS host, rh.barrier, c.next FROM rollout_hosts AS rh
JOIN hosts AS h ON h.id = rh.host
LEFT JOIN (
    SELECT ch.task_id, ch.host, min(ch.position) AS next FROM command_hosts AS ch
    WHERE ch.status IN ('pending', 'running') GROUP BY ch.task_id, ch.host) AS c
    ON c.task_id = rh.task_id AND c.host = rh.host
WHERE rh.barrier IS NOT NULL AND rh.barrier IS DISTINCT FROM c.next ORDER BY rh.task_id, rh.place;

-- name: rollout_batch
-- Counters of a batch against a recount.
SELECT * FROM (
    SELECT b.task_id, b.number, json_build_array(b.hosts, b.waiting, b.ended, b.at_barrier,
            b.failed, b.completed)::text AS found, c.expected
    FROM rollout_batches AS b JOIN (
        SELECT task_id, batch, json_build_array(count(*), count(*) FILTER (WHERE state = 'waiting'),
            count(*) FILTER (WHERE state = 'ended'), count(*) FILTER (WHERE state = 'at_barrier'),
            count(*) FILTER (WHERE faults > 0),
            count(*) FILTER (WHERE incomplete = 0))::text AS expected
        FROM rollout_hosts GROUP BY task_id, batch) AS c
        ON c.task_id = b.task_id AND c.batch = b.number) AS compared
WHERE found <> expected ORDER BY task_id, number;

-- name: rollout_counters
-- Counters of a rollout against a recount.
SELECT * FROM (
    SELECT r.task_id, json_build_array(r.hosts_waiting, r.hosts_expected, r.hosts_under_way,
            r.hosts_away, r.hosts_at_barrier, r.hosts_failing, r.hosts_failed)::text AS found,
        c.expected
    FROM rollouts AS r JOIN (
        SELECT task_id, json_build_array(count(*) FILTER (WHERE state = 'waiting'),
            count(*) FILTER (WHERE state = 'expected'), count(*) FILTER (WHERE state = 'under_way'),
            count(*) FILTER (WHERE state = 'away'), count(*) FILTER (WHERE state = 'at_barrier'),
            count(*) FILTER (WHERE state <> 'ended' AND faults > 0),
            count(*) FILTER (WHERE faults > 0))::text AS expected
        FROM rollout_hosts GROUP BY task_id) AS c ON c.task_id = r.task_id) AS compared
WHERE found <> expected ORDER BY task_id;

-- name: ended_task_unended_row
-- An ended task has ended command hosts only.
SELECT t.id AS task_id, t.status, count(*) AS unended
FROM command_hosts AS ch JOIN tasks AS t ON t.id = ch.task_id
WHERE ch.status IN ('pending', 'running') AND t.status IN ('completed', 'failed', 'canceled')
GROUP BY t.id;

-- name: running_task_all_ended
-- A running task has something that has not ended.
SELECT t.id AS task_id FROM tasks AS t
WHERE t.status = 'running' AND NOT EXISTS (
    SELECT 1 FROM command_hosts AS ch WHERE ch.task_id = t.id AND ch.status IN ('pending', 'running'));

-- name: task_status
-- completed: all command hosts have completed; failed: some have not, or none was cancelled.
SELECT t.id AS task_id, t.status, count(*) AS total,
    count(*) FILTER (WHERE ch.status = 'completed') AS completed
FROM tasks AS t JOIN command_hosts AS ch ON ch.task_id = t.id
WHERE t.status IN ('completed', 'failed')
GROUP BY t.id
HAVING (t.status = 'completed') <> (count(*) FILTER (WHERE ch.status = 'completed') = count(*));

-- name: paused_task
-- Only a running task that nobody has canceled is paused.
SELECT id AS task_id, status FROM tasks
WHERE paused_at IS NOT NULL AND (status <> 'running' OR cancel_requested_at IS NOT NULL) ORDER BY id;

-- name: held_task
-- And only such a task is on hold.
SELECT t.id AS task_id, t.status FROM rollouts AS r JOIN tasks AS t ON t.id = r.task_id
WHERE r.held_until IS NOT NULL AND (t.status <> 'running' OR t.cancel_requested_at IS NOT NULL)
ORDER BY t.id;

-- name: task_times
-- The times of a task agree with its status.
SELECT id AS task_id, status FROM tasks
WHERE (finished_at IS NULL) <> (status IN ('pending', 'running'))
    OR (started_at IS NULL AND status NOT IN ('pending', 'canceled'))
    OR (started_at IS NOT NULL AND status = 'pending')
    OR (cancel_requested_at IS NULL AND status = 'canceled') ORDER BY id;

-- name: output_hole
-- Each piece of output begins where the one before it ends; lost output is a counted gap.
SELECT ch.task_id, ch.execution_id, o.stream, o.begins, o.before AS expected FROM (
    SELECT command_host_id, stream, "offset" AS begins,
        lag("offset" + gap + length(data), 1, 0)
            OVER (PARTITION BY command_host_id, stream ORDER BY "offset") AS before
    FROM output_chunks) AS o JOIN command_hosts AS ch ON ch.id = o.command_host_id
WHERE o.begins <> o.before;

-- name: output_size
-- Stored bytes of each stream against the counts of its command host.
SELECT ch.task_id, ch.execution_id, ch.stdout_bytes, coalesce(o.stdout, 0) AS stdout,
    ch.stderr_bytes, coalesce(o.stderr, 0) AS stderr
FROM command_hosts AS ch LEFT JOIN (
    SELECT command_host_id, sum(gap + length(data)) FILTER (WHERE stream = 1)::bigint AS stdout,
        sum(gap + length(data)) FILTER (WHERE stream = 2)::bigint AS stderr
    FROM output_chunks GROUP BY command_host_id) AS o ON o.command_host_id = ch.id
WHERE ch.stdout_bytes <> coalesce(o.stdout, 0) OR ch.stderr_bytes <> coalesce(o.stderr, 0)
ORDER BY ch.id;

-- name: output_piece
-- A piece has data or a gap, and the task of its command host.
SELECT o.id AS piece, ch.task_id, ch.execution_id
FROM output_chunks AS o JOIN command_hosts AS ch ON ch.id = o.command_host_id
WHERE o.task_id <> ch.task_id OR o.gap < 0 OR (o.gap > 0) = (length(o.data) > 0) ORDER BY o.id;

-- name: contents
-- Scripts and inputs have the hash that their command names.
SELECT k.task_id, k.position, kinds.kind
FROM (SELECT 'script' AS kind UNION ALL SELECT 'stdin') AS kinds
CROSS JOIN commands AS k
LEFT JOIN command_contents AS c ON c.command_id = k.id AND c.kind = kinds.kind
WHERE encode(sha256(c.data), 'hex') IS DISTINCT FROM CASE kinds.kind
    WHEN 'script' THEN k.script_sha256 ELSE k.stdin_sha256 END
ORDER BY k.id, kinds.kind;

-- name: secret_not_erased
-- Secrets are erased when their task ends.
SELECT k.task_id, k.position, s.name AS secret, t.status
FROM secrets AS s JOIN commands AS k ON k.id = s.command_id JOIN tasks AS t ON t.id = k.task_id
WHERE s.value IS NOT NULL AND t.status IN ('completed', 'failed', 'canceled')
ORDER BY k.id, s.name;

-- name: token_uses
-- No join token was used more often than allowed, or has more hosts than it counts. It may have fewer:
-- a host has the token with which it enrolled last.
SELECT t.id AS token, t.uses, t.used, count(h.id) AS enrolled
FROM tokens AS t LEFT JOIN hosts AS h ON h.token_id = t.id
GROUP BY t.id HAVING t.used > t.uses OR t.used < count(h.id);

-- name: bound_labels
-- A host has the labels of its join token, whatever its agent says, unless an operator replaced them.
SELECT h.name AS host, b.key AS label, b.value AS bound
FROM hosts AS h CROSS JOIN jsonb_each_text(h.bound_labels::jsonb) AS b
WHERE h.labels::jsonb->>b.key IS DISTINCT FROM b.value AND h.operator_labels::jsonb->b.key IS NULL
ORDER BY h.id, b.key;

-- name: operator_labels
-- A host has the labels that operators gave it, whatever its agent says.
SELECT h.name AS host, o.key AS label, o.value AS given
FROM hosts AS h CROSS JOIN jsonb_each_text(h.operator_labels::jsonb) AS o
WHERE h.labels::jsonb->>o.key IS DISTINCT FROM o.value
ORDER BY h.id, o.key;

-- name: removed_not_revoked
-- A host that was removed is revoked too, so that nothing is sent to it.
SELECT name AS host, admission FROM hosts
WHERE removed_at IS NOT NULL AND admission <> 'revoked' ORDER BY id;

-- name: turned_away_with_work
-- A host that was turned away has no command that has not ended.
SELECT h.name AS host, h.admission, count(*) AS unended
FROM hosts AS h JOIN command_hosts AS ch ON ch.host = h.id
WHERE h.admission IN ('rejected', 'revoked') AND ch.status IN ('pending', 'running')
GROUP BY h.id;

-- name: schedule_unreadable
-- When each schedule is due. `check.py` keeps those that this machine cannot read.
SELECT name AS schedule, cron, zone FROM schedules ORDER BY id;

-- name: schedule_due
-- Due times up to handled_until have their rows.
SELECT name AS schedule FROM schedules WHERE next_due <= handled_until ORDER BY id;

-- name: schedule_run
-- What was decided has either a task or a reason; what waits has neither. Several due times have a
-- first one.
SELECT s.name AS schedule, r.id AS run,
    jsonb_build_array(r.count, r.first_due, r.task_id, r.skipped, r.decided_at) AS found
FROM schedule_runs AS r JOIN schedules AS s ON s.id = r.schedule
WHERE (r.task_id IS NOT NULL)::integer + (r.skipped <> '')::integer
        <> (r.decided_at IS NOT NULL)::integer
   OR (r.count > 1) <> (r.first_due IS NOT NULL) OR r.first_due > r.due OR r.count < 1
ORDER BY r.id;

-- name: schedule_task
-- The task of a due time says which schedule has started it.
SELECT s.name AS schedule, r.id AS run, r.task_id
FROM schedule_runs AS r JOIN schedules AS s ON s.id = r.schedule JOIN tasks AS t ON t.id = r.task_id
WHERE t.schedule IS DISTINCT FROM r.schedule ORDER BY r.id;

-- name: schedule_paused
-- Nothing waits while a schedule is paused.
SELECT s.name AS schedule FROM schedules AS s JOIN schedule_runs AS r ON r.schedule = s.id
WHERE s.paused_at IS NOT NULL AND r.decided_at IS NULL ORDER BY s.id;

-- name: files_not_stored
-- Sets that a task copies which has not ended, or that a saved task file names, are stored.
SELECT 'task ' || t.id AS what, c.files_sha256 AS file_set
FROM commands AS c JOIN tasks AS t ON t.id = c.task_id
WHERE c.files_sha256 IS NOT NULL AND t.status IN ('pending', 'running')
AND NOT EXISTS (SELECT 1 FROM file_sets AS s WHERE s.sha256 = c.files_sha256)
UNION ALL
SELECT 'the template ' || n.name || '@' || v.version, f.sha256
FROM template_files AS f JOIN template_versions AS v ON v.id = f.version
JOIN templates AS n ON n.id = v.template
WHERE NOT EXISTS (SELECT 1 FROM file_sets AS s WHERE s.sha256 = f.sha256)
UNION ALL
SELECT 'the schedule ' || n.name, f.sha256
FROM schedule_files AS f JOIN schedules AS n ON n.id = f.schedule
WHERE NOT EXISTS (SELECT 1 FROM file_sets AS s WHERE s.sha256 = f.sha256)
ORDER BY 1, 2;

-- name: file_pieces
-- The pieces of a set in the database are as many bytes as it has.
SELECT s.sha256 AS file_set, s.manifest_size + s.size AS expected, coalesce(p.bytes, 0) AS found
FROM file_sets AS s LEFT JOIN (
    SELECT upload, sum(length(bytes)) AS bytes FROM file_pieces GROUP BY upload) AS p
ON p.upload = s.upload
WHERE s.upload IS NOT NULL AND coalesce(p.bytes, 0) <> s.manifest_size + s.size
ORDER BY s.id;
