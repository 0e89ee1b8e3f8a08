-- name: newest
-- The newest tasks of one command whose text contains a text, one for each command, the newest first.
-- Two commands are one if their texts are equal.
SELECT found.text, t.*, r.*
FROM (SELECT k.text, max(k.task_id) AS task_id
      FROM (SELECT id FROM tasks WHERE pruned_at IS NULL
            ORDER BY id DESC LIMIT :tasks) AS newest
      JOIN commands AS k ON k.task_id = newest.id AND k.position = 0
      WHERE k.text <> '' AND length(k.text) <= :length
        AND strpos(lower(k.text), lower(:text::text COLLATE "C")) > 0
        AND NOT EXISTS (SELECT 1 FROM commands AS second
                        WHERE second.task_id = newest.id AND second.position = 1)
      GROUP BY k.text ORDER BY max(k.task_id) DESC LIMIT :limit) AS found
JOIN counted_tasks AS t ON t.id = found.task_id
LEFT JOIN rollouts AS r ON r.task_id = t.id
ORDER BY t.id DESC;
