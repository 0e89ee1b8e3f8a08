"""The form for a new task: its fields, the command with its history, the rollout. Copies and
fetches are in `files`; what it shares with other forms that make a task is in `tasks`."""
