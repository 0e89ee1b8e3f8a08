-- A long history in one go. The temporary table `shape` holds one row: what there is to be.
-- Command hosts are not counted one by one: their trigger is away, and they are counted once.

INSERT INTO hosts (id, host_id, name, labels, admission, os, arch, capacity, first_seen, since)
WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n, shape WHERE i + 1 < hosts)
SELECT i + 1, printf('00000000-0000-4000-8000-%012x', i), printf('old%05d', i),
    json_object('env', CASE i % 3 WHEN 0 THEN 'prod' ELSE 'test' END, 'rack', printf('%d', i / 40)),
    'admitted', 'linux', 'x86_64', 5, began, began
FROM n, shape;

-- Task 1 is the one of many commands; `wide` tasks on all hosts follow, then tasks on one host each.
INSERT INTO tasks (id, name, description, target, status, host_count, created_by, created_at,
    started_at, finished_at)
WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n, shape WHERE i + 1 < tasks)
SELECT i + 1, printf('job %d', i), '',
    CASE WHEN i <= wide THEN '@all' ELSE printf('old%05d', i * 7 % hosts) END,
    'completed', CASE WHEN i <= wide THEN hosts ELSE 1 END, 'bench@none',
    began + i * pause, began + i * pause, began + (i + 1) * pause - i * 7919 % pause / 2
FROM n, shape;

INSERT INTO commands (task_id, position, text, timeout_after, parameters, environment, cwd)
WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n, shape WHERE i + 1 < commands)
SELECT t.id, n.i, 'uname -r', 3600000000, '{}', '{}', ''
FROM tasks AS t JOIN n ON n.i = 0 OR t.id = 1 ORDER BY t.id, n.i;

INSERT INTO command_hosts (execution_id, task_id, command_id, position, host, status, reason,
    exit_code, sent_at, sent_journal_id, started_at, finished_at, stdout_bytes, stdout_total,
    stderr_total)
SELECT lower(printf('%s-%s-7%s-8%s-%s', substr(began_at, 1, 8), substr(began_at, 9),
        substr(hex(randomblob(2)), 2), substr(hex(randomblob(2)), 2), hex(randomblob(6)))),
    task_id, command_id, position, host, CASE WHEN failed THEN 'failed' ELSE 'completed' END,
    CASE WHEN failed THEN 'exit_code' ELSE '' END, failed, started_at, 'j', started_at + 1000000,
    started_at + 2000000 + host, 40, 40, 0
FROM (
    SELECT t.id AS task_id, k.id AS command_id, k.position, h.id AS host, t.started_at,
        printf('%012x', t.started_at / 1000) AS began_at,
        (t.id * 7 + k.position * 3 + h.id) % 50 = 0 AS failed
    FROM shape CROSS JOIN tasks AS t CROSS JOIN commands AS k ON k.task_id = t.id
        CROSS JOIN hosts AS h ON h.id BETWEEN
            CASE WHEN t.id <= wide + 1 THEN 1 ELSE (t.id - 1) * 7 % hosts + 1 END
            AND CASE WHEN t.id <= wide + 1 THEN hosts ELSE (t.id - 1) * 7 % hosts + 1 END
    ORDER BY k.id, h.id);

UPDATE tasks SET total = c.total, completed = c.completed, failed = c.failed
FROM (SELECT task_id, count(*) AS total, sum(status = 'completed') AS completed,
    sum(status = 'failed') AS failed FROM command_hosts GROUP BY task_id) AS c
WHERE c.task_id = tasks.id;
UPDATE commands SET total = c.total, completed = c.completed, failed = c.failed
FROM (SELECT command_id, count(*) AS total, sum(status = 'completed') AS completed,
    sum(status = 'failed') AS failed FROM command_hosts GROUP BY command_id) AS c
WHERE c.command_id = commands.id;
UPDATE tasks SET status = 'failed' WHERE failed > 0;

-- A line of each command host, and many of the newest.
INSERT INTO output_chunks (task_id, command_host_id, stream, "offset", data)
SELECT task_id, id, 1, 0, CAST(printf('%-39d', id) || char(10) AS BLOB) FROM command_hosts;
INSERT INTO output_chunks (task_id, command_host_id, stream, "offset", data)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n, shape WHERE i < lines)
SELECT c.task_id, c.id, 1, n.i * 40, CAST(printf('%-39d', n.i) || char(10) AS BLOB)
FROM n, (SELECT max(id) AS id, task_id FROM command_hosts) AS c;
UPDATE command_hosts SET
    stdout_bytes = (SELECT lines + 1 FROM shape) * 40,
    stdout_total = (SELECT lines + 1 FROM shape) * 40
WHERE id = (SELECT max(id) FROM command_hosts);

INSERT INTO audit (at, actor, action, task_id, detail)
SELECT created_at, created_by, a.action, t.id, json_object('target', target)
FROM tasks AS t, (SELECT 'create_task' AS action UNION ALL SELECT 'start_task') AS a ORDER BY t.id;
