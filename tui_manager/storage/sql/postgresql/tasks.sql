-- name: lock
-- Only this transaction plans this task, or ends parts of it, until its end.
SELECT id FROM tasks WHERE id = :task_id FOR NO KEY UPDATE;

-- name: insert
-- A new task, pending.
INSERT INTO tasks (name, description, target, created_by, created_at, offline, delivery_timeout,
                   request_id, include_maintenance, rerun_of, template_name, template_version,
                   parameters)
VALUES (:name, :description, :target, :created_by, :now, :offline, :delivery_timeout, :request_id,
        :include_maintenance, :rerun_of, :template_name, :template_version, :parameters)
RETURNING id;

-- name: of_request
-- The task that a request has created, also if it is pruned.
SELECT id, target FROM tasks WHERE request_id = :request_id;

-- name: started_by
-- The request that has started a task.
SELECT start_request_id FROM tasks WHERE id = :task_id AND pruned_at IS NULL;

-- name: set_start_request
-- So that a repeat of that request changes nothing.
UPDATE tasks SET start_request_id = :request_id WHERE id = :task_id;

-- name: insert_command
-- One step of a new task.
INSERT INTO commands (task_id, position, text, timeout_after, parameters, environment, cwd,
                      run_as_user, memory_max, tasks_max, cpu_max, name, arguments, on_failure,
                      always, barrier, script_size, script_sha256, stdin_size, stdin_sha256,
                      copy_step, fetch_step, update_step, files_sha256)
VALUES (:task_id, :position, :text, :timeout_after, :parameters, :environment, :cwd, :run_as_user,
        :memory_max, :tasks_max, :cpu_max, :name, :arguments, :on_failure, :always, :barrier,
        :script_size, :script_sha256, :stdin_size, :stdin_sha256,
        :copy_step, :fetch_step, :update_step, :files_sha256);

-- name: get
-- One task that is not pruned, with its rollout.
SELECT t.*, r.* FROM counted_tasks AS t LEFT JOIN rollouts AS r ON r.task_id = t.id
WHERE t.id = :task_id AND t.pruned_at IS NULL;

-- name: commands
-- The steps of a task in order.
SELECT * FROM counted_commands WHERE task_id = :task_id ORDER BY position;

-- name: command_counts
-- The counters of the steps of a task in order.
SELECT position, total, pending, running, completed, failed, timeout, canceled, skipped
FROM counted_commands WHERE task_id = :task_id ORDER BY position;

-- name: reruns
-- The newest tasks that repeat hosts of a task.
SELECT id FROM tasks WHERE rerun_of = :task_id AND rerun_of IS NOT NULL AND pruned_at IS NULL
ORDER BY id DESC LIMIT :limit;

-- name: start
-- pending → running.
UPDATE tasks SET status = 'running', started_at = :now, host_count = :host_count,
    left_out = :left_out
WHERE id = :task_id AND status = 'pending';

-- name: cancel
-- pending → canceled; a running task keeps its status until its command hosts have ended. It is not
-- paused any more.
UPDATE tasks SET
    cancel_requested_at = coalesce(cancel_requested_at, :now),
    finished_at = CASE status WHEN 'pending' THEN :now END,
    status = CASE status WHEN 'pending' THEN 'canceled' ELSE status END,
    paused_at = NULL
WHERE id = :task_id AND status IN ('pending', 'running')
RETURNING status;

-- name: pause
-- Nothing more is sent. A task that is canceled or paused is not paused.
UPDATE tasks SET paused_at = :now
WHERE id = :task_id AND status = 'running' AND cancel_requested_at IS NULL AND paused_at IS NULL;

-- name: resume
-- The end of a pause.
UPDATE tasks SET paused_at = NULL
WHERE id = :task_id AND status = 'running' AND cancel_requested_at IS NULL
  AND paused_at IS NOT NULL;

-- name: paused_at
-- Since when a task is paused.
SELECT paused_at FROM tasks WHERE id = :task_id AND pruned_at IS NULL;

-- name: end
-- running → completed, failed or canceled: all command hosts have ended.
UPDATE tasks SET status = :status, finished_at = :now, paused_at = NULL WHERE id = :task_id AND status = 'running';

-- name: reopen
-- failed → running: an agent that was declared lost still runs a command of it.
UPDATE tasks SET status = 'running', finished_at = NULL, reopened = true
WHERE id = :task_id AND status = 'failed';

-- name: correct
-- completed ↔ failed: a late result has replaced a guess.
UPDATE tasks SET status = :status
WHERE id = :task_id AND status IN ('completed', 'failed') AND status <> :status;

-- name: hosts_of_steps
-- For tasks by their ids, a JSON array: the hosts that have ended all steps, the failures and
-- timeouts, and how many steps have some. A host ends its steps in order, so that the step that
-- fewest hosts have ended says how many have ended.
SELECT task_id, min(total - pending - running) AS ended, sum(failed + timeout)::bigint AS failures,
    count(*) FILTER (WHERE failed + timeout > 0) AS failing_steps
FROM counted_commands
WHERE task_id IN (SELECT value::bigint FROM jsonb_array_elements_text(:ids::jsonb) AS ids (value))
GROUP BY task_id;

-- name: failed_hosts
-- The hosts on which a step of a task failed or timed out, each as often as it did. At most so many
-- failures are read.
SELECT coalesce(json_agg(host), '[]') FROM (
    SELECT host FROM command_hosts
    WHERE task_id = :task_id AND attention IN (0, 1) LIMIT :limit) AS failures;
